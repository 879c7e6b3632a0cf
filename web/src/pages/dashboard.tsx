import { useQuery } from '@tanstack/react-query';
import type { JSX } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Dashboard } from '../../../src/protocol/browser.ts';
import type { DiskHealth } from '../../../src/protocol/health.ts';
import type { IncidentSummary } from '../../../src/protocol/incidents.ts';
import { dashboardQuery, healthQuery, incidentsQuery, tasksQuery } from '../api/queries.ts';
import { count, formatAgo, formatBytes, formatDuration, formatIdle } from '../format/format.ts';
import { filesAddress } from '../format/paths.ts';
import { PageHead } from '../frame/shell.tsx';
import { useLostAt } from '../frame/connection.ts';
import { healthOf, shownState } from '../health/disk-state.ts';
import { incidentTone } from '../health/incident-words.ts';
import { storageNotice } from '../health/notices.ts';
import { volumeShown } from '../health/volume-state.ts';
import { useSession } from '../frame/session.tsx';
import { useShortcuts } from '../frame/shortcuts.tsx';
import { LinkButton, OutLink } from '../ui/button.tsx';
import { useNow, useTitle } from '../ui/hooks.ts';
import { Icon } from '../ui/icon.tsx';
import { Facts, Panel, SiteBadge, SpaceMeter } from '../ui/marks.tsx';
import { OperationList } from '../ui/operations.tsx';
import { rebuildShare, VolumeBadge, VolumePicture, VolumeSpace } from '../ui/replicas.tsx';
import { Empty, ErrorPanel, Note, Notices, Skeleton } from '../ui/states.tsx';

type Own = NonNullable<Dashboard['account']>;
type Platform = NonNullable<Dashboard['platform']>;

/** Sites shown here; the Web page has all of them. */
const ROWS = 12;

function hasFailed(site: Own['sites'][number]): boolean {
  return site.enabled && site.status?.state === 'failed';
}

function SiteRows({ own }: { own: Own }): JSX.Element {
  const now = useNow();
  if (own.sites.length === 0) {
    return (
      <Empty
        icon="globe"
        title="No site yet"
        actions={
          <LinkButton to="/web/new" look="main" icon="plus">
            New site
          </LinkButton>
        }
      >
        Start with Flask, Django, FastAPI or plain files; it answers at its own address in under a minute.
      </Empty>
    );
  }
  // What is wrong comes first; the others stay in their order.
  const sorted = own.sites.toSorted((a, b) => Number(hasFailed(b)) - Number(hasFailed(a)));
  return (
    <ul className="site-rows">
      {sorted.slice(0, ROWS).map((site) => (
        <li key={site.id}>
          <div className="site-row-name">
            <Link to={`/web/${site.id}`} className="anywhere">
              {site.domain}
            </Link>
            {site.status?.failure ? (
              <p className="small site-row-failure anywhere">{site.status.failure.message}</p>
            ) : (
              <p className="small soft">
                {site.status?.lastRequestAt
                  ? `Last visit ${formatAgo(site.status.lastRequestAt, now)}`
                  : 'No visit yet'}
                {site.status !== null &&
                  site.status.memoryBytes !== null &&
                  `, ${formatBytes(site.status.memoryBytes)} of memory`}
              </p>
            )}
          </div>
          <SiteBadge site={site} />
          <OutLink href={site.url} small look="quiet" icon="open">
            Open
          </OutLink>
        </li>
      ))}
      {sorted.length > ROWS && (
        <li>
          <Link to="/web">All {count(sorted.length, 'site')}</Link>
        </li>
      )}
    </ul>
  );
}

function OwnDashboard({ own }: { own: Own }): JSX.Element {
  const { limits } = own;
  const tasks = useQuery(tasksQuery()).data;
  const cpu = tasks?.cpu ?? null;
  const cpuLimit = `${limits.cpuSecondsPerDay.toLocaleString('en-GB')} s`;
  return (
    <div className="columns">
      <div className="stack">
        <Panel
          flush
          title="Sites"
          aside={
            <span className="soft small tabular">
              {own.sites.length} of {limits.sites}
            </span>
          }
        >
          <SiteRows own={own} />
        </Panel>
      </div>
      <div className="stack">
        <Panel title="Disk" aside={<Link to={filesAddress(`/home/${own.name}`)}>Files</Link>}>
          {own.disk === null ? (
            storageNotice(own.notices) === undefined ? (
              <Note level="warning">
                The volume with your files is not answering just now; it is being looked after. Nothing is lost.
              </Note>
            ) : (
              // Why is said at the top.
              <p className="soft">Not known just now.</p>
            )
          ) : (
            <>
              <SpaceMeter usedBytes={own.disk.usedBytes} limitBytes={own.disk.limitBytes} label="Disk used" />
              <p className="small soft meter-hint">Home, /tmp and /var/www together.</p>
            </>
          )}
        </Panel>
        <Panel title={<>Plan: {own.plan}</>} aside={<Link to="/account">Account</Link>}>
          <Facts
            rows={[
              ['Sites', `${own.sites.length} of ${limits.sites}`],
              ['Workers a site', limits.workers],
              ['Memory a program', formatBytes(limits.memoryBytes)],
              cpu === null
                ? ['CPU a day', cpuLimit]
                : ['CPU today', `${Math.round(cpu.usedSeconds).toLocaleString('en-GB')} of ${cpuLimit}`],
              ...(tasks === undefined
                ? []
                : ([
                    [
                      'Tasks',
                      <Link key="t" to="/tasks">
                        {tasks.tasks.filter((task) => task.kind === 'scheduled').length} of {tasks.most.scheduled}
                      </Link>,
                    ],
                  ] as const)),
              ['Sites sleep after', formatIdle(limits.idleSleepSeconds)],
              ['Longest request', formatDuration(limits.requestTimeoutSeconds)],
            ]}
          />
        </Panel>
      </div>
    </div>
  );
}

function Figure({ value, word, tone, to }: { value: number; word: string; tone?: 'bad'; to?: string }): JSX.Element {
  const inside = (
    <>
      <strong className="tabular">{value.toLocaleString('en-GB')}</strong>
      <span>{word}</span>
    </>
  );
  const name = `figure${tone === 'bad' ? ' figure-bad' : ''}`;
  return to === undefined ? (
    <div className={name}>{inside}</div>
  ) : (
    <Link to={to} className={name}>
      {inside}
    </Link>
  );
}

function VolumeRow({
  volume,
  disks,
  operation,
  incident,
}: {
  volume: Platform['volumes'][number];
  incident: IncidentSummary | undefined;
  disks: readonly DiskHealth[] | undefined;
  operation: Platform['operations'][number] | undefined;
}): JSX.Element {
  // Without the watcher's view a replica is what the volume says.
  const seen =
    disks && volume.replicas.map((each) => [each.id, shownState(each, healthOf(disks, volume.name, each))] as const);
  const shown = volumeShown(
    volume,
    (seen ?? []).map(([, state]) => state),
    incident && incidentTone(incident),
    useLostAt() !== null,
  );
  return (
    <li>
      <VolumePicture volume={volume} states={seen && Object.fromEntries(seen)} share={rebuildShare(operation)} />
      <div className="stack-s">
        <div className="row row-between">
          <h3 className="anywhere">{volume.name}</h3>
          <VolumeBadge shown={shown} />
        </div>
        <VolumeSpace volume={volume} shown={shown} />
        <p className="small soft anywhere">
          {/* What has an incident is told once, above. */}
          {incident !== undefined || shown.tone === 'good'
            ? count(volume.accounts, 'account')
            : (volume.trouble ?? shown.meaning)}
        </p>
      </div>
    </li>
  );
}

function PlatformDashboard({ platform }: { platform: Platform }): JSX.Element {
  const connected = useLostAt() === null;
  const host = useQuery(healthQuery).data?.host;
  const disks = connected ? host?.disks : undefined;
  const incidents = useQuery(incidentsQuery).data ?? [];
  const operations = new Map(platform.operations.map((operation) => [operation.id, operation]));
  return (
    <div className="stack">
      {/* An open incident is told on every page, by the line at its top: once, in one colour, with one link. */}
      <Notices notices={platform.notices.filter((notice) => notice.about !== 'incident')} />
      <div className="figures">
        <Figure value={platform.accounts} word={platform.accounts === 1 ? 'account' : 'accounts'} to="/accounts" />
        <Figure value={platform.sites} word={platform.sites === 1 ? 'site' : 'sites'} to="/web" />
        <Figure value={platform.sitesAwake} word="awake" />
        <Figure
          value={Math.max(0, platform.sites - platform.sitesAwake - platform.sitesStopped - platform.sitesFailed)}
          word="asleep or off"
        />
        {platform.sitesStopped > 0 && <Figure value={platform.sitesStopped} word="out of service" tone="bad" />}
        <Figure
          value={platform.sitesFailed}
          word="failed"
          {...(platform.sitesFailed > 0 ? { tone: 'bad' as const } : {})}
        />
      </div>
      <div className="columns">
        <Panel flush title="Volumes" aside={<Link to="/storage">Storage</Link>}>
          {platform.volumes.length === 0 ? (
            <Empty
              icon="disks"
              title="No volume"
              actions={
                <LinkButton to="/storage" look="main" icon="plus">
                  Create a volume
                </LinkButton>
              }
            >
              Accounts live on volumes. Create the first one to be able to take accounts in.
            </Empty>
          ) : (
            <ul className="volume-rows">
              {platform.volumes.map((volume) => (
                <VolumeRow
                  key={volume.name}
                  volume={volume}
                  disks={disks}
                  incident={incidents.find((each) => each.state === 'open' && each.volume === volume.name)}
                  operation={volume.operation === null ? undefined : operations.get(volume.operation)}
                />
              ))}
            </ul>
          )}
        </Panel>
        <Panel flush title="Operations">
          {platform.operations.length === 0 ? (
            <p className="soft panel-words">Nothing is under way.</p>
          ) : (
            <OperationList operations={platform.operations} finished={4} />
          )}
        </Panel>
      </div>
    </div>
  );
}

export function DashboardPage(): JSX.Element {
  const { account } = useSession();
  const navigate = useNavigate();
  useTitle('Dashboard');
  const dashboard = useQuery({ ...dashboardQuery, refetchInterval: 60_000 });
  const own = dashboard.data?.account ?? null;
  const platform = dashboard.data?.platform ?? null;
  const canAdd = own !== null && own.sites.length < own.limits.sites;
  useShortcuts(
    'Dashboard',
    own === null
      ? []
      : [
          { keys: 'n', label: 'New site', run: () => void navigate('/web/new') },
          { keys: 'u', label: 'Upload files', run: () => void navigate(filesAddress(`/home/${own.name}`)) },
        ],
  );
  return (
    <>
      <PageHead
        title={platform === null ? `Hello, ${account.name}` : 'Dashboard'}
        actions={
          own !== null && (
            <>
              <LinkButton to={filesAddress(`/home/${own.name}`)} icon="upload" state={{ upload: true }}>
                Upload files
              </LinkButton>
              {canAdd && (
                <LinkButton to="/web/new" look="main" icon="plus">
                  New site
                </LinkButton>
              )}
            </>
          )
        }
      />
      {dashboard.data === undefined ? (
        dashboard.error === null ? (
          <div className="columns">
            <Panel>
              <Skeleton lines={6} label="Loading the dashboard" />
            </Panel>
            <Panel>
              <Skeleton lines={3} />
            </Panel>
          </div>
        ) : (
          <ErrorPanel
            what="The dashboard could not be loaded"
            error={dashboard.error}
            retry={() => void dashboard.refetch()}
          />
        )
      ) : (
        <div className="stack">
          {platform !== null && <PlatformDashboard platform={platform} />}
          {own !== null && (
            <>
              {platform !== null && (
                <h2 className="section-title">
                  <Icon name="person" /> Your own account
                </h2>
              )}
              <Notices notices={own.notices} />
              <OwnDashboard own={own} />
            </>
          )}
        </div>
      )}
    </>
  );
}
