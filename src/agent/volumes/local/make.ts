import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { Journey } from '../../operations/journey.ts';
import { attachDisk } from '../../disks/attach.ts';
import { readSuperBlock, wipe } from '../../disks/disks.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { openVolume } from './opening.ts';
import { mountAt } from '../../kernel/mounts.ts';
import { assertNothingHangs } from '../../btrfs/registering.ts';
import type { VolumeState } from './state.ts';
import { makeImage } from '../../disks/valve.ts';

/** Makes the volume that its record describes, and opens it. Each step finds out by itself whether it is done. */
export async function makeVolume(state: VolumeState, journey: Journey): Promise<void> {
  const { record, directories } = state;
  await journey.step('Prepare the disks', async (report) => {
    await mkdir(directories.disks, { recursive: true, mode: 0o700 });
    await mkdir(directories.mount, { recursive: true, mode: 0o700 });
    for (const replica of record.replicas) {
      if (replica.kind !== 'image') continue;
      await mkdir(dirname(replica.disk), { recursive: true, mode: 0o700 });
      await makeImage(replica.disk, replica.bytes);
    }
    report.detail(record.replicas.map((replica) => replica.disk).join(', '));
  });
  await journey.step('Attach the disks', async () => {
    await assertNothingHangs();
    for (const replica of record.replicas) {
      const disk = await attachDisk(replica, state.pathsOf(replica));
      if (disk === undefined)
        throw new HoldfastError('disk-unusable', `The disk ${replica.disk} is not there any more.`);
      state.attached.set(replica.id, disk);
    }
  });
  await journey.step('Make the file system', async (report) => {
    if (record.phase === 'ready' || (await mountAt(directories.mount)) !== undefined) return report.skip('it is there');
    const devices = record.replicas.map((replica) => state.attached.get(replica.id)?.device ?? '');
    const supers = await Promise.all(devices.map(readSuperBlock));
    const whole = supers.every((found) => found?.uuid === record.uuid && found.numberOfDevices === devices.length);
    if (!whole) {
      // The disks were found empty before the record was written, so what is on them is our own unfinished work.
      for (const [index, replica] of record.replicas.entries())
        await wipe(devices[index] ?? '', replica.kind, record.uuid);
      await filesystem.makeFileSystem(record.uuid, `holdfast-${record.name}`, devices);
    }
    for (const replica of record.replicas) {
      const made = await readSuperBlock(state.attached.get(replica.id)?.device ?? '');
      if (made === undefined)
        throw new HoldfastError('disk-unusable', `The disk ${replica.disk} does not keep what is written to it.`);
      replica.deviceId = made.deviceId;
    }
    await state.file.save();
  });
  await journey.step('Open the volume', async () => {
    await openVolume(state);
    record.phase = 'ready';
    await state.file.save();
  });
}
