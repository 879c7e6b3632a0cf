import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROGRAMS } from '../btrfs/programs.ts';
import type { Operation } from '../../protocol/volumes.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { attachLoop } from '../disks/loops.ts';
import { directoriesOf } from './directories.ts';
import { standsStill, StorageHost } from './testing/host.ts';

const DEADLINE = { deadlineMs: 60_000 };
/** Bits per second: work on 100 MiB lasts longer than any step of a test. */
const SLOW = '20M';
const IMAGE_BYTES = 768 * 1024 ** 2;
/** linux/btrfs.h: BTRFS_IOC_SCRUB_PROGRESS of device 2. What the tool says of a scrub is seconds old. */
const SCRUB_RUNS = `
import fcntl, os, struct, sys
mount = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(mount, 0xC400941D, bytearray(struct.pack("=4Q", 2, 0, 0, 0).ljust(1024, bytes(1))))
`;

describe('a disk fails while somebody else works on the file system', () => {
  let host: StorageHost;
  let home: string;
  let mount: string;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
    home = await host.create('one', [], undefined, IMAGE_BYTES);
    mount = directoriesOf(host.context, 'one').mount;
    await mustRun(
      'dd',
      ['if=/dev/urandom', `of=${home}/data`, 'bs=1M', 'count=100', 'conv=fsync', 'status=none'],
      DEADLINE,
    );
  });
  afterEach(async () => {
    await pace('0');
    await host.dispose();
  });

  const pace = async (rate: string): Promise<void> => {
    for (const { id, state } of host.status('one').replicas)
      if (state === 'healthy') await writeFile(host.paths('one', id).rateFile, rate);
  };
  const underWay = async (): Promise<string> => {
    const filesystem = host.storage.disks()[0]?.filesystem ?? '';
    return (await readFile(`/sys/fs/btrfs/${filesystem}/exclusive_operation`, 'utf8')).trim();
  };
  const becomes = (work: string): Promise<void> =>
    until(async () => (await underWay()) === work, `${work} being under way`, 60_000, 50);
  const images = async (): Promise<string[]> => (await readdir(directoriesOf(host.context, 'one').disks)).sort();
  const btrfs = async (...parameters: string[]): Promise<void> => {
    await mustRun('btrfs', parameters, DEADLINE);
  };
  const scrubs = async (): Promise<void> => {
    const says = async (): Promise<boolean> =>
      (await runCommand('python3', ['-I', '-c', SCRUB_RUNS, mount], DEADLINE)).code === 0;
    await until(says, 'a scrub running', 60_000, 50);
  };
  const startBalance = async (): Promise<void> => {
    await pace(SLOW);
    await btrfs('balance', 'start', '--full-balance', '--background', mount);
    await becomes('balance');
  };
  /** A real disk of somebody's. */
  const stranger = async (): Promise<string> => {
    const image = join(host.home, 'stranger');
    await mustRun('truncate', ['--size', String(2 * IMAGE_BYTES), image], DEADLINE);
    return await attachLoop(image);
  };

  /** r1 is cut and its copy made anew: at the first try, onto the first fresh image, and what was ended is named. */
  async function isRepaired(named: RegExp | undefined): Promise<Operation> {
    await host.storage.cut('one', 'r1', 'it hung.');
    const begun = await host.storage.restoreRedundancy('one');
    if (named !== undefined) {
      const met = async (): Promise<boolean> => {
        const { notes = [], state, steps } = await host.operation(begun.id);
        const details = steps.map(({ detail }) => detail ?? '');
        return state !== 'running' || notes.length > 0 || details.some((detail) => /being cancelled/.test(detail));
      };
      await until(met, 'what is in the way being met', 120_000, 20);
    }
    await pace('0');
    const ended = await host.ended(begun);
    expect(ended).toMatchObject({ state: 'done', error: null });
    expect(ended.notes ?? []).toEqual(named === undefined ? [] : [expect.stringMatching(named)]);
    expect(host.status('one')).toMatchObject({
      redundancy: 'full',
      trouble: null,
      replicas: [{ id: 'r2' }, { id: 'r3' }],
    });
    expect(await images()).toEqual(['r2.img', 'r3.img']);
    return ended;
  }

  test('a balance that is paused is cancelled, and the copy is made at the first try', async () => {
    await startBalance();
    const pausing = mustRun('btrfs', ['balance', 'pause', mount], DEADLINE);
    await pace('0');
    await pausing;
    expect(await underWay()).toBe('balance paused');
    await isRepaired(/balance that was paused .*cancelled/);
  });

  test('a balance that runs is cancelled, and the copy is made at the first try', async () => {
    await startBalance();
    await isRepaired(/balance .*cancelled/);
  });

  test('a disk hangs while a balance runs: it is cut, the balance is cancelled and the copy made', async () => {
    const writer = await host.write(home);
    await startBalance();
    await host.fault('one', 'r1', 'hang');
    await standsStill(writer);
    await isRepaired(/balance .*cancelled/);
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
  });

  test('a balance that a crash interrupted goes on at the next mount, and gives way to a copy all the same', async () => {
    await startBalance();
    await host.killValves('one', 'r1', 'r2');
    await until(() => host.status('one').state === 'trouble', 'the trouble being noticed', 30_000);
    const whole = (): boolean => {
      const { state, redundancy, operation } = host.status('one');
      return state === 'open' && redundancy === 'full' && operation === null;
    };
    await until(whole, 'the volume being whole again', 90_000);
    await pace(SLOW);
    const interrupted = await underWay();
    // A fast machine may have come to its end; then there is nothing in the way.
    await isRepaired(interrupted === 'none' ? undefined : /balance .*cancelled/);
  });

  test('a scrub of the disk that serves is ended for the copy', async () => {
    // The steps before the copy are as slow as the scrub, which must not be over by then.
    const more = ['if=/dev/urandom', `of=${mount}/more`, 'bs=1M', 'count=80', 'conv=fsync', 'status=none'];
    await mustRun('dd', more, DEADLINE);
    await pace(SLOW);
    const scrub = runCommand('btrfs', ['scrub', 'start', '-B', mount], DEADLINE);
    await scrubs();
    await isRepaired(/A scrub .*cancelled/);
    await scrub;
  });

  test('a scrub that begins beside the check of the copy does not end the rebuild', async () => {
    await host.storage.cut('one', 'r1', 'it hung.');
    const begun = await host.storage.restoreRedundancy('one');
    const checking = async (): Promise<boolean> =>
      (await host.operation(begun.id)).steps.some(
        ({ name, state }) => name === 'Mirror what was written meanwhile' || (name === 'Verify' && state === 'running'),
      );
    await until(checking, 'the copy being complete', 60_000, 5);
    const scrub = runCommand('btrfs', ['scrub', 'start', '-B', mount], DEADLINE);
    expect(await host.ended(begun)).toMatchObject({ state: 'done', error: null });
    await scrub;
    expect(host.status('one')).toMatchObject({ redundancy: 'full', replicas: [{ id: 'r2' }, { id: 'r3' }] });
  });

  test("the platform's own scrub gives way to the copy", async () => {
    await pace(SLOW);
    const scrub = await host.storage.scrub('one');
    const reading = async (): Promise<boolean> => ((await host.operation(scrub.id)).progress ?? 0) > 0;
    await until(reading, 'the scrub reading', 60_000, 50);
    await isRepaired(undefined);
    expect(await host.operation(scrub.id)).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/a copy of the volume one is missing, which is made first/),
    });
  });

  test('a resize that is under way is cancelled', async () => {
    // What lies above the new end has to be moved down, into the room of what was there.
    const more = ['if=/dev/urandom', `of=${mount}/more`, 'bs=1M', 'count=60', 'conv=fsync', 'status=none'];
    await mustRun('dd', more, DEADLINE);
    await mustRun('rm', [join(home, 'data')], DEADLINE);
    await btrfs('filesystem', 'sync', mount);
    await pace(SLOW);
    const resize = runCommand('btrfs', ['filesystem', 'resize', '2:300M', mount], DEADLINE);
    await becomes('resize');
    await isRepaired(/A resize .*cancelled/);
    expect((await resize).stderr).toMatch(/canceled/);
  });

  test("somebody else's copy onto a disk of theirs is cancelled, and never taken for the platform's own", async () => {
    const device = await stranger();
    await pace(SLOW);
    await mustRun('python3', ['-I', PROGRAMS.replace, mount, '1', device, 'always'], DEADLINE);
    await becomes('device replace');
    await isRepaired(/btrfs replace.*cancelled/);
  });

  test('a rescan of the quotas runs on beside the copy', async () => {
    await btrfs('quota', 'rescan', mount);
    await isRepaired(undefined);
  });

  test('a volume grows beside a paused balance', async () => {
    await startBalance();
    const pausing = mustRun('btrfs', ['balance', 'pause', mount], DEADLINE);
    await pace('0');
    await pausing;
    const grown = await host.ended(
      await host.storage.handlers['volumes.grow']({ name: 'one', imageBytes: IMAGE_BYTES + 64 * 1024 ** 2 }),
    );
    expect(grown).toMatchObject({ state: 'done', error: null, notes: [expect.stringMatching(/paused .*cancelled/)] });
    expect(host.status('one').sizeBytes).toBe(IMAGE_BYTES + 64 * 1024 ** 2);
  });

  test('a volume is closed beside a balance, which does not count as a program that uses it', async () => {
    await startBalance();
    await host.storage.handlers['volumes.close']({ name: 'one' });
    expect(host.status('one').state).toBe('closed');
  });

  test('a scrub is refused beside a copy that somebody else began, with its name', async () => {
    const device = await stranger();
    await pace(SLOW);
    await mustRun('python3', ['-I', PROGRAMS.replace, mount, '1', device, 'always'], DEADLINE);
    const scrub = await host.ended(await host.storage.scrub('one'));
    expect(scrub).toMatchObject({
      state: 'failed',
      error: expect.stringMatching(/btrfs replace.*under way.*start the scrub again/i),
    });
    await btrfs('replace', 'cancel', mount);
  });
});
