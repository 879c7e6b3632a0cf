import { type JSX, type KeyboardEvent, useRef, useState } from 'react';
import { Link } from 'react-router';
import type { FileEntry } from '../../../../src/protocol/files.ts';
import { formatAgo, formatBytes, formatTime } from '../../format/format.ts';
import { editAddress, filesAddress, joinPath } from '../../format/paths.ts';
import { Button } from '../../ui/button.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { mayHoldMore } from './compact.ts';
import { downloadAddress } from './content.ts';
import { formatMode, type Sort, type SortKey } from './listing.ts';

/** How many rows are drawn before "show more": enough to scroll, few enough to stay quick. */
const ROWS = 400;

interface FileTableProps {
  path: string;
  entries: readonly FileEntry[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  writable: boolean;
  selected: ReadonlySet<string>;
  onSelect: (selected: ReadonlySet<string>) => void;
  onRename: (entry: FileEntry) => void;
  onGiveBack: (entry: FileEntry) => void;
  onDelete: (names: readonly string[]) => void;
}

function Head({
  label,
  by,
  sort,
  onSort,
  number = false,
}: {
  label: string;
  by: SortKey;
  sort: Sort;
  onSort: (sort: Sort) => void;
  number?: boolean;
}): JSX.Element {
  const active = sort.key === by;
  return (
    <th
      scope="col"
      className={number ? 'number' : undefined}
      aria-sort={active ? (sort.down ? 'descending' : 'ascending') : undefined}
    >
      <button
        type="button"
        className="sort"
        onClick={() => onSort({ key: by, down: active ? !sort.down : by !== 'name' })}
      >
        {label}
        <span aria-hidden="true">{active ? (sort.down ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}

export function FileTable(props: FileTableProps): JSX.Element {
  const { path, entries, selected, onSelect, writable } = props;
  const now = useNow(30_000);
  const [rows, setRows] = useState(ROWS);
  const body = useRef<HTMLTableSectionElement>(null);
  const shown = entries.slice(0, rows);
  const all = entries.length > 0 && entries.every((entry) => selected.has(entry.name));

  const toggle = (name: string): void => {
    const next = new Set(selected);
    if (!next.delete(name)) next.add(name);
    onSelect(next);
  };

  // Arrow keys move between the rows' links; the keys of a file manager work on the row that has the focus.
  const keys = (event: KeyboardEvent<HTMLTableSectionElement>): void => {
    if (!(event.target instanceof HTMLElement) || (event.ctrlKey && event.key !== 'a') || event.altKey || event.metaKey)
      return;
    const row = event.target.closest('tr');
    const links = [...(body.current?.querySelectorAll<HTMLAnchorElement>('a.file-link') ?? [])];
    const index = links.findIndex((link) => link.closest('tr') === row);
    const entry = shown[index];
    const go = (to: number): void => links[Math.min(links.length - 1, Math.max(0, to))]?.focus();
    const actions: Record<string, (() => void) | undefined> = {
      ArrowDown: () => go(index + 1),
      ArrowUp: () => go(index - 1),
      Home: () => go(0),
      End: () => go(links.length - 1),
      PageDown: () => go(index + 12),
      PageUp: () => go(index - 12),
      ' ':
        event.target.matches('a.file-link') && entry !== undefined && writable ? () => toggle(entry.name) : undefined,
      F2: entry !== undefined && writable ? () => props.onRename(entry) : undefined,
      Delete:
        entry !== undefined && writable
          ? () => props.onDelete(selected.size > 0 ? [...selected] : [entry.name])
          : undefined,
      a: event.ctrlKey && writable ? () => onSelect(new Set(entries.map((other) => other.name))) : undefined,
    };
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  };

  return (
    <div className="table-scroll">
      <table className="table file-table">
        <caption className="visually-hidden">
          Files in {path}. Arrow keys move, Enter opens, Space selects, F2 renames, Delete deletes.
        </caption>
        <thead>
          <tr>
            {writable && (
              <th scope="col" className="pick">
                <input
                  type="checkbox"
                  aria-label="Select all"
                  checked={all}
                  ref={(box) => {
                    if (box !== null) box.indeterminate = !all && selected.size > 0;
                  }}
                  onChange={() => onSelect(all ? new Set() : new Set(entries.map((entry) => entry.name)))}
                />
              </th>
            )}
            <Head label="Name" by="name" sort={props.sort} onSort={props.onSort} />
            <Head label="Size" by="size" sort={props.sort} onSort={props.onSort} number />
            <Head label="Changed" by="modified" sort={props.sort} onSort={props.onSort} />
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body} onKeyDown={keys}>
          {shown.map((entry) => {
            const target = joinPath(path, entry.name);
            const isFile = entry.type === 'file';
            return (
              <tr key={entry.name} className={selected.has(entry.name) ? 'picked' : undefined}>
                {writable && (
                  <td className="pick">
                    <input
                      type="checkbox"
                      aria-label={`Select ${entry.name}`}
                      checked={selected.has(entry.name)}
                      onChange={() => toggle(entry.name)}
                    />
                  </td>
                )}
                <td className="file-name">
                  {entry.type === 'other' ? (
                    <span className="file-link">
                      <Icon name="file" /> {entry.name} <span className="faint small">not a plain file</span>
                    </span>
                  ) : (
                    <Link
                      className={`file-link file-${entry.type}`}
                      to={isFile ? editAddress(target) : filesAddress(target)}
                      title={`${entry.name} (${formatMode(entry.mode)})`}
                    >
                      <Icon name={entry.type === 'directory' ? 'folder' : entry.type === 'symlink' ? 'link' : 'file'} />
                      <span>
                        {entry.name}
                        {entry.type === 'directory' && '/'}
                      </span>
                      {entry.type !== 'file' && (
                        <span className="visually-hidden"> {entry.type === 'symlink' ? 'link' : 'directory'}</span>
                      )}
                    </Link>
                  )}
                </td>
                <td className="number soft">{isFile ? formatBytes(entry.size) : ''}</td>
                <td className="soft file-changed" title={formatTime(entry.modifiedAt)}>
                  {formatAgo(entry.modifiedAt, now)}
                </td>
                <td className="actions">
                  {isFile && (
                    <a
                      className="button button-quiet button-icon button-small"
                      href={downloadAddress(target)}
                      download={entry.name}
                      title="Download"
                    >
                      <Icon name="download" />
                      <span className="visually-hidden">Download {entry.name}</span>
                    </a>
                  )}
                  {writable && mayHoldMore(entry) && (
                    <Button
                      small
                      look="quiet"
                      icon="disks"
                      iconOnly
                      title="Give room back: a database that is written in place holds up to twice its size"
                      onClick={() => props.onGiveBack(entry)}
                    >
                      {`Give room back of ${entry.name}`}
                    </Button>
                  )}
                  {writable && (
                    <>
                      <Button
                        small
                        look="quiet"
                        icon="pencil"
                        iconOnly
                        title="Rename"
                        onClick={() => props.onRename(entry)}
                      >
                        {`Rename ${entry.name}`}
                      </Button>
                      <Button
                        small
                        look="quiet"
                        icon="trash"
                        iconOnly
                        title="Delete"
                        onClick={() => props.onDelete([entry.name])}
                      >
                        {`Delete ${entry.name}`}
                      </Button>
                    </>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {entries.length > rows && (
        <div className="panel-words row">
          <Button onClick={() => setRows(rows + ROWS)}>Show {Math.min(ROWS, entries.length - rows)} more</Button>
          <span className="soft small tabular">
            {rows} of {entries.length} shown
          </span>
        </div>
      )}
    </div>
  );
}
