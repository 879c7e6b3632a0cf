import { type JSX, useEffect, useId, useRef, useState, useSyncExternalStore } from 'react';
import { useBlocker } from 'react-router';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { useLeaveGuard } from './session.tsx';

/** Something on the page that leaving would lose. */
export interface Unsaved {
  /** What has changes, as its heading says: "Code", "flask_app.py". */
  what: string;
  /** Why it is lost, where "has changes that are not saved" does not say it. */
  text?: string;
  /** Saves it; whether that worked. Left out: it can only be kept by staying. */
  save?: () => Promise<boolean>;
}

/** The router knows one guard at a time, so there is one, and everything unsaved is written down here. */
let drafts: ReadonlyMap<string, Unsaved> = new Map();
const listeners = new Set<() => void>();

function put(key: string, draft: Unsaved | undefined): void {
  const next = new Map(drafts);
  if (draft === undefined) next.delete(key);
  else next.set(key, draft);
  drafts = next;
  for (const listener of listeners) listener();
}

function useDrafts(): ReadonlyMap<string, Unsaved> {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => drafts,
  );
}

/** While `active`, leaving this page asks first: by a link, by the browser's own buttons, by closing the tab. */
export function useUnsaved(active: boolean, draft: Unsaved): void {
  const key = useId();
  const latest = useRef(draft);
  useEffect(() => {
    latest.current = draft;
  });
  const { what, text } = draft;
  const saves = draft.save !== undefined;
  useEffect(() => {
    if (!active) return;
    put(key, {
      what,
      ...(text === undefined ? {} : { text }),
      ...(saves ? { save: async () => (await latest.current.save?.()) ?? false } : {}),
    });
    return () => put(key, undefined);
  }, [active, key, what, text, saves]);
}

/** Asks before unsaved things are left behind. Once, around the pages. */
export function UnsavedGuard(): JSX.Element | null {
  const unsaved = useDrafts();
  const [saving, setSaving] = useState(false);
  useLeaveGuard(unsaved.size > 0);
  // Asked when somebody leaves, and not when this was drawn: a form that has just been saved is no reason any more.
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => drafts.size > 0 && currentLocation.pathname !== nextLocation.pathname,
  );
  if (blocker.state !== 'blocked') return null;
  const list = [...unsaved.values()];
  const saveAll = async (): Promise<void> => {
    setSaving(true);
    try {
      for (const draft of list) {
        if (draft.save === undefined || !(await draft.save())) {
          blocker.reset();
          return;
        }
      }
      blocker.proceed();
    } finally {
      setSaving(false);
    }
  };
  const savable = list.length > 0 && list.every((draft) => draft.save !== undefined);
  return (
    <Dialog title="Leave without saving?" onClose={() => blocker.reset()}>
      {list.map((draft) => (
        <p key={draft.what}>
          <strong className="anywhere">{draft.what}</strong> {draft.text ?? 'has changes that are not saved.'}
        </p>
      ))}
      <div className="row row-end">
        <Button look="danger" onClick={() => blocker.proceed()}>
          {list.every((draft) => draft.text === undefined) ? 'Throw the changes away' : 'Leave'}
        </Button>
        <Button look={savable ? 'plain' : 'main'} autoFocus={!savable} onClick={() => blocker.reset()}>
          Stay
        </Button>
        {savable && (
          <Button look="main" busy={saving} autoFocus onClick={() => void saveAll()}>
            Save and leave
          </Button>
        )}
      </div>
    </Dialog>
  );
}
