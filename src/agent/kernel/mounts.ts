import { mkdir, readFile, rmdir } from 'node:fs/promises';
import type { Logger } from '../../runtime/log.ts';
import { parseMountInfo, type MountEntry } from '../../runtime/mountinfo.ts';

/** What is mounted where, from /proc. Nothing here opens a mount or a file behind one, so nothing here can wait for a disk. */
export { parseMountInfo, type MountEntry };

export async function readMounts(): Promise<MountEntry[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The mount on top at a path, or undefined. */
export async function mountAt(path: string): Promise<MountEntry | undefined> {
  return (await readMounts()).findLast((entry) => entry.mountPoint === path);
}

/** The mount that a path lies in. Of two mounts on one point the later one covers the earlier. */
export function mountAround(mounts: readonly MountEntry[], path: string): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const mount of mounts) {
    const { mountPoint } = mount;
    const inside = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (inside && (best === undefined || mountPoint.length >= best.mountPoint.length)) best = mount;
  }
  return best;
}

/**
 * Takes copies of our mount out of every other mount namespace, also of those that let no unmount in: the kernel detaches whatever is
 * mounted on a directory when that directory is removed (docs/decisions/0014). Nothing may be mounted there in our own.
 */
export async function dropCopies(path: string, log: Logger): Promise<void> {
  if ((await mountAt(path)) !== undefined) return;
  try {
    await rmdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    // Files that somebody laid there while nothing was mounted are not ours to remove.
    log.warn({ path, error }, 'copies of a mount in other namespaces could not be taken away');
    return;
  }
  // Somebody else who opens or closes it may have made it meanwhile.
  await mkdir(path, { recursive: true, mode: 0o700 });
}
