import { type JSX, useState } from 'react';
import { Link } from 'react-router';
import { count } from '../../../format/format.ts';
import { Button } from '../../../ui/button.tsx';

/** Names shown before the rest is asked for. */
const FIRST = 60;

/** Accounts by name, each a link to its line on the Accounts page. */
export function AccountNames({ names }: { names: readonly string[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const sorted = names.toSorted((a, b) => a.localeCompare(b));
  const hidden = sorted.length - FIRST;
  return (
    <div className="stack-s">
      <ul className="names">
        {(all ? sorted : sorted.slice(0, FIRST)).map((name) => (
          <li key={name}>
            <Link to={`/accounts?find=${encodeURIComponent(name)}`}>{name}</Link>
          </li>
        ))}
      </ul>
      {hidden > 0 && (
        <div>
          <Button look="link" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show ${count(hidden, 'more', 'more')}`}
          </Button>
        </div>
      )}
    </div>
  );
}

/** Who lives on a volume. `names` undefined while they are being fetched. */
export function Residents({ total, names }: { total: number; names: readonly string[] | undefined }): JSX.Element {
  if (total === 0) return <p className="soft small">No account lives here.</p>;
  return (
    <details className="residents">
      <summary>
        <strong className="tabular">{count(total, 'account')}</strong> {total === 1 ? 'lives' : 'live'} here
      </summary>
      {names === undefined ? <p className="soft small">Loading their names.</p> : <AccountNames names={names} />}
    </details>
  );
}
