import { readFileSync } from 'node:fs';

/**
 * What /proc/<pid>/stat says of a process or a thread (proc_pid_stat(5)). Reading it waits for no disk and takes no lock of the process's
 * memory, which a program that hangs on a volume may hold: `cmdline`, `environ` and `maps` do.
 */
export interface ProcessStat {
  pid: number;
  /** At most 15 bytes, and any program may call itself anything. */
  name: string;
  /** One letter: D waits in the kernel and cannot be interrupted (for a disk), Z has ended and was not waited for, X is dead. */
  state: string;
  parent: number;
  /** Clock ticks between boot and its start: with the pid it names one process for as long as the machine is up. */
  startTime: string;
  /** Processor time it used itself, clock ticks. */
  processorTicks: number;
}

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on (USER_HZ). */
export const TICK_MS = 10;

/** Parses the one line. The name stands in brackets and may hold spaces and brackets itself, so the fields are counted from the last one. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (state === undefined || startTime === undefined) return undefined;
  return {
    pid: Number.parseInt(text.slice(0, open), 10),
    name: text.slice(open + 1, close),
    state,
    parent: Number(fields[1]),
    startTime,
    processorTicks: Number(fields[11]) + Number(fields[12]),
  };
}

/** Of a process, or of one thread ("12/task/34"); undefined when it is gone. */
export function readProcessStat(process: number | string): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${process}/stat`, 'latin1'));
  } catch {
    return undefined; // Gone: that is the answer, not an error.
  }
}

/** Whether it runs no more: it only waits to be waited for, or is dead. */
export function hasEnded({ state }: Pick<ProcessStat, 'state'>): boolean {
  return state === 'Z' || state === 'X';
}
