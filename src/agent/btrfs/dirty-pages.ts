import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseMountInfo } from '../kernel/mounts.ts';

/** Share of the kernel's allowance for dirty pages that one volume may use, percent. */
const SHARE = 10;

/**
 * Keeps a volume from filling the page cache with writes that its disks do not take: without a limit of its own a hung volume may
 * use up the allowance of the whole machine, and then every writer on every other file system is slowed down. Since
 * Linux 6.2 a file system can be held to its own share at all times; older kernels have no such file, and nothing is done.
 *
 * Everything here is /proc and /sys: the volume itself is not touched. Returns whether the limit is in force.
 */
export async function limitDirtyPages(mountPoint: string, roots = { proc: '/proc', sys: '/sys' }): Promise<boolean> {
  const source = parseMountInfo(await readFile(join(roots.proc, 'self/mountinfo'), 'utf8')).findLast(
    (mount) => mount.mountPoint === mountPoint,
  )?.source;
  if (source === undefined) return false;
  const fileSystems = join(roots.sys, 'fs/btrfs');
  for (const uuid of await readdir(fileSystems).catch(missing)) {
    const devices = await readdir(join(fileSystems, uuid, 'devices')).catch(missing);
    if (!devices.includes(basename(source))) continue;
    const knobs = join(fileSystems, uuid, 'bdi');
    if (!(await readdir(knobs).catch(missing)).includes('strict_limit')) return false;
    // The share first: strict without one would hold it to what it happens to have.
    await writeFile(join(knobs, 'max_ratio'), String(SHARE));
    await writeFile(join(knobs, 'strict_limit'), '1');
    return true;
  }
  return false;
}

function missing(error: unknown): string[] {
  if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
  throw error;
}
