import { type JSX, lazy, Suspense, useState } from 'react';
import { formatBytes } from '../../format/format.ts';
import { nameOf } from '../../format/paths.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Skeleton } from '../../ui/states.tsx';
import type { Content } from './content.ts';

const Comparison = lazy(() => import('./editor.tsx').then((module) => ({ default: module.Comparison })));

/** What is there now instead of what was read; null: nothing any more. */
export type Theirs = (Content & { revision: string }) | null;

function wordsFor(theirs: Theirs): string {
  if (theirs === null) return 'was deleted or renamed since you opened it';
  if (theirs.kind === 'text') return 'was changed since you opened it: in another tab, by a program, or by an upload';
  return `was replaced by ${theirs.kind === 'binary' ? 'something that is no text' : 'a file too large to edit here'} (${formatBytes(theirs.size)})`;
}

/** Two versions of one file: nothing is lost before somebody has chosen. */
export function ConflictDialog(props: {
  path: string;
  mine: string;
  theirs: Theirs;
  busy: boolean;
  onMine: () => void;
  onTheirs: () => void;
  onClose: () => void;
}): JSX.Element {
  const { path, mine, theirs } = props;
  const [comparing, setComparing] = useState(false);
  const text = theirs?.kind === 'text' ? theirs.text : undefined;
  return (
    <Dialog title={`${nameOf(path)} is not what you opened`} wide={comparing} onClose={props.onClose}>
      <p>
        <strong className="anywhere">{nameOf(path)}</strong> {wordsFor(theirs)}. Your text is still in the editor, and
        nothing was saved.
      </p>
      {comparing && text !== undefined && (
        <Suspense fallback={<Skeleton lines={6} label="Comparing" />}>
          <p className="small soft">
            What yours adds is marked green, what it takes away from the saved file is marked red.
          </p>
          <Comparison name={nameOf(path)} mine={mine} theirs={text} />
        </Suspense>
      )}
      <div className="row row-end">
        {text !== undefined && !comparing && <Button onClick={() => setComparing(true)}>Compare</Button>}
        {text !== undefined && (
          <Button busy={props.busy} onClick={props.onTheirs}>
            Take theirs
          </Button>
        )}
        <Button look="danger" busy={props.busy} onClick={props.onMine}>
          Keep mine
        </Button>
        <Button autoFocus onClick={props.onClose}>
          Back to the editor
        </Button>
      </div>
    </Dialog>
  );
}
