import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hasEnded, readProcessStat, type ProcessStat } from './process-stat.ts';

/** A process that outlives the one that started it: the pid alone is not enough, because pids come round again. */
export type ProcessRecord = Pick<ProcessStat, 'pid' | 'startTime'>;

/** Start time of a living process, or undefined when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): string | undefined {
  const stat = readProcessStat(pid);
  return stat === undefined || hasEnded(stat) ? undefined : stat.startTime;
}

export function recordOf(pid: number): ProcessRecord | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isAlive(record: ProcessRecord): boolean {
  return startTimeOf(record.pid) === record.startTime;
}

export function writeRecord(path: string, record: ProcessRecord): void {
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The process that a record file names, if it still lives; a stale file is removed. */
export function readRecord(path: string): ProcessRecord | undefined {
  let record: ProcessRecord;
  try {
    record = JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
  } catch {
    return undefined; // No record, or one cut off by a crash: nothing can be said to live.
  }
  if (isAlive(record)) return record;
  rmSync(path, { force: true });
  return undefined;
}

/** Sends a signal to the recorded process and to nobody else. Returns whether it was alive. */
export function signalRecorded(record: ProcessRecord, signal: NodeJS.Signals): boolean {
  if (!isAlive(record)) return false;
  try {
    process.kill(record.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Ends what a record file names and who wrote it could not end any more, even when it is frozen. Returns whether there was one; does not wait. */
export function endRecorded(path: string): boolean {
  const record = readRecord(path);
  return record !== undefined && signalRecorded(record, 'SIGKILL');
}
