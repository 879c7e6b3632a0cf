import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { readOrUndefined } from '../kernel/files.ts';

const DEADLINE_MS = 10_000;
/**
 * Largest request a valve sees. Each thread of a valve keeps a buffer of this size: with the kernel's 1280 KiB a valve grows to
 * 18 MiB, with 256 to 8 MiB, for a tenth of its sequential throughput (decision 0003).
 */
const REQUEST_KIB = 256;

/** Loop devices whose backing file has this path, as device paths. Read from /sys: never waits for the file. */
export async function loopsOf(backingFile: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/sys/block')) {
    if (!/^loop\d+$/.test(name)) continue;
    const backing = await readOrUndefined(`/sys/block/${name}/loop/backing_file`);
    if (backing !== undefined && sameBacking(backing.trimEnd(), backingFile)) found.push(`/dev/${name}`);
  }
  return found;
}

/** The kernel adds " (deleted)", and cuts very long paths at 64 KiB, which ours never are. After a lazy unmount it shows the path from there. */
function sameBacking(shown: string, wanted: string): boolean {
  return shown.replace(/ \(deleted\)$/, '') === wanted;
}

/** Attaches a file with direct I/O (measured 4-5 times faster than through the page cache twice). Answers the device. */
export async function attachLoop(file: string): Promise<string> {
  const result = await runCommand('losetup', ['--find', '--show', '--direct-io=on', file], { deadlineMs: DEADLINE_MS });
  const device = result.stdout.trim();
  if (result.code === 0 && device.startsWith('/dev/loop')) {
    const limit = `/sys/block/${device.replace('/dev/', '')}/queue/max_sectors_kb`;
    const script = 'echo "$1" > "$2"';
    await mustRun('/bin/sh', ['-euc', script, 'sh', String(REQUEST_KIB), limit], { deadlineMs: DEADLINE_MS });
    return device;
  }
  if (
    /could not find any free loop device|cannot find an unused loop device|loop-control|No such device/i.test(
      result.stderr,
    )
  ) {
    throw new HoldfastError(
      'set-up-missing',
      'There is no free loop device on this machine, and image-file disks need one each. Load the "loop" kernel module (modprobe loop), or use real disks with --disk.',
      { details: result.stderr.trim().split('\n') },
    );
  }
  throw new HoldfastError('command-failed', 'A disk image could not be attached as a loop device.', {
    details: result.stderr.trim().split('\n'),
  });
}

/** Detaches a loop device; done when it has no backing file any more. Repeatable. Throws `deadline-passed` while somebody still uses it. */
export async function detachLoop(device: string, backingFile: string, patienceMs = DEADLINE_MS): Promise<void> {
  const attached = async (): Promise<boolean> => (await loopsOf(backingFile)).includes(device);
  if (!(await attached())) return;
  await runCommand('losetup', ['--detach', device], { deadlineMs: DEADLINE_MS });
  // The kernel detaches when the last user closes the device, which may be a moment later.
  await until(async () => !(await attached()), `detaching ${device}`, patienceMs);
}

/**
 * Resolves when nothing is outstanding in a device any more, which after a cut is the moment at which the kernel has failed it all.
 * What comes later fails at once, so a moment of rest is soon found also while programs go on writing.
 */
export async function drained(device: string): Promise<void> {
  const path = `/sys/class/block/${device.replace(/^\/dev\//, '')}/inflight`;
  const resting = async (): Promise<boolean> => {
    const text = await readOrUndefined(path);
    return text === undefined || !/[1-9]/.test(text);
  };
  await until(resting, `the outstanding requests of ${device} failing`, DEADLINE_MS, 2);
}

/** Size of a block device in bytes, from /sys; undefined when it is not there. */
export async function deviceBytes(device: string): Promise<number | undefined> {
  const sectors = await readOrUndefined(`/sys/class/block/${device.replace(/^\/dev\//, '')}/size`);
  return sectors === undefined ? undefined : Number(sectors) * 512;
}

export async function assertLoopAvailable(): Promise<void> {
  const names = await readdir('/sys/block');
  const control = await readOrUndefined('/sys/class/misc/loop-control/dev');
  if (control === undefined && !names.some((name) => name.startsWith('loop'))) {
    await mustRun('modprobe', ['loop'], { deadlineMs: DEADLINE_MS }).catch(() => undefined);
    if ((await readOrUndefined('/sys/class/misc/loop-control/dev')) === undefined) {
      throw new HoldfastError(
        'set-up-missing',
        'This kernel has no loop devices, which image-file disks need. Load the "loop" module, or give real disks with --disk.',
      );
    }
  }
}

/** Throws `set-up-missing` unless the kernel can mount btrfs. */
export async function assertBtrfsAvailable(): Promise<void> {
  const known = async (): Promise<boolean> => /\bbtrfs\b/.test((await readOrUndefined('/proc/filesystems')) ?? '');
  if (await known()) return;
  await runCommand('modprobe', ['btrfs'], { deadlineMs: DEADLINE_MS }).catch(() => undefined);
  if (await known()) return;
  throw new HoldfastError(
    'set-up-missing',
    'This kernel has no btrfs, which volumes are made of. Use a kernel that has it (Debian kernels do), or load the module "btrfs".',
  );
}
