import { type JSX, useSyncExternalStore } from 'react';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';
import { messageOf } from './states.tsx';

interface Toast {
  id: number;
  text: string;
  level: 'done' | 'problem';
  action: { label: string; run: () => void } | undefined;
}

let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function dismissToast(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

/** A short word on what was done. With an action (undo) it stays longer; a problem stays until it is closed. */
export function showToast(text: string, options: { level?: Toast['level']; action?: Toast['action'] } = {}): void {
  const toast: Toast = { id: nextId, text, level: options.level ?? 'done', action: options.action };
  nextId += 1;
  set([...toasts.slice(-3), toast]);
  if (toast.level === 'done') setTimeout(() => dismissToast(toast.id), toast.action === undefined ? 5000 : 12_000);
}

export function showProblem(error: unknown): void {
  showToast(messageOf(error), { level: 'problem' });
}

export function Toasts(): JSX.Element {
  const list = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <section className="toasts" aria-label="Messages">
      <div role="status" aria-live="polite">
        {list.map((toast) => (
          <div key={toast.id} className={`toast toast-${toast.level}`}>
            <Icon name={toast.level === 'done' ? 'check' : 'problem'} />
            <span className="anywhere">{toast.text}</span>
            {toast.action !== undefined && (
              <Button
                small
                onClick={() => {
                  toast.action?.run();
                  dismissToast(toast.id);
                }}
              >
                {toast.action.label}
              </Button>
            )}
            <Button look="quiet" small iconOnly icon="cross" onClick={() => dismissToast(toast.id)}>
              Close
            </Button>
          </div>
        ))}
      </div>
    </section>
  );
}
