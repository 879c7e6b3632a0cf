import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_PLANS, type PlanLimits } from '../../model/plans.ts';
import type { FaultName } from '../../protocol/drills.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { until } from '../../runtime/deadline.ts';
import type { AgentContext, StoragePart } from '../context.ts';
import { loopsOf } from './local/loops.ts';
import { readOrUndefined } from './local/proc.ts';
import { directoriesOf } from './local/state.ts';
import { diskOf, valvePaths } from './local/valve.ts';
import { createStorage } from './storage.ts';
import { removeHome } from './testing/cleanup.ts';
import { contextOf, makeHome } from './testing/context.ts';
import { inVolume, Writer } from './testing/member.ts';

const MiB = 1024 ** 2;
const SIZE = 384 * MiB;

describe('faults on disks, and the cut', () => {
  let home: string;
  let context: AgentContext;
  let storage: StoragePart;
  let writers: Writer[];

  beforeEach(async () => {
    home = makeHome();
    writers = [];
    context = contextOf(home);
    storage = createStorage(context);
    await storage.start();
  });
  afterEach(async () => {
    for (const writer of writers) writer.kill();
    await storage.stop();
    await removeHome(home);
  });

  async function ended(operation: Operation): Promise<Operation> {
    let found: Operation | undefined;
    await until(
      async () => {
        found = (await storage.handlers['operations.list']({})).find((candidate) => candidate.id === operation.id);
        return found !== undefined && found.state !== 'running';
      },
      `the operation ${operation.kind} ending`,
      60_000,
    );
    return found ?? operation;
  }

  async function create(name: string): Promise<string> {
    const operation = await ended(await storage.handlers['volumes.create']({ name, disks: [], imageBytes: SIZE }));
    expect(operation).toMatchObject({ state: 'done', error: null });
    const limits: PlanLimits = { ...(DEFAULT_PLANS['starter'] as PlanLimits), diskBytes: 200 * MiB };
    const account = `of-${name}`;
    await storage.handlers['accounts.ensure']({ name: account, uid: context.ids.firstAccount, volume: name, limits });
    return storage.homeOf(account).home;
  }

  function statusOf(name: string): VolumeStatus {
    const found = storage.statuses().find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no volume ${name}`);
    return found;
  }

  async function writeInto(directory: string): Promise<Writer> {
    const writer = new Writer(directory);
    writers.push(writer);
    await writer.writes(20);
    return writer;
  }

  const fault = (replica: string, name: FaultName): Promise<unknown> =>
    storage.handlers['volumes.fault']({ name: 'one', replica, fault: name });

  /** Until nothing was acknowledged for a while: the writer waits for the disk. */
  async function standsStill(writer: Writer): Promise<void> {
    let last = -1;
    await until(
      () => {
        const still = writer.acknowledged === last;
        last = writer.acknowledged;
        return still;
      },
      'the writer waiting for the hung disk',
      30_000,
      700,
    );
  }

  async function backingOf(replica: string): Promise<string> {
    const disk = statusOf('one').replicas.find((candidate) => candidate.id === replica)?.disk ?? '';
    const { valves } = directoriesOf(context, 'one');
    return diskOf(valvePaths(valves, context.configuration.runDirectory, 'one', replica, disk));
  }

  test('a hung replica is cut under a writer, which goes on without an error; redundancy is restored', async () => {
    const directory = await create('one');
    const writer = await writeInto(directory);
    const [first, second] = storage.disks();
    expect(first).toMatchObject({ volume: 'one', replica: 'r1', kind: 'image', state: 'healthy', deviceId: 1 });
    expect(second).toMatchObject({ replica: 'r2', deviceId: 2 });
    const backing = await backingOf('r1');
    expect(await loopsOf(backing)).toEqual([`/dev/${first?.device}`]);
    let changes = 0;
    storage.onDisksChange(() => (changes += 1));

    expect(await fault('r1', 'hang')).toEqual({ active: 'hang' });
    await standsStill(writer);
    await storage.cut('one', 'r1', 'it hung.');
    // Resolved: the kernel holds nothing of it back any more.
    expect((await readOrUndefined(`/sys/block/${first?.device}/inflight`))?.trim()).toMatch(/^0\s+0$/);
    await writer.writes(1);

    expect(statusOf('one')).toMatchObject({
      state: 'open',
      redundancy: 'reduced',
      replicas: [{ state: 'failed' }, {}],
    });
    expect(statusOf('one').trouble).toMatch(/it hung/);
    expect(storage.disks().map((disk) => disk.replica)).toEqual(['r2']);
    expect(changes).toBeGreaterThan(0);
    // The kernel still names the loop device by its file: the rebuild and the next start find it by that.
    expect(await loopsOf(backing)).toEqual([`/dev/${first?.device}`]);
    await storage.cut('one', 'r1', 'once more.');
    await expect(storage.cut('one', 'r2', 'the other one.')).rejects.toMatchObject({ code: 'last-replica' });
    await expect(storage.cut('one', 'r9', 'none.')).rejects.toMatchObject({ code: 'not-found' });

    const operation = await storage.restoreRedundancy('one');
    expect((await storage.restoreRedundancy('one')).id).toBe(operation.id);
    expect(await ended(operation)).toMatchObject({ state: 'done', error: null });
    await expect(storage.restoreRedundancy('one')).rejects.toMatchObject({ code: 'conflict' });
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    expect(statusOf('one')).toMatchObject({ redundancy: 'full', trouble: null });
    expect(await loopsOf(backing)).toEqual([]);
    expect(storage.disks().map((disk) => [disk.replica, disk.state])).toEqual([
      ['r2', 'healthy'],
      ['r3', 'healthy'],
    ]);
  });

  test('the cut does not wait for work that hangs on the volume', async () => {
    const directory = await create('one');
    const writer = await writeInto(directory);
    await fault('r2', 'hang');
    await standsStill(writer);
    // A commit waits for the hung disk, and whoever closes the volume waits for the commit.
    const closing = storage.handlers['volumes.close']({ name: 'one' }).catch((error: unknown) => error);
    await storage.cut('one', 'r2', 'it hung.');
    await writer.writes(5);
    expect(await closing).toMatchObject({ code: 'volume-in-use' });
    await writer.stop();
    await writer.verify();
  });

  test.each(['hang', 'slow', 'flap', 'error'] as const)(
    'a disk is given the fault "%s", and it is cleared',
    async (name) => {
      const writer = await writeInto(await create('one'));
      expect(await fault('r2', name)).toEqual({ active: name });
      if (name === 'hang') await standsStill(writer);
      if (name === 'error') {
        await until(() => statusOf('one').redundancy === 'reduced', 'the errors being noticed', 30_000);
      }
      if (name === 'flap') {
        const device = storage.disks().find((disk) => disk.replica === 'r2')?.device;
        const waiting = async (): Promise<boolean> =>
          /[1-9]/.test((await readOrUndefined(`/sys/block/${device}/inflight`)) ?? '');
        for (let turn = 0; turn < 3; turn += 1) {
          await standsStillShortly(waiting);
          await writer.writes(1);
        }
      }
      if (name === 'slow') await writer.writes(2);
      expect(await fault('r2', 'clear')).toEqual({ active: null });
      await writer.writes(20);
      await writer.stop();
      await writer.verify();
      expect(statusOf('one').redundancy).toBe(name === 'error' ? 'reduced' : 'full');
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
    const directory = await create('one');
    await inVolume(
      'dd if=/dev/urandom of="$1/data" bs=1M count=16 conv=fsync status=none; sha256sum "$1/data" > "$1/sum"; sync -f "$1"',
      directory,
    );
    expect(await fault('r1', 'corrupt')).toEqual({ active: 'corrupt' });
    const scrub = await ended(await storage.scrub('one'));
    expect(scrub).toMatchObject({ state: 'done', error: null });
    expect(scrub.steps.map((step) => step.detail)).toEqual([
      expect.stringMatching(/^64 .*repaired/),
      expect.stringMatching(/^0 .*repaired/),
    ]);
    await until(() => statusOf('one').trouble === null, 'nothing being wrong any more', 20_000);
    expect(await inVolume('sha256sum --quiet -c "$1/sum"', directory)).toBe('');
    // The proof: read it anew, from the healed replica alone.
    await storage.cut('one', 'r2', 'so that nothing is healed from it any more.');
    await expect(fault('r1', 'corrupt')).rejects.toMatchObject({ code: 'last-replica' });
    await storage.handlers['volumes.close']({ name: 'one' });
    await storage.handlers['volumes.open']({ name: 'one' });
    expect(await inVolume('sha256sum --quiet -c "$1/sum"', directory)).toBe('');
  });

  test('a volume that is held refuses at once with its sentence, and serves again when it is let go', async () => {
    const directory = await create('one');
    const usable: boolean[] = [];
    storage.onVolumeChange((_name, is) => usable.push(is));
    storage.hold('one', 'Both disks of this storage are being repaired.');
    expect(() => storage.homeOf('of-one')).toThrow(
      expect.objectContaining({ code: 'storage-repair', message: 'Both disks of this storage are being repaired.' }),
    );
    expect(statusOf('one')).toMatchObject({
      state: 'trouble',
      trouble: 'Both disks of this storage are being repaired.',
    });
    storage.hold('one', null);
    await until(() => statusOf('one').state === 'open', 'the volume being usable again', 20_000);
    expect(usable).toEqual([false, true]);
    expect(storage.homeOf('of-one').home).toBe(directory);
  });
});
