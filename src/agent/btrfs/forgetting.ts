import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { mustRun } from '../../runtime/command.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { PROGRAMS } from './programs.ts';
import { registering } from './registering.ts';

const DEADLINE_MS = 15_000;
const PATIENCE_MS = 1_000;

/** "7:4": devices that the kernel is to forget as soon as no mounted file system uses them and no volume hangs. */
const toForget = new Set<string>();

/**
 * The kernel counts a device as part of its file system until it is told otherwise, also after it was unmounted or has gone. It could take a stale
 * one into a mount by itself; and with the new disk of a copy that ended half-way, the volume mounts and then cannot write, or does
 * not mount at all. So what is let go of is forgotten; while its file system is mounted or a volume hangs (registering.ts) that has
 * to wait, and is made up for before the next mount.
 * @param device /dev/loop3; one that is not there is nothing to be forgotten
 */
export async function forget(device: string): Promise<void> {
  await forgetLater(device);
  try {
    await registering(forgetAll, PATIENCE_MS);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'storage-repair') throw error;
  }
}

/** For a device that is about to go: afterwards its number is not known any more. */
export async function forgetLater(device: string): Promise<void> {
  const number = (await readOrUndefined(`/sys/class/block/${device.replace(/^\/dev\//, '')}/dev`))?.trim();
  if (number !== undefined) toForget.add(number);
}

/**
 * Forgets what is still to be forgotten, and loop devices without a file, which an agent before this one may have let go of. Runs inside
 * `registering`. A device that is in use is left as it is.
 */
export async function forgetAll(): Promise<void> {
  const numbers = new Set([...toForget, ...(await freeLoops())]);
  if (numbers.size === 0) return;
  const { stdout } = await mustRun('python3', ['-I', PROGRAMS.forget, ...numbers], { deadlineMs: DEADLINE_MS });
  for (const [, number = ''] of stdout.matchAll(/^(\d+:\d+) forgotten$/gm)) toForget.delete(number);
}

async function freeLoops(): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/sys/block')) {
    if (!/^loop\d+$/.test(name) || (await readOrUndefined(`/sys/block/${name}/loop/backing_file`)) !== undefined)
      continue;
    const number = (await readOrUndefined(`/sys/block/${name}/dev`))?.trim();
    if (number !== undefined) found.push(number);
  }
  return found;
}
