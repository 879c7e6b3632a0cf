import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { CutDriver, DeviceInSys } from './driver.ts';
import { writeSys } from './sysfs.ts';

/**
 * NVMe: the controller is removed from the PCI bus, which fails everything outstanding. A controller with several disks is not cut: the
 * others may belong to other volumes.
 */
export async function nvmeDriver({ name, sys }: DeviceInSys): Promise<CutDriver | undefined> {
  const controller = /^(nvme\d+)n\d+$/.exec(name)?.[1];
  if (controller === undefined) return undefined;
  const own = join(sys, 'class/nvme', controller);
  const entries: string[] = await readdir(own).catch(() => []);
  const disks = entries.filter((entry) => new RegExp(`^${controller}(c\\d+)?n\\d+$`).test(entry));
  if (disks.length > 1) {
    throw new HoldfastError(
      'disk-unusable',
      `/dev/${name} shares its controller ${controller} with ${disks.length - 1} other disks, which would be cut too. Detach it at your provider, or pull it: the volume goes on with the other one.`,
    );
  }
  return {
    kind: 'nvme',
    undo: 'Rescan the bus: echo 1 > /sys/bus/pci/rescan',
    async cut() {
      await writeSys(join(own, 'device/remove'), '1');
    },
  };
}
