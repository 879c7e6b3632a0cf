import { processStat } from '../kernel/processes.ts';
import type { Cgroups } from './cgroups.ts';

/**
 * Counts programs that wait in the kernel for their volume: those that were so at the last call, too, a second or more ago. Only what a
 * process that is stuck gives away at once is read.
 */
export function createStuckCount(
  cgroups: Cgroups,
  volumeOf: (account: string) => string | undefined,
): () => Promise<{ volume: string; programs: number }[]> {
  /** Processes that waited for a disk at the last call, and since when. */
  let waiting = new Map<string, number>();
  return async () => {
    const now = performance.now();
    const seen = new Map<string, number>();
    const counts = new Map<string, number>();
    for (const { account, program } of await cgroups.list()) {
      const volume = volumeOf(account);
      if (volume === undefined) continue;
      let waits = false;
      for (const pid of await cgroups.processes(account, program)) {
        const stat = await processStat(pid);
        if (stat?.state !== 'D') continue;
        const key = `${pid} ${stat.startTime}`;
        const since = waiting.get(key) ?? now;
        seen.set(key, since);
        waits ||= now - since >= 1_000;
      }
      if (waits) counts.set(volume, (counts.get(volume) ?? 0) + 1);
    }
    waiting = seen;
    return [...counts].map(([volume, programs]) => ({ volume, programs }));
  };
}
