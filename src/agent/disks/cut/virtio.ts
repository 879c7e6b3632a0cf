import { basename, dirname, join } from 'node:path';
import type { CutDriver, DeviceInSys } from './driver.ts';
import { writeSys } from './sysfs.ts';

/**
 * virtio-blk (vdX in virtual machines): the driver lets go of the device. What comes later fails; a host that never completes what is
 * outstanding can hold the kernel here, which is seen by the counters and told to a person.
 */
export async function virtioDriver({ name, sys, path }: DeviceInSys): Promise<CutDriver | undefined> {
  // .../virtio3/block/vdb
  const device = basename(dirname(dirname(path)));
  if (!/^virtio\d+$/.test(device) || !/^vd[a-z]+$/.test(name)) return await Promise.resolve(undefined);
  return {
    kind: 'virtio',
    undo: `Bind it again: echo ${device} > /sys/bus/virtio/drivers/virtio_blk/bind`,
    async cut() {
      await writeSys(join(sys, 'bus/virtio/drivers/virtio_blk/unbind'), device);
    },
  };
}
