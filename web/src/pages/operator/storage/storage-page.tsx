import { useQuery } from '@tanstack/react-query';
import { type JSX, useCallback, useState } from 'react';
import { Link } from 'react-router';
import type { VolumeView } from '../../../../../src/protocol/browser.ts';
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
  const [opened, setOpened] = useState<Readonly<Record<string, boolean>>>({});
  const openOne = useCallback((name: string) => setOpened((before) => ({ ...before, [name]: true })), []);
  useTitle('Storage');
  useShortcuts('Storage', [{ keys: 'n', label: 'New volume', run: () => setCreating(true) }]);

  const byId = new Map((operations.data ?? []).map((operation) => [operation.id, operation]));
  const open = (incidents.data ?? []).filter((incident) => incident.state === 'open');
  const host = health.data?.host ?? null;
  // Of a page that is not up to date no disk is shown as if it were seen.
  const disks = connected ? host?.disks : undefined;
  const list = volumes.data ?? [];
  const residents = new Map<string, string[]>();
  for (const account of accounts.data ?? []) {
    if (account.volume === null) continue;
    const names = residents.get(account.volume);
    if (names === undefined) residents.set(account.volume, [account.name]);
    else names.push(account.name);
  }
  const incidentOf = (volume: VolumeView) => open.find((incident) => incident.volume === volume.name);
  const operationOf = (volume: VolumeView) => (volume.operation === null ? undefined : byId.get(volume.operation));
  const operationOn = (name: string | null) =>
    list.filter((volume) => volume.name === name).map((volume) => operationOf(volume))[0];
  const onCards = new Set(list.map((volume) => volume.operation));
  const others = (operations.data ?? []).filter((operation) => !onCards.has(operation.id));

  const needle = filter.trim().toLowerCase();
  const found = list.filter(
    (volume) =>
      needle === '' ||
      volume.name.includes(needle) ||
      volume.replicas.some((replica) => replica.disk.toLowerCase().includes(needle)) ||
      residents.get(volume.name)?.some((name) => name.includes(needle)) === true,
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
        residents={accounts.data === undefined ? undefined : (residents.get(volume.name) ?? [])}
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
  const ready = volumes.data !== undefined && health.data !== undefined && incidents.data !== undefined;
  const error = volumes.error ?? health.error ?? incidents.error;
  const headline = storageHeadline({ volumes: list, host, incidents: open, connected });
  // One incident, the usual case, is told in one place: unless what a person must do is about something else.
  const only = open.length === 1 && headline.acts.every((act) => act === open[0]?.mustAct) ? open[0] : undefined;
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
        error === null ? (
          <Panel>
            <Skeleton lines={8} label="Loading the storage" />
          </Panel>
        ) : (
          <ErrorPanel
            what="The storage could not be loaded"
            error={error}
            retry={() => {
              for (const query of [volumes, health, incidents]) void query.refetch();
            }}
          />
        )
      ) : (
        <div className="stack">
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
