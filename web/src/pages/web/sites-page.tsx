import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import type { JSX } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { dashboardQuery, sitesQuery } from '../../api/queries.ts';
import { formatAgo, formatBytes } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession } from '../../frame/session.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { LinkButton, OutLink } from '../../ui/button.tsx';
import { useNow, useTitle } from '../../ui/hooks.ts';
import { Panel, SiteBadge } from '../../ui/marks.tsx';
import { Empty, ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';

export const KIND_WORDS: Readonly<Record<SiteView['kind'], string>> = {
  wsgi: 'WSGI',
  command: 'Command',
  static: 'Static',
};

function SiteTable({ sites, owners }: { sites: readonly SiteView[]; owners: boolean }): JSX.Element {
  const now = useNow();
  return (
    <div className="table-scroll">
      <table className="table table-cards">
        <thead>
          <tr>
            <th scope="col">Domain</th>
            {owners && <th scope="col">Account</th>}
            <th scope="col">State</th>
            <th scope="col">Runs as</th>
            <th scope="col">Memory</th>
            <th scope="col">Last visit</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sites.map((site) => (
            <tr key={site.id}>
              <td className="anywhere site-name">
                <Link to={`/web/${site.id}`}>{site.domain}</Link>
              </td>
              {owners && (
                <td data-label="Account">
                  <Link to={`/web?account=${encodeURIComponent(site.account)}`}>{site.account}</Link>
                </td>
              )}
              <td>
                <SiteBadge site={site} />
              </td>
              <td data-label="Runs as">
                {KIND_WORDS[site.kind]}
                {site.kind === 'wsgi' && `, Python ${site.pythonVersion}`}
              </td>
              <td data-label="Memory" className="tabular">
                {site.status === null || site.status.memoryBytes === null ? (
                  <span className="faint">none</span>
                ) : (
                  formatBytes(site.status.memoryBytes)
                )}
              </td>
              <td data-label="Last visit">
                {site.status?.lastRequestAt ? (
                  formatAgo(site.status.lastRequestAt, now)
                ) : (
                  <span className="faint">none yet</span>
                )}
              </td>
              <td className="actions">
                <OutLink href={site.url} small look="quiet" icon="open">
                  Open
                </OutLink>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The sites, or why none are to be seen. `own`: whoever looks may make one. */
function SiteList({
  sites,
  account,
  everybody,
  own,
}: {
  sites: UseQueryResult<SiteView[]>;
  account: string | undefined;
  everybody: boolean;
  own: boolean;
}): JSX.Element {
  if (sites.data === undefined) {
    if (sites.error !== null)
      return <ErrorPanel what="The sites could not be loaded" error={sites.error} retry={() => void sites.refetch()} />;
    return (
      <Panel>
        <Skeleton lines={5} label="Loading sites" />
      </Panel>
    );
  }
  return (
    <Panel flush>
      {sites.data.length === 0 ? (
        <Empty
          icon="globe"
          title="No site yet"
          actions={
            own && (
              <LinkButton to="/web/new" look="main" icon="plus">
                New site
              </LinkButton>
            )
          }
        >
          {everybody
            ? 'No account has made a site.'
            : account === undefined
              ? 'Choose a domain and how to start: Flask, Django, FastAPI, plain files, or a project of your own.'
              : `${account} has made no site.`}
        </Empty>
      ) : (
        <SiteTable sites={sites.data} owners={everybody} />
      )}
    </Panel>
  );
}

export function SitesPage(): JSX.Element {
  const [parameters] = useSearchParams();
  const account = parameters.get('account') ?? undefined;
  const navigate = useNavigate();
  const sites = useQuery(sitesQuery(account));
  const dashboard = useQuery(dashboardQuery);
  const session = useSession();
  const everybody = account === undefined && session.account.role === 'operator';
  const own =
    account === undefined && (!everybody || (dashboard.data !== undefined && dashboard.data.account !== null));
  const limit = everybody ? undefined : account === undefined ? dashboard.data?.account?.limits.sites : undefined;
  const full = limit !== undefined && sites.data !== undefined && sites.data.length >= limit;
  useTitle(everybody ? 'Sites' : 'Web');
  useShortcuts('Web', own ? [{ keys: 'n', label: 'New site', run: () => void navigate('/web/new') }] : []);
  return (
    <>
      <PageHead
        title={everybody ? 'Sites' : account === undefined ? 'Web' : `Sites of ${account}`}
        under={
          limit !== undefined && sites.data !== undefined && sites.data.length > 0 ? (
            <p className="soft tabular">
              {sites.data.length} of {limit} {limit === 1 ? 'site' : 'sites'} of your plan
            </p>
          ) : undefined
        }
        actions={
          own &&
          !full && (
            <LinkButton to="/web/new" look="main" icon="plus">
              New site
            </LinkButton>
          )
        }
      />
      <div className="stack">
        {full && limit > 0 && (
          <Note level="info">
            Your plan has room for {limit === 1 ? 'one site' : `${limit} sites`}. Delete one to make another, or ask the
            operator for a larger plan.
          </Note>
        )}
        <SiteList sites={sites} account={account} everybody={everybody} own={own} />
      </div>
    </>
  );
}
