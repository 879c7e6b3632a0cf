import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OtherProgram } from '../src/runtime/testing/other-program.ts';
import { runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';
import { Platform } from './platform.ts';

/** Mounts, loop devices and valves of a platform on this machine, also in the namespace of another program. */
async function leftOf(platform: Platform, other: OtherProgram): Promise<string[]> {
  const loops = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    deadlineMs: 20_000,
  });
  return [
    ...readFileSync('/proc/self/mountinfo', 'utf8').split('\n'),
    ...other.mountsBelow(platform.home).map((path) => `in the other namespace: ${path}`),
    ...loops.stdout.split('\n'),
    ...platform.processes().map((pid) => `process ${pid}: ${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}`),
  ].filter((line) => line.startsWith('in ') || line.startsWith('process ') || line.includes(`${platform.home}/`));
}

describe('two platforms, one of them below /tmp, and another program with a copy of their mounts', () => {
  let first: Platform;
  let second: Platform;
  const others: OtherProgram[] = [];

  beforeAll(async () => {
    first = await Platform.make('/tmp/tmp.');
    second = await Platform.make();
    await Promise.all([first.start(), second.start()]);
  });

  afterAll(async () => {
    for (const other of others) await other.end();
    await Promise.all([first?.remove(), second?.remove()]);
  });

  it('are started and stopped in every order: nothing is left, and each says so', async () => {
    const other = await OtherProgram.start('private');
    others.push(other);
    const untouched = async (platform: Platform): Promise<void> => {
      expect(platform.output).toMatch(/^ready https:/m);
      expect((await platform.holdfast('status')).code).toBe(0);
    };
    for (const order of [
      [first, second],
      [second, first],
    ] as const) {
      const [one, two] = order;
      expect(await one.stop()).toBe(0);
      expect(one.read()).toMatch(/^Stopped\.$/m);
      expect(await leftOf(one, other)).toEqual([]);
      await untouched(two);
      // Started again while the other one runs and somebody has copies of its mounts; then the other one.
      await one.start();
      await untouched(one);
      expect(await two.stop()).toBe(0);
      expect(await leftOf(two, other)).toEqual([]);
      await untouched(one);
      others.push(await OtherProgram.start('slave'));
      await two.start();
      await untouched(two);
    }
    expect(others.every(({ alive }) => alive)).toBe(true);
  }, 900_000);

  it('says what is left and who holds it when a program uses a volume, and the next start takes it over as it is', async () => {
    const other = await OtherProgram.start('private', join(first.layout.volumes, 'home1', 'mnt'));
    others.push(other);
    const refused = await first.holdfast('volume', 'close', 'home1');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(new RegExp(`still used by .*sleep.*pid ${other.pid}`));
    expect((await first.holdfast('status')).code).toBe(0);
    expect(await first.stop()).not.toBe(0);
    expect(first.read()).toMatch(new RegExp(`home1/mnt, held by .*sleep 1000000.*pid ${other.pid}`));
    expect(first.read()).not.toMatch(/^Stopped\.$/m);
    await first.start();
    expect(first.output).toMatch(/^ready https:/m);
    expect(other.alive).toBe(true);
    await other.end();
    expect(await first.stop()).toBe(0);
    expect(await leftOf(first, others[0] as OtherProgram)).toEqual([]);
  });

  it('a volume that cannot be opened is an incident that names who holds it, and the start says so', async () => {
    await first.start();
    const other = await OtherProgram.start('private', join(first.layout.volumes, 'home1', 'mnt'));
    others.push(other);
    await first.powerCut();
    await first.start();
    expect(first.output).toMatch(/^ready except for home1: https:/m);
    expect(first.output).toMatch(new RegExp(`home1 could not be opened: .*sleep.*pid ${other.pid}`));
    const incidents = async (): Promise<{ title: string; mustAct: string | null; state: string; severity: string }[]> =>
      await first.holdfastJson('incident', 'list');
    await until(async () => (await incidents()).some(({ mustAct }) => mustAct !== null), 'the incident', 60_000, 500);
    expect(await incidents()).toContainEqual(
      expect.objectContaining({
        title: 'home1: cannot be opened',
        state: 'open',
        severity: 'critical',
        mustAct: expect.stringContaining(`pid ${other.pid}`),
      }),
    );
    await other.end();
    await until(
      async () => (await incidents()).every(({ state }) => state === 'resolved'),
      'the volume opening by itself',
      120_000,
      500,
    );
    expect(await first.stop()).toBe(0);
  });
});

describe('a start in a home of its own kind', () => {
  it('comes up through a symbolic link and on a disk in memory without devices and programs, and says that it does not last', async () => {
    const directory = mkdtempSync('/tmp/holdfast-memory-');
    const mount = ['--types', 'tmpfs', '--options', 'nodev,noexec,nosuid,size=3g', 'none', directory];
    expect((await runCommand('mount', mount, { deadlineMs: 20_000 })).code).toBe(0);
    const link = `${directory}.link`;
    symlinkSync(directory, link);
    const platform = await Platform.make(`${link}/tmp.`);
    try {
      await platform.start();
      expect(platform.output).toMatch(/^ready https:/m);
      expect(platform.output).toMatch(/lies in memory \(tmpfs\)/);
      expect(await platform.stop()).toBe(0);
    } finally {
      await platform.remove();
      rmSync(link);
      await runCommand('umount', [directory], { deadlineMs: 20_000 });
      rmSync(directory, { recursive: true });
    }
  });

  it('that cannot work is refused in one sentence, and nothing is made there', async () => {
    const platform = await Platform.make();
    platform.environment['HOLDFAST_HOME'] = '/tmp';
    const result = await platform.holdfast('start');
    expect(result.code).toBe(1);
    expect(result.stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^holdfast: HOLDFAST_HOME=\/tmp is a directory of the system/),
    ]);
    await platform.remove();
  });

  it('whose control plane cannot start is ended with the reason', async () => {
    const platform = await Platform.make();
    // A database that is not there.
    platform.environment['HOLDFAST_DATABASE_URL'] = 'postgres://nobody@127.0.0.1:1/none';
    const child = spawn(join(import.meta.dirname, '../bin/holdfast'), ['start'], { env: platform.environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    try {
      await until(() => child.exitCode !== null, 'the end of the start', 150_000, 100);
      expect(child.exitCode).toBe(69);
      expect(output).toMatch(/The control does not come up: it was started 5 times, and each time it ended/);
      expect(output).toContain('ECONNREFUSED');
    } finally {
      child.kill('SIGINT');
      await platform.remove();
    }
  });
});
