import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../runtime/command.ts';

const DEADLINE_MS = 60_000;

/** The image file of a scratch platform's own disk, beside its home. */
export function imageOf(home: string): string {
  return `${home}.img`;
}

/** Gives a scratch platform's home a disk of its own (ext4 on a sparse image file), so that it can be filled without harm to the machine. */
export async function mountSmallDisk(home: string, bytes: number): Promise<void> {
  const image = imageOf(home);
  writeFileSync(image, '', { mode: 0o600 });
  truncateSync(image, bytes);
  await mustRun('mkfs.ext4', ['-q', '-F', '-m', '1', image], { deadlineMs: DEADLINE_MS });
  mkdirSync(home, { recursive: true, mode: 0o711 });
  await mustRun('mount', ['-o', 'loop', image, home], { deadlineMs: DEADLINE_MS });
}

/** Takes all the room on the disk of a directory, also what is kept back for root. Answers what gives it back. */
export async function fillDisk(directory: string): Promise<() => void> {
  const file = join(directory, 'filler');
  writeFileSync(file, '', { mode: 0o600 });
  let size = 0;
  // Whole pieces first, then smaller ones, until not even one block fits.
  for (let piece = 1024 ** 3; piece >= 4096;) {
    const { bfree, bsize } = statfsSync(directory);
    if (bfree * bsize < piece) {
      piece /= 4;
      continue;
    }
    try {
      await mustRun('fallocate', ['--offset', String(size), '--length', String(piece), '--', file], {
        deadlineMs: DEADLINE_MS,
      });
      size += piece;
    } catch {
      piece /= 4; // Somebody was quicker, or the file system needs the rest for itself.
    }
  }
  return () => rmSync(file, { force: true });
}
