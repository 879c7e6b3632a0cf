import { readdir, readFile, readlink } from 'node:fs/promises';
import { parseMountInfo, type MountEntry } from './mountinfo.ts';
import { hasEnded, parseProcessStat, TICK_MS } from './process-stat.ts';

/**
 * Who keeps a file system in the kernel. Everything is read from /proc; nothing is opened that could wait for a disk.
 *
 * A mount namespace that was copied from ours (a container, a backup, `unshare --mount`) has copies of our mounts, and as long as one of
 * them is there, or a file on it is open, the kernel keeps the file system and its disks.
 */
export interface Holder {
  pid: number;
  parent: number;
  /** Unix id it runs as. */
  user: number;
  /** What it was started as, as far as it can be read. */
  command: string;
  /** When it was started, ISO 8601. */
  since: string;
  /** `uses`: it has an open file, its working directory or its program there. `mount`: its namespace has the mount, and nobody uses it. */
  how: 'uses' | 'mount';
  /** Where its namespace has the file system. */
  mountPoint: string;
  /** Whether that is its own copy of our mount, at our place (or below a copy of our root), and not one that somebody made elsewhere. */
  copy: boolean;
  /** Whether it lives in our own mount namespace. */
  here: boolean;
}

/** Which mounts are looked for, and where we have them ourselves. */
export interface Sought {
  matches: (mount: MountEntry) => boolean;
  /** Our own mount point; a copy of it elsewhere ends with the same path. */
  place: string;
  /** Also processes of our own namespace that use it: needed only to name them. */
  here: boolean;
}

const COMMAND_LENGTH = 60;

/**
 * Whoever holds what is sought, except this process and the throw-away processes that it started itself. One that ends meanwhile is left
 * out; those that only have a copy are named once a namespace.
 */
export async function findHolders(sought: Sought): Promise<Holder[]> {
  const own = await link('/proc/self/ns/mnt');
  const ours = await mountsOf('self', sought);
  const bootAt = await bootTime();
  const found: Holder[] = [];
  /** The first process of each namespace that has a mount of it, by namespace and mount point. */
  const mounts = new Map<string, Holder>();
  const used = new Set<string>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    const namespace = await link(`/proc/${pid}/ns/mnt`);
    if (namespace === undefined) continue;
    const here = namespace === own;
    if (here && !sought.here) continue;
    const theirs = here ? ours : await mountsOf(pid, sought);
    if (theirs.length === 0) continue;
    const using = await usedMount(pid, theirs);
    if (here && using === undefined) continue;
    const mount = using ?? theirs[0];
    const read = mount === undefined ? undefined : await holderOf(pid, bootAt);
    if (mount === undefined || read === undefined) continue;
    if (here && read.parent === process.pid) continue;
    const whole: Holder = { ...read, how: using === undefined ? 'mount' : 'uses', ...placeOf(mount, sought), here };
    if (using !== undefined) {
      used.add(namespace);
      found.push(whole);
    } else {
      // The one that lives longest stands for its namespace; what was made elsewhere weighs more than a copy.
      const known = mounts.get(namespace);
      const elsewhere = theirs.map((one) => placeOf(one, sought)).find(({ copy }) => !copy);
      if (known === undefined || whole.since < known.since) mounts.set(namespace, { ...whole, ...elsewhere });
    }
  }
  return [...found, ...[...mounts].filter(([namespace]) => !used.has(namespace)).map(([, holder]) => holder)];
}

async function mountsOf(pid: string, { matches }: Sought): Promise<MountEntry[]> {
  return parseMountInfo((await text(`/proc/${pid}/mountinfo`)) ?? '').filter(matches);
}

function placeOf({ mountPoint, root }: MountEntry, { place }: Sought): Pick<Holder, 'mountPoint' | 'copy'> {
  return { mountPoint, copy: root === '/' && (mountPoint === place || mountPoint.endsWith(place)) };
}

/** The mount of these in which a process has something open. A member's program that hangs on a disk does not hold this up. */
async function usedMount(pid: string, mounts: readonly MountEntry[]): Promise<MountEntry | undefined> {
  for (const name of ['cwd', 'root', 'exe']) {
    const path = await link(`/proc/${pid}/${name}`);
    const inside = mounts.find(({ mountPoint }) => path === mountPoint || path?.startsWith(`${mountPoint}/`) === true);
    if (inside !== undefined) return inside;
  }
  for (const descriptor of await readdir(`/proc/${pid}/fdinfo`).catch(() => [])) {
    const id = /^mnt_id:\s+(\d+)$/m.exec((await text(`/proc/${pid}/fdinfo/${descriptor}`)) ?? '')?.[1];
    const open = mounts.find((mount) => mount.id === id);
    if (open !== undefined) return open;
  }
  return undefined;
}

async function holderOf(
  pid: string,
  bootAt: number,
): Promise<Pick<Holder, 'pid' | 'parent' | 'user' | 'command' | 'since'> | undefined> {
  const stat = parseProcessStat((await text(`/proc/${pid}/stat`)) ?? '');
  const status = await text(`/proc/${pid}/status`);
  if (stat === undefined || status === undefined || hasEnded(stat)) return undefined;
  // Its arguments are behind a lock of its memory, which one that waits for a disk may hold.
  const line = stat.state === 'D' ? undefined : await text(`/proc/${pid}/cmdline`);
  const whole = line?.split('\0').join(' ').trim() ?? '';
  const words = printable(whole === '' ? stat.name : whole);
  return {
    pid: Number(pid),
    parent: stat.parent,
    user: Number(/^Uid:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN),
    command: words.length > COMMAND_LENGTH ? `${words.slice(0, COMMAND_LENGTH - 1)}…` : words,
    since: new Date(bootAt + Number(stat.startTime) * TICK_MS).toISOString(),
  };
}

/** Anybody may give a program any name: what a terminal would obey stays out of messages. */
function printable(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?');
}

/** "`sleep 60` (pid 123, running since 2026-11-28 17:44:02 UTC)". At most five are named. */
export function holdersInWords(holders: readonly Holder[]): string {
  const named = holders.slice(0, 5).map(({ pid, command, since, how, copy, mountPoint }) => {
    const where = how === 'mount' ? (copy ? ', which has a copy of the mount' : `, which has it at ${mountPoint}`) : '';
    return `\`${command}\` (pid ${pid}, running since ${since.slice(0, 19).replace('T', ' ')} UTC${where})`;
  });
  const more = holders.length - named.length;
  if (more > 0) return `${named.join(', ')} and ${more} more`;
  return named.length < 2 ? (named[0] ?? '') : `${named.slice(0, -1).join(', ')} and ${named.at(-1) ?? ''}`;
}

async function bootTime(): Promise<number> {
  return Number(/^btime (\d+)$/m.exec((await text('/proc/stat')) ?? '')?.[1] ?? 0) * 1000;
}

/** A process that is ending has no mounts any more (EINVAL), one that ended nothing: neither holds anything. */
async function text(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

async function link(path: string): Promise<string | undefined> {
  return await readlink(path).catch(() => undefined);
}
