import { readdirSync, readFileSync } from 'node:fs';

/** Bytes of memory a process accounts for: shared pages are divided by the number of their users (proc(5), smaps_rollup). */
export function parsePss(rollup: string): number {
  const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (kibibytes === undefined) throw new Error(`smaps_rollup has no line "Pss:":\n${rollup}`);
  return Number(kibibytes) * 1024;
}

/** Proportional memory of a process in bytes; undefined when it has ended. */
export function pssOf(pid: number): number | undefined {
  let rollup: string;
  try {
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  } catch {
    return undefined; // It ended while we looked.
  }
  return rollup === '' ? undefined : parsePss(rollup);
}

export interface ProcessFacts {
  pid: number;
  parent: number;
  name: string;
  arguments: string[];
  /** All its cgroups, one line for each hierarchy. */
  cgroup: string;
}

/** What /proc says of a process; undefined when it has ended. */
export function factsOf(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const close = stat.lastIndexOf(')');
    return {
      pid,
      parent: Number(stat.slice(close + 2).split(' ')[1]),
      name: stat.slice(stat.indexOf('(') + 1, close),
      arguments: readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        .split('\0')
        .filter((part) => part !== ''),
      cgroup: readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
    };
  } catch {
    return undefined; // It ended while we looked.
  }
}

export function allProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => factsOf(Number(entry)) ?? []);
}

/** A process and everything below it. */
export function descendants(root: number, processes = allProcesses()): ProcessFacts[] {
  const found = processes.filter((entry) => entry.pid === root);
  for (let index = 0; index < found.length; index += 1) {
    found.push(...processes.filter((entry) => entry.parent === found[index]?.pid && !found.includes(entry)));
  }
  return found;
}
