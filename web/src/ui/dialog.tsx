import { type FormEvent, type JSX, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Button } from './button.tsx';
import { ErrorNote } from './states.tsx';
import { TextField } from './field.tsx';

/**
 * A modal dialog on the browser's own element: focus is kept inside, Escape closes, focus returns to where it was. A `sticky` one has
 * something that cannot be had again: only its own buttons close it.
 */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  side?: boolean;
  sticky?: boolean;
  children: ReactNode;
}): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  const { sticky = false } = props;
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    if (dialog !== null && !dialog.open) dialog.showModal();
    // showModal() focuses the first control, the closing cross; React's autoFocus came too early, before the dialog was open.
    dialog?.querySelector<HTMLElement>('[data-focus="true"]')?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      className={`dialog${props.wide === true ? ' dialog-wide' : ''}${props.side === true ? ' dialog-side' : ''}`}
      aria-labelledby={id}
      closedby={sticky ? 'none' : 'closerequest'}
      onClose={() => {
        // A browser may close at the second Escape without asking. What is open is not what was closed.
        if (element.current?.open !== false) return;
        if (sticky) element.current.showModal();
        else props.onClose();
      }}
      onCancel={(event) => {
        event.preventDefault();
        if (!sticky) props.onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === element.current && !sticky) props.onClose();
      }}
    >
      <div className="dialog-inside">
        <header className="row row-between">
          <h2 id={id} className="anywhere">
            {props.title}
          </h2>
          {!sticky && (
            <Button look="quiet" icon="cross" iconOnly small onClick={props.onClose}>
              Close
            </Button>
          )}
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What will happen, and what will not. */
  children: ReactNode;
  action: string;
  /** What the other button says; about a thing that is deleted, "Keep it". */
  keep?: string;
  /** When given, the person must type it before the button works. */
  typed?: string;
  run: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something that cannot be undone. Stays open with the reason when it fails. */
export function ConfirmDialog({
  title,
  children,
  action,
  keep = 'Keep it',
  typed,
  run,
  onClose,
}: ConfirmProps): JSX.Element {
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const allowed = typed === undefined || text.trim() === typed;
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!allowed) return;
    setBusy(true);
    setError(null);
    try {
      await run();
      onClose();
    } catch (reason) {
      setError(reason);
      setBusy(false);
    }
  };
  return (
    // What has begun goes on whatever is closed, so it stays in sight until its outcome is known.
    <Dialog title={title} onClose={onClose} sticky={busy}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <div className="stack-s">{children}</div>
        {typed !== undefined && (
          <TextField
            label={`Type ${typed} to confirm`}
            value={text}
            onChange={(event) => setText(event.target.value)}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            mono
            autoFocus
          />
        )}
        {error !== null && <ErrorNote error={error} />}
        <div className="row row-end">
          <Button onClick={onClose} autoFocus={typed === undefined} disabled={busy}>
            {keep}
          </Button>
          <Button type="submit" look="danger" busy={busy} disabled={!allowed}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
