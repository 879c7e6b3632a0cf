import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { readMounts } from '../kernel/mounts.ts';
import { processesNamed } from '../kernel/processes.ts';
import { directoriesOf } from './directories.ts';
import { attachLoop } from '../disks/loops.ts';
import { DISK_BYTES, StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';
import { OtherProgram } from '../../runtime/testing/other-program.ts';

/** Mounts, loop devices and valves of a home on this machine. */
async function leftOf(home: string): Promise<string[]> {
  const under = (path: string): boolean => path.startsWith(`${home}/`);
  const mounts = (await readMounts()).map((mount) => mount.mountPoint).filter(under);
  const loops: string[] = [];
  for (const name of await readdir('/sys/block')) {
    const backing = await readOrUndefined(`/sys/block/${name}/loop/backing_file`);
    if (backing !== undefined && under(backing)) loops.push(name);
  }
  const valves = (await processesNamed('nbdfuse')).filter((one) => one.arguments.some(under));
  return [...mounts, ...loops, ...valves.map(({ pid }) => `valve ${pid}`)];
}

describe('another program has the mounts of a volume', () => {
  let host: StorageHost;
  let home: string;
  const others: OtherProgram[] = [];

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
    home = await host.create('one');
    await inVolume('echo kept > "$1/file"; sync "$1/file"', home);
  });
  afterEach(async () => {
    for (const other of others.splice(0)) await other.end();
    await host.dispose();
  });

  const mountPoint = (): string => directoriesOf(host.context, 'one').mount;
  const begin = async (...parameters: Parameters<typeof OtherProgram.start>): Promise<OtherProgram> => {
    const other = await OtherProgram.start(...parameters);
    others.push(other);
    return other;
  };
  const close = (): Promise<unknown> => host.storage.handlers['volumes.close']({ name: 'one' });
  const read = (): Promise<string> => inVolume('cat "$1/file"', home);
  const isOpen = (): boolean => host.status('one').state === 'open';
  const valvePids = async (): Promise<number[]> =>
    (await processesNamed('nbdfuse'))
      .filter((one) => one.arguments.some((argument) => argument.startsWith(`${host.home}/`)))
      .map(({ pid }) => pid);

  test.each(['private', 'slave', 'shared'] as const)(
    'a copy of them that nobody uses (%s) ends with them: closed, opened, stopped and started, and nothing is left',
    async (propagation) => {
      const before = await begin(propagation);
      await close();
      expect(await leftOf(host.home)).toEqual([]);
      expect(before.mountsBelow(host.home)).toEqual([]);
      await host.storage.handlers['volumes.open']({ name: 'one' });
      expect(await read()).toBe('kept');
      const other = await begin(propagation);
      await host.storage.stop();
      expect(await leftOf(host.home)).toEqual([]);
      expect(other.mountsBelow(host.home)).toEqual([]);
      await host.start();
      expect(host.status('one')).toMatchObject({ state: 'open', trouble: null, redundancy: 'full' });
      expect(await read()).toBe('kept');
      expect(other.alive && before.alive).toBe(true);
    },
    180_000,
  );

  test('while it uses the volume, closing is refused with its name, and the volume goes on as before', async () => {
    const other = await begin('private', home);
    const writer = await host.write(home);
    await expect(close()).rejects.toMatchObject({
      code: 'volume-in-use',
      message: expect.stringMatching(
        new RegExp(`one is still used by .*sleep 1000000.*pid ${other.pid}, running since 20.* UTC.*as before`),
      ),
    });
    expect(host.status('one')).toMatchObject({ state: 'open', trouble: null, wantedOpen: true, redundancy: 'full' });
    await writer.writes(20);
    await writer.stop();
    await other.end();
    await close();
    expect(await leftOf(host.home)).toEqual([]);
  }, 120_000);

  /** A program of the member's in its home; ended, as the platform does it, when its volume is being closed. */
  const member = (obeys: boolean): { pid: number; told: string[] } => {
    const as = [
      '--mount',
      '--propagation=private',
      'setpriv',
      `--reuid=${host.context.ids.firstAccount}`,
      '--clear-groups',
    ];
    const child = spawn('unshare', [...as, 'sleep', '1000000'], { cwd: home, stdio: 'ignore' });
    const told: string[] = [];
    host.storage.onVolumeChange((_name, usable) => {
      try {
        host.storage.homeOf('of-one');
        told.push(`usable ${usable}`);
      } catch (error) {
        told.push((error as { code: string }).code);
        if (obeys) child.kill('SIGKILL');
      }
    });
    others.push({ end: () => Promise.resolve(void child.kill('SIGKILL')) } as OtherProgram);
    return { pid: child.pid ?? 0, told };
  };

  test("closing ends its members' programs first, and is refused for others before any of them is ended", async () => {
    const { pid, told } = member(true);
    const other = await begin('private', home);
    await expect(close()).rejects.toThrow('Nothing was changed');
    expect(told).toEqual([]);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await other.end();
    await close();
    expect(told).toEqual(['volume-closed']);
    expect(host.status('one')).toMatchObject({ state: 'closed', wantedOpen: false });
    expect(await leftOf(host.home)).toEqual([]);
  }, 120_000);

  test("a member's program that does not end is named, what was ended is said, and the volume is in use again", async () => {
    const { pid, told } = member(false);
    await expect(close()).rejects.toThrow(
      new RegExp(
        `programs of its members: .*pid ${pid}.* mounted as before\\. Its members' programs were told to end for it`,
      ),
    );
    expect(told).toEqual(['volume-closed', 'usable true']);
    expect(host.status('one')).toMatchObject({ state: 'open', wantedOpen: true, trouble: null });
  }, 120_000);

  test('a fault that was caused on a disk goes on when closing is refused, and ends when the volume is closed', async () => {
    const other = await begin('private', home);
    await host.fault('one', 'r2', 'slow');
    const limit = (): string => readFileSync(host.paths('one', 'r2').rateFile, 'utf8');
    const slow = limit();
    expect(slow).not.toBe('0');
    await expect(close()).rejects.toThrow('Nothing was changed');
    expect(limit()).toBe(slow);
    await other.end();
    await close();
    await host.storage.handlers['volumes.open']({ name: 'one' });
    expect(await read()).toBe('kept');
  }, 120_000);

  test('a deletion that is refused leaves the volume in service', async () => {
    await host.storage.handlers['accounts.remove']({ name: 'of-one', volume: 'one' });
    const other = await begin('private', mountPoint());
    const usable: boolean[] = [];
    host.storage.onVolumeChange((_name, is) => usable.push(is));
    const deletion = await host.ended(await host.storage.handlers['volumes.delete']({ name: 'one' }));
    expect(deletion).toMatchObject({ state: 'failed', error: expect.stringContaining(`pid ${other.pid}`) });
    expect(host.status('one')).toMatchObject({ state: 'open', trouble: null });
    expect(usable).toEqual([false, true]);
    await other.end();
    expect(await host.ended(await host.storage.handlers['volumes.delete']({ name: 'one' }))).toMatchObject({
      state: 'done',
    });
    expect(await leftOf(host.home)).toEqual([]);
  }, 120_000);

  test('a rebuild that cannot be begun leaves the spare disk a spare', async () => {
    const image = join(host.home, 'real.img');
    await mustRun('truncate', ['--size', String(DISK_BYTES), image], { deadlineMs: 5_000 });
    const disk = await attachLoop(image);
    const { handlers } = host.storage;
    await handlers['spares.add']({ disk });
    await host.storage.cut('one', 'r1', 'it hung.');
    const journals = join(host.context.layout.agent, 'operations');
    await rename(journals, `${journals}.away`);
    await writeFile(journals, 'no directory');
    await expect(handlers['volumes.addReplica']({ name: 'one' })).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect((await handlers['spares.list']({})).map((spare) => spare.disk)).toEqual([disk]);
    expect(host.status('one').replicas).toHaveLength(2);
    await rm(journals);
    await rename(`${journals}.away`, journals);
    expect(await host.ended(await handlers['volumes.addReplica']({ name: 'one' }))).toMatchObject({ state: 'done' });
  }, 120_000);

  test('the volume is mounted a second time by somebody: closing is refused and says where', async () => {
    const place = mkdtempSync('/var/tmp/holdfast-second-mount-');
    await mustRun('mount', ['--bind', mountPoint(), place], { deadlineMs: 20_000 });
    try {
      await expect(close()).rejects.toMatchObject({
        code: 'volume-in-use',
        message: expect.stringContaining(`a second mount at ${place}`),
      });
      expect(host.status('one')).toMatchObject({ state: 'open', trouble: null });
      expect(await read()).toBe('kept');
    } finally {
      await runCommand('umount', [place], { deadlineMs: 20_000 });
      rmdirSync(place);
    }
    await close();
    expect(await leftOf(host.home)).toEqual([]);
  }, 120_000);

  test('a loop device on a file of the volume, or a shell in its mount, is named before any program is ended', async () => {
    const file = join(mountPoint(), 'image');
    await inVolume('truncate -s 16M "$1/../../../image"', home);
    const { stdout } = await mustRun('losetup', ['--find', '--show', file], { deadlineMs: 10_000 });
    const device = stdout.trim();
    try {
      await expect(close()).rejects.toMatchObject({
        code: 'volume-in-use',
        message: expect.stringMatching(new RegExp(`used by the loop device ${device} on .*Nothing was changed`)),
      });
    } finally {
      await mustRun('losetup', ['--detach', device], { deadlineMs: 10_000 });
    }
    // Somebody else's, and so no child of ours.
    const begun = 'cd "$1" && { sleep 600 >/dev/null 2>&1 & echo $!; }';
    const shell = await mustRun('sh', ['-c', begun, 'sh', mountPoint()], { deadlineMs: 10_000 });
    try {
      await expect(close()).rejects.toMatchObject({
        message: expect.stringMatching(/used by `sleep 600`.*Nothing was changed/),
      });
    } finally {
      process.kill(Number(shell.stdout), 'SIGKILL');
    }
    await close();
    expect(await leftOf(host.home)).toEqual([]);
  });

  test('a stop leaves a volume that it uses as it is and says so; the next start takes it over, and nobody is ended for it', async () => {
    const other = await begin('private', home);
    const valves = await valvePids();
    await expect(host.storage.stop()).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`one is still used by .*pid ${other.pid}`)),
    });
    await host.start();
    expect(host.status('one')).toMatchObject({ state: 'open', trouble: null, redundancy: 'full' });
    expect(await valvePids()).toEqual(valves);
    await inVolume('echo more >> "$1/file"', home);
    expect(other.alive).toBe(true);
    await other.end();
    await host.storage.stop();
    expect(await leftOf(host.home)).toEqual([]);
  }, 120_000);

  test('unmounted by somebody else while it uses the volume: the very same disks are mounted again, and nobody is ended', async () => {
    const other = await begin('private', home);
    const valves = await valvePids();
    await mustRun('umount', [mountPoint()], { deadlineMs: 20_000 });
    await until(
      async () => isOpen() && (await readMounts()).some((mount) => mount.mountPoint === mountPoint()),
      'the volume being mounted again',
      60_000,
    );
    expect(host.status('one')).toMatchObject({ trouble: null, redundancy: 'full' });
    expect(await valvePids()).toEqual(valves);
    await inVolume('echo more >> "$1/file"', home);
    expect(other.alive).toBe(true);
    expect(await inVolume('cat "$1/file"', `/proc/${other.pid}/cwd`)).toBe('kept\nmore');
  }, 120_000);

  test('its disks died and the other program keeps the dead file system: it is named until it ends, and then the volume opens by itself', async () => {
    const other = await begin('private', home);
    await host.killValves('one', 'r1', 'r2');
    const named = new RegExp(`sleep 1000000.*pid ${other.pid}, running since`);
    await until(() => named.test(host.status('one').unopened?.heldBy ?? ''), 'the holder being named', 60_000);
    const status = host.status('one');
    expect(status.state).toBe('trouble');
    expect(status.trouble).toMatch(named);
    await expect(host.storage.handlers['volumes.open']({ name: 'one' })).rejects.toMatchObject({
      code: 'storage-repair',
      message: expect.stringMatching(/^The volume one could not be opened: .*It is tried again every few seconds\.$/),
    });
    const plan = await host.storage.handlers['volumes.planRecovery']({ name: 'one' });
    expect(plan.problem).toMatch(named);
    expect(other.alive).toBe(true);
    expect(readFileSync(`/proc/${other.pid}/mountinfo`, 'utf8')).toContain(mountPoint());
    await other.end();
    await until(isOpen, 'the volume opening by itself', 60_000);
    expect(host.status('one').unopened).toBeNull();
    expect(await read()).toBe('kept');
  }, 180_000);
});
