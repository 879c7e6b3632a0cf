import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { littleRoom } from '../../../../../src/model/host-room.ts';
import type { HostHealth } from '../../../../../src/protocol/health.ts';
import { call } from '../../../api/client.ts';
import { healthQuery, incidentsQuery } from '../../../api/queries.ts';
import { count, formatBytes, formatMilliseconds } from '../../../format/format.ts';
import { Button } from '../../../ui/button.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { Icon } from '../../../ui/icon.tsx';
import { Badge } from '../../../ui/marks.tsx';
import type { Tone } from '../../../ui/tone.ts';
import { showProblem, showToast } from '../../../ui/toast.tsx';

const CONDITIONS: Readonly<Record<HostHealth['condition'], { tone: Tone; word: string }>> = {
  healthy: { tone: 'good', word: 'watched' },
  blind: { tone: 'warn', word: 'the watcher cannot see' },
  stalled: { tone: 'bad', word: 'stands still' },
};

function Figure({ name, value, warn = false }: { name: string; value: string; warn?: boolean }): JSX.Element {
  return (
    <div className={warn ? 'tone-warn' : undefined}>
      <dt>{name}</dt>
      <dd className="tabular">{value}</dd>
    </div>
  );
}

function percent(value: number): string {
  return value < 0.05 ? '0 %' : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** The machine: is it watched, is it under pressure, does it repair by itself. */
export function HostCard({
  host,
  old: notUpToDate,
}: {
  host: HostHealth | null;
  /** The page is not up to date: this is how it was. */
  old: boolean;
}): JSX.Element {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const change = useMutation({
    mutationFn: (enabled: boolean) => call('health.setReaction', { body: { enabled } }),
    onSuccess: ({ enabled }) => {
      client.setQueryData(healthQuery.queryKey, (old) =>
        old === undefined || old.host === null ? old : { host: { ...old.host, reaction: enabled } },
      );
      void client.invalidateQueries({ queryKey: incidentsQuery.queryKey });
      showToast(enabled ? 'The host repairs by itself again.' : 'The host does not repair by itself any more.');
    },
  });
  if (host === null) {
    return (
      <section className="panel host" aria-label="Host">
        <h2 className="row">
          <Icon name="host" /> The host
          <Badge tone="warn">not answering</Badge>
        </h2>
        <p className="soft small">
          Figures come back with the agent. Sites that run go on, and a repair that has begun goes on after its restart.
        </p>
      </section>
    );
  }
  const seen = CONDITIONS[host.condition];
  const tone = notUpToDate ? 'quiet' : seen.tone;
  const word = notUpToDate ? `when last seen: ${seen.word}` : seen.word;
  const stuck = host.stuck.filter((each) => each.programs > 0);
  return (
    <section className="panel host" aria-label={`Host ${host.name}`}>
      <div className="stack-s">
        <h2 className="row">
          <Icon name="host" />
          <span className="anywhere">{host.name}</span>
          <Badge tone={tone}>{word}</Badge>
        </h2>
        <dl className="host-figures" title="Waiting: share of the last 10 seconds in which something waited for it">
          {host.pressure !== null && (
            <>
              <Figure name="Waiting for processor" value={percent(host.pressure.cpu)} warn={host.pressure.cpu >= 40} />
              <Figure name="for disks" value={percent(host.pressure.io)} warn={host.pressure.io >= 25} />
              <Figure name="for memory" value={percent(host.pressure.memory)} warn={host.pressure.memory >= 10} />
            </>
          )}
          <Figure name="Cores" value={String(host.cores)} />
          <Figure
            name="Memory free"
            value={`${formatBytes(host.memoryFreeBytes)} of ${formatBytes(host.memoryBytes)}`}
            warn={host.memoryFreeBytes < host.memoryBytes * 0.05}
          />
          {host.room !== undefined && (
            <Figure
              name="Free on its own disk"
              value={`${formatBytes(host.room.freeBytes)} of ${formatBytes(host.room.sizeBytes)}`}
              warn={host.room.freeBytes < littleRoom(host.room.sizeBytes)}
            />
          )}
          <Figure
            name="Watcher's longest pause"
            value={formatMilliseconds(host.watcherGapMs)}
            warn={host.watcherGapMs > 1000}
          />
        </dl>
        {stuck.map((each) => (
          <p key={each.volume} className="small tone-warn">
            {count(each.programs, 'program')} {each.programs === 1 ? 'waits' : 'wait'} for {each.volume} inside the
            kernel. They go on or end by themselves when it answers; nothing else waits for them.
          </p>
        ))}
      </div>
      <div className={`host-reaction${host.reaction ? '' : ' host-reaction-off'}`}>
        <p>
          <Badge tone={host.reaction ? (notUpToDate ? 'quiet' : 'good') : 'bad'}>
            Repairs by itself: {host.reaction ? 'on' : 'off'}
          </Badge>
        </p>
        <p className="soft small">
          {host.reaction
            ? 'A hung disk is cut within a second and rebuilt onto a spare.'
            : 'A hung disk stays as it is, and its members wait, until a person acts.'}
        </p>
        {host.reaction ? (
          <Button small onClick={() => setAsking(true)}>
            Switch off
          </Button>
        ) : (
          <Button
            small
            look="main"
            busy={change.isPending}
            onClick={() => change.mutate(true, { onError: showProblem })}
          >
            Switch on
          </Button>
        )}
      </div>
      {asking && (
        <ConfirmDialog
          title={`Stop ${host.name} from repairing by itself?`}
          action="Switch it off"
          onClose={() => setAsking(false)}
          run={() => change.mutateAsync(false)}
        >
          <p>
            Troubles are still named and told to you, but <strong>no disk is cut and nothing is rebuilt</strong> until
            you switch this on again. If a disk hangs meanwhile, everybody on its volume waits until a person acts.
          </p>
          <p className="soft">For work on the hardware, and for drills that show what would happen without it.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
