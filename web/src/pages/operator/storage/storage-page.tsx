import { useQuery } from '@tanstack/react-query';
import { type JSX, useCallback, useState } from 'react';
import { Link } from 'react-router';
import type { AccountView, VolumeView } from '../../../../../src/protocol/browser.ts';
import type { DiskHealth, HostHealth } from '../../../../../src/protocol/health.ts';
import type { IncidentSummary } from '../../../../../src/protocol/incidents.ts';
import type { Operation } from '../../../../../src/protocol/volumes.ts';
import { accountsQuery, healthQuery, incidentsQuery, operationsQuery, volumesQuery } from '../../../api/queries.ts';
import { count } from '../../../format/format.ts';
import { useLostAt } from '../../../frame/connection.ts';
import { PageHead } from '../../../frame/shell.tsx';
import { useShortcuts } from '../../../frame/shortcuts.tsx';
import { healthOf, shownState } from '../../../health/disk-state.ts';
import { storageHeadline } from '../../../health/headline.ts';
import { Button } from '../../../ui/button.tsx';
import { useTitle } from '../../../ui/hooks.ts';
import { Panel } from '../../../ui/marks.tsx';
import { OperationList } from '../../../ui/operations.tsx';
import { Empty, ErrorPanel, Skeleton } from '../../../ui/states.tsx';
import { Verdict } from '../../../ui/verdict.tsx';
import { OperatorOnly } from '../guard.tsx';
import { Answers, IncidentCard } from '../incidents/pieces.tsx';
import { HostCard } from './host-card.tsx';
import { needsEyes, VolumeCard, VolumeLine } from './volume-card.tsx';
import { CreateVolumeDialog } from './volume-dialogs.tsx';

/** With more volumes than this, well ones are one line each until they are opened. */
const WHOLE = 2;
/** With more than this, there is a field to find one. */
const FINDABLE = 8;

/** Who lives where. */
function residentsOf(accounts: readonly Pick<AccountView, 'name' | 'volume'>[]): ReadonlyMap<string, string[]> {
  const residents = new Map<string, string[]>();
  for (const { name, volume } of accounts) {
    if (volume === null) continue;
    const names = residents.get(volume);
    if (names === undefined) residents.set(volume, [name]);
    else names.push(name);
  }
  return residents;
}

function NotLoaded({ error, retry }: { error: Error | null; retry: () => void }): JSX.Element {
  if (error !== null) return <ErrorPanel what="The storage could not be loaded" error={error} retry={retry} />;
  return (
    <Panel>
      <Skeleton lines={8} label="Loading the storage" />
    </Panel>
  );
}

/** How the storage is on the whole, and what is told of each incident. */
function Told({
  volumes,
  host,
  open,
  connected,
  residents,
  operationOn,
}: {
  volumes: readonly VolumeView[];
  host: HostHealth | null;
  open: readonly IncidentSummary[];
  connected: boolean;
  residents: ReadonlyMap<string, string[]>;
  operationOn: (volume: string | null) => Operation | undefined;
}): JSX.Element {
  const headline = storageHeadline({ volumes, host, incidents: open, connected });
  // One incident, the usual case, is told in one place: unless what a person must do is about something else.
  const only = open.length === 1 && headline.acts.every((act) => act === open[0]?.mustAct) ? open[0] : undefined;
  return (
    <>
      <Verdict tone={headline.tone} title={headline.title} acts={headline.acts}>
        {only !== undefined && (
          <>
            <Answers
              incident={only}
              operation={operationOn(only.volume)}
              names={only.volume === null ? undefined : residents.get(only.volume)}
            />
            <p>
              <Link to={`/incidents/${only.id}`}>Incident {only.id}: evidence, timeline and notes</Link>
            </p>
          </>
        )}
        {open.length === 0 &&
          headline.details.map((detail) => (
            <p key={detail} className="soft anywhere">
              {detail}
            </p>
          ))}
      </Verdict>
      {only === undefined &&
        open.map((incident) => (
          <IncidentCard
            key={incident.id}
            incident={incident}
            operation={operationOn(incident.volume)}
            names={incident.volume === null ? undefined : residents.get(incident.volume)}
            act={false}
          />
        ))}
    </>
  );
}

/** The volumes that something is to be seen of, whole; then the others, one line each when there are many. */
function Volumes({
  list,
  filter,
  open,
  disks,
  residents,
  operationOf,
}: {
  list: readonly VolumeView[];
  filter: string;
  open: readonly IncidentSummary[];
  disks: readonly DiskHealth[] | undefined;
  residents: ReadonlyMap<string, string[]> | undefined;
  operationOf: (volume: VolumeView) => Operation | undefined;
}): JSX.Element {
  const [opened, setOpened] = useState<Readonly<Record<string, boolean>>>({});
  const openOne = useCallback((name: string) => setOpened((before) => ({ ...before, [name]: true })), []);
  const incidentOf = (volume: VolumeView) => open.find((incident) => incident.volume === volume.name);
  const needle = filter.trim().toLowerCase();
  const found = list.filter(
    (volume) =>
      needle === '' ||
      volume.name.includes(needle) ||
      volume.replicas.some((replica) => replica.disk.toLowerCase().includes(needle)) ||
      residents?.get(volume.name)?.some((name) => name.includes(needle)) === true,
  );
  const eyes = found.filter((volume) => needsEyes({ volume, incident: incidentOf(volume), disks }));
  const well = found.filter((volume) => !eyes.includes(volume));
  const isOpen = (volume: VolumeView): boolean =>
    opened[volume.name] ?? (eyes.includes(volume) || list.length <= WHOLE);
  const card = (volume: VolumeView): JSX.Element =>
    isOpen(volume) ? (
      <VolumeCard
        key={volume.name}
        volume={volume}
        operation={operationOf(volume)}
        incident={incidentOf(volume)}
        disks={disks}
        residents={residents && (residents.get(volume.name) ?? [])}
        onFold={list.length > WHOLE ? () => setOpened({ ...opened, [volume.name]: false }) : undefined}
      />
    ) : (
      <VolumeLine
        key={volume.name}
        volume={volume}
        states={volume.replicas.map((replica) => shownState(replica, healthOf(disks, volume.name, replica))).join(' ')}
        onOpen={openOne}
      />
    );
  return (
    <>
      {list.length > 0 && found.length === 0 && (
        <Panel flush>
          <Empty icon="search" title="No such volume">
            No volume, disk or account has that in its name.
          </Empty>
        </Panel>
      )}
      {eyes.map(card)}
      {well.filter(isOpen).map(card)}
      {well.some((volume) => !isOpen(volume)) && (
        <>
          {(eyes.length > 0 || list.length > FINDABLE) && (
            <h2 className="section-title">
              {eyes.length > 0 ? 'Not affected' : 'Volumes'}
              <span className="soft small"> {count(well.length, 'volume')}</span>
            </h2>
          )}
          <div className="volume-lines">{well.filter((volume) => !isOpen(volume)).map(card)}</div>
        </>
      )}
    </>
  );
}

function Storage(): JSX.Element {
  const volumes = useQuery({ ...volumesQuery, refetchInterval: 30_000 });
  const operations = useQuery(operationsQuery);
  const accounts = useQuery(accountsQuery);
  const incidents = useQuery({ ...incidentsQuery, refetchInterval: 30_000 });
  // Live events carry it every second; this is for when they are cut off.
  const health = useQuery({ ...healthQuery, refetchInterval: 10_000 });
  const connected = useLostAt() === null;
  const [creating, setCreating] = useState(false);
  const [filter, setFilter] = useState('');
  useTitle('Storage');
  useShortcuts('Storage', [{ keys: 'n', label: 'New volume', run: () => setCreating(true) }]);

  const byId = new Map((operations.data ?? []).map((operation) => [operation.id, operation]));
  const open = (incidents.data ?? []).filter((incident) => incident.state === 'open');
  const host = health.data?.host ?? null;
  // Of a page that is not up to date no disk is shown as if it were seen.
  const disks = connected ? host?.disks : undefined;
  const list = volumes.data ?? [];
  const residents = residentsOf(accounts.data ?? []);
  const operationOf = (volume: VolumeView) => (volume.operation === null ? undefined : byId.get(volume.operation));
  const operationOn = (name: string | null) =>
    list.filter((volume) => volume.name === name).map((volume) => operationOf(volume))[0];
  const onCards = new Set(list.map((volume) => volume.operation));
  const others = (operations.data ?? []).filter((operation) => !onCards.has(operation.id));

  const ready = volumes.data !== undefined && health.data !== undefined && incidents.data !== undefined;
  const error = volumes.error ?? health.error ?? incidents.error;
  return (
    <>
      <PageHead
        title="Storage"
        actions={
          <>
            {list.length > FINDABLE && (
              <input
                className="input browser-filter"
                type="search"
                aria-label="Find a volume, a disk or who lives where"
                placeholder="Volume, disk or account"
                value={filter}
                onChange={(event) => setFilter(event.target.value)}
              />
            )}
            <Button icon="plus" onClick={() => setCreating(true)}>
              New volume
            </Button>
          </>
        }
      />
      {!ready ? (
        <NotLoaded
          error={error}
          retry={() => {
            for (const query of [volumes, health, incidents]) void query.refetch();
          }}
        />
      ) : (
        <div className="stack">
          <Told
            volumes={list}
            host={host}
            open={open}
            connected={connected}
            residents={residents}
            operationOn={operationOn}
          />
          <HostCard host={host} old={!connected} />
          {list.length === 0 && (
            <Panel flush>
              <Empty
                icon="disks"
                title="No volume yet"
                actions={
                  <Button look="main" icon="plus" onClick={() => setCreating(true)}>
                    New volume
                  </Button>
                }
              >
                Accounts live on volumes. Make one from two disks, or from two image files on this machine.
              </Empty>
            </Panel>
          )}
          <Volumes
            list={list}
            filter={filter}
            open={open}
            disks={disks}
            residents={accounts.data === undefined ? undefined : residents}
            operationOf={operationOf}
          />
          {others.length > 0 && (
            <Panel flush title="Operations">
              <OperationList operations={others} finished={8} />
            </Panel>
          )}
        </div>
      )}
      {creating && (
        <CreateVolumeDialog taken={new Set(list.map((volume) => volume.name))} onClose={() => setCreating(false)} />
      )}
    </>
  );
}

export function StoragePage(): JSX.Element {
  return (
    <OperatorOnly>
      <Storage />
    </OperatorOnly>
  );
}
