import { useQuery } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useParams } from 'react-router';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { ApiError } from '../../api/client.ts';
import { siteQuery } from '../../api/queries.ts';
import { formatAgo, formatBytes, formatDate, formatTime } from '../../format/format.ts';
import { editAddress, filesAddress } from '../../format/paths.ts';
import { useLostAt } from '../../frame/connection.ts';
import { PageHead } from '../../frame/shell.tsx';
import { siteStateOf } from '../../health/site-state.ts';
import { useSession } from '../../frame/session.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { Button, LinkButton, OutLink } from '../../ui/button.tsx';
import { useNow, useTitle } from '../../ui/hooks.ts';
import { Facts, Panel, SiteBadge } from '../../ui/marks.tsx';
import { ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';
import { CodeSection } from './code-section.tsx';
import { FailurePanel } from './failure.tsx';
import { RemarkPanel } from './remark.tsx';
import { LogsSection } from './logs-section.tsx';
import { SecuritySection } from './security-section.tsx';
import { SettingsSection } from './settings-section.tsx';
import { useReloadNeeded, useSiteAction } from './site-actions.ts';
import { KIND_WORDS } from './sites-page.tsx';
import { StaticSection } from './static-section.tsx';

const SECTIONS = [
  { name: undefined, label: 'Overview' },
  { name: 'code', label: 'Code' },
  { name: 'static', label: 'Static files' },
  { name: 'security', label: 'Security' },
  { name: 'logs', label: 'Logs' },
  { name: 'settings', label: 'Running and deleting' },
] as const;

function Overview({ site }: { site: SiteView }): JSX.Element {
  const now = useNow();
  const state = siteStateOf(site, useLostAt() !== null);
  const { account } = useSession();
  const mine = site.account === account.name;
  const directory =
    site.kind === 'static' ? site.staticFiles.find((row) => row.url === '/')?.path : site.sourceDirectory;
  return (
    <div className="columns">
      <div className="stack">
        <FailurePanel site={site} />
        <RemarkPanel site={site} />
        <Panel title="Where things are">
          <Facts
            rows={[
              [
                'Address',
                <a key="a" href={site.url} target="_blank" rel="noreferrer">
                  {site.url}
                </a>,
              ],
              ...(directory !== undefined && directory !== ''
                ? ([
                    [
                      site.kind === 'static' ? 'Files' : 'Code',
                      mine ? (
                        <Link key="d" to={filesAddress(directory)} className="mono">
                          {directory}
                        </Link>
                      ) : (
                        <code key="d">{directory}</code>
                      ),
                    ],
                  ] as const)
                : []),
              ...(site.wsgiFile === null
                ? []
                : ([
                    [
                      'WSGI file',
                      mine ? (
                        <Link key="w" to={editAddress(site.wsgiFile)} className="mono">
                          {site.wsgiFile}
                        </Link>
                      ) : (
                        <code key="w">{site.wsgiFile}</code>
                      ),
                    ],
                  ] as const)),
              ...(site.kind === 'command' ? ([['Command', <code key="c">{site.command}</code>]] as const) : []),
              [
                'Python',
                site.virtualenv === '' ? (
                  site.kind === 'static' ? (
                    'not used'
                  ) : (
                    `${site.pythonVersion}, the system's`
                  )
                ) : (
                  <code key="v">{site.virtualenv}</code>
                ),
              ],
            ]}
          />
        </Panel>
      </div>
      <Panel title="Now">
        <Facts
          rows={[
            ['State', <SiteBadge key="s" site={site} />],
            ['Meaning', state.meaning],
            [
              'Since',
              site.status === null ? (
                'just now'
              ) : (
                <span key="t" title={formatTime(site.status.since)}>
                  {formatAgo(site.status.since, now)}
                </span>
              ),
            ],
            [
              'Memory',
              site.status === null || site.status.memoryBytes === null ? 'none' : formatBytes(site.status.memoryBytes),
            ],
            ['Processes', site.status?.processes ?? 0],
            [
              'Last visit',
              site.status?.lastRequestAt ? (
                <span key="v" title={formatTime(site.status.lastRequestAt)}>
                  {formatAgo(site.status.lastRequestAt, now)}
                </span>
              ) : (
                'none yet'
              ),
            ],
            ['Generation', site.status?.generation ?? 0],
            ['Made', formatDate(site.createdAt)],
          ]}
        />
      </Panel>
    </div>
  );
}

function Section({ site, name }: { site: SiteView; name: string | undefined }): JSX.Element {
  switch (name) {
    case undefined:
      return <Overview site={site} />;
    case 'code':
      return <CodeSection key={site.id} site={site} />;
    case 'static':
      return <StaticSection site={site} />;
    case 'security':
      return <SecuritySection site={site} />;
    case 'logs':
      return <LogsSection site={site} />;
    case 'settings':
      return <SettingsSection site={site} />;
    default:
      return <Note level="warning">There is no section "{name}" of a site. Choose one above.</Note>;
  }
}

function SiteFrame({ site, section }: { site: SiteView; section: string | undefined }): JSX.Element {
  const action = useSiteAction(site);
  const reloadNeeded = useReloadNeeded(site);
  const { account } = useSession();
  const [dismissed, setDismissed] = useState(false);
  const reload = (): void => action.mutate('reload');
  useTitle(site.domain);
  useShortcuts('Site', [
    { keys: 'r', label: 'Reload the site', run: () => site.enabled && !action.isPending && reload() },
    { keys: 'o', label: 'Open the site', run: () => void window.open(site.url, '_blank', 'noreferrer') },
  ]);
  const pending = action.isPending ? action.variables : undefined;
  return (
    <>
      <PageHead
        title={site.domain}
        under={
          <p className="row soft" aria-live="polite">
            <SiteBadge site={site} />
            <span>{KIND_WORDS[site.kind]}</span>
            {site.account !== account.name && <span>of {site.account}</span>}
          </p>
        }
        actions={
          <>
            <OutLink href={site.url} icon="open">
              Open
            </OutLink>
            {site.enabled ? (
              <>
                <Button icon="power" busy={pending === 'disable'} onClick={() => action.mutate('disable')}>
                  Disable
                </Button>
                <Button look="main" icon="reload" busy={pending === 'reload'} onClick={reload}>
                  Reload
                </Button>
              </>
            ) : (
              <Button look="main" icon="power" busy={pending === 'enable'} onClick={() => action.mutate('enable')}>
                Enable
              </Button>
            )}
          </>
        }
      />
      <nav className="tabs" aria-label="Parts of the site">
        <ul>
          {SECTIONS.map((part) => (
            <li key={part.label}>
              <Link
                to={part.name === undefined ? `/web/${site.id}` : `/web/${site.id}/${part.name}`}
                aria-current={part.name === section ? 'page' : undefined}
                preventScrollReset
              >
                {part.label}
                {part.name === undefined && site.status?.failure && (
                  <span className="tab-mark">
                    <span className="visually-hidden"> (failed)</span>
                  </span>
                )}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="stack">
        {reloadNeeded && !dismissed && (
          <div className="note note-warning" role="status">
            <div className="row row-between">
              <span>
                Saved. The running site still uses the settings from before; the next reload brings the new ones.
              </span>
              <span className="row">
                <Button small icon="reload" busy={pending === 'reload'} onClick={reload}>
                  Reload now
                </Button>
                <Button small look="quiet" onClick={() => setDismissed(true)}>
                  Later
                </Button>
              </span>
            </div>
          </div>
        )}
        <Section site={site} name={section} />
      </div>
    </>
  );
}

export function SitePage(): JSX.Element {
  const { id = '', section } = useParams();
  const site = useQuery(siteQuery(id));
  if (site.data !== undefined) return <SiteFrame key={id} site={site.data} section={section} />;
  if (site.error === null) {
    return (
      <Panel>
        <Skeleton lines={6} label="Loading the site" />
      </Panel>
    );
  }
  const gone = site.error instanceof ApiError && site.error.status === 404;
  return (
    <ErrorPanel
      level={1}
      what={gone ? 'This site does not exist' : 'The site could not be loaded'}
      error={site.error}
      {...(gone ? {} : { retry: () => void site.refetch() })}
    >
      <LinkButton to="/web">All sites</LinkButton>
    </ErrorPanel>
  );
}
