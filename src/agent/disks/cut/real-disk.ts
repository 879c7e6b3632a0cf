import { HoldfastError } from '../../../protocol/errors.ts';
import type { Logger } from '../../../runtime/log.ts';
import { forgetLater } from '../../btrfs/forgetting.ts';
import { deviceBytes, drained } from '../loops.ts';
import { cutDriverOf } from './drivers.ts';

/**
 * The cut of a real disk: everything outstanding and everything later in it fails. One that is gone is cut. `disk`: as the operator calls it.
 * Throws `disk-unusable` for one that cannot be cut, or that holds requests although it was told to stop.
 */
export async function cutRealDisk(device: string, disk: string, log: Logger): Promise<void> {
  if ((await deviceBytes(device)) === undefined) return;
  const driver = await cutDriverOf(device);
  await forgetLater(device);
  log.warn({ disk, kind: driver.kind, undo: driver.undo }, 'cutting a real disk');
  await driver.cut().catch((error: unknown) => {
    // The kernel may hold who tells it for as long as the disk hangs; whether it worked is seen by what is outstanding.
    log.error({ disk, error }, 'telling a disk to stop took too long');
  });
  await drained(device).catch((cause: unknown) => {
    throw new HoldfastError(
      'disk-unusable',
      `${disk} was told to stop and still holds requests. Pull it (or detach it at your provider): the volume goes on with the other one.`,
      { cause },
    );
  });
}
