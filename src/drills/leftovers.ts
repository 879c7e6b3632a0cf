import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../runtime/command.ts';
import { idsOf, type Configuration } from '../runtime/config.ts';
import { until } from '../runtime/deadline.ts';
import { imageOf } from './small-disk.ts';
import { readRecord, signalRecorded } from '../runtime/process-record.ts';

const STOP_DEADLINE_MS = 60_000;

type Instance = Pick<Configuration, 'home' | 'instance' | 'runDirectory'>;

/** Processes of one instance: by its own users, or by its home or its name in their command line, cgroup or environment. */
export function processesOf(instance: Instance): number[] {
  const ids = idsOf(instance.instance);
  const found: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const user = statSync(`/proc/${entry}`).uid;
      // A member's process that hangs on its volume may hold the lock that its command line and environment need: only
      // root's are read, members' are told by their user.
      const ours =
        (user >= ids.base && user <= ids.lastAccount) ||
        readFileSync(`/proc/${entry}/cgroup`, 'utf8').includes(`/holdfast/${instance.instance}`) ||
        (user === 0 && (namesIt(entry, instance) || startedFor(entry, instance)));
      if (ours) found.push(Number(entry));
    } catch {
      continue; // It ended while we looked, or it is a thread of the kernel.
    }
  }
  return found;
}

function namesIt(entry: string, { home, runDirectory }: Instance): boolean {
  const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
  return command.includes(`${home}/`) || command.includes(runDirectory);
}

function startedFor(entry: string, { home }: Instance): boolean {
  return readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`HOLDFAST_HOME=${home}\0`);
}

/** kill -9 of every process of an instance, until none is left: what a power cut leaves behind. */
export async function powerCut(instance: Instance): Promise<void> {
  await until(
    () => {
      const left = processesOf(instance);
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
      }
      return left.length === 0;
    },
    `the end of every process of ${instance.home}`,
    60_000,
    50,
  );
}

/**
 * Ends an instance however it is, and removes everything it made on this machine, by its own handles: its supervisor, its users'
 * processes, mounts and loop devices below its directories, its cgroups, its directories. Repeatable.
 */
export async function removeInstance(instance: Instance): Promise<void> {
  const supervisor = readRecord(join(instance.runDirectory, 'supervisor.json'));
  if (supervisor !== undefined && signalRecorded(supervisor, 'SIGINT')) {
    await until(
      () => readRecord(join(instance.runDirectory, 'supervisor.json')) === undefined,
      'the platform of the drill stopping',
      STOP_DEADLINE_MS,
      50,
    ).catch(() => undefined); // What does not end by itself is ended below.
  }
  await powerCut(instance);
  // Once its valve's mount is gone, a loop device does not say any more whose it was.
  const loops = await loopsOf(instance);
  for (let round = 0; round < 5; round += 1) {
    const mounts = mountsBelow(instance);
    if (mounts.length === 0) break;
    for (const mount of mounts) await runCommand('umount', ['--lazy', mount], { deadlineMs: 20_000 });
  }
  for (const loop of loops) await runCommand('losetup', ['--detach', loop], { deadlineMs: 20_000 });
  removeCgroups(instance);
  rmSync(instance.runDirectory, { recursive: true, force: true });
  rmSync(instance.home, { recursive: true, force: true });
  rmSync(imageOf(instance.home), { force: true });
}

/** Loop devices on files below its home. */
async function loopsOf({ home }: Instance): Promise<string[]> {
  const listed = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    deadlineMs: 20_000,
  });
  return listed.stdout.split('\n').flatMap((line) => {
    const [name, file] = line.trim().split(/\s+/);
    return name !== undefined && file?.startsWith(`${home}/`) ? [name] : [];
  });
}

function mountsBelow(instance: Instance): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter(
      (path) =>
        path === instance.home || path.startsWith(`${instance.home}/`) || path.startsWith(`${instance.runDirectory}/`),
    )
    .reverse();
}

function removeCgroups(instance: Instance): void {
  const root = '/sys/fs/cgroup';
  const trees = existsSync(join(root, 'cgroup.controllers'))
    ? [root]
    : readdirSync(root).map((name) => join(root, name));
  for (const tree of trees) {
    removeEmpty(join(tree, 'holdfast', instance.instance));
    const copies = join(tree, 'holdfast-copies');
    for (const name of existsSync(copies) ? readdirSync(copies) : [])
      if (name.startsWith(`${instance.instance}-`)) removeEmpty(join(copies, name));
  }
}

/** Cgroups are removed from the inside out; the files in them go by themselves. */
function removeEmpty(directory: string): void {
  if (!existsSync(directory)) return;
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) removeEmpty(join(directory, entry.name));
    rmdirSync(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'EBUSY') throw error;
  }
}
