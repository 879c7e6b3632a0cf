import { rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { attachLoop } from '../disks/loops.ts';
import { directoriesOf } from './directories.ts';
import { findValve } from '../disks/valve.ts';
import { DISK_BYTES, standsStill, StorageHost } from './testing/host.ts';

describe('a volume in trouble', () => {
  let host: StorageHost;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
  });
  afterEach(() => host.dispose());

  const isOpen = (): boolean => host.status('one').state === 'open';
  const becomesOpen = (): Promise<void> => until(isOpen, 'the volume being open again', 60_000);
  const becomesTrouble = (): Promise<void> =>
    until(() => host.status('one').state === 'trouble', 'the trouble being noticed', 30_000);
  const becomesFull = (): Promise<void> =>
    until(
      () => isOpen() && host.status('one').redundancy === 'full' && host.status('one').operation === null,
      'redundancy being full and nothing being done any more',
      90_000,
    );
  const recordFile = (): string => join(directoriesOf(host.context, 'one').records, 'one.json');

  test('both disks hang: nothing is cut or lost, and with the first one that answers the volume goes on', async () => {
    const writer = await host.write(await host.create('one'));
    const other = await host.write(await host.create('two'));
    await host.fault('one', 'r1', 'hang');
    await host.fault('one', 'r2', 'hang');
    await standsStill(writer);
    host.storage.hold('one', 'Both disks hang.');
    expect(() => host.storage.homeOf('of-one')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    await other.writes(20);
    expect(host.status('one').replicas.map(({ state }) => state)).toEqual(['healthy', 'healthy']);
    // The first one answers: the other one is a single hung disk from now on, which may be cut.
    await host.fault('one', 'r2', 'clear');
    await host.storage.cut('one', 'r1', 'it hangs.');
    host.storage.hold('one', null);
    await writer.writes(20);
    await becomesOpen();
    expect(await host.ended(await host.storage.restoreRedundancy('one'))).toMatchObject({ state: 'done' });
    await writer.stop();
    await writer.verify();
    await other.stop();
    await other.verify();
  });

  test('while both disks of a volume hang nothing waits in the kernel for a mount: it is refused, others close, and then it goes on', async () => {
    const writer = await host.write(await host.create('one'));
    await host.create('two');
    await host.create('three');
    const { handlers } = host.storage;
    await handlers['volumes.close']({ name: 'three' });
    await host.fault('one', 'r1', 'hang');
    await host.fault('one', 'r2', 'hang');
    await standsStill(writer);
    const waits = { code: 'storage-repair', message: expect.stringMatching(/The volume one does not answer/) };
    await expect(host.create('four')).rejects.toMatchObject(waits);
    await expect(handlers['volumes.open']({ name: 'three' })).rejects.toMatchObject({ code: 'storage-repair' });
    expect(host.status('three').trouble).toMatch(/The volume one does not answer/);
    // Had one of these begun to wait in the kernel, this could not be unmounted.
    await handlers['volumes.close']({ name: 'two' });
    expect(host.status('two').state).toBe('closed');
    for (const replica of ['r1', 'r2']) await host.fault('one', replica, 'clear');
    await writer.writes(20);
    await until(() => host.status('three').state === 'open', 'what was refused being tried again by itself', 60_000);
    await handlers['volumes.open']({ name: 'two' });
    await host.create('four');
    expect(host.status('two')).toMatchObject({ state: 'open', redundancy: 'full', trouble: null });
    await writer.stop();
    await writer.verify();
  });

  test('both disks die at once: none is given up, the volume is opened with both and what one missed is healed', async () => {
    const writer = await host.write(await host.create('one'));
    const other = await host.write(await host.create('two'));
    await host.killValves('one', 'r2', 'r1');
    await becomesTrouble();
    writer.kill();
    await becomesFull();
    await writer.verify();
    await until(
      async () => (await host.storage.handlers['operations.list']({})).some(({ kind }) => kind === 'volume-scrub'),
      'the scrub',
      30_000,
    );
    await becomesFull();
    expect(host.status('one')).toMatchObject({ trouble: null, replicas: [{ state: 'healthy' }, { state: 'healthy' }] });
    await other.writes(20);
    await other.stop();
    await other.verify();
  });

  test('both disks answer with errors: the volume stops, and comes back when they do; one alone is not believed', async () => {
    const writer = await host.write(await host.create('one'));
    // Both between two looks at the volume: which failed first is not known then.
    for (const replica of ['r1', 'r2']) writeFileSync(host.paths('one', replica).errorFile, '');
    await becomesTrouble();
    expect(() => host.storage.homeOf('of-one')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    rmSync(host.paths('one', 'r1').errorFile);
    await until(() => /r2.*is not back/.test(host.status('one').trouble ?? ''), 'waiting for the other disk', 60_000);
    rmSync(host.paths('one', 'r2').errorFile);
    await becomesFull();
    writer.kill();
    await writer.verify();
  });

  test('disks that fail in turns: what only one of them has is not lost, whichever was written last', async () => {
    const writer = await host.write(await host.create('one'));
    const [first, second] = ['r1', 'r2'].map((replica) => host.paths('one', replica).errorFile);
    if (first === undefined || second === undefined) throw new Error('no valves');
    writeFileSync(first, '');
    await writer.writes(15); // Acknowledged, and on the second disk alone.
    writeFileSync(second, '');
    rmSync(first); // What the file system still writes now goes to the first disk, which has become the newer one.
    const waits = (): boolean =>
      /r2.*is not back/.test(host.status('one').trouble ?? '') || host.status('one').redundancy !== 'full';
    await until(waits, 'waiting for the other disk', 60_000);
    rmSync(second);
    await becomesOpen();
    // Had the first one been given up already before the second failed, it has to be rebuilt.
    if (host.status('one').redundancy === 'reduced') await host.ended(await host.storage.restoreRedundancy('one'));
    await becomesFull();
    writer.kill();
    await writer.verify();
  });

  test('the last complete disk goes away and comes back: the volume is opened by itself', async () => {
    const writer = await host.write(await host.create('one'));
    await host.storage.cut('one', 'r1', 'it hung.');
    await writer.writes(30);
    const { disks } = directoriesOf(host.context, 'one');
    await rename(join(disks, 'r2.img'), join(disks, 'away'));
    await host.killValves('one', 'r2');
    await becomesTrouble();
    writer.kill();
    await until(() => /No complete replica/.test(host.status('one').trouble ?? ''), 'saying what is missing', 60_000);
    expect(host.status('one').redundancy).toBe('lost');
    await rename(join(disks, 'away'), join(disks, 'r2.img'));
    await becomesOpen();
    expect(host.status('one').replicas.map(({ state }) => state)).toEqual(['failed', 'healthy']);
    await writer.verify();
  });

  test('a replica that was cut is not believed after a power cut, whatever its disk says', async () => {
    const writer = await host.write(await host.create('one'));
    await host.storage.cut('one', 'r1', 'it hung.');
    const paths = host.paths('one', 'r1');
    await writer.writes(50);
    await host.killValves('one', 'r2');
    writer.kill();
    await host.storage.stop();
    await host.start();
    await becomesOpen();
    expect(host.status('one')).toMatchObject({
      redundancy: 'reduced',
      replicas: [{ state: 'failed' }, { state: 'healthy' }],
    });
    expect(await findValve(paths)).toBeUndefined();
    expect(host.storage.disks().map(({ replica }) => replica)).toEqual(['r2']);
    await writer.verify();
    expect(await host.ended(await host.storage.restoreRedundancy('one'))).toMatchObject({ state: 'done' });
    await writer.verify();
  });

  test('a cut that was recorded but not done when the agent was killed is done by the next one', async () => {
    const writer = await host.write(await host.create('one'));
    const paths = host.paths('one', 'r1');
    const text = await readFile(recordFile(), 'utf8');
    await writeFile(recordFile(), text.replace('"state": "healthy"', '"state": "failed"'));
    // As if killed: what ran is left as it is, and the next agent takes it over.
    await host.start();
    await becomesOpen();
    expect(host.status('one').replicas.map(({ state }) => state)).toEqual(['failed', 'healthy']);
    await until(async () => (await findValve(paths)) === undefined, 'the disk being cut', 20_000);
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
  });

  test('an agent that starts while a disk hangs shows that disk, so that it can be cut, and opens the volume then', async () => {
    const writer = await host.write(await host.create('one'));
    await host.fault('one', 'r1', 'hang');
    await standsStill(writer);
    await host.start();
    await becomesTrouble();
    expect(host.storage.disks().map(({ replica }) => replica)).toEqual(['r1', 'r2']);
    await host.storage.cut('one', 'r1', 'it hangs.');
    await writer.writes(20);
    await becomesOpen();
    await writer.stop();
    await writer.verify();
  });

  test('a volume whose disks hung when the agent started is opened by itself when they answer', async () => {
    const writer = await host.write(await host.create('one'));
    for (const replica of ['r1', 'r2']) await host.fault('one', replica, 'hang');
    await standsStill(writer);
    await host.start();
    await becomesTrouble();
    for (const replica of ['r1', 'r2']) await host.fault('one', replica, 'clear');
    await becomesOpen();
    expect(host.status('one').redundancy).toBe('full');
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
  });

  // btrfs takes no writes any more when the old and the new disk of a copy fail at once: the volume has to be opened afresh.
  test('a new disk that hangs while it is rebuilt onto is cut: its rebuild ends, the volume comes back, nothing is lost', async () => {
    const directory = await host.create('one');
    await mustRun('dd', ['if=/dev/urandom', `of=${directory}/data`, 'bs=1M', 'count=150', 'status=none'], {
      deadlineMs: 60_000,
    });
    const writer = await host.write(directory);
    await host.storage.cut('one', 'r1', 'it hung.');
    const operation = await host.storage.restoreRedundancy('one');
    await until(
      async () => (await findValve(host.paths('one', 'r3'))) !== undefined,
      'the new disk being prepared',
      20_000,
    );
    await host.fault('one', 'r3', 'hang');
    await host.storage.cut('one', 'r3', 'it hangs.');
    expect(await host.ended(operation)).toMatchObject({ state: 'failed' });
    await until(
      () => isOpen() && host.status('one').redundancy === 'reduced',
      'the volume serving from its last replica',
      60_000,
    );
    expect(await host.ended(await host.storage.restoreRedundancy('one'))).toMatchObject({ state: 'done', error: null });
    writer.kill();
    await writer.verify();
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null });
  });

  test('a spare disk is taken first, one that does not fit is passed over, a taken one is none any more', async () => {
    await mkdir(join(host.home, 'real'));
    const disks: string[] = [];
    for (const [name, bytes] of Object.entries({ small: DISK_BYTES - 1024 ** 2, used: DISK_BYTES, good: DISK_BYTES })) {
      const image = join(host.home, 'real', name);
      await mustRun('truncate', ['--size', String(bytes), image], { deadlineMs: 5_000 });
      disks.push(await attachLoop(image));
    }
    const [small = '', used = '', good = ''] = disks;
    const { handlers } = host.storage;
    const file = join(host.home, 'file');
    await writeFile(file, '');
    await expect(handlers['spares.add']({ disk: file })).rejects.toMatchObject({ code: 'disk-unusable' });
    for (const disk of disks) await handlers['spares.add']({ disk });
    await mustRun('mkfs.ext4', ['-q', used], { deadlineMs: 20_000 });
    await expect(handlers['spares.add']({ disk: used })).rejects.toMatchObject({ code: 'disk-not-empty' });
    const writer = await host.write(await host.create('one'));
    await host.storage.cut('one', 'r1', 'it hung.');
    expect(await host.ended(await host.storage.restoreRedundancy('one'))).toMatchObject({ state: 'done' });
    expect(host.status('one')).toMatchObject({
      redundancy: 'full',
      replicas: [{ id: 'r2' }, { id: 'r3', disk: good }],
    });
    expect((await handlers['spares.list']({})).map(({ disk }) => disk)).toEqual([small, used]);
    await expect(handlers['spares.remove']({ disk: good })).rejects.toMatchObject({ code: 'not-found' });
    await handlers['spares.remove']({ disk: small });
    await writer.stop();
    await writer.verify();
    // The failed replica's image file is gone, the stranger's disk was not touched.
    await expect(rm(join(directoriesOf(host.context, 'one').disks, 'r1.img'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await mustRun('e2fsck', ['-n', used], { deadlineMs: 20_000 });
  });
});
