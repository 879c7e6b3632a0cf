import { type JSX, useEffect, useRef, useState } from 'react';
import { ApiError, call } from '../../api/client.ts';
import { count } from '../../format/format.ts';
import { joinPath } from '../../format/paths.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Bar } from '../../ui/marks.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import { forEachItem } from './deletion.ts';

/** Within a member's share of its volume's places, with room for what else the page asks. */
const AT_ONCE = 4;

async function remove(path: string): Promise<void> {
  try {
    await call('files.delete', { query: { path } });
  } catch (error) {
    // Gone already is what was asked for.
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
  }
}

/** Asks, deletes, and counts while it does. What could not be deleted is left selected, with the reason in sight. */
export function DeleteDialog(props: {
  directory: string;
  names: readonly string[];
  withDirectories: boolean;
  /** After the deletion: the names that are still there. */
  onDone: (left: readonly string[]) => void;
  onClose: () => void;
}): JSX.Element {
  const [names, setNames] = useState(props.names);
  const [done, setDone] = useState<number | null>(null);
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController>(null);
  // Nobody would see the outcome any more.
  useEffect(() => () => stop.current?.abort(), []);
  const one = names.length === 1;
  const run = async (): Promise<void> => {
    const abort = new AbortController();
    stop.current = abort;
    setError(null);
    setDone(0);
    const outcome = await forEachItem(names, (name) => remove(joinPath(props.directory, name)), {
      atOnce: AT_ONCE,
      onProgress: setDone,
      signal: abort.signal,
    });
    props.onDone(outcome.left);
    const [first = ''] = outcome.done;
    if (outcome.done.length > 0)
      showToast(
        names.length === 1 ? `${first} is deleted.` : `${count(outcome.done.length, 'entry', 'entries')} deleted.`,
      );
    if (outcome.left.length === 0 || outcome.error === null) {
      props.onClose();
      return;
    }
    setNames(outcome.left);
    setError(outcome.error);
    setDone(null);
  };
  const busy = done !== null;
  return (
    <Dialog
      title={one ? `Delete ${names[0] ?? ''}?` : `Delete ${count(names.length, 'entry', 'entries')}?`}
      onClose={props.onClose}
      sticky={busy}
    >
      {busy ? (
        <div className="stack-s">
          <p role="status" className="tabular">
            {one
              ? `Deleting ${names[0] ?? ''}`
              : `Deleted ${done.toLocaleString('en-GB')} of ${names.length.toLocaleString('en-GB')}`}
          </p>
          <Bar share={one ? null : done / names.length} tone="busy" label="Deleting" />
        </div>
      ) : (
        <div className="stack-s">
          {!one && (
            <ul className="name-list mono" tabIndex={0} aria-label="What is deleted">
              {names.slice(0, 12).map((name) => (
                <li key={name} className="anywhere">
                  {name}
                </li>
              ))}
              {names.length > 12 && <li className="soft">and {(names.length - 12).toLocaleString('en-GB')} more</li>}
            </ul>
          )}
          <p>
            {props.withDirectories ? 'Directories go with everything in them. ' : ''}
            This cannot be undone.
          </p>
        </div>
      )}
      {error !== null && (
        <ErrorNote error={error}>
          <p>{count(names.length, 'entry is', 'entries are')} still there.</p>
        </ErrorNote>
      )}
      <div className="row row-end">
        {busy ? (
          <Button autoFocus onClick={() => stop.current?.abort()}>
            Stop
          </Button>
        ) : (
          <>
            <Button onClick={props.onClose} autoFocus>
              {one ? 'Keep it' : 'Keep them'}
            </Button>
            <Button look="danger" onClick={() => void run()}>
              Delete
            </Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
