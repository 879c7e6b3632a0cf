import type { JSX } from 'react';
import type { Redundancy, ReplicaState } from '../../../src/model/volumes.ts';
import type { VolumeView } from '../../../src/protocol/browser.ts';
import type { Operation } from '../../../src/protocol/volumes.ts';
import { Badge, type Tone } from './marks.tsx';

const REDUNDANCY: Readonly<Record<Redundancy, { tone: Tone; word: string; meaning: string }>> = {
  full: { tone: 'good', word: 'full', meaning: 'Every replica is complete.' },
  rebuilding: {
    tone: 'busy',
    word: 'rebuilding',
    meaning: 'A replica is being copied from the complete one. The volume serves as always.',
  },
  reduced: {
    tone: 'warn',
    word: 'reduced',
    meaning: 'One complete replica is left. Add a replica: losing this disk now would lose data.',
  },
  lost: { tone: 'bad', word: 'lost', meaning: 'No complete replica can be reached. The volume cannot serve.' },
};

const REPLICA: Readonly<Record<ReplicaState, { tone: Tone; word: string }>> = {
  healthy: { tone: 'good', word: 'healthy' },
  rebuilding: { tone: 'busy', word: 'rebuilding' },
  'set-aside': { tone: 'warn', word: 'set aside' },
  missing: { tone: 'bad', word: 'missing' },
  failed: { tone: 'bad', word: 'failed' },
};

export function RedundancyBadge({ redundancy }: { redundancy: Redundancy }): JSX.Element {
  const { tone, word } = REDUNDANCY[redundancy];
  return (
    <span title={REDUNDANCY[redundancy].meaning}>
      <Badge tone={tone}>{word}</Badge>
    </span>
  );
}

export function redundancyMeaning(redundancy: Redundancy): string {
  return REDUNDANCY[redundancy].meaning;
}

export function ReplicaBadge({ state }: { state: ReplicaState }): JSX.Element {
  return <Badge tone={REPLICA[state].tone}>{REPLICA[state].word}</Badge>;
}

const WIDTH = 46;
const HEIGHT = 56;
const GAP = 34;

/** One disk as a cylinder. Complete: filled. Rebuilding: filled to its progress, hatched. Otherwise an outline with a mark. */
function Disk({
  x,
  state,
  share,
  clip,
}: {
  x: number;
  state: ReplicaState | 'absent';
  share: number;
  clip: string;
}): JSX.Element {
  const left = x + 3;
  const right = x + WIDTH - 3;
  const body = `M${left} 12v${HEIGHT - 24}c0 5 9 8 20 8s20-3 20-8V12`;
  const lid = `M${left} 12c0-5 9-8 20-8s20 3 20 8-9 8-20 8-20-3-20-8Z`;
  const middle = (left + right) / 2;
  return (
    <g className={`disk disk-${state}`}>
      <path className="disk-body" d={`${body}c0 5-9 8-20 8s-20-3-20-8Z`} />
      {state === 'rebuilding' && (
        <>
          <clipPath id={clip}>
            <path d={`${body}c0 5-9 8-20 8s-20-3-20-8Z`} />
          </clipPath>
          <rect
            className="disk-level"
            clipPath={`url(#${clip})`}
            x={x}
            y={HEIGHT - share * (HEIGHT - 12)}
            width={WIDTH}
            height={HEIGHT}
          />
        </>
      )}
      <path className="disk-edge" d={body} />
      <path className="disk-lid" d={lid} />
      {state === 'healthy' && <path className="disk-mark" d={`M${middle - 7} 34l5 5 9-10`} />}
      {state === 'rebuilding' && <path className="disk-mark" d={`M${middle} 42V28M${middle - 6} 34l6-6 6 6`} />}
      {state === 'set-aside' && <path className="disk-mark" d={`M${middle - 4} 28v12M${middle + 4} 28v12`} />}
      {state === 'failed' && <path className="disk-mark" d={`M${middle - 6} 28l12 12M${middle + 6} 28l-12 12`} />}
      {(state === 'missing' || state === 'absent') && (
        <path
          className="disk-mark"
          d={`M${middle - 4} 30a4.200 4.200 0 1 1 5.800 3.800c-1.300.600-1.800 1.400-1.800 3M${middle} 42v.500`}
        />
      )}
    </g>
  );
}

function Tie({ x, redundancy }: { x: number; redundancy: Redundancy }): JSX.Element {
  return (
    <g className={`tie tie-${redundancy}`}>
      <path d={`M${x + 3} 29h${GAP - 6}M${x + 3} 37h${GAP - 6}`} />
      {(redundancy === 'reduced' || redundancy === 'lost') && (
        <path className="tie-cut" d={`M${x + GAP / 2 - 4} 43l8-20`} />
      )}
    </g>
  );
}

/** A volume as what it is: disks that mirror each other. Colour, shape and words all say the state. */
export function VolumePicture({
  volume,
  operation,
}: {
  volume: VolumeView;
  operation?: Operation | undefined;
}): JSX.Element {
  const shown: Array<{ id: string; state: ReplicaState | 'absent' }> = volume.replicas.map(({ id, state }) => ({
    id,
    state,
  }));
  while (shown.length < 2) shown.push({ id: `absent-${shown.length}`, state: 'absent' });
  const share = operation?.progress ?? 0.35;
  const words = volume.replicas.map((replica) => `${replica.id} ${REPLICA[replica.state].word}`).join(', ');
  const width = shown.length * WIDTH + (shown.length - 1) * GAP;
  return (
    <svg
      className="volume-picture"
      role="img"
      aria-label={`Redundancy ${REDUNDANCY[volume.redundancy].word}: ${words}`}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      width={width}
      height={HEIGHT}
    >
      {shown.map((replica, index) => {
        const x = index * (WIDTH + GAP);
        return (
          <g key={replica.id}>
            <Disk x={x} state={replica.state} share={share} clip={`disk-${volume.name}-${replica.id}`} />
            {index < shown.length - 1 && <Tie x={x + WIDTH} redundancy={volume.redundancy} />}
          </g>
        );
      })}
    </svg>
  );
}
