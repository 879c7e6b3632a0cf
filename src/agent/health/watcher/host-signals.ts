import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ErrorCounters } from '../../../model/diagnosis.ts';
import { hasEnded, readProcessStat } from '../../../runtime/process-stat.ts';
import { parseErrorStats } from '../../btrfs/btrfs-output.ts';

/** Small reads of /proc and /sys that wait for no disk. What cannot be read is told as "not known", never thrown. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined; // Not there on this kernel, or it ended while we looked: the caller says what that means.
  }
}

/** The 10-second averages of pressure stall information: "some avg10=1.23 avg60=...". */
export function parsePressure(text: string | undefined): number | undefined {
  const value = text === undefined ? undefined : /^some avg10=([\d.]+)/m.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

export function readPressure(): { cpu: number; io: number; memory: number } | null {
  const of = (what: string): number | undefined => parsePressure(read(`/proc/pressure/${what}`));
  const [cpu, io, memory] = [of('cpu'), of('io'), of('memory')];
  return cpu === undefined || io === undefined || memory === undefined ? null : { cpu, io, memory };
}

export function readMemory(): { memoryBytes: number; memoryFreeBytes: number } {
  const text = read('/proc/meminfo') ?? '';
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { memoryBytes: of('MemTotal'), memoryFreeBytes: of('MemAvailable') };
}

/** What the file system counted for one of its devices; undefined when it has none such (any more). */
export function readErrors(filesystem: string, deviceId: number): ErrorCounters | undefined {
  const text = read(`/sys/fs/btrfs/${filesystem}/devinfo/${deviceId}/error_stats`);
  return text === undefined ? undefined : parseErrorStats(text);
}

export function isRunning(pid: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && !hasEnded(stat);
}

/** Whether any thread of this process waits in the kernel without being interruptible: for a disk. */
export function waitsInKernel(pid: number): boolean {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return false; // It ended.
  }
  return threads.some((thread) => readProcessStat(`${pid}/task/${thread}`)?.state === 'D');
}

/** Processes of these users that wait in the kernel now, as "pid:start" by user. Only /proc/<pid>/stat is read, never the command line. */
export function waitingOf(uids: ReadonlySet<number>): Map<string, number> {
  const found = new Map<string, number>();
  if (uids.size === 0) return found;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { uid } = statSync(`/proc/${name}`);
      if (!uids.has(uid)) continue;
      const stat = readProcessStat(name);
      if (stat?.state === 'D') found.set(`${name}:${stat.startTime}`, uid);
    } catch {
      continue; // It ended while we looked.
    }
  }
  return found;
}
