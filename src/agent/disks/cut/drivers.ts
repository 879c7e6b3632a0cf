import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import { deviceMapperDriver } from './device-mapper.ts';
import type { CutDriver, DeviceInSys } from './driver.ts';
import { nvmeDriver } from './nvme.ts';
import { scsiDriver } from './scsi.ts';
import { virtioDriver } from './virtio.ts';

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
