/** A replica is one of a volume's copies, on one disk. */
export type ReplicaState = 'healthy' | 'rebuilding' | 'set-aside' | 'missing' | 'failed';

/** `full`: every replica complete. `rebuilding`: a copy is being made. `reduced`: fewer than two. `lost`: none. */
export type Redundancy = 'full' | 'rebuilding' | 'reduced' | 'lost';

/** How many replicas a volume is meant to have. */
export const REPLICAS_WANTED = 2;

export function redundancyOf(states: readonly ReplicaState[]): Redundancy {
  const healthy = states.filter((state) => state === 'healthy').length;
  if (healthy === 0) return 'lost';
  if (healthy >= REPLICAS_WANTED) return 'full';
  return states.includes('rebuilding') ? 'rebuilding' : 'reduced';
}

/** What is known of whether a volume is open. */
export interface OpeningFacts {
  state: 'open' | 'closed' | 'trouble';
  trouble: string | null;
  /** Whether nobody closed it. */
  wantedOpen?: boolean | undefined;
  /** Set once it was tried and could not be opened. */
  unopened?: object | null | undefined;
  /** When this agent last looked at it, ISO 8601; the year 1970: never. */
  readAt: string;
}

/**
 * Whether its agent has just started and has not come to this volume yet. Its state is then "closed" for want of a better word, and says nothing: most
 * often it is mounted, and its sites are served from it.
 */
export function notLookedAt({ state, trouble, wantedOpen, unopened, readAt }: OpeningFacts): boolean {
  const read = Date.parse(readAt) > 0;
  return state === 'closed' && wantedOpen === true && trouble === null && (unopened ?? null) === null && !read;
}

export interface PlacementCandidate {
  name: string;
  state: 'open' | 'closed' | 'trouble';
  redundancy: Redundancy;
  sizeBytes: number;
  usedBytes: number;
  /** What can still be written, as the file system says; its size and what is used do not tell on a mirror of uneven disks. */
  freeBytes?: number | undefined;
  /** Sum of the disk limits of the accounts already there, bytes. */
  promisedBytes: number;
}

/**
 * The volume a new account goes to: an open one where its whole limit can be written now; among those the one whose room is promised
 * least, so that a row of new (still empty) accounts spreads out. When it fits nowhere, the choice is among those with at least half the
 * room of the roomiest. A volume without full redundancy is used only when there is no other.
 */
export function placeAccount(
  volumes: readonly PlacementCandidate[],
  limitBytes: number,
): PlacementCandidate | undefined {
  const open = volumes.filter((volume) => volume.state === 'open' && volume.redundancy !== 'lost');
  const full = open.filter((volume) => volume.redundancy === 'full');
  const usable = full.length > 0 ? full : open;
  const fitting = usable.filter((volume) => roomOf(volume) >= limitBytes);
  const most = Math.max(0, ...usable.map(roomOf));
  const from = fitting.length > 0 ? fitting : usable.filter((volume) => roomOf(volume) >= most / 2);
  return [...from].sort(
    (a, b) => promisedShare(a) - promisedShare(b) || roomOf(b) - roomOf(a) || a.name.localeCompare(b.name),
  )[0];
}

/** What is promised of all that the volume can hold; above 1 when not everybody can use all of it at once. */
function promisedShare(volume: PlacementCandidate): number {
  const holds = volume.usedBytes + roomOf(volume);
  const taken = Math.max(volume.usedBytes, volume.promisedBytes);
  return holds > 0 ? taken / holds : Number.POSITIVE_INFINITY;
}

/** Bytes that can still be written: the file system says what is left; without that, what is not used. */
export function roomOf(volume: { sizeBytes: number; usedBytes: number; freeBytes?: number | undefined }): number {
  return volume.freeBytes ?? Math.max(0, volume.sizeBytes - volume.usedBytes);
}

/** Why a file system takes no writes, in plain words. `complete`: the replicas that it is opened from again. */
export function stoppedWriting(volume: string, complete: readonly string[]): string {
  if (complete.length === 0) return `The volume ${volume} accepts no writes any more: none of its disks is complete.`;
  const are = complete.length === 1 ? 'is' : 'are';
  return `The file system of the volume ${volume} stopped accepting writes when a disk of it failed. It is opened afresh from ${complete.join(' and ')}, which ${are} complete.`;
}
