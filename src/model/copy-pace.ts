/**
 * How fast a volume may be copied onto a new disk. A copy takes processor time, and where several volumes share one disk of the host, that disk's
 * time, too: measured on two cores, a copy that nothing holds back makes everybody else's p99 four times what it was (decision 0009).
 * Redundancy is back later for it, so the pace is never below a floor.
 */
const MiB = 1024 ** 2;

/**
 * Slower than this nothing is copied, however busy the machine is: 1 TiB in three days. It is what a copy begins with, too, until it is known what it
 * costs here.
 */
export const SLOWEST_COPY = 4 * MiB;
/**
 * The same where the kernel does not tell that a volume commits. A commit waits for the piece of 8 MiB that is being copied, and everybody on that volume
 * for the commit: two seconds at 4 MiB/s (decision 0009).
 */
export const SLOWEST_COPY_UNTOLD = 8 * MiB;
/** The same for a check, which only reads: nobody else felt it at this pace, and did feel a copy (decision 0009). */
export const SLOWEST_CHECK = 16 * MiB;
/** While the volume commits: the piece of 8 MiB that the commit waits for is done in an eighth of a second. */
export const HURRIED_COPY = 64 * MiB;
/** Above this no limit is felt. */
export const FASTEST_COPY = 16 * 1024 * MiB;

/**
 * Busier than this the copy gives way; calmer than that it takes more. Shares of all processors. Waits grow long before a processor is used
 * up: giving way at 0.8 only let p99 grow fivefold. Where members keep a tenth of them busy, nothing more is taken (decision 0009).
 */
export const BUSY = 0.3;
export const CALM = 0.08;

const SLOWER = 0.75;
const FASTER = 1.2;
/** A limit that the copy does not use up is not what holds it back, and raising it would say nothing. */
const USED_UP = 0.8;

export interface CopyMoment {
  /** Bytes a second that it is not held below: SLOWEST_COPY, SLOWEST_COPY_UNTOLD or SLOWEST_CHECK. */
  floor: number;
  /** Bytes a second it is held to. */
  limit: number;
  /** Bytes a second it made since the last moment. */
  speed: number;
  /** Share of the time of all processors that was not idle since the last moment, 0 to 1; undefined when it is not known. */
  busy: number | undefined;
}

/** The limit for the next moment, bytes a second. Quick to give way, slower to take more, so that it settles. */
export function nextLimit({ floor, limit, speed, busy }: CopyMoment): number {
  const within = (value: number): number => Math.round(Math.min(FASTEST_COPY, Math.max(floor, value)));
  if (busy === undefined) return within(limit);
  if (busy > BUSY) return within(limit * SLOWER);
  if (busy < CALM && speed >= limit * USED_UP) return within(limit * FASTER);
  return within(limit);
}

/** From two readings of the first line of /proc/stat (jiffies: user nice system idle iowait irq softirq steal). Waiting for a disk is idle. */
export function busyShare(before: readonly number[], now: readonly number[]): number | undefined {
  const spent = now.slice(0, 8).map((value, index) => value - (before[index] ?? 0));
  const total = spent.reduce((sum, value) => sum + value, 0);
  const idle = (spent[3] ?? 0) + (spent[4] ?? 0);
  if (!(total > 0) || idle < 0) return undefined;
  return Math.min(1, Math.max(0, 1 - idle / total));
}
