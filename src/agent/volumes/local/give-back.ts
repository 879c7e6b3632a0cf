import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** So much of a file is given back to the host's file system at a time. */
export const PIECE_BYTES = 32 * 1024 ** 2;
/** Between two pieces it rests this many times as long as the last one took, but never less than the shortest rest. */
const REST_TIMES = 4;
const SHORTEST_REST_MS = 20;

/**
 * Shortens a large file to nothing, piece by piece. Removed in one go, all its blocks are freed (and on many a host discarded) in one
 * transaction of the host's file system, which every synced write to any other file there waits for. Does nothing where there is no file,
 * where a link stands, and to a file that has another name too: somebody keeps what is in it.
 */
export async function giveBack(
  path: string,
  rest: (milliseconds: number) => Promise<unknown> = async (milliseconds) => await wait(milliseconds),
): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    const whole = await file.stat();
    if (whole.nlink > 1) return;
    let { size, blocks } = whole;
    while (size > 0 && blocks > 0) {
      size = Math.max(0, size - PIECE_BYTES);
      const begun = performance.now();
      await file.truncate(size);
      const took = performance.now() - begun;
      const left = (await file.stat()).blocks;
      // Where a sparse file has a hole there was nothing to give back.
      if (left < blocks && size > 0) await rest(Math.max(SHORTEST_REST_MS, took * REST_TIMES));
      blocks = left;
    }
  } finally {
    await file.close();
  }
}
