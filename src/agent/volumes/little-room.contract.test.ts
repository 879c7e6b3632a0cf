import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';

describe('a disk of a volume with little room is replaced', () => {
  let host: StorageHost;
  let directory: string;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
    directory = await host.create('one');
  });
  afterEach(() => host.dispose());

  /** Outside of the account's directories, because of its quota. */
  const fill = async (name: string, mebibytes: number): Promise<string> =>
    await inVolume(
      'dd if=/dev/urandom of="$1/../../../$2" bs=1M count="$3" conv=fsync status=none',
      directory,
      name,
      String(mebibytes),
    );

  const dataIn = (what: string): number =>
    Number(readFileSync(`/sys/fs/btrfs/${host.storage.disks()[0]?.filesystem}/allocation/data/${what}`, 'utf8'));

  /** As the reaction does it: how the kernel spreads what is left over pieces differs, and a later try may find what one did not. */
  const restored = async (): Promise<void> => {
    for (let tries = 0; tries < 4 && host.status('one').redundancy !== 'full'; tries += 1)
      await host.ended(await host.storage.restoreRedundancy('one'));
  };

  test('the disk hangs during the copy, and all room was given to data that is hardly there: room is made', async () => {
    await fill('data', 170);
    // Nearly everything is taken by pieces for data, half of them empty: the kernel gives the copy up for want of room.
    expect(dataIn('total_bytes') - dataIn('bytes_used')).toBeGreaterThan(100 * 1024 ** 2);
    const writer = await host.write(directory);
    const operation = await host.storage.handlers['volumes.replaceDisk']({ name: 'one', replica: 'r1' });
    await host.fault('one', 'r1', 'hang');
    await host.storage.cut('one', 'r1', 'it hung.');
    const ended = await host.ended(operation);
    if (ended.state === 'failed') expect(ended.error).toMatch(/too full to be copied/);
    await restored();
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null });
  });

  test('full to the brim it cannot be copied and says what to do; with room again it is', async () => {
    await fill('data', 170);
    await fill('more', 150);
    await host.storage.cut('one', 'r1', 'it hung.');
    const failed = await host.ended(await host.storage.restoreRedundancy('one'));
    expect(failed).toMatchObject({ state: 'failed', error: expect.stringMatching(/too full to be copied.*make room/) });
    await inVolume('rm "$1/../../../more"; sync -f "$1"', directory);
    await until(() => (host.status('one').freeBytes ?? 0) > 100 * 1024 ** 2, 'the room being seen', 30_000);
    await restored();
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null });
  });
});
