import { mkdir } from 'node:fs/promises';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { mountAround, mountAt, readMounts } from './mounts.ts';

const DEADLINE_MS = 10_000;

/**
 * Makes what is mounted below a directory later visible to processes that have a mount namespace of their own already:
 * the sites' socket directories are mounts, and nginx looks at them from its sandbox. Where systemd runs, everything is
 * shared from the start and nothing is done; elsewhere the directory becomes a shared mount of itself.
 */
export async function ensureSharedMount(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  if (mountAround(await readMounts(), directory)?.shared === true) return;
  await mustRun('mount', ['--rbind', directory, directory], { deadlineMs: DEADLINE_MS });
  await mustRun('mount', ['--make-rshared', directory], { deadlineMs: DEADLINE_MS });
}

/** Takes back what ensureSharedMount made, if it made it. Returns whether nothing of it is left. */
export async function releaseSharedMount(directory: string): Promise<boolean> {
  for (let tries = 0; tries < 4; tries++) {
    if ((await mountAt(directory)) === undefined) return true;
    const result = await runCommand('umount', [directory], { deadlineMs: DEADLINE_MS });
    if (result.code !== 0) return false;
  }
  return false;
}
