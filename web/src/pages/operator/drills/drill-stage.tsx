import type { JSX } from 'react';
import type { DrillRun, FaultName } from '../../../../../src/protocol/drills.ts';
import { curvesOf, type DrillCurves, useDrillHistory } from '../../../api/history.ts';
import { count, formatMilliseconds, formatOffset, formatRate } from '../../../format/format.ts';
import { volumeMood, WAITS_MS } from '../../../health/drill-words.ts';
import type { ShownState } from '../../../health/disk-state.ts';
import { niceMax } from '../../../ui/chart-path.ts';
import { ChartEnds, Curve } from '../../../ui/charts.tsx';
import { Icon } from '../../../ui/icon.tsx';
import { Badge } from '../../../ui/marks.tsx';
import { VolumePicture } from '../../../ui/replicas.tsx';

type Volume = DrillRun['volumes'][number];

/** A disk with the fault looks as its members feel it, before the platform has said anything of it. */
const FELT: Readonly<Record<FaultName, ShownState | undefined>> = {
  hang: 'hung',
  flap: 'hung',
  error: 'failed',
  slow: 'slow',
  corrupt: undefined,
  clear: undefined,
};

function statesOf(volume: Volume): Record<string, ShownState> {
  return Object.fromEntries(
    volume.replicas.map(({ id, state, fault }) => [
      id,
      state === 'healthy' ? ((fault === null ? undefined : FELT[fault]) ?? state) : state,
    ]),
  );
}

/** Requests drawn one by one in the queue; more are told as a number. */
const QUEUE = 40;

function Queue({ volume }: { volume: Volume }): JSX.Element {
  const waits = volume.waiting > 0 && volume.oldestWaitMs >= WAITS_MS;
  const drawn = waits ? Math.min(QUEUE, volume.waiting) : 0;
  return (
    <div className="queue">
      <p className={waits ? 'tone-bad' : 'soft'}>
        {waits ? (
          <>
            <strong className="tabular">{count(volume.waiting, 'request')}</strong>{' '}
            {volume.waiting === 1 ? 'waits' : 'wait'}, the oldest{' '}
            <strong className="tabular">{formatMilliseconds(volume.oldestWaitMs)}</strong>
          </>
        ) : (
          'Nobody waits'
        )}
      </p>
      <span className="queue-dots" aria-hidden="true">
        {Array.from({ length: drawn }, (_, index) => (
          <i key={index} />
        ))}
      </span>
    </div>
  );
}

interface Scale {
  from: number;
  to: number;
  rate: number;
  latency: number;
}

/** Whether a volume has, or had, the fault: its disk may have left the mirror by now. */
function isStruck(run: DrillRun, volume: Volume): boolean {
  return (
    volume.replicas.some((replica) => replica.fault !== null && replica.fault !== 'clear') ||
    run.result?.culprit?.startsWith(`${volume.name}/`) === true ||
    run.timeline.some((line) => line.kind === 'fault' && line.text.startsWith(`${volume.name}/`))
  );
}

function Compartment({
  volume,
  curves,
  scale,
  over,
  fault,
  struck,
}: {
  volume: Volume;
  curves: DrillCurves;
  scale: Scale;
  over: boolean;
  fault: boolean;
  /** The fault is, or was, on one of its disks. */
  struck: boolean;
}): JSX.Element {
  const points = curves[volume.name] ?? [];
  const mood = volumeMood(volume);
  return (
    <li className={`compartment${struck ? ' compartment-struck' : ''} compartment-${mood.tone}`}>
      <header>
        <h2 className="anywhere">{volume.name}</h2>
        <span className="soft small">{count(volume.accounts, 'account')}</span>
        {struck && (
          <span className="fault-here">
            <Icon name="bolt" size={12} />
            {over ? 'the fault was here' : 'the fault is here'}
          </span>
        )}
      </header>
      <VolumePicture volume={volume} share={volume.progress} states={statesOf(volume)} />
      <p>
        <Badge tone={mood.tone}>{mood.word}</Badge>
      </p>
      <Queue volume={volume} />
      <div className="compartment-charts">
        <p className="small">
          <span className="soft">requests a second</span>{' '}
          <strong className="tabular">{over ? '' : formatRate(volume.requestsPerSecond)}</strong>
        </p>
        <Curve
          points={points.map(([x, y]) => [x, y] as const)}
          from={scale.from}
          to={scale.to}
          max={scale.rate}
          mark={fault ? 0 : undefined}
          label={`Requests a second of ${volume.name} over time`}
        />
        <p className="small">
          <span className="soft">slowest 1 % (p99)</span>{' '}
          <strong className="tabular">{over ? '' : formatMilliseconds(volume.p99Ms)}</strong>
        </p>
        <Curve
          points={points.map(([x, , y]) => [x, y] as const)}
          from={scale.from}
          to={scale.to}
          max={scale.latency}
          tone={struck ? 'bad' : 'second'}
          mark={fault ? 0 : undefined}
          label={`p99 of ${volume.name} over time`}
        />
        <ChartEnds from={fault ? formatOffset(scale.from) : ''} to={fault ? formatOffset(scale.to) : ''} />
      </div>
      {volume.failed > 0 && <p className="small tone-bad tabular">{count(volume.failed, 'failed request')}</p>}
    </li>
  );
}

/** The volumes of a drill side by side: which disk has the fault, who waits, and how everybody is served. All charts share one scale. */
export function DrillStage({ run, over }: { run: DrillRun; over: boolean }): JSX.Element {
  const curves = curvesOf(run, useDrillHistory(run.id));
  const all = Object.values(curves).flat();
  const xs = all.map(([x]) => x);
  const scale: Scale = {
    from: Math.min(0, ...xs),
    to: Math.max(1000, ...xs),
    rate: niceMax(all.map(([, rate]) => rate), 10), // prettier-ignore
    latency: niceMax(all.map(([, , latency]) => latency), 50), // prettier-ignore
  };
  // What is struck comes first where there are many, so that it is on the first screen of a phone, too.
  const volumes =
    run.volumes.length <= 5
      ? run.volumes
      : run.volumes.toSorted(
          (a, b) => Number(b.waiting > 0 || b.redundancy !== 'full') - Number(a.waiting > 0 || a.redundancy !== 'full'),
        );
  return (
    <ul className="stage">
      {volumes.map((volume) => (
        <Compartment
          key={volume.name}
          volume={volume}
          curves={curves}
          scale={scale}
          over={over}
          fault={run.faultAt !== null}
          struck={isStruck(run, volume)}
        />
      ))}
    </ul>
  );
}
