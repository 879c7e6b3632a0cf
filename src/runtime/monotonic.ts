import { readFileSync } from 'node:fs';

/**
 * Milliseconds of CLOCK_MONOTONIC: the same for every process of the host, never set back or forward, zero when the machine started
 * (clock_gettime(2)). Waits and caps are counted with it; the time of day is only for people.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

let boot: string | undefined;

/** The kernel's id of this boot: moments of `monotonicMs` compare only within one (random(4), boot_id). */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}

/** A reading of both clocks in one boot, as it is written down beside moments of `monotonicMs`. */
export interface ClockReading {
  boot: string;
  monotonicMs: number;
  /** Milliseconds since 1970. */
  wallMs: number;
}

export function readClocks(): ClockReading {
  return { boot: bootId(), monotonicMs: monotonicMs(), wallMs: Date.now() };
}

/**
 * How much is to be added to moments of `monotonicMs` that were written down with `then`, so that they compare with those of `now`. What was
 * written in an earlier boot lies at least as far back as this boot began, whatever the time of day has been set to since.
 */
export function shiftOfMoments(then: ClockReading, now: ClockReading): number {
  if (then.boot === now.boot) return 0;
  const ago = Math.max(now.monotonicMs, now.wallMs - then.wallMs);
  return now.monotonicMs - ago - then.monotonicMs;
}
