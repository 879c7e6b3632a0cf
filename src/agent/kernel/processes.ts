import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { hasEnded, parseProcessStat, type ProcessStat } from '../../runtime/process-stat.ts';
import { linkOrUndefined, readOrUndefined } from './files.ts';

export { hasEnded, type ProcessStat };

/** Names one process for as long as the machine is up. */
export type ProcessIdentity = Pick<ProcessStat, 'pid' | 'startTime'>;

export async function processStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readOrUndefined(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseProcessStat(text);
}

/** Whether this very process is still there, and has not ended. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const stat = await processStat(identity.pid);
  return stat !== undefined && stat.startTime === identity.startTime && !hasEnded(stat);
}

/** The number of every process there is, in no order. */
export async function allPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** A process's ids in its nested pid namespaces, the outermost (ours) first; empty when it is gone. */
export async function namespaceIds(pid: number): Promise<string[]> {
  const status = await readOrUndefined(`/proc/${pid}/status`);
  const ids = status?.match(/^NSpid:\s*(.*)$/m)?.[1]?.trim() ?? '';
  return ids === '' ? [] : ids.split(/\s+/);
}

/**
 * All processes of root with a name. Their arguments are read of these only: reading another process's arguments takes a
 * lock of its memory, which a member's program that hangs on a volume may hold. A member can give its program any name.
 */
export async function processesNamed(name: string): Promise<Array<ProcessStat & { arguments: string[] }>> {
  const found: Array<ProcessStat & { arguments: string[] }> = [];
  for (const pid of await allPids()) {
    const stat = await processStat(pid);
    if (stat === undefined || stat.name !== name || hasEnded(stat)) continue;
    if (!isOfRoot(await readOrUndefined(`/proc/${pid}/status`))) continue;
    const line = await readOrUndefined(`/proc/${pid}/cmdline`);
    if (line !== undefined) found.push({ ...stat, arguments: line.split('\0') });
  }
  return found;
}

/** By /proc/<pid>/status: the real and the effective user are root. */
function isOfRoot(status: string | undefined): boolean {
  return /^Uid:\s+0\s+0\s/m.test(status ?? '');
}

export async function childrenOf(parent: number): Promise<ProcessStat[]> {
  const found: ProcessStat[] = [];
  for (const pid of await allPids()) {
    const stat = await processStat(pid);
    if (stat !== undefined && stat.parent === parent) found.push(stat);
  }
  return found;
}

/** Whether one of these processes waits for a disk, and does so for longer than an ordinary read or write takes. */
export async function waitForDisk(pids: readonly number[]): Promise<boolean> {
  let waiting = [...pids];
  for (let look = 0; look < 4 && waiting.length > 0; look++) {
    if (look > 0) await pause(50);
    const stats = await Promise.all(waiting.map(processStat));
    waiting = stats.flatMap((one) => (one?.state === 'D' ? [one.pid] : []));
  }
  return waiting.length > 0;
}

/** The boot this is: records of an earlier one mean nothing. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** Sends a signal; one that is gone already is fine. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether one of these processes has one of these sockets open. Reads links of /proc only, which touches no file system behind them. */
export async function holdsSocket(pids: readonly number[], inodes: ReadonlySet<string>): Promise<boolean> {
  if (inodes.size === 0) return false;
  for (const pid of pids) {
    const directory = `/proc/${pid}/fd`;
    // It ends, or a descriptor is closed, while they are read.
    const descriptors = await readdir(directory).catch(() => []);
    for (const descriptor of descriptors) {
      const link = (await linkOrUndefined(`${directory}/${descriptor}`)) ?? '';
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode !== undefined && inodes.has(inode)) return true;
    }
  }
  return false;
}
