import { hasEnded, namespaceIds, processStat, type ProcessStat } from '../kernel/processes.ts';

/**
 * The processes to ask for a clean stop: the sandbox's first program (process 2 inside, after bwrap), or, when that is a
 * shell that would not pass the signal on, what it started.
 */
export async function leadersOf(pids: readonly number[]): Promise<number[]> {
  const stats = new Map<number, ProcessStat>();
  let leader: number | undefined;
  for (const pid of pids) {
    const one = await processStat(pid);
    if (one === undefined || hasEnded(one)) continue;
    stats.set(pid, one);
    const inside = await namespaceIds(pid);
    if (inside.length >= 2 && inside.at(-1) === '2') leader = pid;
  }
  if (leader === undefined) return [];
  if (!['sh', 'bash', 'dash'].includes(stats.get(leader)?.name ?? '')) return [leader];
  const children = [...stats.values()].filter((one) => one.parent === leader).map((one) => one.pid);
  return children.length > 0 ? children : [leader];
}
