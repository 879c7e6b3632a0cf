import { readFileSync } from 'node:fs';

/** utime + stime of a process's /proc/<pid>/stat, in clock ticks. */
export function parseTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Milliseconds of processor time these processes have used so far; those that have ended count nothing. */
export function processorMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    try {
      ticks += parseTicks(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
      continue; // It ended while we looked.
    }
  }
  // 100 ticks a second on every architecture Debian knows.
  return ticks * 10;
}
