import { type JSX, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from 'react';
import { Dialog } from '../ui/dialog.tsx';

export interface Shortcut {
  /** One key ("n", "?") or two in a row ("g d"), as `KeyboardEvent.key` names them. */
  keys: string;
  label: string;
  run: () => void;
}

interface Group {
  title: string;
  shortcuts: readonly Shortcut[];
}

let groups: readonly Group[] = [];
const listeners = new Set<() => void>();

function change(next: readonly Group[]): void {
  groups = next;
  for (const listener of listeners) listener();
}

/** Offers shortcuts while the component is on screen; the help overlay lists them. */
export function useShortcuts(title: string, shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useLayoutEffect(() => {
    latest.current = shortcuts;
  });
  const signature = shortcuts.map((shortcut) => `${shortcut.keys}=${shortcut.label}`).join('|');
  useEffect(() => {
    const group: Group = {
      title,
      // Always the newest closure, without registering again at every drawing.
      shortcuts: latest.current.map((shortcut, index) => ({ ...shortcut, run: () => latest.current[index]?.run() })),
    };
    change([...groups, group]);
    return () => change(groups.filter((other) => other !== group));
    // The signature stands for the list: its keys and labels, not its closures.
    // oxlint-disable-next-line react/exhaustive-effect-dependencies
  }, [title, signature]);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
    target.closest('dialog') !== null ||
    target.shadowRoot !== null
  );
}

/** Which shortcut the keys typed so far name; `waiting` when they begin one. Pure. */
export function matchKeys(typed: string, all: readonly string[]): { match: string | undefined; waiting: boolean } {
  return { match: all.find((keys) => keys === typed), waiting: all.some((keys) => keys.startsWith(`${typed} `)) };
}

export function useShortcutKeys(onHelp: () => void): void {
  const help = useRef(onHelp);
  useLayoutEffect(() => {
    help.current = onHelp;
  });
  useEffect(() => {
    let typed = '';
    let timer: ReturnType<typeof setTimeout> | undefined;
    const forget = (): void => {
      typed = '';
    };
    const listen = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === '?') {
        event.preventDefault();
        help.current();
        return;
      }
      if (event.key === 'Shift') return;
      const all = groups.flatMap((group) => group.shortcuts);
      const keys = all.map((shortcut) => shortcut.keys);
      const longer = typed === '' ? event.key : `${typed} ${event.key}`;
      let result = matchKeys(longer, keys);
      if (result.match === undefined && !result.waiting && typed !== '') result = matchKeys(event.key, keys);
      clearTimeout(timer);
      typed = '';
      if (result.match !== undefined) {
        event.preventDefault();
        all.findLast((shortcut) => shortcut.keys === result.match)?.run();
      } else if (result.waiting) {
        typed = longer;
        timer = setTimeout(forget, 1500);
      }
    };
    window.addEventListener('keydown', listen);
    return () => {
      clearTimeout(timer);
      window.removeEventListener('keydown', listen);
    };
  }, []);
}

export function ShortcutHelp({ onClose }: { onClose: () => void }): JSX.Element {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => groups,
  );
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      {shown
        .filter((group) => group.shortcuts.length > 0)
        .map((group) => (
          <section key={group.title} className="stack-s">
            <h3>{group.title}</h3>
            <div className="shortcut-list">
              {group.shortcuts.map((shortcut) => (
                <div key={shortcut.keys}>
                  <span>{shortcut.label}</span>
                  <span className="row">
                    {shortcut.keys.split(' ').map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </span>
                </div>
              ))}
            </div>
          </section>
        ))}
      <p className="soft small">
        <kbd>?</kbd> shows this list, <kbd>Esc</kbd> closes it.
      </p>
    </Dialog>
  );
}
