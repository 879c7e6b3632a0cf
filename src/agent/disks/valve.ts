import { spawn } from 'node:child_process';
import { chmod, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import { runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { allocateImage } from './image-room.ts';
import { drained } from './loops.ts';
import { mountAt } from '../kernel/mounts.ts';
import {
  childrenOf,
  hasEnded,
  isAlive,
  processesNamed,
  sendSignal,
  type ProcessIdentity,
} from '../kernel/processes.ts';

/**
 * The fault valve of one image-file disk: nbdkit serves the image through filters that can fail, hold or slow requests,
 * and nbdfuse shows it as a file, which a loop device makes a disk of. The valve is how a drill gives a disk a real fault, and
 * how a replica is cut: when nbdfuse is killed, the kernel fails everything outstanding at once.
 *
 * The processes are nobody's children: they outlive the agent, and the next agent finds them by their mount point.
 * Never stat or open anything at or below `mountPoint` in the agent: that waits for the valve.
 */
export interface ValvePaths {
  image: string;
  /** FUSE mount; the disk is `<mountPoint>/nbd`. */
  mountPoint: string;
  /** While this file exists, every read and write fails with EIO. */
  errorFile: string;
  /** Bits per second, as text ("2M"); absent at the start: no limit; later only "0" lifts one. */
  rateFile: string;
  /** Milliseconds, as text, that each read waits while this file exists; only where `readsCanBeSlowed`. */
  readDelayFile: string;
  /** Unix socket: "p" pauses (requests hang), "r" resumes. */
  pauseSocket: string;
  logFile: string;
}

export function valvePaths(
  directory: string,
  runDirectory: string,
  volume: string,
  replica: string,
  image: string,
): ValvePaths {
  const own = join(directory, replica);
  return {
    image,
    mountPoint: join(own, 'disk'),
    errorFile: join(own, 'error'),
    rateFile: join(own, 'rate'),
    readDelayFile: join(own, 'read-delay'),
    pauseSocket: join(runDirectory, 'valves', `${volume}.${replica}.sock`),
    logFile: join(own, 'log'),
  };
}

export function diskOf(paths: ValvePaths): string {
  return join(paths.mountPoint, 'nbd');
}

/** The two processes of a valve: nbdfuse shows the disk, nbdkit reads and writes the image. */
export interface Valve {
  paths: ValvePaths;
  front: ProcessIdentity;
  server: ProcessIdentity;
}

/** Alters blocks of an image file behind its valve's back (the head of corrupt.py). */
export const CORRUPT_PROGRAM = join(import.meta.dirname, 'corrupt.py');
const LAUNCHER = join(import.meta.dirname, 'valve.py');
const SLOW_READS = join(import.meta.dirname, 'slow_reads.py');
const START_DEADLINE_MS = 15_000;

/**
 * Whether valves can slow reads alone, which no filter of nbdkit does while it runs. For the drill about it: a process more for each disk, so
 * only on a platform that was started with HOLDFAST_SLOW_READS=follow.
 */
function readsCanBeSlowed(): boolean {
  return process.env['HOLDFAST_SLOW_READS'] === 'follow';
}

/** The arguments of nbdfuse. Threads are few on purpose: each costs memory and one disk needs no more (see decision 0003). */
function valveArguments(paths: ValvePaths): string[] {
  return [
    paths.mountPoint,
    '--command',
    ...(readsCanBeSlowed() ? ['python3', '-I', SLOW_READS, paths.readDelayFile] : []),
    'nbdkit',
    '-s',
    '--exit-with-parent',
    '--threads=4',
    '--filter=error',
    '--filter=pause',
    '--filter=rate',
    '--filter=retry-request',
    'file',
    paths.image,
    'error=EIO',
    'error-rate=100%',
    `error-file=${paths.errorFile}`,
    `pause-control=${paths.pauseSocket}`,
    `rate-file=${paths.rateFile}`,
    // A sparse image below which there is no room now: it hangs (for half an hour, the most that can be set), which harms nothing, instead of failing on both replicas at once.
    'retry-request-retries=1000',
    'retry-request-delay=2',
    'retry-request-open=false',
  ];
}

/** The running valve at these paths, when it is whole: both processes alive and mounted. */
export async function findValve(paths: ValvePaths): Promise<Valve | undefined> {
  const mount = await mountAt(paths.mountPoint);
  if (mount === undefined || !mount.type.startsWith('fuse')) return undefined;
  const front = (await valveProcesses(paths))[0];
  if (front === undefined) return undefined;
  const server = (await childrenOf(front.pid)).find((child) => child.name === 'nbdkit' && !hasEnded(child));
  return server === undefined ? undefined : { paths, front, server: { pid: server.pid, startTime: server.startTime } };
}

async function valveProcesses(paths: ValvePaths): Promise<ProcessIdentity[]> {
  const all = await processesNamed('nbdfuse');
  return all
    .filter((process) => process.arguments.includes(paths.mountPoint))
    .map(({ pid, startTime }) => ({ pid, startTime }));
}

/** Whether both processes of a valve are still there. */
export async function valveServes(valve: Valve): Promise<boolean> {
  return (await isAlive(valve.front)) && (await isAlive(valve.server));
}

/** Starts the valve, or adopts the one that runs. Leftovers of a dead one are removed first. */
export async function startValve(paths: ValvePaths): Promise<Valve> {
  const running = await findValve(paths);
  if (running !== undefined) return running;
  await clearValve(paths);
  await mkdir(paths.mountPoint, { recursive: true, mode: 0o700 });
  await mkdir(join(paths.pauseSocket, '..'), { recursive: true, mode: 0o700 });
  await rm(paths.pauseSocket, { force: true });
  await rm(paths.errorFile, { force: true });
  await rm(paths.rateFile, { force: true });
  await rm(paths.readDelayFile, { force: true });
  const log = await open(paths.logFile, 'a', 0o600);
  try {
    await log.truncate(0);
    // One malloc arena: with one per thread each valve would hold twice the memory.
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', MALLOC_ARENA_MAX: '1' };
    const child = spawn('python3', ['-I', LAUNCHER, 'nbdfuse', ...valveArguments(paths)], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: environment,
    });
    let failure: Error | undefined;
    let ended = false;
    child.once('error', (error) => (failure = error));
    child.once('exit', () => (ended = true));
    child.unref();
    let valve: Valve | undefined;
    await until(
      async () => {
        if (failure !== undefined || ended) return true;
        valve = await findValve(paths);
        return valve !== undefined;
      },
      'starting the fault valve of a disk image',
      START_DEADLINE_MS,
    ).catch(async (error: unknown) => {
      await clearValve(paths);
      throw error;
    });
    if (valve === undefined) {
      if ((failure as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
        throw new HoldfastError(
          'set-up-missing',
          'The program nbdfuse is not installed. Run npm start, which installs it.',
        );
      }
      throw new HoldfastError('command-failed', 'The fault valve of a disk image did not start.', {
        details: await lastLines(paths.logFile),
        cause: failure,
      });
    }
    return valve;
  } finally {
    await log.close();
  }
}

/** Stops a valve that nobody uses any more: what was written is flushed, then both processes end. */
export async function stopValve(paths: ValvePaths): Promise<void> {
  const processes = await valveProcesses(paths);
  if ((await mountAt(paths.mountPoint)) !== undefined) {
    await runCommand('umount', [paths.mountPoint], { deadlineMs: 10_000 }).catch(() => undefined);
  }
  const gone = async (): Promise<boolean> => {
    for (const process of processes) if (await isAlive(process)) return false;
    return (await mountAt(paths.mountPoint)) === undefined;
  };
  await until(gone, 'the fault valve ending', 5_000).catch(() => undefined);
  await clearValve(paths);
}

/**
 * The cut: every outstanding and every later request of this disk fails at once, whatever state the valve is in. Repeatable.
 * The image keeps what was written; it may be stale from now on.
 * @param known the disk as it was found last: its valve is ended at once, before all processes are looked through, and what was
 *   outstanding in its device has failed when this returns
 */
export async function cutValve(paths: ValvePaths, known?: { device: string; valve: Valve | undefined }): Promise<void> {
  for (const identity of known?.valve === undefined ? [] : [known.valve.front, known.valve.server])
    if (await isAlive(identity)) sendSignal(identity.pid, 'SIGKILL');
  const processes = await valveProcesses(paths);
  for (const found of processes) {
    const children = await childrenOf(found.pid);
    sendSignal(found.pid, 'SIGKILL');
    for (const child of children) if (child.name === 'nbdkit') sendSignal(child.pid, 'SIGKILL');
  }
  await until(
    async () => {
      for (const process of processes) if (await isAlive(process)) return false;
      return true;
    },
    'the fault valve ending',
    5_000,
    2,
  );
  if (known !== undefined) await drained(known.device);
}

/**
 * The cut, and the FUSE mount goes too. For a disk whose loop device is detached: as long as it is attached the mount must stay,
 * because the kernel names the loop device's file by it.
 */
export async function clearValve(paths: ValvePaths): Promise<void> {
  await cutValve(paths);
  for (let layers = 0; layers < 8 && (await mountAt(paths.mountPoint)) !== undefined; layers += 1) {
    await runCommand('umount', ['--lazy', paths.mountPoint], { deadlineMs: 10_000 });
  }
}

async function lastLines(path: string): Promise<string[]> {
  const result = await runCommand('tail', ['-n', '8', path], { deadlineMs: 2_000 }).catch(() => undefined);
  return result === undefined ? [] : result.stdout.trimEnd().split('\n');
}

/** Makes the image file, with its room where there is enough; only root may read it. An existing one keeps its content. */
export async function makeImage(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    const size = (await file.stat()).size;
    if (size < bytes) await file.truncate(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await chmod(path, 0o600);
  await allocateImage(path, bytes);
}

/** Removes what a valve that was stopped leaves in the platform's directories. The mount point must be unmounted. */
export async function removeValve(paths: ValvePaths): Promise<void> {
  if ((await mountAt(paths.mountPoint)) !== undefined) return;
  for (const file of [paths.errorFile, paths.rateFile, paths.readDelayFile, paths.logFile, paths.pauseSocket])
    await rm(file, { force: true });
  for (const directory of [paths.mountPoint, dirname(paths.mountPoint)]) await removeDirectory(directory);
}

/** Removes an empty directory; one that is gone already is fine. */
export async function removeDirectory(path: string): Promise<void> {
  await rmdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
