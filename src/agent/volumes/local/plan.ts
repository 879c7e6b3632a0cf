import { randomUUID } from 'node:crypto';
import { readdir, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { REPLICAS_WANTED } from '../../../model/volumes.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import type { CreateRequest } from '../engine.ts';
import {
  assertEmptyBlockDevice,
  assertEmptyFile,
  assertLargeEnough,
  canonical,
  kindOfDisk,
  readSuperBlock,
  SMALLEST_DISK_BYTES,
  stableName,
} from '../../disks/disks.ts';
import { assertBtrfsAvailable, assertLoopAvailable } from '../../disks/loops.ts';
import { NO_ERRORS, type ReplicaRecord, type VolumeRecord } from './record.ts';
import { assertNothingHangs } from '../../btrfs/registering.ts';
import type { VolumeDirectories } from '../directories.ts';

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;
export const DEFAULT_IMAGE_BYTES = 8 * GiB;
/** Free space that must be left where images are kept: they are sparse, and grow as members write. */
const SMALLEST_ROOM_BYTES = 512 * MiB;

/** Everything that can be known before anything is written: the record of the volume to be. */
export async function planVolume(
  request: CreateRequest,
  directories: VolumeDirectories,
  existing: readonly VolumeRecord[],
): Promise<VolumeRecord> {
  // The file counts even when it cannot be read: a damaged record is no reason to make a new volume over the old one.
  const names: string[] = await readdir(directories.records).catch(() => []);
  if (names.includes(`${request.name}.json`)) {
    throw new HoldfastError('name-taken', `There is a volume ${request.name} already. Choose another name.`, {
      field: 'name',
    });
  }
  if (request.disks.length !== 0 && request.disks.length !== REPLICAS_WANTED) {
    throw new HoldfastError(
      'input-invalid',
      `A volume has ${REPLICAS_WANTED} disks, one for each replica; ${request.disks.length} were given.`,
      { field: 'disks' },
    );
  }
  const left: string[] = await readdir(directories.disks).catch(() => []);
  if (left.length > 0) {
    throw new HoldfastError(
      'disk-not-empty',
      `There are image files of an earlier volume ${request.name} (${left.join(', ')}) in its directory. Move them away, or choose another name.`,
      { field: 'name' },
    );
  }
  await assertBtrfsAvailable();
  await assertNothingHangs();
  const imageBytes = request.imageBytes ?? DEFAULT_IMAGE_BYTES;
  const replicas: ReplicaRecord[] = [];
  for (let index = 0; index < REPLICAS_WANTED; index += 1) {
    const id = `r${index + 1}`;
    const disk = request.disks[index] ?? join(directories.disks, `${id}.img`);
    replicas.push(await planDisk(id, disk, request.disks[index] === undefined, imageBytes, directories, existing));
  }
  const [first, second] = replicas;
  if (first !== undefined && second !== undefined && first.stable === second.stable) {
    throw new HoldfastError('input-invalid', `Both disks are the same one: ${first.disk}. A mirror needs two.`, {
      field: 'disks',
    });
  }
  return {
    format: 1,
    name: request.name,
    engine: 'local',
    uuid: randomUUID(),
    phase: 'creating',
    wantedOpen: true,
    imageBytes,
    nextReplica: REPLICAS_WANTED + 1,
    unsure: null,
    damagedBlocks: 0,
    replicas,
    leaving: [],
  };
}

/**
 * Checks one disk that is to become a replica. `own`: an image in the volume's own directory.
 * @param willHoldBytes what is written to it at once: a fresh image file needs that much room
 */
export async function planDisk(
  id: string,
  disk: string,
  own: boolean,
  imageBytes: number,
  directories: VolumeDirectories,
  existing: readonly VolumeRecord[],
  willHoldBytes = 0,
): Promise<ReplicaRecord> {
  const found = own ? ({ kind: 'new-file' } as const) : await kindOfDisk(disk);
  const stable = found.kind === 'block' ? await stableName(await canonical(disk)) : disk;
  const user = existing.find((record) =>
    record.replicas.some((replica) => replica.stable === stable || replica.disk === disk),
  );
  if (user !== undefined) {
    throw new HoldfastError(
      'disk-not-empty',
      `The disk ${disk} belongs to the volume ${user.name}. Choose another disk.`,
      {
        field: 'disk',
      },
    );
  }
  const common = {
    id,
    disk,
    stable,
    state: 'healthy',
    reason: null,
    behind: false,
    deviceId: 0,
    replaces: null,
    baseline: NO_ERRORS,
  } as const;
  if (found.kind === 'block') {
    assertLargeEnough(disk, found.bytes, SMALLEST_DISK_BYTES);
    await assertEmptyBlockDevice(disk);
    return { ...common, kind: 'block', bytes: found.bytes };
  }
  await assertLoopAvailable();
  const bytes = found.kind === 'file' && found.bytes > 0 ? found.bytes : imageBytes;
  assertLargeEnough(disk, bytes, SMALLEST_DISK_BYTES);
  if (found.kind === 'file') await assertEmptyFile(disk, found.bytes);
  await assertRoom(own ? dirname(directories.own) : dirname(disk), own, willHoldBytes);
  return { ...common, kind: 'image', bytes };
}

/** Checks a disk that is to wait as a spare: a real one, empty, in no volume. */
export async function planSpare(
  disk: string,
  directories: VolumeDirectories,
  existing: readonly VolumeRecord[],
): Promise<{ disk: string; bytes: number }> {
  if ((await kindOfDisk(disk)).kind !== 'block') {
    throw new HoldfastError(
      'disk-unusable',
      `${disk} is not a disk. Only real disks are kept as spares; image files are made when they are needed.`,
      { field: 'disk' },
    );
  }
  const { bytes } = await planDisk('r1', disk, false, 0, directories, existing);
  return { disk, bytes };
}

/** For a disk that held a replica of this very volume once: it may be taken in again, as a new and empty one. */
export async function isFormerReplica(disk: string, record: VolumeRecord): Promise<boolean> {
  const former = record.replicas.find((replica) => replica.disk === disk || replica.stable === disk);
  if (former === undefined || former.kind !== 'block' || former.state === 'healthy' || former.state === 'rebuilding')
    return false;
  const found = await readSuperBlock(await canonical(disk));
  return found === undefined ? false : found.uuid === record.uuid;
}

async function assertRoom(directory: string, own: boolean, willHoldBytes: number): Promise<void> {
  const needed = willHoldBytes + SMALLEST_ROOM_BYTES;
  let free: number;
  if (own) {
    const room = await statfs(directory).catch(() => statfs(dirname(directory)));
    free = room.bavail * room.bsize;
  } else {
    const result = await runCommand('stat', ['--file-system', '--printf=%a %S', '--', directory], {
      deadlineMs: 5_000,
    });
    if (result.code !== 0) {
      throw new HoldfastError(
        'disk-unusable',
        `There is no directory ${directory} for the image file. Make it first.`,
        { field: 'disk' },
      );
    }
    const [blocks, size] = result.stdout.split(' ').map(Number);
    free = (blocks ?? 0) * (size ?? 0);
  }
  if (free < needed) {
    throw new HoldfastError(
      'no-room',
      `Only ${Math.floor(free / MiB)} MiB are free where the image files are kept, and at least ${Math.ceil(needed / MiB)} MiB are needed. Free some space, or use disks of their own with --disk.`,
    );
  }
}
