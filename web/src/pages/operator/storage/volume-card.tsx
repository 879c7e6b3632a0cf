import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Fragment, type JSX, memo, useState } from 'react';
import { Link } from 'react-router';
import type { ApiInput } from '../../../../../src/protocol/api.ts';
import type { VolumeView } from '../../../../../src/protocol/browser.ts';
import type { DiskHealth } from '../../../../../src/protocol/health.ts';
import type { IncidentSummary } from '../../../../../src/protocol/incidents.ts';
import type { Operation, Replica } from '../../../../../src/protocol/volumes.ts';
import { call } from '../../../api/client.ts';
import { dashboardQuery, operationsQuery, volumesQuery } from '../../../api/queries.ts';
import { count, formatBytes, fullness, readSentence, roomLeft } from '../../../format/format.ts';
import {
  answers,
  healthOf,
  knownState,
  shownRedundancy,
  shownState,
  type ShownState,
  takesPart,
  tieBetween,
} from '../../../health/disk-state.ts';
import { useLostAt } from '../../../frame/connection.ts';
import { culpritStory, incidentTone } from '../../../health/incident-words.ts';
import { type ShownVolume, volumeShown } from '../../../health/volume-state.ts';
import { Button } from '../../../ui/button.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { useNow } from '../../../ui/hooks.ts';
import { Icon } from '../../../ui/icon.tsx';
import { OperationCard, operationTitle } from '../../../ui/operations.tsx';
import { rebuildShare, TiePicture, VolumeBadge, VolumePicture, VolumeSpace } from '../../../ui/replicas.tsx';
import { Note } from '../../../ui/states.tsx';
import { showProblem, showToast } from '../../../ui/toast.tsx';
import { DiskTile } from './disk-tile.tsx';
import { RecoverDialog, ReplaceDiskDialog } from './repair-dialogs.tsx';
import { Residents } from './residents.tsx';
import { AddReplicaDialog, GrowDialog } from './volume-dialogs.tsx';

type Doing = 'set-aside' | 'add-replica' | 'grow' | 'delete' | 'close' | 'recover' | 'replace-disk';

export interface VolumeCardProps {
  volume: VolumeView;
  operation: Operation | undefined;
  incident: IncidentSummary | undefined;
  disks: readonly DiskHealth[] | undefined;
  residents: readonly string[] | undefined;
}

/** Whether a volume is shown whole at first: everything that is not simply well. */
export function needsEyes({
  volume,
  incident,
  disks,
}: Pick<VolumeCardProps, 'volume' | 'incident' | 'disks'>): boolean {
  return (
    incident !== undefined ||
    volume.operation !== null ||
    volume.redundancy !== 'full' ||
    volume.state === 'trouble' ||
    volume.trouble !== null ||
    volume.replicas.some((replica) =>
      ['hung', 'slow', 'failed'].includes(shownState(replica, healthOf(disks, volume.name, replica))),
    )
  );
}

/** A volume in one line: enough while it is well. Health comes every second; this is drawn again only when a disk's state changes. */
export const VolumeLine = memo(function VolumeLine({
  volume,
  states: words,
  onOpen,
}: {
  volume: VolumeView;
  /** The states of its replicas, in their order, by spaces. */
  states: string;
  onOpen: (name: string) => void;
}): JSX.Element {
  const each = words.split(' ');
  const states = Object.fromEntries(volume.replicas.map((replica, index) => [replica.id, each[index] as ShownState]));
  const shown = volumeShown(volume, each as ShownState[], undefined, useLostAt() !== null);
  return (
    <section className="panel volume-line" id={`volume-${volume.name}`} aria-label={`Volume ${volume.name}`}>
      <VolumePicture volume={volume} states={states} />
      <div className="volume-line-words">
        <p className="row row-between">
          <strong className="anywhere volume-name">{volume.name}</strong>
          <VolumeBadge shown={shown} />
        </p>
        <VolumeSpace volume={volume} shown={shown} />
        <p className="row row-between small">
          <span className="soft">{count(volume.accounts, 'account')}</span>
          <Button small look="link" aria-expanded={false} onClick={() => onOpen(volume.name)}>
            Open<span className="visually-hidden"> {volume.name}</span>
          </Button>
        </p>
      </div>
    </section>
  );
});

type ActInput = ApiInput<'volumes.act'>;

function useVolumeActions(volume: VolumeView) {
  const client = useQueryClient();
  const refresh = (): void => {
    for (const query of [volumesQuery, operationsQuery, dashboardQuery])
      void client.invalidateQueries({ queryKey: query.queryKey });
  };
  const act = useMutation({
    mutationFn: ({ action, input = {} }: { action: ActInput['params']['action']; input?: ActInput['body'] }) =>
      call('volumes.act', { params: { name: volume.name, action }, body: input }),
    onSettled: refresh,
  });
  const remove = async (): Promise<void> => {
    await call('volumes.delete', { params: { name: volume.name }, query: { confirm: volume.name } });
    refresh();
    showToast(`${volume.name} is being deleted.`);
  };
  return { act, remove };
}

function CardHead({
  volume,
  incident,
  tone,
  shown,
  onFold,
}: Pick<VolumeCardProps, 'volume' | 'incident'> & {
  tone: string;
  shown: ShownVolume;
  onFold: (() => void) | undefined;
}): JSX.Element {
  return (
    <>
      <header className="panel-head">
        <h2 className="row">
          <span className="anywhere">{volume.name}</span>
          <VolumeBadge shown={shown} />
          {incident !== undefined && (
            <Link className={`volume-incident volume-incident-${tone}`} to={`/incidents/${incident.id}`}>
              <Icon name={tone === 'busy' ? 'info' : 'warning'} />
              Incident {incident.id}
            </Link>
          )}
        </h2>
        <span className="row">
          <span className="soft small">{volume.engine} engine</span>
          {onFold !== undefined && (
            <Button small look="quiet" aria-expanded onClick={onFold}>
              Fold<span className="visually-hidden"> {volume.name}</span>
            </Button>
          )}
        </span>
      </header>
      {incident === undefined && volume.trouble !== null && (
        <div className="panel-words">
          <Note level={volume.redundancy === 'lost' || volume.state === 'trouble' ? 'problem' : 'warning'}>
            {volume.trouble}
          </Note>
        </div>
      )}
    </>
  );
}

type Act = ReturnType<typeof useVolumeActions>['act'];

/** What can be done with a volume now. */
function CardActions({
  volume,
  operation,
  broken,
  act,
  onDo,
}: Pick<VolumeCardProps, 'volume' | 'operation'> & {
  /** Something is to be repaired: that comes first. */
  broken: boolean;
  act: Act;
  onDo: (doing: Doing) => void;
}): JSX.Element {
  const busy = volume.operation !== null;
  const open = volume.state !== 'closed';
  const simple = (action: ActInput['params']['action'], done: string): void =>
    act.mutate({ action }, { onError: showProblem, onSuccess: () => showToast(done) });
  return (
    <div className="volume-actions row">
      {broken && (
        <Button small look="main" icon="reload" onClick={() => onDo('recover')}>
          Recover
        </Button>
      )}
      <Button small icon="plus" disabled={busy || !open} onClick={() => onDo('add-replica')}>
        Add a replica
      </Button>
      <Button small icon="disks" disabled={busy || !open} onClick={() => onDo('replace-disk')}>
        Replace a disk
      </Button>
      <Button
        small
        icon="check"
        disabled={busy || !open}
        busy={act.isPending && act.variables.action === 'scrub'}
        onClick={() => simple('scrub', `Everything on ${volume.name} is being read and checked.`)}
        title="Reads everything and repairs what one copy has wrong"
      >
        Scrub
      </Button>
      <Button small disabled={busy || !open} onClick={() => onDo('grow')}>
        Grow
      </Button>
      {!broken && (
        <Button small look="quiet" onClick={() => onDo('recover')}>
          Recover
        </Button>
      )}
      {open ? (
        <Button small look="quiet" disabled={busy} onClick={() => onDo('close')}>
          Close
        </Button>
      ) : (
        <Button small busy={act.isPending} onClick={() => simple('open', `${volume.name} is open.`)}>
          Open
        </Button>
      )}
      <Button
        small
        look="quiet"
        icon="trash"
        disabled={busy || volume.accounts > 0}
        title={volume.accounts > 0 ? 'Only a volume without accounts can be deleted' : undefined}
        onClick={() => onDo('delete')}
      >
        Delete
      </Button>
      {busy && (
        <span className="soft small">
          {operation === undefined ? 'An operation is under way.' : `${operationTitle(operation)} is under way.`}
        </span>
      )}
    </div>
  );
}

/** Asks before it is done. */
function CardDialogs({
  volume,
  doing,
  aside,
  act,
  remove,
  onClose,
}: {
  volume: VolumeView;
  doing: Doing | null;
  /** The replica to be set aside. */
  aside: Replica | null;
  act: Act;
  remove: () => Promise<void>;
  onClose: () => void;
}): JSX.Element {
  return (
    <>
      {doing === 'recover' && <RecoverDialog volume={volume.name} onClose={onClose} />}
      {doing === 'replace-disk' && <ReplaceDiskDialog volume={volume} onClose={onClose} />}
      {doing === 'set-aside' && aside !== null && (
        <ConfirmDialog
          title={`Set replica ${aside.id} of ${volume.name} aside?`}
          action="Set it aside"
          onClose={onClose}
          run={() =>
            act
              .mutateAsync({ action: 'set-aside', input: { replica: aside.id } })
              .then(() => showToast(`${aside.id} is set aside.`))
          }
        >
          <p>
            The volume goes on with its other replica; nobody on it notices. From then on{' '}
            <strong>one disk holds the only complete copy</strong> until a replica is added and rebuilt.
          </p>
          <p className="mono anywhere">{aside.disk}</p>
        </ConfirmDialog>
      )}
      {doing === 'close' && (
        <ConfirmDialog
          title={`Close ${volume.name}?`}
          action="Close the volume"
          onClose={onClose}
          run={() => act.mutateAsync({ action: 'close' }).then(() => showToast(`${volume.name} is closed.`))}
        >
          <p>
            Programs of {count(volume.accounts, 'account')} stop, and their sites answer "storage is being repaired"
            until the volume is opened again. Nothing is deleted.
          </p>
        </ConfirmDialog>
      )}
      {doing === 'delete' && (
        <ConfirmDialog
          title={`Delete ${volume.name}?`}
          action="Delete the volume"
          typed={volume.name}
          onClose={onClose}
          run={remove}
        >
          <p>
            Its {count(volume.replicas.length, 'disk')} are released and what is on them is gone.{' '}
            <strong>This cannot be undone.</strong>
          </p>
        </ConfirmDialog>
      )}
      {doing === 'add-replica' && (
        <AddReplicaDialog
          volume={volume}
          run={(input) => act.mutateAsync({ action: 'add-replica', input })}
          onClose={onClose}
        />
      )}
      {doing === 'grow' && (
        <GrowDialog volume={volume} run={(input) => act.mutateAsync({ action: 'grow', input })} onClose={onClose} />
      )}
    </>
  );
}

/** A volume whole: its disks, who lives there, what is being done, and what can be done. */
export function VolumeCard(props: VolumeCardProps & { onFold: (() => void) | undefined }): JSX.Element {
  const { volume, operation, incident, disks, residents, onFold } = props;
  const now = useNow();
  const old = useLostAt() !== null;
  const [doing, setDoing] = useState<Doing | null>(null);
  const [aside, setAside] = useState<Replica | null>(null);
  const { act, remove } = useVolumeActions(volume);
  const busy = volume.operation !== null;
  const open = volume.state !== 'closed';
  // What takes part comes first, so that it is seen what mirrors what.
  const shown = volume.replicas
    .map((replica) => {
      const health = healthOf(disks, volume.name, replica);
      return { replica, health, state: knownState(shownState(replica, health), replica, incident) };
    })
    .toSorted((a, b) => Number(!takesPart(a.state)) - Number(!takesPart(b.state)));
  const { room, kept } = roomLeft(volume.usedBytes, volume.sizeBytes, volume.freeBytes);
  // Why it is full although its size is not used up; nobody asks before.
  const tellKept = kept > 0 && fullness(volume.usedBytes, room) !== 'fine';
  const redundancy = shownRedundancy(
    volume.redundancy,
    shown.map(({ state }) => state),
  );
  const broken = ['reduced', 'waiting', 'lost'].includes(redundancy) || volume.state === 'trouble';
  const tone = incident === undefined ? (broken ? 'warn' : 'plain') : incidentTone(incident);
  const whole = volumeShown(
    volume,
    shown.map(({ state }) => state),
    incident && incidentTone(incident),
    old,
  );
  return (
    <section
      className={`panel panel-flush volume volume-${tone}`}
      id={`volume-${volume.name}`}
      aria-label={`Volume ${volume.name}`}
    >
      <CardHead volume={volume} incident={incident} tone={tone} shown={whole} onFold={onFold} />
      <div className="tiles">
        {shown.map(({ replica, health, state }, index) => (
          <Fragment key={replica.id}>
            {index > 0 && <TiePicture redundancy={tieBetween(shown[index - 1]?.state ?? 'absent', state)} />}
            <DiskTile
              volume={volume.name}
              replica={replica}
              health={health}
              state={state}
              story={culpritStory(incident, replica)}
              share={replica.state === 'rebuilding' ? rebuildShare(operation) : null}
              last={!shown.some((other) => other.replica.id !== replica.id && answers(other.state))}
              onSetAside={
                open && !busy
                  ? () => {
                      setAside(replica);
                      setDoing('set-aside');
                    }
                  : undefined
              }
            />
          </Fragment>
        ))}
      </div>
      {operation !== undefined && operation.state === 'running' && (
        <ul className="operations volume-operation">
          <OperationCard operation={operation} open />
        </ul>
      )}
      <div className="volume-figures">
        <div className="stack-s">
          <VolumeSpace volume={volume} shown={whole} />
          <p className="soft small tabular">
            {tellKept && `The file system keeps ${formatBytes(kept)} for itself. `}
            {formatBytes(volume.promisedBytes)} promised to accounts. {readSentence(volume.readAt, now)}
          </p>
        </div>
        <div className="stack-s">
          <Residents total={volume.accounts} names={residents} />
          {(incident === undefined || redundancy !== 'full' || volume.state === 'closed') && (
            <p className="soft small">{whole.meaning}</p>
          )}
        </div>
      </div>
      <CardActions volume={volume} operation={operation} broken={broken} act={act} onDo={setDoing} />
      <CardDialogs
        volume={volume}
        doing={doing}
        aside={aside}
        act={act}
        remove={remove}
        onClose={() => setDoing(null)}
      />
    </section>
  );
}
