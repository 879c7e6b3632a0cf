import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasEnded, readProcessStat, type ProcessStat } from '../../runtime/process-stat.ts';

export interface ProcessEntry extends ProcessStat {
  /** The command line, arguments joined by spaces; programs such as nginx overwrite it with a title. */
  title: string;
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * Reads one process, or undefined when it is gone. The title takes a lock of the process's memory, which a program that
 * hangs on a volume may hold: it is read of our own processes only (`titled`). The rest does not wait on any disk.
 */
export function readProcess(pid: number, titled = true): ProcessEntry | undefined {
  const stat = readProcessStat(pid);
  if (stat === undefined) return undefined;
  try {
    const title = titled ? readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim() : '';
    return { ...stat, title };
  } catch {
    return undefined; // It ended between the two.
  }
}

/** Whether this very process (not another one with its number) is still alive. */
export function isAlive(entry: Pick<ProcessEntry, 'pid' | 'startTime'>): boolean {
  const now = readProcessStat(entry.pid);
  return now !== undefined && now.startTime === entry.startTime && !hasEnded(now);
}

/** Resident bytes of a process; 0 when it is gone. */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096;
  } catch {
    return 0;
  }
}

/** Living processes whose real uid is `uid`. */
export function processesOf(uid: number): ProcessEntry[] {
  return pids().flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? -1) !== uid) return [];
    } catch {
      return [];
    }
    const entry = readProcess(pid);
    return entry === undefined || hasEnded(entry) ? [] : [entry];
  });
}

/** The sockets listening on a TCP port, from /proc/net/tcp and tcp6. State 0A is LISTEN (Documentation/networking/proc_net_tcp). */
export function listenersIn(table: string, port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      return fields[3] === '0A' && fields[1]?.endsWith(`:${wanted}`) === true && inode !== undefined ? [inode] : [];
    });
}

/** Who listens on a TCP port. A listener of another pid namespace or user may have no visible owner: then the list holds undefined. */
export function listenersOn(port: number): (ProcessEntry | undefined)[] {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => {
      try {
        return listenersIn(readFileSync(file, 'latin1'), port);
      } catch {
        return []; // No IPv6 on this machine.
      }
    }),
  );
  if (inodes.size === 0) return [];
  const owners = new Map<string, ProcessEntry[]>();
  for (const pid of pids()) {
    let descriptors: string[];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    for (const descriptor of descriptors) {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
        if (inode === undefined || !inodes.has(inode)) continue;
        const entry = readProcess(pid, false);
        if (entry) owners.set(inode, [...(owners.get(inode) ?? []), entry]);
      } catch {
        continue;
      }
    }
  }
  const found = new Map<number, ProcessEntry>();
  let unknown = false;
  for (const inode of inodes) {
    const entries = owners.get(inode);
    if (!entries) unknown = true;
    for (const entry of entries ?? []) found.set(entry.pid, entry);
  }
  return [...found.values(), ...(unknown ? [undefined] : [])];
}
