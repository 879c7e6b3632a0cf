import { readOrUndefined } from './files.ts';
import { parseMountInfo } from './mounts.ts';
import { allPids, sendSignal } from './processes.ts';

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
  for (const pid of await allPids()) {
    const uid = Number(/^Uid:\s+(\d+)/m.exec((await readOrUndefined(`/proc/${pid}/status`)) ?? '')?.[1]);
    if (!(uid >= accounts.first && uid <= accounts.last)) continue;
    const mounts = parseMountInfo((await readMountInfo(pid)) ?? '');
    if (!mounts.some((mount) => mount.type === 'btrfs' && sources.has(mount.source))) continue;
    sendSignal(pid, 'SIGKILL');
    ended += 1;
  }
  return ended;
}

/** A process that is just ending has no mounts any more, which reads as "invalid argument". */
async function readMountInfo(pid: number): Promise<string | undefined> {
  try {
    return await readOrUndefined(`/proc/${pid}/mountinfo`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}
