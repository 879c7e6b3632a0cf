import { readdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FaultName } from '../../protocol/drills.ts';
import { until } from '../../runtime/deadline.ts';
import { loopsOf } from '../disks/loops.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { directoriesOf } from './directories.ts';
import { diskOf } from '../disks/valve.ts';
import { standsStill, StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';
import { asArgument } from '../member-argument.ts';

describe('faults on disks, and the cut', () => {
  let host: StorageHost;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
  });
  afterEach(() => host.dispose());

  const fault = (replica: string, name: FaultName): Promise<FaultName | null> => host.fault('one', replica, name);

  test('a hung replica is cut under a writer, which goes on without an error; redundancy is restored', async () => {
    const directory = await host.create('one');
    const writer = await host.write(directory);
    const [first, second] = host.storage.disks();
    expect(first).toMatchObject({ volume: 'one', replica: 'r1', kind: 'image', state: 'healthy', deviceId: 1 });
    expect(second).toMatchObject({ replica: 'r2', deviceId: 2 });
    const backing = diskOf(host.paths('one', 'r1'));
    expect(await loopsOf(backing)).toEqual([`/dev/${first?.device}`]);
    let changes = 0;
    host.storage.onDisksChange(() => (changes += 1));

    expect(await fault('r1', 'hang')).toEqual('hang');
    await standsStill(writer);
    await host.storage.cut('one', 'r1', 'it hung.');
    await writer.writes(1);
    // The kernel holds nothing of it back any more: what the writer sends there now fails at once, so there are moments of rest.
    await until(
      async () => /^\s*0\s+0\s*$/.test((await readOrUndefined(`/sys/block/${first?.device}/inflight`)) ?? ''),
      'a moment without requests in the disk that was cut',
      10_000,
      2,
    );

    expect(host.status('one')).toMatchObject({
      state: 'open',
      redundancy: 'reduced',
      replicas: [{ state: 'failed' }, {}],
    });
    expect(host.status('one').trouble).toMatch(/it hung/);
    expect(host.storage.disks().map((disk) => disk.replica)).toEqual(['r2']);
    expect(changes).toBeGreaterThan(0);
    // The kernel still names the loop device by its file: the rebuild and the next start find it by that.
    expect(await loopsOf(backing)).toEqual([`/dev/${first?.device}`]);
    await host.storage.cut('one', 'r1', 'once more.');
    await expect(host.storage.cut('one', 'r2', 'the other one.')).rejects.toMatchObject({ code: 'last-replica' });
    await expect(host.storage.cut('one', 'r9', 'none.')).rejects.toMatchObject({ code: 'not-found' });

    const operation = await host.storage.restoreRedundancy('one');
    expect((await host.storage.restoreRedundancy('one')).id).toBe(operation.id);
    expect(await host.ended(operation)).toMatchObject({ state: 'done', error: null });
    await expect(host.storage.restoreRedundancy('one')).rejects.toMatchObject({ code: 'conflict' });
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null });
    expect(await loopsOf(backing)).toEqual([]);
    expect(host.storage.disks().map((disk) => [disk.replica, disk.state])).toEqual([
      ['r2', 'healthy'],
      ['r3', 'healthy'],
    ]);
  });

  test('the cut does not wait for work that hangs on the volume', async () => {
    const directory = await host.create('one');
    const writer = await host.write(directory);
    await fault('r2', 'hang');
    await standsStill(writer);
    // A commit waits for the hung disk, and whoever closes the volume waits for the commit.
    const closing = host.storage.handlers['volumes.close']({ name: 'one' }).catch((error: unknown) => error);
    await host.storage.cut('one', 'r2', 'it hung.');
    await writer.writes(5);
    expect(await closing).toMatchObject({ code: 'volume-in-use' });
    await writer.stop();
    await writer.verify();
  });

  test('a replica is not set aside while the other disk does not answer, though nothing waits in it', async () => {
    await host.create('one');
    await fault('r2', 'hang');
    const setAside = (): Promise<unknown> => host.storage.handlers['volumes.setAside']({ name: 'one', replica: 'r1' });
    await expect(setAside()).rejects.toMatchObject({
      code: 'last-replica',
      message: expect.stringMatching(/r1 is kept/),
    });
    expect(host.status('one')).toMatchObject({ redundancy: 'full' });
    await fault('r2', 'clear');
    // The question that was asked meanwhile is answered now.
    await until(
      () =>
        setAside().then(
          () => true,
          () => false,
        ),
      'the other disk answering',
      30_000,
      100,
    );
    expect(host.status('one')).toMatchObject({ redundancy: 'reduced', replicas: [{ state: 'set-aside' }, {}] });
  });

  test.each(['hang', 'slow', 'flap', 'error'] as const)(
    'a disk is given the fault "%s", and it is cleared',
    async (name) => {
      const writer = await host.write(await host.create('one'));
      expect(await fault('r2', name)).toEqual(name);
      if (name === 'hang') await standsStill(writer);
      if (name === 'error') {
        await until(() => host.status('one').redundancy === 'reduced', 'the errors being noticed', 30_000);
      }
      if (name === 'flap') {
        const device = host.storage.disks().find((disk) => disk.replica === 'r2')?.device;
        const waiting = async (): Promise<boolean> =>
          /[1-9]/.test((await readOrUndefined(`/sys/block/${device}/inflight`)) ?? '');
        for (let turn = 0; turn < 3; turn += 1) {
          await standsStillShortly(waiting);
          await writer.writes(1);
        }
      }
      if (name === 'slow') await writer.writes(2);
      expect(await fault('r2', 'clear')).toEqual(null);
      // A valve whose rate file is removed keeps its limit.
      expect((await readOrUndefined(host.paths('one', 'r2').rateFile)) ?? '0').toBe('0');
      await writer.writes(20);
      await writer.stop();
      await writer.verify();
      expect(host.status('one').redundancy).toBe(name === 'error' ? 'reduced' : 'full');
    },
  );

  async function standsStillShortly(waiting: () => Promise<boolean>): Promise<void> {
    let since = 0;
    await until(
      async () => {
        since = (await waiting()) ? since + 1 : 0;
        return since > 5;
      },
      'requests waiting in the flapping disk',
      30_000,
    );
  }

  test('blocks that were altered on one replica are found, healed from the other, and counted', async () => {
    const directory = await host.create('one');
    await inVolume(
      'dd if=/dev/urandom of="$1/data" bs=1M count=16 conv=fsync status=none; sha256sum "$1/data" > "$1/sum"; sync -f "$1"',
      directory,
    );
    expect(await fault('r1', 'corrupt')).toEqual('corrupt');
    const scrub = await host.ended(await host.storage.scrub('one'));
    expect(scrub).toMatchObject({ state: 'done', error: null });
    expect(scrub.steps.map((step) => step.detail)).toEqual([
      expect.stringMatching(/^64 .*repaired/),
      expect.stringMatching(/^0 .*repaired/),
    ]);
    await until(() => host.status('one').trouble === null, 'nothing being wrong any more', 20_000);
    expect(await inVolume('sha256sum --quiet -c "$1/sum"', directory)).toBe('');
    // The proof: read it anew, from the healed replica alone.
    await host.storage.cut('one', 'r2', 'so that nothing is healed from it any more.');
    await expect(fault('r1', 'corrupt')).rejects.toMatchObject({ code: 'last-replica' });
    await host.storage.handlers['volumes.close']({ name: 'one' });
    await host.storage.handlers['volumes.open']({ name: 'one' });
    expect(await inVolume('sha256sum --quiet -c "$1/sum"', directory)).toBe('');
  });

  test('blocks that no replica has any more are said, and are no reason to stay without redundancy; the old disk is kept', async () => {
    const directory = await host.create('one');
    await inVolume('dd if=/dev/urandom of="$1/data" bs=1M count=16 conv=fsync status=none; sync -f "$1"', directory);
    expect(await fault('r2', 'corrupt')).toEqual('corrupt');
    await host.storage.cut('one', 'r1', 'it hung.');
    const rebuilt = await host.ended(await host.storage.restoreRedundancy('one'));
    expect(rebuilt).toMatchObject({ state: 'done', error: null });
    expect(host.status('one')).toMatchObject({ state: 'open', redundancy: 'full' });
    expect(host.status('one').trouble).toMatch(/^\d+ blocks .* damaged on every replica\. Restore them from a backup/);
    const images = async (): Promise<string[]> => await readdir(directoriesOf(host.context, 'one').disks);
    expect((await images()).sort()).toEqual(['r1.img', 'r2.img', 'r3.img']);
    await host.storage.handlers['volumes.close']({ name: 'one' });
    await host.storage.handlers['volumes.open']({ name: 'one' });
    expect((await images()).sort()).toEqual(['r1.img', 'r2.img', 'r3.img']);
    // As if it were restored.
    await inVolume('rm "$1/data"; sync -f "$1"', directory);
    expect(await host.ended(await host.storage.scrub('one'))).toMatchObject({ state: 'done' });
    expect(host.status('one').trouble).toBeNull();
    expect((await images()).sort()).toEqual(['r2.img', 'r3.img']);
  });

  test('a volume that is held refuses at once with its sentence, and serves again when it is let go', async () => {
    const directory = await host.create('one');
    const usable: boolean[] = [];
    host.storage.onVolumeChange((_name, is) => usable.push(is));
    host.storage.hold('one', 'Both disks of this storage are being repaired.');
    expect(() => host.storage.homeOf('of-one')).toThrow(
      expect.objectContaining({ code: 'storage-repair', message: 'Both disks of this storage are being repaired.' }),
    );
    expect(host.status('one')).toMatchObject({
      state: 'trouble',
      trouble: 'Both disks of this storage are being repaired.',
    });
    host.storage.hold('one', null);
    await until(() => host.status('one').state === 'open', 'the volume being usable again', 20_000);
    expect(usable).toEqual([false, true]);
    expect(asArgument(host.storage.homeOf('of-one').home)).toBe(directory);
  });
});
