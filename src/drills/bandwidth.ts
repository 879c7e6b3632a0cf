import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mustRun, runCommand } from '../runtime/command.ts';
import { until } from '../runtime/deadline.ts';
import { recordOf, signalRecorded, type ProcessRecord } from '../runtime/process-record.ts';
import { valvesWith } from './valve-process.ts';

const PROGRAM = join(import.meta.dirname, 'speed.py');
const COMMAND_DEADLINE_MS = 20_000;
const MEASURE_DEADLINE_MS = 180_000;
const MiB = 1024 ** 2;

/** The same valve for another image: every path of the old one becomes one in `directory`, its socket one in `sockets`. */
export function commandFor(
  words: readonly string[],
  directory: string,
  sockets: string,
): { command: string[]; mountPoint: string } {
  const mountPoint = join(directory, 'disk');
  const command = words.map((word, index) => {
    if (index === 1) return mountPoint;
    const [key, ...value] = word.split('=');
    if (value.length > 0 && value.join('=').startsWith('/'))
      return `${key}=${join(key === 'pause-control' ? sockets : directory, key ?? '')}`;
    return index > 1 && word.startsWith('/') ? join(directory, 'image') : word;
  });
  return { command, mountPoint };
}

/**
 * Bytes a second that a disk of this platform takes when it does nothing else: a new image beside the replica's, behind a valve with the
 * same command line and a loop device like its own, written from beginning to end past the caches and flushed. Leaves nothing behind.
 */
export async function measureBandwidth(image: string, byteCount: number): Promise<number | undefined> {
  const valve = valvesWith(image)[0];
  if (valve === undefined) return undefined;
  const directory = join(dirname(image), 'drill-bandwidth');
  const size = Math.max(MiB, Math.floor(byteCount / MiB) * MiB);
  // A socket's path may be 107 bytes long: the image's directory may be deeper.
  const sockets = mkdtempSync(join(tmpdir(), 'holdfast-drill-'));
  const { command, mountPoint } = commandFor(valve.words, directory, sockets);
  const [program, ...rest] = command;
  if (program === undefined) return undefined;
  mkdirSync(mountPoint, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'image'), '', { mode: 0o600 });
  truncateSync(join(directory, 'image'), size);
  let device: string | undefined;
  let front: ProcessRecord | undefined;
  try {
    const child = spawn(program, rest, { cwd: '/', stdio: 'ignore', detached: true, env: environmentOf(valve.pid) });
    let ended = false;
    child.on('error', () => (ended = true));
    child.on('exit', () => (ended = true));
    child.unref();
    if (child.pid !== undefined) front = recordOf(child.pid);
    await until(() => ended || isMounted(mountPoint), 'the valve of the measurement', COMMAND_DEADLINE_MS, 20);
    if (ended) throw new Error('The valve of the measurement ended.');
    const shown = await mustRun('losetup', ['--find', '--show', '--direct-io=on', join(mountPoint, 'nbd')], {
      deadlineMs: COMMAND_DEADLINE_MS,
    });
    device = shown.stdout.trim();
    await requestsAsLargeAs(join(valve.words[1] ?? '', 'nbd'), device);
    const written = await mustRun('python3', ['-I', PROGRAM, device, String(size)], {
      deadlineMs: MEASURE_DEADLINE_MS,
    });
    return size / Number(written.stdout.trim());
  } finally {
    if (device !== undefined) await runCommand('losetup', ['--detach', device], { deadlineMs: COMMAND_DEADLINE_MS });
    if (isMounted(mountPoint)) await runCommand('umount', ['--lazy', mountPoint], { deadlineMs: COMMAND_DEADLINE_MS });
    if (front !== undefined) signalRecorded(front, 'SIGTERM');
    rmSync(directory, { recursive: true, force: true });
    rmSync(sockets, { recursive: true, force: true });
  }
}

/** The platform bounds the size of one request to a disk; the measured one gets the same bound. */
async function requestsAsLargeAs(file: string, device: string): Promise<void> {
  const loops = await mustRun('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
    deadlineMs: COMMAND_DEADLINE_MS,
  });
  const line = loops.stdout.split('\n').find((entry) => entry.trimEnd().endsWith(` ${file}`));
  const model = line?.trim().split(/\s+/)[0];
  const limit = (name: string): string => `/sys/block/${name.replace('/dev/', '')}/queue/max_sectors_kb`;
  if (model !== undefined) writeFileSync(limit(device), readFileSync(limit(model), 'utf8'));
}

function environmentOf(pid: number): NodeJS.ProcessEnv {
  const entries = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .filter((entry) => entry.includes('='));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

function isMounted(mountPoint: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === mountPoint);
}
