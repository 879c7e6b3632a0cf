import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { type ComponentProps, type DragEvent, type JSX, useEffect, useRef, useState } from 'react';
import { Link, Navigate, useLocation, useNavigate } from 'react-router';
import type { Directory } from '../../../../src/protocol/browser.ts';
import type { FileEntry } from '../../../../src/protocol/files.ts';
import { ApiError, call, openStream } from '../../api/client.ts';
import { dashboardQuery, directoryQuery } from '../../api/queries.ts';
import { count, formatAgo, fullness } from '../../format/format.ts';
import {
  breadcrumbs,
  editAddress,
  filesAddress,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  pathInAddress,
  rootsOf,
} from '../../format/paths.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession } from '../../frame/session.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { Button, LinkButton } from '../../ui/button.tsx';
import { useNow, useTitle } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { Panel, SpaceMeter } from '../../ui/marks.tsx';
import { Empty, ErrorPanel, messageOf, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { DeleteDialog } from './delete-dialog.tsx';
import { giveRoomBack } from './compact.ts';
import { FileTable } from './file-table.tsx';
import { NameDialog, OverwriteDialog } from './file-dialogs.tsx';
import { arrange, directoriesOf, type Picked, pickedFromDrop, pickedFromInput, type Sort } from './listing.ts';
import { startUploads } from './uploads.ts';

type Open =
  | { what: 'file' }
  | { what: 'directory' }
  | { what: 'rename'; entry: FileEntry }
  | { what: 'delete'; names: readonly string[] }
  | { what: 'overwrite'; picked: readonly Picked[]; names: readonly string[] }
  | null;

function Crumbs({ path }: { path: string }): JSX.Element {
  const { account } = useSession();
  const crumbs = breadcrumbs(path, account.name);
  return (
    <nav aria-label="Where you are">
      <ol className="crumbs mono">
        {crumbs.map((crumb, index) => (
          <li key={crumb.path} className="row">
            {index > 0 && <Icon name="chevron" size={12} />}
            {index === crumbs.length - 1 ? (
              <strong aria-current="page" className="anywhere">
                {crumb.label}
              </strong>
            ) : (
              <Link to={filesAddress(crumb.path)} className="anywhere">
                {crumb.label}
              </Link>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Places({ path }: { path: string }): JSX.Element {
  const { account } = useSession();
  const dashboard = useQuery(dashboardQuery);
  const disk = dashboard.data?.account?.disk;
  return (
    <aside className="stack places" aria-label="Places">
      <Panel flush>
        <ul className="place-list">
          {rootsOf(account.name).map((root) => (
            <li key={root.path}>
              <Link to={filesAddress(root.path)} aria-current={isWithin(path, root.path) ? 'true' : undefined}>
                <strong>{root.label}</strong>
                <span className="mono small soft truncate">{root.path}</span>
              </Link>
            </li>
          ))}
        </ul>
      </Panel>
      {disk !== undefined && disk !== null && (
        <Panel title="Disk">
          <div className="stack-s">
            <SpaceMeter usedBytes={disk.usedBytes} limitBytes={disk.limitBytes} label="Disk used" />
            {fullness(disk.usedBytes, disk.limitBytes) === 'full' && (
              <p className="small">
                Nothing can be written any more, and no file made shorter: a change needs room of its own first.
                Deleting whole files works.
              </p>
            )}
            <p className="soft small">
              This is your limit. <code>df</code> in a program shows the whole volume that your home shares.
            </p>
          </div>
        </Panel>
      )}
    </aside>
  );
}

/** Milliseconds until a list is read again: a long one costs more, and is looked at for longer. */
function readAgainAfter(entries: number): number {
  return entries > 1000 ? 30_000 : 5_000;
}

function isRoot(path: string, account: string): boolean {
  return rootsOf(account).some((root) => root.path === path);
}

/** What is in the directory, as far as it can be read. */
function Listing({
  path,
  directory,
  filter,
  onFilter,
  ...table
}: {
  path: string;
  directory: UseQueryResult<Directory>;
  filter: string;
  onFilter: (filter: string) => void;
} & Pick<
  ComponentProps<typeof FileTable>,
  'selected' | 'onSelect' | 'onRename' | 'onGiveBack' | 'onDelete'
>): JSX.Element {
  const now = useNow();
  const { account } = useSession();
  const [sort, setSort] = useState<Sort>({ key: 'name', down: false });
  const { data, error } = directory;
  if (data === undefined)
    return (
      <Unread path={path} error={error} retry={() => void directory.refetch()} atRoot={isRoot(path, account.name)} />
    );
  const { entries, writable, truncated } = data;
  const shown = arrange(entries, sort, filter);
  return (
    <Panel flush>
      {error !== null && (
        <div className="panel-words">
          <Note level="warning">
            This is the list as it was {formatAgo(new Date(directory.dataUpdatedAt).toISOString(), now)}. It cannot be
            read just now: {messageOf(error)}
          </Note>
        </div>
      )}
      {truncated && (
        <div className="panel-words">
          <Note level="warning">
            This directory holds more than can be shown here. What you see is the first{' '}
            {count(entries.length, 'entry', 'entries')}.
          </Note>
        </div>
      )}
      {entries.length === 0 ? (
        <Empty icon="folder" title="This directory is empty">
          {writable
            ? 'Drop files here, press Upload, or make a new file.'
            : 'The platform writes here; there is nothing yet.'}
        </Empty>
      ) : shown.length === 0 ? (
        <Empty icon="search" title="No such name here" actions={<Button onClick={() => onFilter('')}>Show all</Button>}>
          None of {count(entries.length, 'entry', 'entries')} has "{filter.trim()}" in its name.
        </Empty>
      ) : (
        <FileTable key={path} path={path} entries={shown} sort={sort} onSort={setSort} writable={writable} {...table} />
      )}
    </Panel>
  );
}

function Unread({
  path,
  error,
  retry,
  atRoot,
}: {
  path: string;
  error: Error | null;
  retry: () => void;
  atRoot: boolean;
}): JSX.Element {
  if (error === null) {
    return (
      <Panel>
        <Skeleton lines={8} label="Loading the directory" />
      </Panel>
    );
  }
  const notDirectory = error instanceof ApiError && (error.code === 'input-invalid' || error.code === 'not-found');
  return (
    <ErrorPanel what={`${nameOf(path)} cannot be shown`} error={error} retry={retry}>
      {notDirectory && <LinkButton to={editAddress(path)}>Open it as a file</LinkButton>}
      {!atRoot && <LinkButton to={filesAddress(parentOf(path))}>Directory above</LinkButton>}
    </ErrorPanel>
  );
}

function Browser({ path }: { path: string }): JSX.Element {
  const client = useQueryClient();
  const navigate = useNavigate();
  const location = useLocation();
  const { account } = useSession();
  const directory = useQuery({
    ...directoryQuery(path),
    // Programs write here, too, and nobody may watch a member's storage for the pages: so the list is read again while somebody looks.
    refetchInterval: ({ state }) => readAgainAfter(state.data?.entries.length ?? 0),
  });
  const [filter, setFilter] = useState('');
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [open, setOpen] = useState<Open>(null);
  const [dropping, setDropping] = useState(false);
  const dragDepth = useRef(0);
  const picker = useRef<HTMLInputElement>(null);

  const entries = directory.data?.entries ?? [];
  const writable = directory.data?.writable === true;
  const names = new Set(entries.map((entry) => entry.name));
  const atRoot = isRoot(path, account.name);
  const refresh = (): void => {
    void client.invalidateQueries({ queryKey: directoryQuery(path).queryKey });
    void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
  };

  // "Upload files" on the dashboard leads here and opens the browser's file chooser.
  const state: unknown = location.state;
  const wantsUpload = typeof state === 'object' && state !== null && 'upload' in state;
  useEffect(() => {
    if (wantsUpload) picker.current?.click();
  }, [wantsUpload]);

  const upload = async (picked: readonly Picked[], replace: 'all' | 'none'): Promise<void> => {
    const wanted = replace === 'all' ? picked : picked.filter((item) => !names.has(item.place.split('/')[0] ?? ''));
    if (wanted.length === 0) return;
    try {
      for (const place of directoriesOf(wanted.map((item) => item.place))) {
        await call('files.makeDirectory', { body: { path: joinPath(path, place) } });
      }
    } catch (error) {
      showProblem(error);
      return;
    }
    startUploads(
      wanted.map((item) => ({ file: item.file, path: joinPath(path, item.place) })),
      () => {
        void client.invalidateQueries({ queryKey: ['directory'] });
        void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
      },
    );
  };
  const offer = (picked: readonly Picked[]): void => {
    if (picked.length === 0) return;
    const clashes = [...new Set(picked.map((item) => item.place.split('/')[0] ?? ''))].filter((name) =>
      names.has(name),
    );
    if (clashes.length > 0) setOpen({ what: 'overwrite', picked, names: clashes });
    else void upload(picked, 'all');
  };

  const giveBack = async (name: string): Promise<void> => {
    showToast(`Giving room back of ${name}. It can be used meanwhile.`);
    try {
      showToast(await giveRoomBack(joinPath(path, name), name));
    } catch (error) {
      showProblem(error);
    } finally {
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
    }
  };

  const chosen = [...selected].filter((name) => names.has(name));
  useShortcuts(
    'Files',
    writable
      ? [
          { keys: 'u', label: 'Upload files', run: () => picker.current?.click() },
          { keys: 'n', label: 'New file', run: () => setOpen({ what: 'file' }) },
          { keys: 'm', label: 'New directory', run: () => setOpen({ what: 'directory' }) },
          {
            keys: 'Backspace',
            label: 'Directory above',
            run: () => !atRoot && void navigate(filesAddress(parentOf(path))),
          },
        ]
      : [
          {
            keys: 'Backspace',
            label: 'Directory above',
            run: () => !atRoot && void navigate(filesAddress(parentOf(path))),
          },
        ],
  );

  const drag = (event: DragEvent, by: number): void => {
    if (!writable || !event.dataTransfer.types.includes('Files')) return;
    event.preventDefault();
    dragDepth.current = Math.max(0, dragDepth.current + by);
    setDropping(dragDepth.current > 0);
  };

  return (
    <div
      className={dropping ? 'browser browser-dropping' : 'browser'}
      onDragEnter={(event) => drag(event, 1)}
      onDragLeave={(event) => drag(event, -1)}
      onDragOver={(event) => drag(event, 0)}
      onDrop={(event) => {
        if (!writable) return;
        event.preventDefault();
        dragDepth.current = 0;
        setDropping(false);
        pickedFromDrop(event.dataTransfer).then(offer).catch(showProblem);
      }}
    >
      <input
        ref={picker}
        className="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files to upload"
        onChange={(event) => {
          if (event.target.files !== null) offer(pickedFromInput(event.target.files));
          event.target.value = '';
        }}
      />
      <div className="browser-bar">
        <div className="row">
          <Button look="main" icon="upload" disabled={!writable} onClick={() => picker.current?.click()}>
            Upload
          </Button>
          <Button icon="file" disabled={!writable} onClick={() => setOpen({ what: 'file' })}>
            New file
          </Button>
          <Button icon="folder" disabled={!writable} onClick={() => setOpen({ what: 'directory' })}>
            New directory
          </Button>
        </div>
        <input
          className="input browser-filter"
          type="search"
          aria-label="Show only names that contain"
          placeholder="Only names with ..."
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      {chosen.length > 0 && (
        <div className="selection-bar" role="status">
          <span>{count(chosen.length, 'entry', 'entries')} selected</span>
          <span className="row">
            <Button small look="danger" icon="trash" onClick={() => setOpen({ what: 'delete', names: chosen })}>
              Delete
            </Button>
            <Button small look="quiet" onClick={() => setSelected(new Set())}>
              Select none
            </Button>
          </span>
        </div>
      )}
      <Listing
        path={path}
        directory={directory}
        filter={filter}
        onFilter={setFilter}
        selected={selected}
        onSelect={setSelected}
        onRename={(entry) => setOpen({ what: 'rename', entry })}
        onGiveBack={(entry) => void giveBack(entry.name)}
        onDelete={(targets) => setOpen({ what: 'delete', names: targets })}
      />
      {dropping && <div className="drop-words">Drop to upload into {path}</div>}
      {open?.what === 'file' && (
        <NameDialog
          title="New file"
          label="Name"
          action="Make and edit"
          taken={names}
          onClose={() => setOpen(null)}
          run={async (name) => {
            // Only where there is none: somebody may have made it since this list was read, and would lose what is in it.
            const query = { path: joinPath(path, name) };
            await openStream('files.write', { query }, { body: '', headers: { 'if-none-match': '*' } });
            refresh();
            await navigate(editAddress(joinPath(path, name)));
          }}
        />
      )}
      {open?.what === 'directory' && (
        <NameDialog
          title="New directory"
          label="Name"
          action="Make it"
          taken={names}
          onClose={() => setOpen(null)}
          run={async (name) => {
            await call('files.makeDirectory', { body: { path: joinPath(path, name) } });
            refresh();
          }}
        />
      )}
      {open?.what === 'rename' && (
        <NameDialog
          title={`Rename ${open.entry.name}`}
          label="New name"
          action="Rename"
          initial={open.entry.name}
          taken={names}
          onClose={() => setOpen(null)}
          run={async (name) => {
            await call('files.rename', {
              body: { from: joinPath(path, open.entry.name), to: joinPath(path, name) },
            });
            refresh();
            const old = open.entry.name;
            showToast(`${old} is now ${name}.`, {
              action: {
                label: 'Undo',
                run: () =>
                  void call('files.rename', { body: { from: joinPath(path, name), to: joinPath(path, old) } })
                    .then(refresh)
                    .catch(showProblem),
              },
            });
          }}
        />
      )}
      {open?.what === 'delete' && (
        <DeleteDialog
          directory={path}
          names={open.names}
          withDirectories={open.names.some(
            (name) => entries.find((entry) => entry.name === name)?.type === 'directory',
          )}
          onDone={(left) => {
            setSelected(new Set(left));
            refresh();
          }}
          onClose={() => setOpen(null)}
        />
      )}
      {open?.what === 'overwrite' && (
        <OverwriteDialog
          names={open.names}
          others={open.picked.filter((item) => !names.has(item.place.split('/')[0] ?? '')).length}
          onChoose={(choice) => {
            const { picked } = open;
            setOpen(null);
            if (choice !== 'cancel') void upload(picked, choice === 'replace' ? 'all' : 'none');
          }}
        />
      )}
    </div>
  );
}

export function FilesPage(): JSX.Element {
  const { account } = useSession();
  const { pathname } = useLocation();
  const path = pathInAddress(pathname, '/files');
  useTitle(path === '/' ? 'Files' : `${nameOf(path)} in Files`);
  if (path === '/') return <Navigate to={filesAddress(`/home/${account.name}`)} replace />;
  return (
    <>
      <PageHead title="Files" under={<Crumbs path={path} />} />
      <div className="files">
        <Places path={path} />
        <Browser key={path} path={path} />
      </div>
    </>
  );
}
