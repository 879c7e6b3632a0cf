import { join } from 'node:path';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { forget } from '../btrfs/forgetting.ts';
import { attachLoop, detachLoop, deviceBytes, loopsOf } from './loops.ts';
import {
  clearValve,
  cutValve,
  diskOf,
  findValve,
  startValve,
  stopValve,
  type Valve,
  type ValvePaths,
} from './valve.ts';

/** So long a device that was cut is waited for: the volume's next turn is behind this. */
const HELD_MS = 500;
const GIVE_BACK_PROGRAM = join(import.meta.dirname, 'give_back.py');
/** A tebibyte, all of it used, takes a quarter of an hour at the shortest rests. */
const GIVE_BACK_DEADLINE_MS = 2 * 3600_000;

/** A disk as it is known while it is not attached. */
export interface DiskPlace {
  kind: 'image' | 'block';
  /** As the operator calls it. */
  disk: string;
  /** A name that survives a reboot, for real disks. */
  stable: string;
}

/** A disk as the kernel has it now. */
export interface AttachedDisk {
  /** /dev/loop3 or /dev/sdb. */
  device: string;
  /** Undefined for real disks. */
  valve: Valve | undefined;
}

/**
 * Makes a replica's disk usable, or finds that it is: valve and loop device for an image, the device itself otherwise.
 * Undefined when the disk is not there.
 */
export async function attachDisk(replica: DiskPlace, paths: ValvePaths): Promise<AttachedDisk | undefined> {
  if (replica.kind === 'block') {
    for (const name of [replica.stable, replica.disk]) {
      const device = await kernelName(name);
      if (device !== undefined && (await deviceBytes(device))) return { device, valve: undefined };
    }
    return undefined;
  }
  const exists = await runCommand('test', ['-s', paths.image], { deadlineMs: 5_000 });
  if (exists.code !== 0) return undefined;
  const running = await findAttached(replica, paths);
  if (running !== undefined) return running;
  await detachDisk(replica, paths, 'cut');
  const valve = await startValve(paths);
  return { device: await attachLoop(diskOf(paths)), valve };
}

/** The disk when it is attached and its valve serves; touches neither. */
export async function findAttached(replica: DiskPlace, paths: ValvePaths): Promise<AttachedDisk | undefined> {
  if (replica.kind === 'block') return await attachDisk(replica, paths);
  const valve = await findValve(paths);
  if (valve === undefined) return undefined;
  const device = (await loopsOf(diskOf(paths)))[0];
  return device === undefined ? undefined : { device, valve };
}

/** Lets go of a disk that no mounted file system uses. `cut`: its content does not matter any more, or its valve is dead. */
export async function detachDisk(replica: DiskPlace, paths: ValvePaths, how: 'orderly' | 'cut'): Promise<void> {
  if (replica.kind === 'block') {
    const device = await kernelName(replica.stable);
    if (device !== undefined) await forget(device);
    return;
  }
  const devices = await loopsOf(diskOf(paths));
  if (how === 'cut') await cutValve(paths);
  for (const device of devices) {
    await forget(device);
    // A device that a dead file system still holds goes away together with it: it is marked, and waited for no longer.
    await detachLoop(device, diskOf(paths), how === 'cut' ? HELD_MS : undefined).catch(() => undefined);
  }
  await (how === 'cut' ? clearValve(paths) : stopValve(paths));
}

/**
 * Removes an image file that belongs to the platform, after its disk was detached. A large one takes its time, so that nobody else waits, in a
 * process of its own: the file's disk may be one that hangs. `onPiece` is told how many bytes are left. Throws `deadline-passed`,
 * `command-failed`; what is left is removed when it is asked again.
 */
export async function removeImage(
  { image }: Pick<ValvePaths, 'image'>,
  onPiece: (left: number) => void = () => undefined,
): Promise<void> {
  await mustRun('python3', ['-I', GIVE_BACK_PROGRAM, image], {
    deadlineMs: GIVE_BACK_DEADLINE_MS,
    onLine: (line) => onPiece(Number(line)),
  });
}

export async function kernelName(disk: string): Promise<string | undefined> {
  const result = await runCommand('readlink', ['--canonicalize-existing', '--', disk], { deadlineMs: 5_000 });
  return result.code === 0 ? result.stdout.trimEnd() : undefined;
}
