import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Facts of a process from /proc. Only `stat` and `status` are read: `cmdline`, `environ` and `maps` take the lock of its
 * address space, which a process that waits for a hung disk may hold.
 */
export interface ProcessFacts {
  pid: number;
  parent: number;
  name: string;
  /** Clock ticks after the boot: with the pid, names a process for ever (field 22, proc(5)). */
  startTime: string;
  /** Ended, but not yet waited for. */
  zombie: boolean;
  /** In uninterruptible sleep (state D): it waits for a disk. */
  waits: boolean;
}

export async function processFacts(pid: number): Promise<ProcessFacts | undefined> {
  const text = await readProc(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Parses /proc/<pid>/stat. The name is in parentheses and may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessFacts | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const rest = text.slice(close + 2).split(' ');
  const startTime = rest[19];
  if (startTime === undefined) return undefined;
  return {
    pid: Number(text.slice(0, open)),
    parent: Number(rest[1]),
    name: text.slice(open + 1, close),
    startTime,
    zombie: rest[0] === 'Z' || rest[0] === 'X',
    waits: rest[0] === 'D',
  };
}

/** Whether the process is the same one and still runs. */
export async function isAlive(pid: number, startTime: string): Promise<boolean> {
  const facts = await processFacts(pid);
  return facts !== undefined && facts.startTime === startTime && !facts.zombie;
}

/** Whether one of these processes waits for a disk, and does so for longer than an ordinary read or write takes. */
export async function waitForDisk(pids: readonly number[]): Promise<boolean> {
  let waiting = [...pids];
  for (let look = 0; look < 4 && waiting.length > 0; look++) {
    if (look > 0) await pause(50);
    const facts = await Promise.all(waiting.map(processFacts));
    waiting = facts.flatMap((one) => (one?.waits === true ? [one.pid] : []));
  }
  return waiting.length > 0;
}

/** The boot this is: records of an earlier one mean nothing. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/**
 * The processes to ask for a clean stop: the sandbox's first program (process 2 inside, after bwrap), or, when that is a
 * shell that would not pass the signal on, what it started.
 */
export async function leadersOf(pids: readonly number[]): Promise<number[]> {
  const facts = new Map<number, ProcessFacts>();
  let leader: number | undefined;
  for (const pid of pids) {
    const one = await processFacts(pid);
    if (one === undefined || one.zombie) continue;
    facts.set(pid, one);
    const status = await readProc(`/proc/${pid}/status`);
    const inside = status?.match(/^NSpid:\s*(.*)$/m)?.[1]?.split(/\s+/) ?? [];
    if (inside.length >= 2 && inside.at(-1) === '2') leader = pid;
  }
  if (leader === undefined) return [];
  if (!['sh', 'bash', 'dash'].includes(facts.get(leader)?.name ?? '')) return [leader];
  const children = [...facts.values()].filter((one) => one.parent === leader).map((one) => one.pid);
  return children.length > 0 ? children : [leader];
}

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
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
      const inode = (await readlink(`${directory}/${descriptor}`).catch(() => '')).match(/^socket:\[(\d+)\]$/)?.[1];
      if (inode !== undefined && inodes.has(inode)) return true;
    }
  }
  return false;
}
