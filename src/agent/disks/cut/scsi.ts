import { join } from 'node:path';
import { readOrUndefined } from '../../kernel/files.ts';
import type { CutDriver, DeviceInSys } from './driver.ts';
import { writeSys } from './sysfs.ts';

/**
 * SCSI, SATA, SAS, USB, most cloud disks shown as sdX. `offline` fails everything that comes from now on. What is in the disk already fails
 * when the host's own command timeout passes (queue timeout, 30 s unless set lower), and `delete` then takes the device away.
 */
export async function scsiDriver({ name, path }: DeviceInSys): Promise<CutDriver | undefined> {
  const device = join(path, 'device');
  const state = await readOrUndefined(join(device, 'state'));
  if (!/^sd[a-z]+$/.test(name) || state === undefined) return undefined;
  return {
    kind: 'scsi',
    undo: 'Rescan its host: echo "- - -" > /sys/class/scsi_host/hostN/scan',
    async cut() {
      await writeSys(join(device, 'state'), 'offline');
      await writeSys(join(device, 'delete'), '1');
    },
  };
}
