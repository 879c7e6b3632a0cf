import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'react-router';
import { ApiError, openStream } from '../../api/client.ts';
import { dashboardQuery, directoryQuery, sitesQuery } from '../../api/queries.ts';
import { formatBytes } from '../../format/format.ts';
import { breadcrumbs, filesAddress, nameOf, parentOf, pathInAddress } from '../../format/paths.ts';
import { useSession } from '../../frame/session.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button, LinkButton, OutLink } from '../../ui/button.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { Empty, ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { useSiteAction } from '../web/site-actions.ts';
import { siteOfFile } from '../web/site-edits.ts';
import { ConflictDialog, type Theirs } from './conflict-dialog.tsx';
import { type Content, decodeContent, downloadAddress, EDIT_LIMIT, revisionOf } from './content.ts';
import type { EditorHandle } from './editor.tsx';

const Editor = lazy(() => import('./editor.tsx').then((module) => ({ default: module.Editor })));

/** HTTP's words for "only in place of this"; null: only where there is nothing. */
function insteadOf(revision: string | null): Record<string, string> {
  return revision === null ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` };
}

/** What is at a path now. */
async function loadTheirs(path: string): Promise<Theirs> {
  try {
    return await load(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

async function load(path: string, signal?: AbortSignal): Promise<Content & { revision: string }> {
  const answer = await openStream('files.read', { query: { path } }, { signal });
  const size = Number(answer.headers.get('content-length') ?? answer.headers.get('x-holdfast-size') ?? '0');
  if (size > EDIT_LIMIT) {
    await answer.body?.cancel();
    return { kind: 'too-large', size, revision: '' };
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const revision = await revisionOf(bytes);
  const content: Content = bytes.length > EDIT_LIMIT ? { kind: 'too-large', size: bytes.length } : decodeContent(bytes);
  return { ...content, revision };
}

function TextEditor({
  path,
  content,
}: {
  path: string;
  content: Content & { kind: 'text'; revision: string };
}): JSX.Element {
  const client = useQueryClient();
  const { account } = useSession();
  const sites = useQuery(sitesQuery());
  const directory = useQuery({ ...directoryQuery(parentOf(path)), staleTime: 60_000 });
  const site = siteOfFile(sites.data ?? [], path, `/home/${account.name}`);
  const siteAction = useSiteAction(site ?? { id: '', domain: '' });
  const handle = useRef<EditorHandle | null>(null);
  const saved = useRef(content.text);
  /** What the next save takes the place of; null: nothing. */
  const seen = useRef<string | null>(content.revision);
  const crlf = useRef(content.crlf);
  const [conflict, setConflict] = useState<{ mine: string; theirs: Theirs } | null>(null);
  const [dirty, setDirty] = useState(false);
  const [saving, setSaving] = useState(false);
  const [language, setLanguage] = useState('');
  const [cursor, setCursor] = useState('');
  const readOnly = directory.data?.writable === false;

  const save = useCallback(async (): Promise<boolean> => {
    const text = handle.current?.text();
    if (text === undefined || readOnly) return false;
    setSaving(true);
    try {
      const bytes = new TextEncoder().encode(crlf.current ? text.replaceAll('\n', '\r\n') : text);
      await openStream('files.write', { query: { path } }, { body: bytes, headers: insteadOf(seen.current) });
      seen.current = await revisionOf(bytes);
      saved.current = text;
      setConflict(null);
      setDirty(handle.current?.text() !== text);
      void client.invalidateQueries({ queryKey: directoryQuery(parentOf(path)).queryKey });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
      return true;
    } catch (error) {
      // The text stays in the editor, so nothing typed is lost.
      if (error instanceof ApiError && error.code === 'file-changed') {
        await loadTheirs(path).then((theirs) => setConflict({ mine: text, theirs }), showProblem);
      } else {
        showProblem(error);
      }
      return false;
    } finally {
      setSaving(false);
    }
  }, [client, path, readOnly]);
  const keepMine = (): void => {
    // Of what was shown, and of nothing newer: whoever saves in this moment is asked about, too.
    seen.current = conflict?.theirs?.revision ?? null;
    void save().then((done) => done && showToast('Saved. Yours is the file now.'));
  };
  const takeTheirs = (): void => {
    if (conflict?.theirs?.kind !== 'text') return;
    const { text, revision, crlf: lineEnds } = conflict.theirs;
    seen.current = revision;
    crlf.current = lineEnds;
    saved.current = text;
    handle.current?.replace(text);
    setDirty(false);
    setConflict(null);
    showToast('The editor has what is saved now. Ctrl-Z brings yours back.');
  };
  const saveAndReload = async (): Promise<void> => {
    if (await save()) siteAction.mutate('reload');
  };

  // The browser's own Ctrl-S must not come up when the focus is outside the editor.
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key === 's' && !event.defaultPrevented) {
        event.preventDefault();
        void save();
      }
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, [save]);
  useUnsaved(dirty, { what: nameOf(path), save });

  return (
    <>
      <div className="edit-bar">
        <div className="row">
          {!readOnly && (
            <Button
              look={site === undefined ? 'main' : 'plain'}
              busy={saving}
              disabled={!dirty}
              onClick={() => void save().then((done) => done && showToast('Saved.'))}
            >
              Save
            </Button>
          )}
          {!readOnly && site !== undefined && (
            <Button
              look="main"
              icon="reload"
              busy={saving || siteAction.isPending}
              onClick={() => void saveAndReload()}
            >
              Save and reload site
            </Button>
          )}
          {site !== undefined && (
            <OutLink href={site.url} icon="open" look="quiet">
              {site.domain}
            </OutLink>
          )}
        </div>
        <span className="small soft" role="status">
          {readOnly ? 'Read only' : dirty ? 'Not saved yet' : 'Saved'}
        </span>
      </div>
      {site?.status?.failure !== null && site?.status?.failure !== undefined && site.status.state === 'failed' && (
        <Note level="problem">
          {site.domain} does not start: {site.status.failure.message} <Link to={`/web/${site.id}`}>Show the steps</Link>
        </Note>
      )}
      <div className="editor">
        <Suspense fallback={<Skeleton lines={10} label="Loading the editor" />}>
          <Editor
            name={nameOf(path)}
            text={content.text}
            readOnly={readOnly}
            onReady={(ready) => {
              handle.current = ready;
            }}
            onChange={() => setDirty(handle.current?.text() !== saved.current)}
            onSave={() => void save()}
            onLanguage={setLanguage}
            onCursor={(line, column) => setCursor(`Line ${line}, column ${column}`)}
          />
        </Suspense>
      </div>
      <div className="edit-foot small soft tabular">
        <span>
          {language}
          {content.crlf && ', Windows line ends are kept'}
        </span>
        <span>{cursor}</span>
        <span>Ctrl-S saves, Ctrl-F finds, Esc then Tab leaves the editor</span>
      </div>
      {conflict !== null && (
        <ConflictDialog
          path={path}
          mine={conflict.mine}
          theirs={conflict.theirs}
          busy={saving}
          onMine={keepMine}
          onTheirs={takeTheirs}
          onClose={() => setConflict(null)}
        />
      )}
    </>
  );
}

function Body({ path }: { path: string }): JSX.Element {
  const client = useQueryClient();
  const { account } = useSession();
  // Never fetched again behind somebody's typing.
  const content = useQuery({
    queryKey: ['file', path],
    queryFn: ({ signal }) => load(path, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  if (content.data === undefined) {
    if (content.error === null) return <Skeleton lines={10} label="Loading the file" />;
    const missing = content.error instanceof ApiError && content.error.status === 404;
    return (
      <ErrorPanel
        what={missing ? 'There is no such file' : 'The file could not be opened'}
        error={content.error}
        {...(missing ? {} : { retry: () => void content.refetch() })}
      >
        {missing && (
          <Button
            look="main"
            onClick={() =>
              void openStream('files.write', { query: { path } }, { body: '', headers: insteadOf(null) })
                .then(() => client.invalidateQueries({ queryKey: ['file', path] }))
                .catch(showProblem)
            }
          >
            Make it
          </Button>
        )}
        <LinkButton to={filesAddress(missing ? `/home/${account.name}` : parentOf(path))}>Files</LinkButton>
      </ErrorPanel>
    );
  }
  if (content.data.kind === 'text') return <TextEditor path={path} content={content.data} />;
  return (
    <section className="panel">
      <Empty
        icon="file"
        title={content.data.kind === 'binary' ? 'This is not a text file' : 'This file is too large to edit here'}
        actions={
          <>
            <OutLink href={downloadAddress(path)} icon="download" look="main" download>
              Download ({formatBytes(content.data.size)})
            </OutLink>
            <LinkButton to={filesAddress(parentOf(path))}>Back to the directory</LinkButton>
          </>
        }
      >
        {content.data.kind === 'binary'
          ? 'Editing it as text would damage it. Download it, change it with its own program, and upload it again.'
          : `The editor takes files up to ${formatBytes(EDIT_LIMIT)}. Download it, or look at its end on a site's log page if it is a log.`}
      </Empty>
    </section>
  );
}

export function EditPage(): JSX.Element {
  const { account } = useSession();
  const path = pathInAddress(useLocation().pathname, '/edit');
  useTitle(nameOf(path));
  const crumbs = breadcrumbs(path, account.name);
  return (
    <div className="edit">
      <div>
        <h1 className="visually-hidden">Edit {nameOf(path)}</h1>
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
                  <Link to={filesAddress(crumb.path)}>{crumb.label}</Link>
                )}
              </li>
            ))}
          </ol>
        </nav>
      </div>
      <Body key={path} path={path} />
    </div>
  );
}
