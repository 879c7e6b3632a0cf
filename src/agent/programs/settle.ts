import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../runtime/log.ts';

/** A start, or a sync of everything, waits this long for the end of one program; the kernel may hold it with its volume. */
const SETTLE_MS = 3_000;

/** Waits for work that a hung volume can hold up, but not for long: what is not done by then goes on behind. Never throws. */
export async function settle(log: Logger, work: Promise<unknown>, about: Record<string, unknown>): Promise<void> {
  const done = work.catch((error: unknown) =>
    log.warn({ ...about, err: error }, 'a program could not be brought to its wanted state'),
  );
  const alarm = new AbortController();
  await Promise.race([done, pause(SETTLE_MS, undefined, { signal: alarm.signal }).catch(() => undefined)]);
  alarm.abort();
}
