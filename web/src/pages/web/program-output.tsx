import type { JSX } from 'react';

/** The last lines that a site's program wrote; nothing where it wrote none. `id` names the heading, once a page. */
export function ProgramOutput({ id, lines }: { id: string; lines: readonly string[] }): JSX.Element | null {
  if (lines.length === 0) return null;
  return (
    <div className="stack-s">
      <h3 id={id}>What the program wrote last</h3>
      <pre className="output" tabIndex={0} aria-labelledby={id}>
        {lines.join('\n')}
      </pre>
    </div>
  );
}
