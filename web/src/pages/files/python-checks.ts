import { pythonLanguage } from '@codemirror/lang-python';

/** One thing worth telling while typing; positions are offsets into the text. */
export interface Finding {
  from: number;
  to: number;
  severity: 'error' | 'warning';
  message: string;
}

/** Tabs and spaces mixed in one file's indentation: Python refuses it, and it cannot be seen. */
function indentationFindings(text: string): Finding[] {
  const findings: Finding[] = [];
  let offset = 0;
  let first: string | undefined;
  for (const line of text.split('\n')) {
    const indent = /^[ \t]+(?=\S)/.exec(line)?.[0];
    if (indent !== undefined) {
      const kind = indent[0] ?? ' ';
      first ??= kind;
      if (indent.includes(' ') && indent.includes('\t')) {
        findings.push({
          from: offset,
          to: offset + indent.length,
          severity: 'error',
          message: 'Tabs and spaces are mixed in this indentation.',
        });
      } else if (kind !== first) {
        findings.push({
          from: offset,
          to: offset + indent.length,
          severity: 'warning',
          message: `This line is indented with ${kind === '\t' ? 'a tab' : 'spaces'}, the lines above with ${first === '\t' ? 'tabs' : 'spaces'}.`,
        });
      }
    }
    offset += line.length + 1;
  }
  return findings;
}

/** `app.run()` at the left margin starts a second server while the site is imported: a frequent cause of a site that never answers. */
function runFindings(text: string): Finding[] {
  const match = /^(?:app|application)\.run\(.*$/m.exec(text);
  if (match === null) return [];
  return [
    {
      from: match.index,
      to: match.index + match[0].length,
      severity: 'warning',
      message:
        'This starts a server of its own while the site is being loaded, and the site never answers. Put it under: if __name__ == "__main__":',
    },
  ];
}

/** Where the syntax tree has gaps. The parser recovers, so what follows the first gaps is often noise: at most five. */
function syntaxFindings(text: string): Finding[] {
  const findings: Finding[] = [];
  pythonLanguage.parser.parse(text).iterate({
    enter: (node) => {
      if (!node.type.isError || findings.length >= 5) return;
      const at = Math.min(node.from, Math.max(0, text.length - 1));
      const previous = findings.at(-1);
      if (previous !== undefined && at - previous.from < 2) return;
      findings.push({
        from: at,
        to: Math.max(node.to, Math.min(at + 1, text.length)),
        severity: 'error',
        message: 'Python will not understand this: something is missing or too much here.',
      });
    },
  });
  return findings;
}

/** What can be told about a Python file without running it. */
export function checkPython(text: string): Finding[] {
  return [...syntaxFindings(text), ...indentationFindings(text), ...runFindings(text)];
}
