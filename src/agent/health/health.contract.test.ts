import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { inVolume } from '../volumes/testing/member.ts';
import { WatchedHost } from './testing/watched-host.ts';
import { asArgument } from '../member-argument.ts';

/** Two real volumes on image files behind valves, real faults, the real watcher: nobody else does anything. */
describe('a host that repairs itself', () => {
  let host: WatchedHost;
  let one: string;
  let two: string;

  beforeEach(async () => {
    host = new WatchedHost();
    await host.start();
    one = await host.create('one');
    two = await host.create('two');
  });
  afterEach(async () => {
    await host.dispose();
  });

  test('a disk that hangs under load is named, cut and replaced; no write fails on any volume', async () => {
    await host.watch();
    const here = await host.write(one);
    const there = await host.write(two);
    await host.fault('one', 'r1', 'hang');
    const trouble = await host.named('one', 'r1');
    expect(trouble.diagnosis).toMatchObject({
      fault: 'hung',
      culprit: { kind: 'disk', volume: 'one', replica: 'r1', disk: host.paths('one', 'r1').image },
    });
    expect(trouble.diagnosis.ruledOut.join(' ')).toMatch(/The host is fine/);
    await here.writes(20);
    await there.writes(20);
    await host.repaired();
    await here.stop();
    await there.stop();
    await here.verify();
    await there.verify();
    const [ended, ...others] = host.troubles();
    expect(others).toEqual([]);
    expect(ended).toMatchObject({ state: 'resolved', service: 'serving', mustAct: null, operation: null });
    expect(ended?.timeline.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['signal', 'diagnosis', 'action', 'result']),
    );
    // The disk that hung is not believed again: another took its place.
    expect(host.status('one').replicas.map(({ id, state }) => [id, state])).toEqual([
      ['r2', 'healthy'],
      ['r3', 'healthy'],
    ]);
    const told = host.events.filter((event) => event.type === 'trouble').map((event) => event.trouble);
    expect(told[0]).toMatchObject({ id: ended?.id, state: 'open' });
    expect(told.at(-1)).toMatchObject({ id: ended?.id, state: 'resolved' });
  });

  test('a disk that hangs while nobody uses it is found too', async () => {
    await host.watch();
    await host.fault('two', 'r2', 'hang');
    expect((await host.named('two', 'r2')).diagnosis.fault).toBe('hung');
    await host.repaired();
    expect(host.troubles()).toHaveLength(1);
  });

  test('a disk that answers with errors is replaced', async () => {
    await host.watch();
    const here = await host.write(one);
    await host.fault('one', 'r2', 'error');
    expect((await host.named('one', 'r2')).diagnosis.fault).toBe('failing');
    await host.repaired();
    await here.stop();
    await here.verify();
    expect(host.troubles()).toHaveLength(1);
  });

  test('a disk that stops and answers again, over and over, is taken out once and not believed again', async () => {
    await host.watch();
    const here = await host.write(one);
    await host.fault('one', 'r2', 'flap');
    const trouble = await host.named('one', 'r2');
    expect(trouble.diagnosis.evidence.join(' ')).toMatch(/stops and answers again|none has completed/);
    await host.repaired();
    await here.stop();
    await here.verify();
    expect(host.status('one').replicas.map(({ id }) => id)).toEqual(['r1', 'r3']);
    expect(host.troubles()).toHaveLength(1);
  });

  test('a disk whose driver dies is told as gone or as failing, by what is seen first, and is replaced', async () => {
    await host.watch();
    const here = await host.write(one);
    await host.killValves('one', 'r2');
    // Under load the file system counts errors before anybody asks for the driver.
    expect(['lost', 'failing']).toContain((await host.named('one', 'r2')).diagnosis.fault);
    await host.repaired();
    await here.stop();
    await here.verify();
    expect(host.troubles()).toHaveLength(1);
  });

  test('a disk so slow that large writes stand still in it is taken out like one that hangs', async () => {
    await host.watch();
    await host.fault('one', 'r2', 'slow');
    // A few large requests share half a MiB a second: none completes for longer than members may wait.
    await inVolume('dd if=/dev/urandom of="$1/large" bs=1M count=16 conv=fsync status=none', one);
    expect(['hung', 'slow']).toContain((await host.named('one', 'r2')).diagnosis.fault);
    await host.repaired();
    expect(host.status('one').replicas.map(({ id }) => id)).toEqual(['r1', 'r3']);
    expect(host.troubles()).toHaveLength(1);
  });

  test('a stall of a moment is no trouble', async () => {
    await host.watch();
    const here = await host.write(one);
    for (let time = 0; time < 2; time += 1) {
      await host.fault('one', 'r1', 'hang');
      await pause(300);
      await host.fault('one', 'r1', 'clear');
      await here.writes(200);
    }
    await here.stop();
    await until(
      async () => (await host.now()).disks.every((disk) => disk.stalledMs === 0),
      'every disk at rest',
      10_000,
    );
    expect(host.troubles()).toEqual([]);
  });

  test('both disks of a volume hang: it is held, the other volume goes on, and it comes back with the first disk', async () => {
    await host.watch();
    const here = await host.write(one);
    const there = await host.write(two);
    await Promise.all([host.fault('one', 'r1', 'hang'), host.fault('one', 'r2', 'hang')]);
    await until(() => host.open().some((trouble) => trouble.service === 'stopped'), 'the volume being held', 30_000);
    const said = host.open().flatMap((trouble) => trouble.mustAct ?? []);
    expect([...new Set(said)]).toEqual([
      expect.stringMatching(/No disk of the volume one can serve now \(.*r1.*r2.*\)/),
    ]);
    expect(() => host.storage.homeOf('of-one')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    await there.writes(50);
    await host.fault('one', 'r2', 'clear');
    await here.writes(20);
    await host.repaired();
    expect(asArgument(host.storage.homeOf('of-one').home)).toBe(one);
    await here.stop();
    await there.stop();
    await here.verify();
    await there.verify();
    expect(host.status('one').replicas.map(({ id }) => id)).toEqual(['r2', 'r3']);
    expect(host.status('two').replicas.map(({ id }) => id)).toEqual(['r1', 'r2']);
  });

  test('with the reaction off it is named and nothing is done; switched on, it is repaired', async () => {
    await host.watch();
    await host.health?.handlers['health.setReaction']({ enabled: false });
    await host.fault('one', 'r1', 'hang');
    await host.named('one', 'r1');
    await until(() => host.open()[0]?.mustAct?.includes('switched off') === true, 'a person being asked', 10_000);
    expect(host.status('one').replicas.map(({ state }) => state)).toEqual(['healthy', 'healthy']);
    await host.health?.handlers['health.setReaction']({ enabled: true });
    await host.repaired();
    expect(host.status('one').replicas.map(({ id }) => id)).toEqual(['r2', 'r3']);
  });

  test.each(['SIGKILL', 'SIGSTOP'] as const)('a watcher that gets %s is replaced by one that sees', async (signal) => {
    await host.watch();
    const before = host.health?.watcherPid() ?? 0;
    process.kill(before, signal);
    await until(() => ![undefined, before].includes(host.health?.watcherPid()), 'another watcher', 20_000);
    await host.fault('one', 'r1', 'hang');
    expect((await host.named('one', 'r1')).diagnosis.fault).toBe('hung');
    await host.repaired();
  });

  test('a volume that runs full is named before writes fail for long, and is well again when there is room', async () => {
    await host.watch();
    // Half full is no trouble.
    await inVolume('dd if=/dev/urandom of="$1/../../../half" bs=1M count=180 conv=fsync status=none', one);
    const said = await inVolume(
      'dd if=/dev/urandom of="$1/../../../rest" bs=1M count=400 conv=fsync status=none 2>&1 || true',
      one,
    );
    expect(said).toMatch(/No space left on device/);
    await until(() => host.open().length > 0, 'the full volume being named', 30_000);
    expect(host.open()).toMatchObject([
      { key: 'volume:one:-', service: 'serving', diagnosis: { fault: 'full', culprit: { kind: 'volume' } } },
    ]);
    await until(
      () => host.open()[0]?.mustAct?.includes('holdfast volume grow one') === true,
      'a person being told',
      10_000,
    );
    await inVolume('rm "$1/../../../rest"; sync -f "$1"', one);
    await host.repaired();
    expect(host.troubles()).toMatchObject([{ state: 'resolved', mustAct: null }]);
    const here = await host.write(one);
    await here.stop();
  });

  test('wrong data is found, healed from the other disk and reported', async () => {
    await host.watch();
    await inVolume(
      'dd if=/dev/urandom of="$1/data" bs=1M count=16 conv=fsync status=none; sha256sum "$1/data" > "$1/sum"; sync -f "$1"',
      one,
    );
    await host.fault('one', 'r1', 'corrupt');
    await host.storage.scrub('one');
    expect((await host.named('one', 'r1')).diagnosis.fault).toBe('corrupt');
    await host.repaired();
    expect(await inVolume('sha256sum --quiet -c "$1/sum"', one)).toBe('');
    expect(host.status('one').replicas.map(({ id, state }) => [id, state])).toEqual([
      ['r1', 'healthy'],
      ['r2', 'healthy'],
    ]);
  });
});
