import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import type { VolumeView } from '../../../../../src/protocol/browser.ts';
import { operationOf, planOf } from '../../../../../src/protocol/api/replace-disk.ts';
import type { RepairPlan } from '../../../../../src/protocol/health.ts';
import type { Operation } from '../../../../../src/protocol/volumes.ts';
import { call } from '../../../api/client.ts';
import { dashboardQuery, operationsQuery, recoveryQuery, volumesQuery } from '../../../api/queries.ts';
import { Button } from '../../../ui/button.tsx';
import { Dialog } from '../../../ui/dialog.tsx';
import { SelectField, TextField } from '../../../ui/field.tsx';
import { Badge } from '../../../ui/marks.tsx';
import { OperationCard } from '../../../ui/operations.tsx';
import { ErrorNote, Note, Skeleton } from '../../../ui/states.tsx';

/** What is going to be done, step by step, before it is done. */
function Plan({ plan }: { plan: RepairPlan }): JSX.Element {
  return (
    <div className="stack">
      <p className="plan-summary anywhere">{plan.summary}</p>
      {plan.problem !== null && <Note level="problem">{plan.problem}</Note>}
      {plan.steps.length > 0 && (
        <ol className="plan">
          {plan.steps.map((step, index) => (
            <li key={`${index}-${step.name}`} className={step.needed ? undefined : 'plan-not-needed'}>
              <span className="plan-number tabular">{index + 1}</span>
              <span>
                <strong>{step.name}</strong>
                {!step.needed && <Badge tone="quiet">not needed</Badge>}
                <span className="soft small anywhere">{step.detail}</span>
              </span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** The journey of the operation that was started here, as it goes on. */
function Journey({ started, onClose }: { started: Operation; onClose: () => void }): JSX.Element {
  const operations = useQuery(operationsQuery);
  const operation = operations.data?.find((each) => each.id === started.id) ?? started;
  return (
    <div className="stack">
      <ul className="operations journey-box">
        <OperationCard operation={operation} open />
      </ul>
      <p className="soft small">
        It goes on by itself, also when this is closed, and also after a restart. The volume's card shows it.
      </p>
      <div className="row row-end">
        <Button look="main" onClick={onClose} autoFocus>
          Close
        </Button>
      </div>
    </div>
  );
}

function useRefresh(): () => void {
  const client = useQueryClient();
  return () => {
    for (const query of [volumesQuery, operationsQuery, dashboardQuery])
      void client.invalidateQueries({ queryKey: query.queryKey });
  };
}

/** `recover`: the same plan and the same code as on the command line. */
export function RecoverDialog({ volume, onClose }: { volume: string; onClose: () => void }): JSX.Element {
  const plan = useQuery(recoveryQuery(volume));
  const refresh = useRefresh();
  const run = useMutation({
    mutationFn: () => call('volumes.recover', { params: { name: volume } }),
    onSettled: refresh,
  });
  const needed = plan.data?.steps.some((step) => step.needed) ?? false;
  const operation = run.data?.operation;
  return (
    <Dialog title={`Recover ${volume}`} wide onClose={onClose}>
      {operation !== undefined && operation !== null ? (
        <Journey started={operation} onClose={onClose} />
      ) : operation === null ? (
        <Note level="info">Nothing had to be done.</Note>
      ) : plan.data === undefined ? (
        plan.error === null ? (
          <Skeleton lines={4} label="Making the plan" />
        ) : (
          <ErrorNote error={plan.error} />
        )
      ) : (
        <>
          <Plan plan={plan.data} />
          {run.error !== null && <ErrorNote error={run.error} />}
          <div className="row row-end">
            <Button onClick={onClose}>{needed ? 'Not now' : 'Close'}</Button>
            {needed && (
              <Button
                look="main"
                busy={run.isPending}
                disabled={plan.data.problem !== null}
                onClick={() => run.mutate()}
                autoFocus
              >
                Recover {volume}
              </Button>
            )}
          </div>
        </>
      )}
    </Dialog>
  );
}

export function ReplaceDiskDialog({ volume, onClose }: { volume: VolumeView; onClose: () => void }): JSX.Element {
  const worst = volume.replicas.find((each) => each.state !== 'healthy') ?? volume.replicas[0];
  const [replica, setReplica] = useState(worst?.id ?? '');
  const [disk, setDisk] = useState('');
  const refresh = useRefresh();
  const params = { name: volume.name };
  const input = { replica, ...(disk.trim() === '' ? {} : { disk: disk.trim() }) };
  const images = volume.replicas.every((each) => each.valve);
  const plan = useMutation({
    mutationFn: async () => planOf(await call('volumes.replaceDisk', { params, body: { ...input, dryRun: true } })),
  });
  const run = useMutation({
    mutationFn: async () => operationOf(await call('volumes.replaceDisk', { params, body: input })),
    onSettled: refresh,
  });
  const wrongPath = disk.trim() !== '' && !disk.trim().startsWith('/');
  if (run.data !== undefined)
    return (
      <Dialog title={`Replace a disk of ${volume.name}`} wide onClose={onClose}>
        <Journey started={run.data} onClose={onClose} />
      </Dialog>
    );
  return (
    <Dialog title={`Replace a disk of ${volume.name}`} wide onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (wrongPath) return;
          if (plan.data === undefined) plan.mutate();
          else if (plan.data.problem === null) run.mutate();
        }}
      >
        <div className="form-grid">
          <SelectField
            label="The disk that goes"
            value={replica}
            onChange={(event) => {
              setReplica(event.target.value);
              plan.reset();
            }}
          >
            {volume.replicas.map((each) => (
              <option key={each.id} value={each.id}>
                {each.id}: {each.disk} ({each.state})
              </option>
            ))}
          </SelectField>
          <TextField
            label="The disk that comes"
            mono
            value={disk}
            onChange={(event) => {
              setDisk(event.target.value);
              plan.reset();
            }}
            placeholder={images ? 'a fresh image file' : 'a spare disk'}
            spellCheck={false}
            problem={wrongPath ? 'A disk is a whole path, like /dev/sdd.' : undefined}
            hint={images ? 'Leave it empty for a fresh image file.' : 'Leave it empty to take a spare disk.'}
          />
        </div>
        {plan.error !== null && <ErrorNote error={plan.error} />}
        {plan.data !== undefined && <Plan plan={plan.data} />}
        {run.error !== null && <ErrorNote error={run.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Not now</Button>
          {plan.data === undefined ? (
            <Button type="submit" look="main" busy={plan.isPending} disabled={wrongPath}>
              Show the plan
            </Button>
          ) : (
            <Button type="submit" look="danger" busy={run.isPending} disabled={plan.data.problem !== null}>
              Replace the disk
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
