import type { DiskCounters } from './disk-counters.ts';

/** When a disk is slow: judged second by second against the other replica of its volume and against all its peers (docs/decisions/0007). */

/** Slow: at least SLOW_SECONDS of the last SLOW_WINDOW seconds. */
export const SLOW_WINDOW_SECONDS = 60;
export const SLOW_SECONDS = 50;
/** Time of the disk for one request, milliseconds: below this nothing is called slow (an ordinary hard disk needs 8 to 15). */
const SLOW_FLOOR_MS = 25;
const SLOW_TIMES_PEERS = 20;
/** The other replica of the same volume gets the same writes: loaded or not, it must be much faster. */
const SLOW_TIMES_PARTNER = 10;
/**
 * A disk that answers late, but much at once, is busy for little time a request: 120 ms for each of eight that wait together are 15. What
 * members feel of it is the wait. So a mean wait this long is slow too, milliseconds, where the other replica was asked as much. Such a
 * disk's requests waited 39 to 86 ms in each second of a drill, those of all others 0.6 to 1.6.
 */
const SLOW_WAIT_FLOOR_MS = 30;
/** As much as the other replica: at most so many times its requests and its bytes. More than that is load (a scrub, a copy, one long reader). */
const AS_MUCH_TIMES = 2;
/** What may come on top in a second: a mirror's reads are never shared out evenly. Requests, and sectors of 512 bytes. */
const AS_MUCH_AND = { requests: 10, sectors: 512 };

/** What a disk did in one second, and how quickly, milliseconds a request. */
export interface Second {
  requests: number;
  sectors: number;
  /** The time in which the disk was busy, shared out: a long queue alone does not make it long. */
  needed: number;
  /** From being asked to being answered. */
  waited: number;
}

/** The two ways in which a disk is slow. */
const SLOWNESS = [
  { of: 'needed', floor: SLOW_FLOOR_MS },
  { of: 'waited', floor: SLOW_WAIT_FLOOR_MS },
] as const;

/** What a disk did between two samples that are a second apart. Null: nothing was asked of it, or one of them is not known. */
export function lastSecond(second: DiskCounters | null, counters: DiskCounters | null): Second | null {
  if (counters === null || second === null) return null;
  const requests = counters.completed - second.completed;
  const busy = counters.busyMs - second.busyMs;
  const sectors = counters.sectors - second.sectors;
  if (requests > 0)
    return { requests, sectors, needed: busy / requests, waited: (counters.waitedMs - second.waitedMs) / requests };
  if (counters.inFlight === 0) return null;
  const atLeast = Math.max(busy, 1_000);
  return { requests, sectors, needed: atLeast, waited: atLeast };
}

/** Whether a disk was asked no more than the other replica of its volume, so that a longer wait is not its load. */
function asMuch(own: Second, partner: Second): boolean {
  return (
    own.requests <= AS_MUCH_TIMES * partner.requests + AS_MUCH_AND.requests &&
    own.sectors <= AS_MUCH_TIMES * partner.sectors + AS_MUCH_AND.sectors
  );
}

/**
 * How long a request took it and, in the median, its peers, milliseconds, when it was slow in this second; undefined: it was not.
 * `partners` are the other replicas of its volume that were asked anything, at least one.
 */
export function slowness(
  own: Second,
  partners: readonly Second[],
  peers: readonly Second[],
): { own: number; peers: number } | undefined {
  for (const { of, floor } of SLOWNESS) {
    if (of === 'waited' && !partners.every((partner) => asMuch(own, partner))) continue;
    const typical = median(peers.map((peer) => peer[of]));
    const partner = Math.max(...partners.map((one) => one[of]));
    if (own[of] >= floor && own[of] >= SLOW_TIMES_PEERS * typical && own[of] >= SLOW_TIMES_PARTNER * partner)
      return { own: own[of], peers: typical };
  }
  return undefined;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return 0;
  if (sorted.length % 2 === 1) return sorted[middle] ?? 0;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
