import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import type { VolumeView } from '../../../../src/protocol/browser.ts';
import type { Operation, Replica } from '../../../../src/protocol/volumes.ts';
import { call } from '../../api/client.ts';
import { dashboardQuery, operationsQuery, volumesQuery } from '../../api/queries.ts';
import { count, formatAgo, formatBytes } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { useNow, useTitle } from '../../ui/hooks.ts';
import { Badge, Panel, SpaceMeter } from '../../ui/marks.tsx';
import { OperationCard, OperationList, operationTitle } from '../../ui/operations.tsx';
import { RedundancyBadge, redundancyMeaning, ReplicaBadge, VolumePicture } from '../../ui/replicas.tsx';
import { Empty, ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { OperatorOnly } from './guard.tsx';
import { AddReplicaDialog, CreateVolumeDialog, GrowDialog } from './volume-dialogs.tsx';

type Doing = 'set-aside' | 'add-replica' | 'grow' | 'delete' | 'close';

function errorsOf(replica: Replica): string {
  if (replica.errors === null) return 'not readable';
  const { write, read, flush, corruption, generation } = replica.errors;
  const found = Object.entries({ write, read, flush, corruption, generation }).filter(([, amount]) => amount > 0);
  return found.length === 0 ? 'none' : found.map(([name, amount]) => `${amount} ${name}`).join(', ');
}

function Replicas({ volume, onSetAside }: { volume: VolumeView; onSetAside: (replica: Replica) => void }): JSX.Element {
  const complete = volume.replicas.filter((replica) => replica.state === 'healthy').length;
  return (
    <div className="table-scroll">
      <table className="table table-cards">
        <thead>
          <tr>
            <th scope="col">Replica</th>
            <th scope="col">State</th>
            <th scope="col">Disk</th>
            <th scope="col">Size</th>
            <th scope="col">Errors</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {volume.replicas.map((replica) => (
            <tr key={replica.id}>
              <td>
                <strong>{replica.id}</strong>
              </td>
              <td>
                <ReplicaBadge state={replica.state} />
              </td>
              <td data-label="Disk" className="anywhere">
                <code>{replica.disk}</code>
                {replica.valve && <span className="faint small"> image behind the valve</span>}
              </td>
              <td data-label="Size" className="tabular">
                {formatBytes(replica.sizeBytes)}
              </td>
              <td data-label="Errors" className={errorsOf(replica) === 'none' ? 'soft' : undefined}>
                {errorsOf(replica)}
              </td>
              <td className="actions">
                {(replica.state === 'healthy' || replica.state === 'rebuilding') && (
                  <Button
                    small
                    look="quiet"
                    disabled={replica.state === 'healthy' && complete < 2}
                    title={
                      replica.state === 'healthy' && complete < 2 ? 'This is the last complete replica' : undefined
                    }
                    onClick={() => onSetAside(replica)}
                  >
                    Set aside<span className="visually-hidden"> {replica.id}</span>
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function VolumeCard({ volume, operation }: { volume: VolumeView; operation: Operation | undefined }): JSX.Element {
  const client = useQueryClient();
  const now = useNow();
  const [doing, setDoing] = useState<Doing | null>(null);
  const [aside, setAside] = useState<Replica | null>(null);
  const address = `volumes/${encodeURIComponent(volume.name)}`;
  const refresh = (): void => {
    for (const query of [volumesQuery, operationsQuery, dashboardQuery])
      void client.invalidateQueries({ queryKey: query.queryKey });
  };
  const act = useMutation({
    mutationFn: ({ action, input = {} }: { action: string; input?: Record<string, unknown> }) =>
      call<unknown>(`${address}/${action}`, { method: 'POST', json: input }),
    onSettled: refresh,
  });
  const close = (): void => setDoing(null);
  const busy = volume.operation !== null;
  const open = volume.state !== 'closed';
  return (
    <Panel
      flush
      id={`volume-${volume.name}`}
      title={
        <span className="row">
          <span className="anywhere">{volume.name}</span>
          {volume.state === 'closed' && <Badge tone="off">closed</Badge>}
          {volume.state === 'trouble' && <Badge tone="bad">trouble</Badge>}
        </span>
      }
      aside={
        <span className="soft small">
          {count(volume.accounts, 'account')}, {volume.engine} engine
        </span>
      }
    >
      <div className="volume-body">
        <VolumePicture volume={volume} operation={operation} />
        <div className="stack-s">
          <p className="row">
            Redundancy <RedundancyBadge redundancy={volume.redundancy} />
          </p>
          <p className="soft small">{redundancyMeaning(volume.redundancy)}</p>
        </div>
        <div className="stack-s">
          <SpaceMeter
            usedBytes={volume.usedBytes}
            limitBytes={volume.sizeBytes}
            label={`Space used on ${volume.name}`}
          />
          <p className="soft small tabular">
            {formatBytes(volume.promisedBytes)} promised to accounts. Read {formatAgo(volume.readAt, now)}.
          </p>
        </div>
      </div>
      {volume.trouble !== null && (
        <div className="panel-words volume-trouble">
          <Note level={volume.redundancy === 'lost' || volume.state === 'trouble' ? 'problem' : 'warning'}>
            {volume.trouble}
          </Note>
        </div>
      )}
      {operation !== undefined && (
        <ul className="operations volume-operation">
          <OperationCard operation={operation} open={false} />
        </ul>
      )}
      <div className="volume-replicas">
        <Replicas
          volume={volume}
          onSetAside={(replica) => {
            setAside(replica);
            setDoing('set-aside');
          }}
        />
      </div>
      <div className="volume-actions row">
        <Button small icon="plus" disabled={busy || !open} onClick={() => setDoing('add-replica')}>
          Add a replica
        </Button>
        <Button
          small
          icon="check"
          disabled={busy || !open}
          busy={act.isPending && act.variables.action === 'scrub'}
          onClick={() =>
            act.mutate(
              { action: 'scrub' },
              { onError: showProblem, onSuccess: () => showToast(`Scrub of ${volume.name} has begun.`) },
            )
          }
          title="Reads everything and repairs what one replica has wrong"
        >
          Scrub
        </Button>
        <Button small disabled={busy || !open} onClick={() => setDoing('grow')}>
          Grow
        </Button>
        {open ? (
          <Button small look="quiet" disabled={busy} onClick={() => setDoing('close')}>
            Close
          </Button>
        ) : (
          <Button
            small
            busy={act.isPending}
            onClick={() =>
              act.mutate(
                { action: 'open' },
                { onError: showProblem, onSuccess: () => showToast(`${volume.name} is open.`) },
              )
            }
          >
            Open
          </Button>
        )}
        <Button
          small
          look="quiet"
          icon="trash"
          disabled={busy || volume.accounts > 0}
          title={volume.accounts > 0 ? 'Only a volume without accounts can be deleted' : undefined}
          onClick={() => setDoing('delete')}
        >
          Delete
        </Button>
        {busy && (
          <span className="soft small">
            {operation === undefined ? 'An operation is under way.' : `${operationTitle(operation)} is under way.`}
          </span>
        )}
      </div>
      {doing === 'set-aside' && aside !== null && (
        <ConfirmDialog
          title={`Set replica ${aside.id} of ${volume.name} aside?`}
          action="Set it aside"
          onClose={close}
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
          onClose={close}
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
          onClose={close}
          run={async () => {
            await call<Operation>(address, { method: 'DELETE', query: { confirm: volume.name } });
            refresh();
            showToast(`${volume.name} is being deleted.`);
          }}
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
          onClose={close}
        />
      )}
      {doing === 'grow' && (
        <GrowDialog volume={volume} run={(input) => act.mutateAsync({ action: 'grow', input })} onClose={close} />
      )}
    </Panel>
  );
}

function Volumes(): JSX.Element {
  const volumes = useQuery(volumesQuery);
  const operations = useQuery(operationsQuery);
  const [creating, setCreating] = useState(false);
  useTitle('Volumes');
  useShortcuts('Volumes', [{ keys: 'n', label: 'New volume', run: () => setCreating(true) }]);
  const byId = new Map((operations.data ?? []).map((operation) => [operation.id, operation]));
  const onCards = new Set((volumes.data ?? []).map((volume) => volume.operation));
  const others = (operations.data ?? []).filter((operation) => !onCards.has(operation.id));
  return (
    <>
      <PageHead
        title="Volumes"
        under={
          <p className="soft">
            Each volume is a compartment of its own: what happens to one does not touch the others.
          </p>
        }
        actions={
          <Button look="main" icon="plus" onClick={() => setCreating(true)}>
            New volume
          </Button>
        }
      />
      {volumes.data === undefined ? (
        volumes.error === null ? (
          <Panel>
            <Skeleton lines={8} label="Loading volumes" />
          </Panel>
        ) : (
          <ErrorPanel
            what="The volumes could not be loaded"
            error={volumes.error}
            retry={() => void volumes.refetch()}
          />
        )
      ) : (
        <div className="stack">
          {volumes.data.length === 0 && (
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
          {volumes.data.map((volume) => (
            <VolumeCard
              key={volume.name}
              volume={volume}
              operation={volume.operation === null ? undefined : byId.get(volume.operation)}
            />
          ))}
          {others.length > 0 && (
            <Panel flush title="Operations">
              <OperationList operations={others} finished={12} />
            </Panel>
          )}
        </div>
      )}
      {creating && (
        <CreateVolumeDialog
          taken={new Set(volumes.data?.map((volume) => volume.name))}
          onClose={() => setCreating(false)}
        />
      )}
    </>
  );
}

export function VolumesPage(): JSX.Element {
  return (
    <OperatorOnly>
      <Volumes />
    </OperatorOnly>
  );
}
