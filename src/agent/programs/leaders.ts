import { readOrUndefined } from '../kernel/files.ts';
import { hasEnded, processStat, type ProcessStat } from '../kernel/processes.ts';

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
    const status = await readOrUndefined(`/proc/${pid}/status`);
    const inside = status?.match(/^NSpid:\s*(.*)$/m)?.[1]?.split(/\s+/) ?? [];
    if (inside.length >= 2 && inside.at(-1) === '2') leader = pid;
  }
  if (leader === undefined) return [];
  if (!['sh', 'bash', 'dash'].includes(stats.get(leader)?.name ?? '')) return [leader];
  const children = [...stats.values()].filter((one) => one.parent === leader).map((one) => one.pid);
  return children.length > 0 ? children : [leader];
}
