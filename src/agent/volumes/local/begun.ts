import { monotonicMs } from '../../../runtime/monotonic.ts';

/** What lasts, with the moment it began on the clock that is never set (milliseconds, monotonicMs) instead of how long that is ago. */
export type Begun<T extends { lastedMs: number }> = Omit<T, 'lastedMs'> & { beganAt: number };

/** How long it has lasted, now; null stays null. */
export function lasting<T extends { beganAt: number }>(
  begun: T | null,
): (Omit<T, 'beganAt'> & { lastedMs: number }) | null {
  if (begun === null) return null;
  const { beganAt, ...rest } = begun;
  return { ...rest, lastedMs: Math.max(0, monotonicMs() - beganAt) };
}
