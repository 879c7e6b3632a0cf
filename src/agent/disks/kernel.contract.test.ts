import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { runCommand } from '../../runtime/command.ts';
import { processesNamed } from '../kernel/processes.ts';

/** Runs a check where the kernel's files say something else: mounts in a namespace of its own cover them. */
async function checkWith(cover: string, check: 'assertLoopAvailable' | 'assertBtrfsAvailable'): Promise<string> {
  const script = `
    const checks = await import(${JSON.stringify(join(import.meta.dirname, 'loops.ts'))});
    try { await checks.${check}(); console.log('fine'); } catch (error) { console.log(error.code, error.message); }
  `;
  const result = await runCommand(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-ec', `${cover}; exec "$@"`, 'sh'].concat([
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '--eval',
      script,
    ]),
    { deadlineMs: 60_000 },
  );
  return result.stdout + result.stderr;
}

test('a kernel without loop devices is said, with what to do', async () => {
  const cover = 'for path in /sys/class/misc /sys/block; do mount -t tmpfs none $path; done';
  expect(await checkWith(cover, 'assertLoopAvailable')).toMatch(/^set-up-missing .*no loop devices.*--disk/);
  expect(await checkWith(':', 'assertLoopAvailable')).toBe('fine\n');
}, 60_000);

test('a kernel without btrfs is said, with what to do', async () => {
  const cover = 'mount -t tmpfs none /mnt; echo "nodev tmpfs" > /mnt/known; mount --bind /mnt/known /proc/filesystems';
  expect(await checkWith(cover, 'assertBtrfsAvailable')).toMatch(/^set-up-missing .*no btrfs/);
  expect(await checkWith(':', 'assertBtrfsAvailable')).toBe('fine\n');
}, 60_000);

test('a program of a member is not taken for a process of the platform, whatever it calls itself', async () => {
  const name = `valve-${process.pid % 100000}`;
  const running = async (uid: number): Promise<number[]> => {
    const child = spawn('/bin/sh', ['-c', 'printf %s "$0" > /proc/self/comm; echo there; read _', name], {
      uid,
      gid: uid,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      return (await processesNamed(name)).map(({ pid }) => (pid === child.pid ? uid : -1));
    } finally {
      child.kill('SIGKILL');
    }
  };
  expect(await running(0)).toEqual([0]);
  expect(await running(65_534)).toEqual([]);
}, 60_000);
