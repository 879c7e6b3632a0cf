import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { until } from '../../runtime/deadline.ts';
import { findHolders, holdersInWords, type Holder } from '../../runtime/mount-holders.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { readMounts, type MountEntry } from '../kernel/mounts.ts';
import { devicesOf } from './filesystem.ts';

/** Programs of a volume that is closed are told to end a moment before. */
const ENDING_MS = 10_000;
/** Nobody was told to end yet: only what our own programs do there for a moment is waited for. */
const ASKING_MS = 3_000;
const LOOK_EVERY_MS = 250;

/** A volume's file system that somebody may keep. */
export interface KeptVolume {
  readonly name: string;
  readonly uuid: string;
  /** Where we have it. */
  readonly directories: { readonly mount: string };
  /** Unix ids of its members. */
  readonly context: { readonly ids: { readonly firstAccount: number; readonly lastAccount: number } };
}

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
export async function keepersOf(volume: KeptVolume, here: boolean): Promise<Keepers> {
  const { mount } = volume.directories;
  const { firstAccount, lastAccount } = volume.context.ids;
  const sources = new Set((await devicesOf(volume.uuid)).map((name) => `/dev/${name}`));
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
  volume: KeptVolume,
  ended: readonly string[],
  who: 'anybody' | 'but its members' = 'anybody',
): Promise<Keepers> {
  let keepers: Keepers = { members: [], others: [], places: [], loops: [] };
  await until(
    async () => {
      keepers = await keepersOf(volume, who === 'but its members');
      return !isKept(who === 'anybody' ? keepers : { ...keepers, members: [] });
    },
    `the end of what uses the volume ${volume.name}`,
    who === 'anybody' ? ENDING_MS : ASKING_MS,
    LOOK_EVERY_MS,
  ).catch((cause: unknown) => {
    // Its members' programs are ended by the platform itself, and are nothing that stands in the way.
    throw inUse(volume, who === 'anybody' ? keepers : { ...keepers, members: [] }, ended, cause);
  });
  return keepers;
}

/** Says who uses an open volume; it stays as it is. */
export function inUse(volume: KeptVolume, keepers: Keepers, ended: readonly string[], cause?: unknown): HoldfastError {
  const changed = ended.length === 0 ? 'Nothing was changed: it is mounted as before.' : 'It is mounted as before.';
  return new HoldfastError(
    'volume-in-use',
    `The volume ${volume.name} is still used by ${keepersInWords(keepers)}. ${[changed, ...ended].join(' ')} Stop what uses it, then close it.`,
    { cause },
  );
}
