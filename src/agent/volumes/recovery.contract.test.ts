import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { CopyGroup } from '../kernel/copy-group.ts';
import { PROGRAMS } from '../btrfs/programs.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { processesNamed } from '../kernel/processes.ts';
import { directoriesOf } from './directories.ts';
import { StorageHost, standsStill } from './testing/host.ts';
import { inVolume, readFromBoth } from './testing/member.ts';

const RENAMED_WITHIN_LOOKS = 50;

describe('the runbooks of a volume', () => {
  let host: StorageHost;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
  });
  afterEach(() => host.dispose());

  const neededSteps = async (): Promise<string[]> =>
    (await host.storage.handlers['volumes.planRecovery']({ name: 'one' })).steps
      .filter((step) => step.needed)
      .map((step) => step.name);

  test('nothing wrong: the plan says so, and nothing is done', async () => {
    await host.create('one');
    const plan = await host.storage.handlers['volumes.planRecovery']({ name: 'one' });
    expect(plan).toMatchObject({ summary: 'Nothing is wrong with the volume one.', problem: null });
    expect(plan.steps.some((step) => step.needed)).toBe(false);
    expect(await host.storage.handlers['volumes.recover']({ name: 'one' })).toEqual({ operation: null });
  });

  test('a hung disk is found, cut, replaced; the program that waited goes on', async () => {
    const writer = await host.write(await host.create('one'));
    await host.fault('one', 'r2', 'hang');
    await standsStill(writer);
    await until(async () => (await neededSteps()).length > 0, 'the hung disk being found', 60_000);
    expect(await neededSteps()).toEqual(['Cut the disk that does not answer', 'Take in a disk', 'Rebuild redundancy']);
    expect(host.status('one').replicas.map(({ state }) => state)).toEqual(['healthy', 'healthy']);
    const { operation } = await host.storage.handlers['volumes.recover']({ name: 'one' });
    if (operation === null) throw new Error('nothing was done');
    expect((await host.storage.handlers['volumes.recover']({ name: 'one' })).operation?.id).toBe(operation.id);
    const ended = await host.ended(operation);
    expect(ended).toMatchObject({ kind: 'volume-recover', state: 'done', error: null });
    expect(ended.steps[0]).toMatchObject({ name: 'Cut the disk that does not answer', detail: 'replica r2' });
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null, state: 'open' });
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
  });

  test('when both disks hang it cuts nothing and says why', async () => {
    const writer = await host.write(await host.create('one'));
    for (const replica of ['r1', 'r2']) await host.fault('one', replica, 'hang');
    await standsStill(writer);
    // On a busy machine a disk may still complete something when the writer waits already.
    const problem = async (): Promise<string | null> =>
      (await host.storage.handlers['volumes.planRecovery']({ name: 'one' })).problem;
    await until(async () => /r1 and r2 /.test((await problem()) ?? ''), 'both disks being found hung', 60_000);
    expect(await problem()).toMatch(/Nothing is cut/);
    await expect(host.storage.handlers['volumes.recover']({ name: 'one' })).rejects.toMatchObject({ code: 'conflict' });
    for (const replica of ['r1', 'r2']) await host.fault('one', replica, 'clear');
    await writer.writes(20);
    await writer.stop();
    expect(host.status('one').redundancy).toBe('full');
  });

  test('wrong data that was noticed is healed', async () => {
    const directory = await host.create('one');
    const data = `dd if=/dev/urandom of="$1/data" bs=1M count=8 conv=fsync status=none; sync -f "$1"`;
    await inVolume(data, directory);
    await host.fault('one', 'r1', 'corrupt');
    // Read anew, by both replicas: what was written is in memory.
    await host.storage.handlers['volumes.close']({ name: 'one' });
    await host.storage.handlers['volumes.open']({ name: 'one' });
    for (let turn = 0; turn < 20 && !/wrong data/.test(host.status('one').trouble ?? ''); turn += 1) {
      await readFromBoth(`${directory}/data`);
      await host.storage.handlers['volumes.open']({ name: 'one' });
    }
    expect(await neededSteps()).toEqual(['Heal wrong data']);
    const { operation } = await host.storage.handlers['volumes.recover']({ name: 'one' });
    if (operation === null) throw new Error('nothing was done');
    expect(await host.ended(operation)).toMatchObject({ state: 'done', error: null });
    expect(await neededSteps()).toEqual([]);
  });

  test('a healthy disk is replaced while a program writes: two complete replicas all the time, the old image is removed', async () => {
    const directory = await host.create('one');
    await inVolume('dd if=/dev/urandom of="$1/data" bs=1M count=60 conv=fsync status=none', directory);
    const writer = await host.write(directory);
    const wanted = { name: 'one', replica: 'r1' };
    const seen = new Set<number>();
    const inFileSystem = async (): Promise<number> => {
      const { filesystem } = host.storage.disks()[0] ?? { filesystem: '' };
      const missing = await Promise.all(
        [1, 2].map((id) => readOrUndefined(`/sys/fs/btrfs/${filesystem}/devinfo/${id}/missing`)),
      );
      return missing.filter((text) => text?.trim() === '0').length;
    };
    const plan = await host.storage.handlers['volumes.planReplaceDisk'](wanted);
    expect(plan).toMatchObject({
      problem: null,
      summary: expect.stringMatching(/r3\.img.*r1\.img, which serves until/),
    });
    await expect(host.storage.handlers['volumes.replaceDisk']({ ...wanted, replica: 'r9' })).rejects.toMatchObject({
      code: 'not-found',
    });
    const stop = new AbortController();
    const watching = (async () => {
      while (!stop.signal.aborted) {
        let complete = await inFileSystem();
        // At the end of a copy the kernel gives the new disk's entry the old one's name: for an instant there is none. A disk that was
        // let go of too early is missing for the whole copy.
        for (let look = 0; complete < 2 && look < RENAMED_WITHIN_LOOKS; look += 1) complete = await inFileSystem();
        seen.add(complete);
      }
    })();
    const operation = await host.storage.handlers['volumes.replaceDisk'](wanted);
    expect(await host.ended(operation)).toMatchObject({ kind: 'volume-replace-disk', state: 'done', error: null });
    stop.abort();
    await watching;
    expect([...seen]).toEqual([2]);
    expect(host.status('one')).toMatchObject({
      redundancy: 'full',
      trouble: null,
      replicas: [{ id: 'r2' }, { id: 'r3' }],
    });
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    // Without the other one everything is there.
    await host.storage.cut('one', 'r2', 'the proof.');
    await host.storage.handlers['volumes.close']({ name: 'one' });
    await host.storage.handlers['volumes.open']({ name: 'one' });
    await writer.verify();
  });

  /** The copying process is in the group that the kernel limits. (How well the kernel does is measured by the drills.) */
  async function isHeldBack(name: string): Promise<void> {
    const group = await CopyGroup.make(name);
    if (group === undefined) return; // This machine cannot limit so.
    expect(readFileSync(group.members, 'utf8')).toMatch(/^\d+$/m);
    const [limits] = ['io.max', 'blkio.throttle.write_bps_device']
      .map((file) => join(dirname(group.members), file))
      .filter((file) => existsSync(file));
    expect(readFileSync(limits ?? '', 'utf8')).toMatch(/^\d+:\d+ .*\d/m);
  }

  test('the disk to be replaced hangs during the copy, which is held back: it is cut, and the copy goes on from the other replica', async () => {
    await host.dispose();
    // Slow enough that it does hang in the midst of the copy, quick enough that the writer does not fill the volume meanwhile.
    host = new StorageHost('24');
    await host.start();
    const directory = await host.create('one');
    await inVolume('dd if=/dev/urandom of="$1/data" bs=1M count=60 conv=fsync status=none', directory);
    const writer = await host.write(directory);
    const { id } = await host.storage.handlers['volumes.replaceDisk']({ name: 'one', replica: 'r1' });
    let operation = await host.operation(id);
    await until(
      async () => {
        operation = await host.operation(id);
        const copies = operation.steps.some((step) => step.name === 'Copy' && step.state === 'running');
        // The copy has moved: its step alone is a twentieth of the whole.
        return copies && (operation.progress ?? 0) > 0.05;
      },
      'the copy being under way',
      60_000,
    );
    expect(operation.state).toBe('running');
    await isHeldBack(`${host.context.configuration.instance}-one`);
    const kept = await processesNamed('python3');
    const mount = directoriesOf(host.context, 'one').mount;
    expect(
      kept.filter((one) => one.arguments.includes(PROGRAMS.keepChecksums) && one.arguments.includes(mount)),
    ).toHaveLength(1);
    await host.fault('one', 'r1', 'hang');
    await standsStill(writer);
    await host.storage.cut('one', 'r1', 'it hung.');
    expect(await host.ended(operation)).toMatchObject({ state: 'done', error: null });
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    expect(host.status('one')).toMatchObject({ redundancy: 'full', trouble: null });
  });

  test('the last complete replica is not replaced before the other one is rebuilt', async () => {
    await host.create('one');
    await host.storage.cut('one', 'r1', 'it hung.');
    const wanted = { name: 'one', replica: 'r2' };
    expect((await host.storage.handlers['volumes.planReplaceDisk'](wanted)).problem).toMatch(/Replace the disk of r1/);
    await expect(host.storage.handlers['volumes.replaceDisk'](wanted)).rejects.toMatchObject({ code: 'conflict' });
  });
});
