import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_PLANS, type PlanLimits } from '../../model/plans.ts';
import type { AgentEventBody } from '../../protocol/agent.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { mustRun } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import type { AgentContext, StoragePart } from '../context.ts';
import { attachLoop } from '../disks/loops.ts';
import { findValve, valvePaths, type ValvePaths } from '../disks/valve.ts';
import { directoriesOf } from './directories.ts';
import { createStorage } from './storage.ts';
import { removeHome } from './testing/cleanup.ts';
import { contextOf, makeHome } from './testing/context.ts';
import { inVolume, Writer } from './testing/member.ts';
import { asArgument } from '../member-argument.ts';

const MiB = 1024 ** 2;
const SIZE = 384 * MiB;

describe('the storage of an agent', () => {
  let home: string;
  let context: AgentContext;
  let storage: StoragePart;
  let events: AgentEventBody[];
  let usable: Array<[string, boolean]>;
  let writers: Writer[];
  let stopped: number[];

  beforeEach(async () => {
    home = makeHome();
    events = [];
    writers = [];
    stopped = [];
    await restart();
  });
  afterEach(async () => {
    for (const writer of writers) writer.kill();
    // A process that a test stopped must be let go, or its disk hangs while everything is taken away.
    for (const pid of stopped) if (await isThere(pid)) process.kill(pid, 'SIGCONT');
    await storage.stop();
    await removeHome(home);
  });

  const isThere = async (pid: number): Promise<boolean> => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  async function restart(): Promise<void> {
    usable = [];
    context = contextOf(home, (event) => events.push(event));
    storage = createStorage(context);
    storage.onVolumeChange((name, is) => usable.push([name, is]));
    await storage.start();
  }

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

  async function create(name: string, disks: string[] = []): Promise<void> {
    const operation = await ended(await storage.handlers['volumes.create']({ name, disks, imageBytes: SIZE }));
    expect(operation).toMatchObject({ state: 'done', error: null, progress: 1 });
  }

  async function volume(name: string): Promise<VolumeStatus> {
    const found = (await storage.handlers['volumes.list']({})).find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no volume ${name}`);
    return found;
  }

  const limits = (diskBytes: number): PlanLimits => ({ ...(DEFAULT_PLANS['starter'] as PlanLimits), diskBytes });

  async function account(name: string, on: string): Promise<string> {
    await storage.handlers['accounts.ensure']({
      name,
      uid: context.ids.firstAccount,
      volume: on,
      limits: limits(100 * MiB),
    });
    return asArgument(storage.homeOf(name).home);
  }

  function writeInto(directory: string): Writer {
    const writer = new Writer(directory);
    writers.push(writer);
    return writer;
  }

  async function valveOf(name: string, replica: string): Promise<ValvePaths> {
    const disk = (await volume(name)).replicas.find((candidate) => candidate.id === replica)?.disk ?? '';
    return valvePaths(directoriesOf(context, name).valves, context.configuration.runDirectory, name, replica, disk);
  }

  async function killValve(name: string, replica: string): Promise<void> {
    const valve = await findValve(await valveOf(name, replica));
    expect(valve).toBeDefined();
    if (valve !== undefined) process.kill(valve.front.pid, 'SIGKILL');
  }

  test('creating is an operation that tells of its steps, and the volume is usable when it is done', async () => {
    await create('one');
    expect(usable).toEqual([['one', true]]);
    expect(await volume('one')).toMatchObject({ state: 'open', redundancy: 'full', operation: null });
    const told = events.filter((event) => event.type === 'operation').map((event) => event.operation);
    expect(told[0]).toMatchObject({ kind: 'volume-create', subject: 'one', state: 'running' });
    expect(told.at(-1)?.steps.map((step) => step.state)).toEqual(['done', 'done', 'done', 'done']);
    await expect(storage.handlers['volumes.create']({ name: 'one', disks: [] })).rejects.toMatchObject({
      code: 'name-taken',
    });
    await expect(storage.handlers['volumes.open']({ name: 'none' })).rejects.toMatchObject({ code: 'not-found' });
    expect(() => storage.homeOf('nobody')).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  test('whoever asks before the records are read waits for them, and is not told that there are none', async () => {
    await create('one');
    await storage.stop();
    context = contextOf(home, (event) => events.push(event));
    storage = createStorage(context);
    const asked = Promise.all([storage.handlers['volumes.list']({}), storage.handlers['operations.list']({})]);
    await storage.start();
    const [volumes, operations] = await asked;
    expect(volumes.map(({ name }) => name)).toEqual(['one']);
    expect(operations.map(({ kind }) => kind)).toEqual(['volume-create']);
  });

  test('many accounts are made at once, each with its own usage, and known again after a restart', async () => {
    await create('one');
    const names = Array.from({ length: 12 }, (_, index) => `member${index}`);
    await Promise.all(names.map((name) => account(name, 'one')));
    await inVolume(
      'dd if=/dev/urandom of="$1/file" bs=1M count=8 conv=fsync status=none',
      asArgument(storage.homeOf('member3').home),
    );
    await inVolume('sync -f "$1"', asArgument(storage.homeOf('member3').home));
    expect((await storage.handlers['accounts.usage']({ name: 'member3' })).usedBytes).toBeGreaterThan(8 * MiB);
    expect((await storage.handlers['accounts.usage']({ name: 'member4' })).usedBytes).toBeLessThan(MiB);
    await storage.stop();
    expect(() => storage.homeOf('member3')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    await restart();
    expect(storage.homeOf('member11').volume).toBe('one');
    expect(await storage.handlers['accounts.usage']({ name: 'member5' })).toMatchObject({ limitBytes: 100 * MiB });
    await expect(
      storage.handlers['accounts.ensure']({ name: 'member5', uid: 100000, volume: 'other', limits: limits(MiB) }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(storage.handlers['accounts.usage']({ name: 'nobody' })).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a failing disk is noticed by itself, cut, and told of', async () => {
    await create('one');
    const writer = writeInto(await account('alice', 'one'));
    await writer.writes(20);
    const paths = await valveOf('one', 'r2');
    await writeFile(paths.errorFile, '');
    await until(async () => (await volume('one')).redundancy === 'reduced', 'the failed disk being noticed', 30_000);
    expect(await volume('one')).toMatchObject({ state: 'open', replicas: [{ state: 'healthy' }, { state: 'failed' }] });
    expect((await volume('one')).trouble).toMatch(/Replica r2 .* answered with errors/);
    const toldLast = (): string | undefined =>
      events.filter((event) => event.type === 'volume').at(-1)?.volume.redundancy;
    await until(() => toldLast() === 'reduced', 'the failed disk being told of', 10_000);
    // It may be stale from now on: it does not come back even when the disk answers again.
    await until(async () => (await findValve(paths)) === undefined, 'the failed disk being cut', 10_000);
    await writer.writes(20);
    expect((await ended(await storage.handlers['volumes.addReplica']({ name: 'one' }))).state).toBe('done');
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    expect(await volume('one')).toMatchObject({ redundancy: 'full', trouble: null });
    expect(usable).toEqual([['one', true]]);
  });

  test('a volume that hangs answers at once with storage-repair, and another one works as before', async () => {
    await create('one');
    await create('two');
    await account('alice', 'one');
    await account('bob', 'two');
    for (const replica of ['r1', 'r2']) {
      const valve = await findValve(await valveOf('one', replica));
      if (valve === undefined) throw new Error('no valve');
      process.kill(valve.server.pid, 'SIGSTOP');
      stopped.push(valve.server.pid);
    }
    const writer = writeInto(asArgument(storage.homeOf('alice').home));
    // What is used is asked of no disk.
    expect(await storage.handlers['accounts.usage']({ name: 'alice' })).toEqual({
      usedBytes: expect.any(Number),
      limitBytes: expect.any(Number),
    });
    const asked = storage.handlers['accounts.ensure']({
      name: 'carol',
      uid: context.ids.firstAccount + 1,
      volume: 'one',
      limits: limits(MiB),
    });
    asked.catch(() => undefined);
    // Meanwhile, on the other volume: accounts, a rebuild, and the list. A new volume has to wait for the kernel, so it is refused.
    await account('dave', 'two');
    await storage.handlers['volumes.setAside']({ name: 'two', replica: 'r1' });
    expect((await ended(await storage.handlers['volumes.addReplica']({ name: 'two' }))).state).toBe('done');
    await expect(create('three')).rejects.toMatchObject({ code: 'storage-repair' });
    expect((await storage.handlers['volumes.list']({})).map((status) => status.name)).toEqual(['one', 'two']);
    await expect(asked).rejects.toMatchObject({ code: 'storage-repair' });
    expect(await volume('one')).toMatchObject({ state: 'trouble' });
    expect(() => storage.homeOf('alice')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    await expect(
      storage.handlers['accounts.ensure']({
        name: 'erin',
        uid: context.ids.firstAccount + 2,
        volume: 'one',
        limits: limits(MiB),
      }),
    ).rejects.toMatchObject({ code: 'storage-repair' });
    expect(storage.homeOf('bob').volume).toBe('two');
    // It answers again: everything goes on, nothing was lost.
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
    await until(
      () => usable.filter(([name]) => name === 'one').at(-1)?.[1] === true,
      'the volume being usable again',
      60_000,
    );
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    await account('carol', 'one');
    await create('three');
  });

  test('a hung replica is set aside: the program that waited for it goes on without an error', async () => {
    await create('one');
    const writer = writeInto(await account('alice', 'one'));
    await writer.writes(20);
    const valve = await findValve(await valveOf('one', 'r1'));
    if (valve === undefined) throw new Error('no valve');
    process.kill(valve.server.pid, 'SIGSTOP');
    stopped.push(valve.server.pid);
    // An fsync waits for both replicas: soon the writer stands still.
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
    await storage.handlers['volumes.setAside']({ name: 'one', replica: 'r1' });
    await writer.writes(50);
    expect((await ended(await storage.handlers['volumes.addReplica']({ name: 'one' }))).state).toBe('done');
    await writer.stop();
    await writer.verify();
    expect(await volume('one')).toMatchObject({ state: 'open', redundancy: 'full', trouble: null });
  });

  test('a damaged record keeps its own volume closed and no other, and nothing is made over it', async () => {
    await create('one');
    await create('two');
    await storage.stop();
    await writeFile(join(directoriesOf(context, 'one').records, 'one.json'), '{');
    await restart();
    expect((await storage.handlers['volumes.list']({})).map((status) => status.name)).toEqual(['two']);
    await expect(storage.handlers['volumes.create']({ name: 'one', disks: [] })).rejects.toMatchObject({
      code: 'name-taken',
    });
    await rm(join(directoriesOf(context, 'one').records, 'one.json'));
    await expect(storage.handlers['volumes.create']({ name: 'one', disks: [] })).rejects.toMatchObject({
      code: 'disk-not-empty',
    });
  });

  test('after everything was killed the next start comes back clean, and a replica that fell behind is made anew', async () => {
    // An agent in a process of its own, which is gone when the disks die: nobody is there to notice.
    const program = join(import.meta.dirname, 'testing', 'storage-process.ts');
    for (const action of ['create', 'ensure'])
      await mustRun(process.execPath, [program, home, action], { deadlineMs: 60_000 });
    const writer = writeInto(join(directoriesOf(context, 'one').mount, 'accounts/alice/home'));
    await writer.writes(50);
    const kill = async (replica: string): Promise<void> => {
      const { valves, disks } = directoriesOf(context, 'one');
      const image = join(disks, `${replica}.img`);
      const valve = await findValve(valvePaths(valves, context.configuration.runDirectory, 'one', replica, image));
      if (valve === undefined) throw new Error(`no valve of ${replica}`);
      process.kill(valve.front.pid, 'SIGKILL');
    };
    // r1 dies first: from here on only r2 has what is acknowledged.
    await kill('r1');
    await writer.writes(50);
    await kill('r2');
    writer.kill();
    await restart();
    await until(
      async () => {
        const { state, redundancy } = await volume('one');
        return state === 'open' && redundancy === 'full';
      },
      'redundancy being full again',
      60_000,
    );
    await writer.verify();
    expect((await volume('one')).replicas.map((replica) => replica.id)).toEqual(['r2', 'r3']);
    await until(async () => (await volume('one')).operation === null, 'the rebuild ending', 30_000);
    const scrub = await ended(await storage.handlers['volumes.scrub']({ name: 'one' }));
    expect(scrub.steps.map((step) => step.detail)).toEqual(Array(2).fill('0 repaired, 0 damaged beyond repair'));
  });

  test('when both disks die the volume says so, and is opened again by itself', async () => {
    await create('one');
    await account('alice', 'one');
    await killValve('one', 'r1');
    await killValve('one', 'r2');
    await until(() => usable.some(([, is]) => !is), 'the volume being reported unusable', 30_000);
    await until(async () => (await volume('one')).state === 'open', 'the volume being opened again', 60_000);
    expect(await inVolume('cat "$1/README.txt"', asArgument(storage.homeOf('alice').home))).toMatch(/Welcome/);
  });

  test('real disks are used directly, must be empty, and a volume opens without one of them', async () => {
    const disks: string[] = [];
    await mkdir(join(home, 'real'));
    for (const name of ['a', 'b', 'c']) {
      const image = join(home, 'real', name);
      await mustRun('truncate', ['--size', String(SIZE), image], { deadlineMs: 5_000 });
      disks.push(await attachLoop(image));
    }
    const [a = '', b = '', c = ''] = disks;
    const make = (name: string, given: string[]): Promise<unknown> =>
      storage.handlers['volumes.create']({ name, disks: given });
    await mustRun('mkfs.ext4', ['-q', '-L', 'holiday', a], { deadlineMs: 20_000 });
    await expect(make('one', [a, b])).rejects.toMatchObject({
      code: 'disk-not-empty',
      message: expect.stringMatching(/ext4 holiday/),
    });
    await mustRun('wipefs', ['--all', '--quiet', a], { deadlineMs: 5_000 });
    await expect(make('one', [a, b])).rejects.toMatchObject({
      code: 'disk-not-empty',
      message: expect.stringMatching(/unknown kind/),
    });
    await mustRun('blkdiscard', ['--zeroout', '--force', a], { deadlineMs: 20_000 });
    await expect(make('one', [a])).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(make('one', [a, a])).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(make('one', [a, '/dev/nothing'])).rejects.toMatchObject({ code: 'disk-unusable' });
    await expect(make('one', [a, 'relative'])).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(make('one', [a, home])).rejects.toMatchObject({ code: 'disk-unusable' });
    await create('one', [a, b]);
    expect(await volume('one')).toMatchObject({
      redundancy: 'full',
      sizeBytes: SIZE,
      replicas: [
        { disk: a, valve: false },
        { disk: b, valve: false },
      ],
    });
    await expect(make('two', [c, b])).rejects.toMatchObject({
      code: 'disk-not-empty',
      message: expect.stringMatching(/volume one/),
    });

    const directory = await account('alice', 'one');
    await inVolume('echo kept > "$1/file"', directory);
    await storage.handlers['volumes.close']({ name: 'one' });
    await mustRun('losetup', ['--detach', a], { deadlineMs: 5_000 });
    const opened = await storage.handlers['volumes.open']({ name: 'one' });
    expect(opened).toMatchObject({
      state: 'open',
      redundancy: 'reduced',
      replicas: [{ state: 'missing' }, { state: 'healthy' }],
    });
    expect(opened.trouble).toMatch(/its disk is not there/);
    expect(await inVolume('cat "$1/file"', directory)).toBe('kept');
    await expect(storage.handlers['volumes.setAside']({ name: 'one', replica: 'r2' })).rejects.toMatchObject({
      code: 'last-replica',
    });
    await expect(storage.handlers['volumes.addReplica']({ name: 'one' })).rejects.toMatchObject({
      code: 'input-invalid',
    });
    expect((await ended(await storage.handlers['volumes.addReplica']({ name: 'one', disk: c }))).state).toBe('done');
    expect(await volume('one')).toMatchObject({ redundancy: 'full', replicas: [{ id: 'r2' }, { id: 'r3', disk: c }] });
  });

  test('an image file of the operator must be empty and large enough; what cannot be made leaves nothing behind', async () => {
    const image = join(home, 'mine.img');
    await writeFile(image, 'not empty'.repeat(100));
    const make = (disks: string[], imageBytes = SIZE): Promise<unknown> =>
      storage.handlers['volumes.create']({ name: 'one', disks, imageBytes });
    await expect(make([image, join(home, 'other.img')])).rejects.toMatchObject({ code: 'disk-unusable' });
    await mustRun('truncate', ['--size', String(SIZE), image], { deadlineMs: 5_000 });
    await expect(make([image, join(home, 'other.img')])).rejects.toMatchObject({ code: 'disk-not-empty' });
    await expect(make([], MiB)).rejects.toMatchObject({ code: 'disk-unusable' });
    await mustRun('truncate', ['--size', '0', image], { deadlineMs: 5_000 });
    await expect(make([image, join(home, 'nowhere', 'other.img')])).rejects.toMatchObject({ code: 'disk-unusable' });
    expect(await storage.handlers['volumes.list']({})).toEqual([]);
    await create('one', [image, join(home, 'other.img')]);
    expect((await volume('one')).replicas.map((replica) => replica.disk)).toEqual([image, join(home, 'other.img')]);
  });
});
