import { readdir } from 'node:fs/promises';
import { parseMountInfo, readOrUndefined } from './proc.ts';

/**
 * Ends the members' programs that keep a dead file system in the kernel, so that it can be opened afresh. They could only
 * fail: every disk under them is gone. Only processes of this instance's accounts are ever ended.
 * @returns how many were ended
 */
export async function killHolders(
  devices: readonly string[],
  accounts: { first: number; last: number },
): Promise<number> {
  const sources = new Set(devices.map((name) => (name.startsWith('/dev/') ? name : `/dev/${name}`)));
  let ended = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const uid = Number(/^Uid:\s+(\d+)/m.exec((await readOrUndefined(`/proc/${name}/status`)) ?? '')?.[1]);
    if (!(uid >= accounts.first && uid <= accounts.last)) continue;
    const mounts = parseMountInfo((await readMountInfo(name)) ?? '');
    if (!mounts.some((mount) => mount.type === 'btrfs' && sources.has(mount.source))) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
      ended += 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return ended;
}

/** A process that is just ending has no mounts any more, which reads as "invalid argument". */
async function readMountInfo(pid: string): Promise<string | undefined> {
  try {
    return await readOrUndefined(`/proc/${pid}/mountinfo`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}
