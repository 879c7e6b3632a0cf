import type { DiskCounters } from './disk-counters.ts';

/**
 * When a disk is slow to read although it writes as quickly as the others: in the mean of all requests a few reads that take long are lost
 * among many quick writes, and the disk answers well (docs/decisions/0007).
 */

/** A mean wait for a read below this is never called slow, milliseconds. */
const FLOOR_MS = 30;
const TIMES_PEERS = 20;
const TIMES_PARTNER = 10;
/** Asked as much as the other replica: a mirror's reads are shared out by process, so one long reader makes one disk wait. */
const AS_MUCH_TIMES = 2;
const AS_MUCH_AND = { reads: 10, sectors: 512 };
/** What another disk did this long ago is still something to be compared with, milliseconds. */
export const COMPARABLE_MS = 60_000;
/** Seconds with a read, of the last so many milliseconds. */
export const READ_WINDOW_MS = 90_000;
/** So many of them are needed, over at least so long, and this share of them must have been slow. */
const LEAST_SECONDS = 12;
const LEAST_SPAN_MS = 50_000;
const SLOW_SHARE = 5 / 6;

/** The reads of one disk in one second; `waited`: the mean from being asked to being answered, milliseconds. */
export interface ReadSecond {
  reads: number;
  sectors: number;
  waited: number;
}

/** One second in which a disk answered a read, judged. `at`: milliseconds. */
export interface JudgedSecond {
  at: number;
  slow: boolean;
}

/** What a disk read between two samples that are a second apart. Null: nothing, or one of them is not known. */
export function readsOf(second: DiskCounters | null, counters: DiskCounters | null): ReadSecond | null {
  if (counters === null || second === null) return null;
  const reads = counters.reads - second.reads;
  if (reads <= 0) return null;
  const waited = (counters.readWaitedMs - second.readWaitedMs) / reads;
  return { reads, sectors: counters.readSectors - second.readSectors, waited };
}

/**
 * How long a read took it and, in the median, its peers, milliseconds, when it was slow in this second; undefined: it was not, or nothing can
 * be said, because the other replica read nothing lately or much less. `partner`, `peers`: what they last read.
 */
export function slowReads(
  own: ReadSecond,
  partner: ReadSecond,
  peers: readonly ReadSecond[],
): { own: number; peers: number } | undefined {
  const asMuch =
    own.reads <= AS_MUCH_TIMES * partner.reads + AS_MUCH_AND.reads &&
    own.sectors <= AS_MUCH_TIMES * partner.sectors + AS_MUCH_AND.sectors;
  if (!asMuch) return undefined;
  const waits = peers.map(({ waited }) => waited).sort((a, b) => a - b);
  const typical = waits[Math.floor(waits.length / 2)] ?? 0;
  const slow =
    own.waited >= FLOOR_MS && own.waited >= TIMES_PEERS * typical && own.waited >= TIMES_PARTNER * partner.waited;
  return slow ? { own: own.waited, peers: typical } : undefined;
}

/** Whether it has been slow to read for so long that it is not a burst. */
export function isSlowToRead(judged: readonly JudgedSecond[]): boolean {
  const [first, last] = [judged[0], judged.at(-1)];
  if (first === undefined || last === undefined || judged.length < LEAST_SECONDS) return false;
  const slow = judged.filter((one) => one.slow).length;
  return last.at - first.at >= LEAST_SPAN_MS && slow >= SLOW_SHARE * judged.length;
}
