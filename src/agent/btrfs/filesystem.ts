import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { parseCommitMilliseconds, parseErrorStats, type DeviceErrors } from './btrfs-output.ts';
import type { Space, SpaceOfKind } from './space.ts';
import { forgetAll } from './forgetting.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { mountAt, type MountEntry } from '../kernel/mounts.ts';
import { registering } from './registering.ts';

/** One btrfs file system: making, mounting, and what /sys tells of it. Reading /sys/fs/btrfs waits for no disk. */

const MOUNT_DEADLINE_MS = 30_000;
/** Arguments of bwrap for a command that is to see nobody's mounts. */
// prettier-ignore
export const WITHOUT_OTHERS = [
  '--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/sbin', '/sbin',
  '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64',
  '--dev', '/dev', '--ro-bind', '/sys', '/sys', '--proc', '/proc',
];
const sysDirectory = (uuid: string): string => `/sys/fs/btrfs/${uuid}`;

/**
 * Makes a mirror on two wiped devices. Without discarding: fresh images are sparse already. mkfs compares its devices with
 * every mounted one, and asks loop devices for the file behind them, which waits for a disk that hangs: so it runs where no
 * mount is to be seen.
 */
export async function makeFileSystem(uuid: string, label: string, devices: readonly string[]): Promise<void> {
  await mustRun(
    'bwrap',
    [
      ...WITHOUT_OTHERS,
      ...devices.flatMap((device) => ['--dev-bind', device, device]),
      'mkfs.btrfs',
      '--quiet',
      '--nodiscard',
      '--uuid',
      uuid,
      '--label',
      label,
      '--metadata',
      'raid1',
      '--data',
      'raid1',
      ...devices,
    ],
    { deadlineMs: 60_000 },
  );
}

/** Mounts exactly these devices. Nothing on a volume is a device or gains rights. Throws `storage-repair` while another volume hangs. */
export async function mountFileSystem(
  devices: readonly string[],
  mountPoint: string,
  degraded: boolean,
  more: readonly string[] = [],
): Promise<void> {
  const first = devices[0];
  if (first === undefined) throw new Error('A mount needs a device.');
  const options = [
    'noatime',
    'nosuid',
    'nodev',
    ...(degraded ? ['degraded'] : []),
    ...more,
    ...devices.map((device) => `device=${device}`),
  ];
  await registering(async () => {
    await forgetAll();
    await mustRun('mount', ['--types', 'btrfs', '--options', options.join(','), first, mountPoint], {
      deadlineMs: MOUNT_DEADLINE_MS,
    });
  });
}

/** Unmounts; throws `volume-in-use` when programs still use it. */
export async function unmountFileSystem(mountPoint: string, volume: string): Promise<void> {
  for (let layers = 0; layers < 8 && (await mountAt(mountPoint)) !== undefined; layers += 1) {
    const result = await runCommand('umount', [mountPoint], { deadlineMs: MOUNT_DEADLINE_MS });
    if (result.code === 0) continue;
    if (/busy/i.test(result.stderr)) {
      throw new HoldfastError('volume-in-use', `The volume ${volume} is still used.`);
    }
    throw new HoldfastError('command-failed', `The volume ${volume} could not be unmounted.`, {
      details: result.stderr.trim().split('\n'),
    });
  }
}

/** For a file system whose disks are gone: takes the mount away at once, whoever uses it. */
export async function unmountLazily(mountPoint: string): Promise<void> {
  for (let layers = 0; layers < 8 && (await mountAt(mountPoint)) !== undefined; layers += 1) {
    await mustRun('umount', ['--lazy', mountPoint], { deadlineMs: MOUNT_DEADLINE_MS });
  }
}

/** Whether the kernel still holds this file system, mounted anywhere. */
export async function isHeld(uuid: string): Promise<boolean> {
  return (await readOrUndefined(`${sysDirectory(uuid)}/nodesize`)) !== undefined;
}

export async function waitReleased(uuid: string, milliseconds: number): Promise<void> {
  await until(async () => !(await isHeld(uuid)), 'the kernel letting go of the file system', milliseconds, 50);
}

export function stoppedWriting(mount: MountEntry): boolean {
  return mount.options.includes('ro');
}

/** Kernel names (loop3, sdb) of the devices in the mounted file system. */
export async function devicesOf(uuid: string): Promise<string[]> {
  return await readdir(`${sysDirectory(uuid)}/devices`).catch(() => []);
}

export async function errorsOf(uuid: string, deviceId: number): Promise<DeviceErrors | undefined> {
  const text = await readOrUndefined(`${sysDirectory(uuid)}/devinfo/${deviceId}/error_stats`);
  return text === undefined ? undefined : parseErrorStats(text);
}

export async function isMissing(uuid: string, deviceId: number): Promise<boolean> {
  const text = await readOrUndefined(`${sysDirectory(uuid)}/devinfo/${deviceId}/missing`);
  return text !== undefined && text.trim() !== '0';
}

/** "none", "balance", "device replace", ... */
export async function runningWork(uuid: string): Promise<string> {
  return ((await readOrUndefined(`${sysDirectory(uuid)}/exclusive_operation`)) ?? 'none').trim();
}

/** Whether the file system commits now; undefined on a kernel that does not tell, and while it is not held. */
export async function commitsNow(uuid: string): Promise<boolean | undefined> {
  const milliseconds = parseCommitMilliseconds((await readOrUndefined(`${sysDirectory(uuid)}/commit_stats`)) ?? '');
  return milliseconds === undefined ? undefined : milliseconds > 0;
}

/** What the kernel says of where the room is. Undefined while it does not hold this file system. */
export async function spaceOf(uuid: string): Promise<Space | undefined> {
  const number = async (path: string): Promise<number> =>
    Number((await readOrUndefined(`${sysDirectory(uuid)}/allocation/${path}`)) ?? Number.NaN);
  const kind = async (name: string): Promise<SpaceOfKind> => ({
    total: await number(`${name}/total_bytes`),
    used: await number(`${name}/bytes_used`),
    promised: (await number(`${name}/bytes_may_use`)) + (await number(`${name}/bytes_reserved`)),
  });
  const space: Space = {
    data: await kind('data'),
    metadata: await kind('metadata'),
    system: await kind('system'),
    reserve: await number('global_rsv_size'),
  };
  const numbers = [space.data, space.metadata, space.system].flatMap(({ total, used, promised }) => [
    total,
    used,
    promised,
  ]);
  return [...numbers, space.reserve].every(Number.isFinite) ? space : undefined;
}

/**
 * Bytes that a subvolume refers to, as its quota group counts them; undefined while the kernel does not hold this file system or counts
 * nothing for it.
 */
export async function referencedBytes(uuid: string, subvolume: number): Promise<number | undefined> {
  const text = (await readOrUndefined(`${sysDirectory(uuid)}/qgroups/0_${subvolume}/referenced`))?.trim();
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  // Right after a crash the count can be below zero until the kernel's rescan, and is shown without its sign.
  return Number(BigInt.asIntN(64, BigInt(text)) < 0n ? 0n : BigInt(text));
}

/** Kinds of blocks of which some have one copy only: made while one replica was missing. */
export async function unmirroredKinds(uuid: string): Promise<string[]> {
  const found: string[] = [];
  for (const kind of ['data', 'metadata', 'system']) {
    const entries: string[] = await readdir(`${sysDirectory(uuid)}/allocation/${kind}`).catch(() => []);
    if (entries.includes('single') || entries.includes('dup')) found.push(kind);
  }
  return found;
}
