import { type JSX, useState } from 'react';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { fileNameProblem } from '../../format/paths.ts';

/** Asks for one name: a new file, a new directory, a new name for one. */
export function NameDialog(props: {
  title: string;
  label: string;
  action: string;
  initial?: string;
  taken: ReadonlySet<string>;
  hint?: string;
  run: (name: string) => Promise<unknown>;
  onClose: () => void;
}): JSX.Element {
  const [name, setName] = useState(props.initial ?? '');
  const [submitted, setSubmitted] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const problem =
    fileNameProblem(name) ??
    (name !== props.initial && props.taken.has(name) ? `"${name}" exists here already.` : undefined);
  const submit = async (): Promise<void> => {
    setSubmitted(true);
    if (problem !== undefined) return;
    if (name === props.initial) {
      props.onClose();
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await props.run(name);
      props.onClose();
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <TextField
          label={props.label}
          value={name}
          onChange={(event) => setName(event.target.value)}
          onFocus={(event) => {
            // Renaming usually keeps the ending.
            const dot = event.target.value.lastIndexOf('.');
            event.target.setSelectionRange(0, dot > 0 ? dot : event.target.value.length);
          }}
          problem={submitted || (name !== '' && name !== props.initial) ? problem : undefined}
          hint={props.hint}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          mono
          autoFocus
        />
        {error !== null && <ErrorNote error={error} />}
        <div className="row row-end">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={busy}>
            {props.action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks once for all files that would be replaced. */
export function OverwriteDialog(props: {
  names: readonly string[];
  others: number;
  onChoose: (choice: 'replace' | 'skip' | 'cancel') => void;
}): JSX.Element {
  return (
    <Dialog
      title={props.names.length === 1 ? 'Replace this file?' : `Replace ${props.names.length} files?`}
      onClose={() => props.onChoose('cancel')}
    >
      <p>
        {props.names.length === 1
          ? 'It exists here already; its content would be replaced:'
          : 'They exist here already; their content would be replaced:'}
      </p>
      <ul className="name-list mono" tabIndex={0} aria-label="What is replaced">
        {props.names.slice(0, 12).map((name) => (
          <li key={name} className="anywhere">
            {name}
          </li>
        ))}
        {props.names.length > 12 && <li className="soft">and {props.names.length - 12} more</li>}
      </ul>
      <div className="row row-end">
        <Button onClick={() => props.onChoose('cancel')} autoFocus>
          Cancel
        </Button>
        {props.others > 0 && <Button onClick={() => props.onChoose('skip')}>Upload only the {props.others} new</Button>}
        <Button look="danger" onClick={() => props.onChoose('replace')}>
          Replace
        </Button>
      </div>
    </Dialog>
  );
}
