import type { Redundancy } from '../../../src/model/volumes.ts';
import type { DiskHealth } from '../../../src/protocol/health.ts';
import type { IncidentSummary } from '../../../src/protocol/incidents.ts';
import type { Replica } from '../../../src/protocol/volumes.ts';
import { count, formatMilliseconds } from '../format/format.ts';

/** A disk as it is shown: what the volume knows of the replica and what the watcher sees of the disk, in one word. */
export type ShownState = 'healthy' | 'slow' | 'hung' | 'failed' | 'rebuilding' | 'set-aside' | 'missing' | 'unwatched';
export type ShownTone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet';

export const SHOWN: Readonly<Record<ShownState, { tone: ShownTone; word: string; meaning: string }>> = {
  healthy: { tone: 'good', word: 'healthy', meaning: 'It answers, and its copy is complete.' },
  slow: { tone: 'warn', word: 'slow', meaning: 'It answers many times slower than its peers.' },
  hung: { tone: 'bad', word: 'hung', meaning: 'Requests are in it and none completes.' },
  failed: { tone: 'bad', word: 'failed', meaning: 'It answers with errors, or not any more.' },
  rebuilding: { tone: 'busy', word: 'rebuilding', meaning: 'It is being filled from the complete copy.' },
  'set-aside': { tone: 'warn', word: 'set aside', meaning: 'It was taken out; its copy may be old and is not used.' },
  missing: { tone: 'bad', word: 'missing', meaning: 'It is not there.' },
  unwatched: { tone: 'quiet', word: 'not watched', meaning: 'The watcher cannot say how it is just now.' },
};

/**
 * What is out of the volume is out, whatever the disk does now: a replica is never believed because its disk looks well. For one that
 * takes part, trouble the watcher sees comes before what the volume still believes.
 */
export function shownState(
  replica: Pick<Replica, 'state'>,
  health: Pick<DiskHealth, 'condition'> | undefined,
): ShownState {
  if (replica.state === 'failed' || replica.state === 'missing' || replica.state === 'set-aside') return replica.state;
  if (health === undefined) return replica.state === 'rebuilding' ? 'rebuilding' : 'unwatched';
  if (health.condition === 'hung' || health.condition === 'failed' || health.condition === 'slow')
    return health.condition;
  if (replica.state === 'rebuilding') return 'rebuilding';
  return health.condition === 'unknown' ? 'unwatched' : 'healthy';
}

/**
 * What an open incident knows of a disk comes before figures that are a second old: one that it calls hung is not shown as healthy until then.
 */
export function knownState(
  state: ShownState,
  replica: Pick<Replica, 'id'>,
  incident: Pick<IncidentSummary, 'state' | 'fault' | 'culprit'> | undefined,
): ShownState {
  const named = incident?.state === 'open' && incident.fault === 'hung' && incident.culprit.replica === replica.id;
  return named && (state === 'healthy' || state === 'unwatched') ? 'hung' : state;
}

/** Whether a disk is a part of the mirror: complete, or becoming it. */
export function takesPart(state: ShownState | 'absent'): boolean {
  return !['failed', 'missing', 'set-aside', 'absent'].includes(state);
}

/** Whether a volume could be served from it alone. */
export function answers(state: ShownState): boolean {
  return state === 'healthy' || state === 'slow' || state === 'unwatched';
}

/** How well two disks side by side mirror each other, as the tie between them is drawn. */
export function tieBetween(
  a: ShownState | 'absent',
  b: ShownState | 'absent',
): 'full' | 'rebuilding' | 'reduced' | 'lost' | 'unknown' {
  const bad = [a, b].filter((state) => !takesPart(state) || state === 'hung').length;
  if (bad > 0) return bad === 1 ? 'reduced' : 'lost';
  if (a === 'rebuilding' || b === 'rebuilding') return 'rebuilding';
  // Nobody sees them: green is for what is seen.
  return a === 'unwatched' || b === 'unwatched' ? 'unknown' : 'full';
}

/** How well a volume is mirrored, as it is shown: `waiting` when it counts on a disk that does not answer. */
export type ShownRedundancy = Redundancy | 'waiting';

/** What the volume says of its copies, unless one of them is on a disk that the watcher sees hang: that copy cannot be reached. */
export function shownRedundancy(redundancy: Redundancy, states: readonly ShownState[]): ShownRedundancy {
  return redundancy !== 'lost' && states.includes('hung') ? 'waiting' : redundancy;
}

/** What the disk does now, in a few words under its picture. */
export function diskNow(health: DiskHealth | undefined): string {
  if (health === undefined) return 'No figures: the watcher does not see it.';
  if (health.condition === 'hung' || (health.stalledMs >= 300 && health.inFlight > 0)) {
    const requests = health.inFlight === 1 ? '1 request waits' : `${health.inFlight} requests wait`;
    return `${requests} in it; none has completed for ${formatMilliseconds(health.stalledMs)}.`;
  }
  if (health.readsPerSecond + health.writesPerSecond < 0.5)
    return health.probeMs === null
      ? 'Idle; its last small read and write has not come back yet.'
      : `Idle; a small read and write takes ${formatMilliseconds(health.probeMs)}.`;
  return `${count(Math.round(health.readsPerSecond), 'read')} and ${count(Math.round(health.writesPerSecond), 'write')} a second.`;
}

/** The watcher's view of a replica: by volume and replica; by disk where the watcher does not know whose it is. */
export function healthOf(
  disks: readonly DiskHealth[] | undefined,
  volume: string,
  replica: Pick<Replica, 'id' | 'disk'>,
): DiskHealth | undefined {
  return (
    disks?.find((each) => each.volume === volume && each.replica === replica.id) ??
    disks?.find((each) => each.volume === null && each.disk === replica.disk)
  );
}
