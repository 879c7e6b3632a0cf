import { readFile } from 'node:fs/promises';
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
