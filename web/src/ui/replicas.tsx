import type { JSX } from 'react';
import type { Redundancy, ReplicaState } from '../../../src/model/volumes.ts';
import type { VolumeView } from '../../../src/protocol/browser.ts';
import type { FaultName } from '../../../src/protocol/drills.ts';
import type { Operation } from '../../../src/protocol/volumes.ts';
import { SHOWN, shownRedundancy, type ShownState, takesPart, tieBetween } from '../health/disk-state.ts';
import { REDUNDANCY, type ShownVolume } from '../health/volume-state.ts';
import { Badge, SpaceMeter } from './marks.tsx';

/** How a volume is, in one word. */
export function VolumeBadge({ shown }: { shown: ShownVolume }): JSX.Element {
  return (
    <span title={shown.meaning}>
      <Badge tone={shown.tone}>{shown.word}</Badge>
    </span>
  );
}

/** How full a volume is; nothing where that was never read, which is not the same as empty. */
export function VolumeSpace({
  volume,
  shown,
}: {
  volume: Pick<VolumeView, 'name' | 'usedBytes' | 'sizeBytes' | 'freeBytes'>;
  shown: Pick<ShownVolume, 'figures'>;
}): JSX.Element {
  if (!shown.figures) return <p className="soft small">How full it is is not known: it has not been read yet.</p>;
  return (
    <SpaceMeter
      usedBytes={volume.usedBytes}
      limitBytes={volume.sizeBytes}
      freeBytes={volume.freeBytes}
      label={`Space used on ${volume.name}`}
    />
  );
}

const WIDTH = 46;
const HEIGHT = 56;
const GAP = 34;

/** One disk as a cylinder. Complete: filled. Rebuilding: filled to its progress. Otherwise an outline with a mark; a drill's fault is a bolt. */
function Disk({
  x,
  state,
  share,
  clip,
  fault = null,
}: {
  x: number;
  state: ShownState | 'absent';
  share: number;
  clip: string;
  fault?: FaultName | null;
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
      {state === 'hung' && <path className="disk-mark" d={`M${middle - 6} 27h12l-12 14h12Z`} />}
      {state === 'slow' && (
        <path
          className="disk-mark"
          d={`M${middle - 7.5} 34a7.500 7.500 0 1 0 15 0a7.500 7.500 0 1 0-15 0M${middle} 30v4.500l3 1.500`}
        />
      )}
      {(state === 'missing' || state === 'absent' || state === 'unwatched') && (
        <path
          className="disk-mark"
          d={`M${middle - 4} 30a4.200 4.200 0 1 1 5.800 3.800c-1.300.600-1.800 1.400-1.800 3M${middle} 42v.500`}
        />
      )}
      {fault !== null && fault !== 'clear' && (
        <g className="disk-fault">
          <circle cx={right - 1} cy="10" r="10" />
          <path d={`M${right + 1} 3.500l-5.500 7.500h4l-1 5.500 5.500-7.500h-4Z`} />
        </g>
      )}
    </g>
  );
}

/** One disk on its own. */
export function DiskPicture({
  id,
  state,
  share,
}: {
  id: string;
  state: ShownState;
  share: number | null;
}): JSX.Element {
  return (
    <svg className="disk-picture" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <Disk x={0} state={state} share={share ?? 0.35} clip={`disk-one-${id}`} />
    </svg>
  );
}

function Tie({ x, redundancy }: { x: number; redundancy: Redundancy | 'unknown' }): JSX.Element {
  return (
    <g className={`tie tie-${redundancy}`}>
      <path d={`M${x + 3} 29h${GAP - 6}M${x + 3} 37h${GAP - 6}`} />
      {(redundancy === 'reduced' || redundancy === 'lost') && (
        <path className="tie-cut" d={`M${x + GAP / 2 - 4} 43l8-20`} />
      )}
    </g>
  );
}

interface PicturedVolume {
  name: string;
  redundancy: Redundancy;
  replicas: ReadonlyArray<{ id: string; state: ReplicaState; fault?: FaultName | null }>;
}

/**
 * A volume as what it is: disks that mirror each other. Colour, shape and words all say the state. `states` is what the watcher sees,
 * where it is known; without it a replica is what the volume says.
 */
export function VolumePicture({
  volume,
  share,
  states,
}: {
  volume: PicturedVolume;
  share?: number | null | undefined;
  states?: Readonly<Record<string, ShownState>> | undefined;
}): JSX.Element {
  const shown: Array<{ id: string; state: ShownState | 'absent'; fault?: FaultName | null }> = volume.replicas.map(
    (replica) => ({ ...replica, state: states?.[replica.id] ?? replica.state }),
  );
  const redundancy = shownRedundancy(
    volume.redundancy,
    shown.flatMap(({ state }) => (state === 'absent' ? [] : [state])),
  );
  const words = shown
    .map(({ id, state, fault }) => {
      const word = state === 'absent' ? state : SHOWN[state].word;
      return `${id} ${word}${fault !== undefined && fault !== null && fault !== 'clear' ? ' (the fault of the drill)' : ''}`;
    })
    .join(', ');
  shown.sort((a, b) => Number(!takesPart(a.state)) - Number(!takesPart(b.state)));
  while (shown.length < 2) shown.push({ id: `absent-${shown.length}`, state: 'absent' });
  const width = shown.length * WIDTH + (shown.length - 1) * GAP;
  return (
    <svg
      className="volume-picture"
      role="img"
      aria-label={`Redundancy ${REDUNDANCY[redundancy].word}: ${words}`}
      viewBox={`0 0 ${width} ${HEIGHT}`}
      width={width}
      height={HEIGHT}
    >
      {shown.map(({ id, state, fault }, index) => {
        const x = index * (WIDTH + GAP);
        return (
          <g key={id}>
            <Disk x={x} state={state} share={share ?? 0.35} clip={`disk-${volume.name}-${id}`} fault={fault ?? null} />
            {index < shown.length - 1 && (
              <Tie x={x + WIDTH} redundancy={tieBetween(state, shown[index + 1]?.state ?? 'absent')} />
            )}
          </g>
        );
      })}
    </svg>
  );
}

/** What ties two disks together, on its own. */
export function TiePicture({ redundancy }: { redundancy: Redundancy | 'unknown' }): JSX.Element {
  return (
    <svg className="tie-picture" viewBox={`0 0 ${GAP} ${HEIGHT}`} width={GAP} height={HEIGHT} aria-hidden="true">
      <Tie x={0} redundancy={redundancy} />
    </svg>
  );
}

/** How far the rebuild of a volume is, 0 to 1. */
export function rebuildShare(operation: Operation | undefined): number | null {
  return operation !== undefined && operation.state === 'running' ? operation.progress : null;
}
