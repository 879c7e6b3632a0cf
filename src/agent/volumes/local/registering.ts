import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../../protocol/errors.ts';
import { readOrUndefined } from './proc.ts';

/**
 * The kernel registers and forgets btrfs devices (mount, `btrfs device scan`) under one lock for the whole machine, and with it held it
 * takes the lock of each file system's device list in turn. A commit that waits for a disk holds that one. So while one volume hangs, a
 * mount of another one can wait as long as it hangs, and while it waits, healthy volumes cannot be unmounted either (measured: decision
 * 0006). Whatever registers or forgets asks here first, and is refused rather than made to wait in the kernel.
 */

const SYS = '/sys/fs/btrfs';
/** A disk that has requests and finished none of them for so long is taken to hang. A slow one finishes some. */
const STILL_MS = 500;
const LOOK_EVERY_MS = 50;
/** A single hung disk is cut within a second or two; who waits so long is not refused because of it. */
const PATIENCE_MS = 5_000;

interface Busy {
  label: string;
  /** Requests finished so far, of whatever kind. */
  finished: number;
}

/** Disks of mounted btrfs file systems that have requests under way, by their kernel's name. Reads /sys only. */
async function busyDisks(root: string): Promise<Map<string, Busy>> {
  const busy = new Map<string, Busy>();
  for (const uuid of await readdir(root).catch(() => [])) {
    const devices = await readdir(`${root}/${uuid}/devices`).catch(() => []);
    for (const device of devices) {
      const files = `${root}/${uuid}/devices/${device}`;
      const inFlight = (await readOrUndefined(`${files}/inflight`)) ?? '';
      if (!/[1-9]/.test(inFlight)) continue;
      const label = ((await readOrUndefined(`${root}/${uuid}/label`)) ?? '').trim();
      const fields = ((await readOrUndefined(`${files}/stat`)) ?? '').trim().split(/\s+/).map(Number);
      // iostats.rst: completed reads, writes, discards, flushes.
      const finished = [0, 4, 11, 15].reduce((sum, field) => sum + (fields[field] ?? 0), 0);
      busy.set(device, { label: label === '' ? uuid : label, finished });
    }
  }
  return busy;
}

/** The label of a mounted btrfs file system one of whose disks hangs and still does after `patienceMs`; undefined: none. */
export async function hungFileSystem(patienceMs: number, root = SYS): Promise<string | undefined> {
  const since = new Map<string, { finished: number; at: number }>();
  const begun = performance.now();
  for (;;) {
    const now = performance.now();
    const busy = await busyDisks(root);
    for (const device of since.keys()) if (!busy.has(device)) since.delete(device);
    let inDoubt = false;
    let hung: string | undefined;
    for (const [device, { label, finished }] of busy) {
      const known = since.get(device);
      if (known === undefined) {
        since.set(device, { finished, at: now });
        inDoubt = true;
      } else if (known.finished === finished) {
        inDoubt = true;
        if (now - known.at >= STILL_MS) hung = label;
      }
    }
    if (!inDoubt) return undefined;
    if (hung !== undefined && now - begun >= patienceMs) return hung;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Throws `storage-repair` when the kernel would make us wait for another volume's disk. */
export async function assertNothingHangs(patienceMs = PATIENCE_MS): Promise<void> {
  const label = await hungFileSystem(patienceMs);
  if (label === undefined) return;
  throw new HoldfastError(
    'storage-repair',
    `${label.replace(/^holdfast-/, 'The volume ')} does not answer, and until it does or its disk is cut the kernel mounts no other volume.`,
    { retryAfterSeconds: 10 },
  );
}

/** One after the other: two at once could only wait for each other. */
let turn: Promise<unknown> = Promise.resolve();

/** Runs what registers or forgets a device; throws `storage-repair` instead when it would have to wait for a disk that hangs. */
export async function registering<T>(work: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  const mine = turn.then(async () => {
    await assertNothingHangs(patienceMs);
    return await work();
  });
  turn = mine.catch(() => undefined);
  return await mine;
}
