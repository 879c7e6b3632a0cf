import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../../../protocol/errors.ts';
import { deviceMapperDriver } from './device-mapper.ts';
import { nvmeDriver } from './nvme.ts';
import { scsiDriver } from './scsi.ts';
import { virtioDriver } from './virtio.ts';

/** How one kind of real disk is told to stop: everything outstanding and everything later in it fails. */
export interface CutDriver {
  readonly kind: 'scsi' | 'nvme' | 'virtio' | 'device-mapper';
  /**
   * Tells the kernel, in a throw-away process: the kernel may hold it for as long as the disk hangs. Whether the requests really failed
   * is seen by the device's counters, not by this. Repeatable; a disk that is gone is fine.
   */
  cut(): Promise<void>;
  /** The device and what is behind it vanish from the machine; how a person brings it back, one sentence. */
  readonly undo: string;
}

/** What a driver needs to know of a device. All paths are below `sys`, so that each driver can be tried on a made-up tree. */
export interface DeviceInSys {
  /** "sdb", "nvme1n1", "vdb", "dm-3": the whole disk. */
  name: string;
  sys: string;
  /** <sys>/devices/..., where the disk really is. */
  path: string;
}

const DRIVERS: ReadonlyArray<(device: DeviceInSys) => Promise<CutDriver | undefined>> = [
  deviceMapperDriver,
  nvmeDriver,
  virtioDriver,
  scsiDriver,
];

/**
 * The driver of a real disk. Read from /sys only, which waits for no disk. Throws `disk-unusable` saying what a person has to do, for a
 * kind that cannot be cut, a partition, or a disk that shares its controller with others.
 */
export async function cutDriverOf(device: string, sys = '/sys'): Promise<CutDriver> {
  const name = basename(device);
  const refuse = (why: string): HoldfastError =>
    new HoldfastError(
      'disk-unusable',
      `${device} cannot be told to stop: ${why}. Pull the disk (or detach it at your provider): the volume goes on with the other one.`,
    );
  const path = await realpath(join(sys, 'class/block', name)).catch(() => undefined);
  if (path === undefined) throw refuse('it is not there');
  if ((await readdir(path)).includes('partition')) {
    throw refuse(`it is a partition, and cutting it would take the whole of ${basename(dirname(path))} away`);
  }
  for (const driver of DRIVERS) {
    const found = await driver({ name, sys, path });
    if (found !== undefined) return found;
  }
  throw refuse('nothing is known about disks of its kind');
}
