import { mkdir, readdir, rmdir } from 'node:fs/promises';
import { HoldfastError } from '../../../protocol/errors.ts';
import { until } from '../../../runtime/deadline.ts';
import { findHolders, holdersInWords, type Holder } from '../../../runtime/mount-holders.ts';
import { devicesOf } from '../../btrfs/filesystem.ts';
import { readOrUndefined } from '../../kernel/files.ts';
import { mountAt, readMounts, type MountEntry } from '../../kernel/mounts.ts';
import type { VolumeState } from './state.ts';

/** Programs of a volume that is closed are told to end a moment before. */
const ENDING_MS = 10_000;
/** Nobody was told to end yet: only what our own programs do there for a moment is waited for. */
const ASKING_MS = 3_000;
const LOOK_EVERY_MS = 250;

/** Who keeps the volume's file system in the kernel beside our own mount of it, each group by itself. */
export interface Keepers {
  members: Holder[];
  others: Holder[];
  /** Where else it is mounted in our own namespace. */
  places: string[];
  /** Loop devices on files of it, in words: the kernel holds such a file, and no process does. */
  loops: string[];
}

/**
 * Whoever keeps the volume's file system in the kernel. A copy of our mount that nobody uses does not: it goes away with ours
 * (dropCopies). `here`: also those who use our own mount, whom umount itself refuses: asked before anything is ended, and to be named.
 */
export async function keepersOf(state: VolumeState, here: boolean): Promise<Keepers> {
  const { mount } = state.directories;
  const { firstAccount, lastAccount } = state.context.ids;
  const sources = new Set((await devicesOf(state.record.uuid)).map((name) => `/dev/${name}`));
  const mounts = await readMounts();
  const device = mounts.findLast((one) => one.mountPoint === mount)?.device;
  const matches = (one: MountEntry): boolean =>
    one.type === 'btrfs' && (one.device === device || sources.has(one.source));
  const holders = (await findHolders({ matches, place: mount, here })).filter(
    ({ how, copy }) => how === 'uses' || !copy,
  );
  const theirs = holders.filter(({ user }) => user >= firstAccount && user <= lastAccount);
  // Each sandbox has a process of ours that waits for it, and ends with it.
  const keepers = new Set(theirs.map(({ parent }) => parent));
  const members = holders.filter((one) => theirs.includes(one) || keepers.has(one.pid));
  return {
    members,
    others: holders.filter((one) => !members.includes(one)),
    places: mounts.filter((one) => matches(one) && one.mountPoint !== mount).map((one) => one.mountPoint),
    loops: here ? await loopsOn(mount) : [],
  };
}

async function loopsOn(mount: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/sys/block')) {
    if (!name.startsWith('loop')) continue;
    const file = (await readOrUndefined(`/sys/block/${name}/loop/backing_file`))?.trim();
    if (file?.startsWith(`${mount}/`) === true)
      found.push(`the loop device /dev/${name} on ${file} (losetup --detach /dev/${name})`);
  }
  return found;
}

export function isKept({ members, others, places, loops }: Keepers): boolean {
  return members.length + others.length + places.length + loops.length > 0;
}

/** "programs of its members: ..., `sleep 60` (pid 12, ...) and a second mount at /mnt/x". */
export function keepersInWords({ members, others, places, loops }: Keepers): string {
  const parts = [
    ...(members.length === 0 ? [] : [`programs of its members: ${holdersInWords(members)}`]),
    ...(others.length === 0 ? [] : [holdersInWords(others)]),
    ...places.map((place) => `a second mount at ${place} (umount ${place})`),
    ...loops,
  ];
  if (parts.length === 0) return 'a process that cannot be seen from here';
  return parts.length === 1 ? parts.join('') : `${parts.slice(0, -1).join('; ')}; and ${parts.at(-1) ?? ''}`;
}

/**
 * Throws `volume-in-use`, naming them, while anybody beside our own mount keeps the file system. Changes nothing. `ended`: sentences about
 * what was ended before. Answers who keeps it all the same.
 */
export async function assertNobodyElse(
  state: VolumeState,
  ended: readonly string[],
  who: 'anybody' | 'but its members' = 'anybody',
): Promise<Keepers> {
  let keepers: Keepers = { members: [], others: [], places: [], loops: [] };
  await until(
    async () => {
      keepers = await keepersOf(state, who === 'but its members');
      return !isKept(who === 'anybody' ? keepers : { ...keepers, members: [] });
    },
    `the end of what uses the volume ${state.name}`,
    who === 'anybody' ? ENDING_MS : ASKING_MS,
    LOOK_EVERY_MS,
  ).catch((cause: unknown) => {
    // Its members' programs are ended by the platform itself, and are nothing that stands in the way.
    throw inUse(state, who === 'anybody' ? keepers : { ...keepers, members: [] }, ended, cause);
  });
  return keepers;
}

/** Says who uses an open volume; it stays as it is. */
export function inUse(state: VolumeState, keepers: Keepers, ended: readonly string[], cause?: unknown): HoldfastError {
  const changed = ended.length === 0 ? 'Nothing was changed: it is mounted as before.' : 'It is mounted as before.';
  return new HoldfastError(
    'volume-in-use',
    `The volume ${state.name} is still used by ${keepersInWords(keepers)}. ${[changed, ...ended].join(' ')} Stop what uses it, then close it.`,
    { cause },
  );
}

/**
 * Takes copies of our mount out of every other mount namespace, also of those that let no unmount in: the kernel detaches whatever is
 * mounted on a directory when that directory is removed (docs/decisions/0014). Nothing may be mounted there in our own.
 */
export async function dropCopies(path: string, log: VolumeState['log']): Promise<void> {
  if ((await mountAt(path)) !== undefined) return;
  try {
    await rmdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    // Files that somebody laid there while nothing was mounted are not ours to remove.
    log.warn({ path, error }, 'copies of a mount in other namespaces could not be taken away');
    return;
  }
  // Somebody else who opens or closes it may have made it meanwhile.
  await mkdir(path, { recursive: true, mode: 0o700 });
}
