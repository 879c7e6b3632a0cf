import { open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { littleRoom } from '../../model/host-room.ts';
import { runCommand } from '../../runtime/command.ts';

/** A file system of 16 TiB needs some seconds for it; more is not waited for. */
const DEADLINE_MS = 60_000;
const TMPFS_MAGIC = 0x0102_1994; // linux/magic.h

/**
 * Takes the room of an image file at once, so that its disk never meets a full file system below it: such a write fails on both replicas of a
 * mirror, which stops the volume. At most half of what is free is taken, and none in memory; then the file stays sparse, and the health
 * of the host says how much more is promised than is there (src/model/host-room.ts).
 *
 * @param path of a file of `bytes` that was made or checked a moment ago. Answers whether all of it is there.
 */
export async function allocateImage(path: string, bytes: number): Promise<boolean> {
  const file = await open(path, 'r');
  let missing: number;
  try {
    missing = bytes - (await file.stat()).blocks * 512;
  } finally {
    await file.close();
  }
  if (missing <= 0) return true;
  const { bavail, blocks, bsize, type } = await statfs(dirname(path));
  const free = bavail * bsize;
  if (type === TMPFS_MAGIC || missing > free / 2 || free - missing < littleRoom(blocks * bsize)) return false;
  // What is written already stays as it is. A file system that cannot do it (ZFS, NFS below 4.2) leaves the file sparse.
  const { code } = await runCommand('fallocate', ['--length', String(bytes), '--', path], { deadlineMs: DEADLINE_MS });
  return code === 0;
}
