import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';

let host: StorageHost;
beforeEach(async () => {
  host = new StorageHost();
  await host.start();
});
afterEach(() => host.dispose());

/** Bytes of each image file that are not there yet. */
const missing = (): number[] =>
  host.status('one').replicas.map(({ disk, sizeBytes }) => Math.max(0, sizeBytes - statSync(disk).blocks * 512));

test('an image file takes all its room when it is made, and keeps it when members delete, after a restart and in a rebuild', async () => {
  const directory = await host.create('one');
  expect(missing()).toEqual([0, 0]);
  await inVolume('dd if=/dev/urandom of="$1/../../../data" bs=1M count=20 conv=fsync status=none', directory);
  await inVolume('rm "$1/../../../data"; sync -f "$1"', directory);
  await host.storage.handlers['volumes.close']({ name: 'one' });
  expect(missing()).toEqual([0, 0]);
  await host.storage.handlers['volumes.open']({ name: 'one' });
  expect(missing()).toEqual([0, 0]);
  await host.storage.cut('one', 'r1', 'it hung.');
  await host.ended(await host.storage.restoreRedundancy('one'));
  expect(host.status('one').redundancy).toBe('full');
  expect(missing()).toEqual([0, 0]);
});
