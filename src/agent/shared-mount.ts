import { mkdir, readFile } from 'node:fs/promises';
import { mustRun, runCommand } from '../runtime/command.ts';

const DEADLINE_MS = 10_000;

/** The mount a path lies in, from a /proc/<pid>/mountinfo: its mount point and whether others see what is mounted below. */
export function mountOf(mountinfo: string, path: string): { point: string; shared: boolean } | undefined {
  let best: { point: string; shared: boolean } | undefined;
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const point = fields[4]?.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (point === undefined) continue;
    const inside = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two mounts on one point the later one covers the earlier.
    if (!inside || (best && point.length < best.point.length)) continue;
    const optional = fields.slice(6, fields.indexOf('-'));
    best = { point, shared: optional.some((field) => field.startsWith('shared:')) };
  }
  return best;
}

/**
 * Makes what is mounted below a directory later visible to processes that have a mount namespace of their own already:
 * the sites' socket directories are mounts, and nginx looks at them from its sandbox. Where systemd runs, everything is
 * shared from the start and nothing is done; elsewhere the directory becomes a shared mount of itself.
 */
export async function ensureSharedMount(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  if (mountOf(await readFile('/proc/self/mountinfo', 'utf8'), directory)?.shared === true) return;
  await mustRun('mount', ['--rbind', directory, directory], { deadlineMs: DEADLINE_MS });
  await mustRun('mount', ['--make-rshared', directory], { deadlineMs: DEADLINE_MS });
}

/** Takes back what ensureSharedMount made, if it made it. Returns whether nothing of it is left. */
export async function releaseSharedMount(directory: string): Promise<boolean> {
  for (let tries = 0; tries < 4; tries++) {
    if (mountOf(await readFile('/proc/self/mountinfo', 'utf8'), directory)?.point !== directory) return true;
    const result = await runCommand('umount', [directory], { deadlineMs: DEADLINE_MS });
    if (result.code !== 0) return false;
  }
  return false;
}
