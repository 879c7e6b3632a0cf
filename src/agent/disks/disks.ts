import { isAbsolute } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { parseSuperBlock, type SuperBlock } from '../btrfs/btrfs-output.ts';
import { deviceBytes } from './loops.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { readMounts } from '../kernel/mounts.ts';
import { readdir } from 'node:fs/promises';

const MiB = 1024 ** 2;
const DEADLINE_MS = 15_000;

/** Below this btrfs has no room to work with two copies of its own data. */
export const SMALLEST_DISK_BYTES = 256 * MiB;

export type DiskKind = { kind: 'block'; bytes: number } | { kind: 'file'; bytes: number } | { kind: 'new-file' };

/** What a path given as a disk is. Asked in a throw-away process: the path may be anywhere, also on something that hangs. */
export async function kindOfDisk(disk: string): Promise<DiskKind> {
  if (!isAbsolute(disk)) {
    throw new HoldfastError(
      'input-invalid',
      `"${disk}" is not an absolute path. Give a block device such as /dev/sdb.`,
      { field: 'disk' },
    );
  }
  const result = await runCommand('stat', ['--dereference', '--printf=%F\n%s\n', '--', disk], {
    deadlineMs: DEADLINE_MS,
  });
  if (result.code !== 0) {
    if (disk.startsWith('/dev/')) {
      throw new HoldfastError('disk-unusable', `There is no disk ${disk} on this machine.`, { field: 'disk' });
    }
    return { kind: 'new-file' };
  }
  const [type, size] = result.stdout.split('\n');
  if (type === 'block special file') {
    const bytes = await deviceBytes(await canonical(disk));
    if (bytes === undefined || bytes === 0) {
      throw new HoldfastError('disk-unusable', `The disk ${disk} has no size: nothing is in it.`, { field: 'disk' });
    }
    return { kind: 'block', bytes };
  }
  if (type === 'regular file' || type === 'regular empty file') return { kind: 'file', bytes: Number(size) };
  throw new HoldfastError('disk-unusable', `${disk} is a ${type ?? 'thing'}, not a disk or an image file.`, {
    field: 'disk',
  });
}

/** The kernel's own name of a device given by any link: /dev/disk/by-id/... -> /dev/sdb. */
export async function canonical(disk: string): Promise<string> {
  const result = await mustRun('readlink', ['--canonicalize', '--', disk], { deadlineMs: DEADLINE_MS });
  return result.stdout.trimEnd();
}

/** A name of the device that stays the same after a reboot, when there is one. */
export async function stableName(device: string): Promise<string> {
  const directory = '/dev/disk/by-id';
  const names = await readdir(directory).catch(() => []);
  for (const name of names.sort((a, b) => a.localeCompare(b))) {
    if ((await canonical(`${directory}/${name}`).catch(() => '')) === device) return `${directory}/${name}`;
  }
  return device;
}

/** Throws `disk-not-empty` saying what is on it, or `disk-unusable`. Reads only. */
export async function assertEmptyBlockDevice(disk: string): Promise<void> {
  const device = await canonical(disk);
  const name = device.replace(/^\/dev\//, '');
  const notEmpty = (what: string, next: string): HoldfastError =>
    new HoldfastError('disk-not-empty', `The disk ${disk} is not empty: ${what}. ${next}`, { field: 'disk' });

  const numbers = (await readOrUndefined(`/sys/class/block/${name}/dev`))?.trim();
  const mounts = await readMounts();
  const mount = mounts.find((entry) => entry.device === numbers || entry.source === device || entry.source === disk);
  if (mount !== undefined) throw notEmpty(`it is mounted at ${mount.mountPoint}`, 'Choose another disk.');
  const holders = await readdir(`/sys/class/block/${name}/holders`).catch(() => []);
  if (holders.length > 0) throw notEmpty(`it is part of ${holders.join(', ')}`, 'Choose another disk.');
  const swaps = (await readOrUndefined('/proc/swaps')) ?? '';
  if (swaps.split('\n').some((line) => line.startsWith(`${device} `)))
    throw notEmpty('it is swap space in use', 'Choose another disk.');
  const parts = (await readdir(`/sys/class/block/${name}`).catch(() => [])).filter((entry) => entry.startsWith(name));
  if (parts.length > 0) {
    throw notEmpty(
      `it has partitions (${parts.join(', ')})`,
      `If you do not need them, empty it with: wipefs --all ${disk}`,
    );
  }
  await assertNoContent(device, disk, (await deviceBytes(device)) ?? 0);
}

/** The same for a regular file that is to become an image disk. */
export async function assertEmptyFile(path: string, bytes: number): Promise<void> {
  if (bytes > 0) await assertNoContent(path, path, bytes);
}

async function assertNoContent(path: string, shown: string, bytes: number): Promise<void> {
  const advice = `If you do not need what is on it, empty it with: wipefs --all ${shown} && blkdiscard --zeroout --length 1M ${shown}`;
  const probe = await runCommand('wipefs', ['--no-act', '--noheadings', '--output', 'TYPE,LABEL', '--', path], {
    deadlineMs: DEADLINE_MS,
  });
  if (probe.code !== 0) {
    throw new HoldfastError('disk-unusable', `The disk ${shown} cannot be read.`, {
      field: 'disk',
      details: probe.stderr.trim().split('\n'),
    });
  }
  const found = probe.stdout
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .filter((line) => line !== '');
  if (found.length > 0) {
    throw new HoldfastError(
      'disk-not-empty',
      `The disk ${shown} is not empty: it holds ${[...new Set(found)].join(', ')}. ${advice}`,
      { field: 'disk' },
    );
  }
  const span = Math.min(MiB, bytes);
  for (const offset of [0, Math.max(0, bytes - span)]) {
    const compare = await runCommand(
      'cmp',
      ['--silent', `--bytes=${span}`, `--ignore-initial=${offset}:0`, '--', path, '/dev/zero'],
      { deadlineMs: DEADLINE_MS },
    );
    if (compare.code !== 0) {
      const where = offset === 0 ? 'first' : 'last';
      throw new HoldfastError(
        'disk-not-empty',
        `The disk ${shown} is not empty: its ${where} MiB holds data of an unknown kind. ${advice}`,
        { field: 'disk' },
      );
    }
  }
}

/** Throws `disk-unusable` when a disk is smaller than what is needed. */
export function assertLargeEnough(disk: string, bytes: number, needed: number): void {
  if (bytes >= needed) return;
  const inMiB = (value: number): string => `${Math.floor(value / MiB)} MiB`;
  throw new HoldfastError(
    'disk-unusable',
    `The disk ${disk} has ${inMiB(bytes)}, and ${inMiB(needed)} are needed. Choose a larger one.`,
    { field: 'disk' },
  );
}

/** Reads a device's btrfs super block, in a throw-away process. Undefined: none. */
export async function readSuperBlock(device: string): Promise<SuperBlock | undefined> {
  const result = await runCommand('btrfs', ['inspect-internal', 'dump-super', '--', device], {
    deadlineMs: DEADLINE_MS,
  });
  return result.code === 0 ? parseSuperBlock(result.stdout) : undefined;
}

/**
 * Makes a device empty that is an image of ours, or holds the volume `uuid`, or is empty. Anything else throws
 * `disk-not-empty`: device names move when a machine restarts, and this must never meet the wrong disk.
 */
export async function wipe(device: string, kind: 'image' | 'block', uuid: string): Promise<void> {
  if (kind === 'block' && (await readSuperBlock(device))?.uuid !== uuid) await assertEmptyBlockDevice(device);
  await mustRun('wipefs', ['--all', '--quiet', '--', device], { deadlineMs: DEADLINE_MS });
}
