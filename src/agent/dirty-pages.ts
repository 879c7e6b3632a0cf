import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

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
  const source = sourceOf(await readFile(join(roots.proc, 'self/mountinfo'), 'utf8'), mountPoint);
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

/** The device that is mounted there, from /proc/self/mountinfo; of several mounts the last one counts. */
function sourceOf(mountinfo: string, mountPoint: string): string | undefined {
  let source: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const path = fields[4]?.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (path === mountPoint) source = fields[fields.indexOf('-') + 2];
  }
  return source;
}

function missing(error: unknown): string[] {
  if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
  throw error;
}
