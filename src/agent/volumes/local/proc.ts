import { readdir, readFile, readlink } from 'node:fs/promises';
import { parseMountInfo, type MountEntry } from '../../../runtime/mountinfo.ts';

/**
 * What the kernel says about mounts, loop devices and processes, read from /proc and /sys. Nothing here opens a mount, a
 * device or a file behind one, so nothing here can wait for a disk.
 */
export { parseMountInfo, type MountEntry };

export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The mount on top at a path, or undefined. */
export async function mountAt(path: string): Promise<MountEntry | undefined> {
  return (await readMounts()).findLast((entry) => entry.mountPoint === path);
}

export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/<pid>/stat: with the pid it names one process for as long as the machine is up. */
  startTime: string;
}

export interface ProcessStat extends ProcessIdentity {
  command: string;
  state: string;
  parent: number;
}

/** Parses /proc/<pid>/stat; the command may hold spaces and brackets, so the fields are counted from its last bracket. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const startTime = fields[19];
  const state = fields[0];
  if (startTime === undefined || state === undefined) return undefined;
  return {
    pid: Number.parseInt(text.slice(0, open), 10),
    command: text.slice(open + 1, close),
    state,
    parent: Number(fields[1]),
    startTime,
  };
}

export async function processStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readOrUndefined(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseProcessStat(text);
}

/** Whether this very process is still there and not a zombie. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const stat = await processStat(identity.pid);
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * All processes of root with a command name. Their arguments are read of these only: reading another process's arguments takes a
 * lock of its memory, which a member's program that hangs on a volume may hold. A member can give its program any name.
 */
export async function processesNamed(command: string): Promise<Array<ProcessStat & { arguments: string[] }>> {
  const found: Array<ProcessStat & { arguments: string[] }> = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await processStat(Number(name));
    if (stat === undefined || stat.command !== command || stat.state === 'Z') continue;
    if (!isOfRoot(await readOrUndefined(`/proc/${name}/status`))) continue;
    const line = await readOrUndefined(`/proc/${name}/cmdline`);
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
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await processStat(Number(name));
    if (stat !== undefined && stat.parent === parent) found.push(stat);
  }
  return found;
}

/** Text of a small kernel file, or undefined when it is not there (a process that ended, a device that went away). */
export async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENODEV' || code === 'ENXIO' || code === 'ENOTDIR')
      return undefined;
    throw error;
  }
}

export async function linkOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
