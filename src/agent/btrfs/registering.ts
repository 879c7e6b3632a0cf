import { readdir } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { readOrUndefined } from '../kernel/files.ts';

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

/** A disk that has requests under way. */
export interface Busy {
  /** Of its file system. */
  label: string;
  /** Requests finished so far, of whatever kind. */
  finished: number;
}

/** Disks of mounted btrfs file systems that have requests under way, by their kernel's name. Reads /sys only. */
async function busyDisks(): Promise<Map<string, Busy>> {
  const busy = new Map<string, Busy>();
  for (const uuid of await readdir(SYS).catch(() => [])) {
    const devices = await readdir(`${SYS}/${uuid}/devices`).catch(() => []);
    for (const device of devices) {
      const files = `${SYS}/${uuid}/devices/${device}`;
      const inFlight = (await readOrUndefined(`${files}/inflight`)) ?? '';
      if (!/[1-9]/.test(inFlight)) continue;
      const label = ((await readOrUndefined(`${SYS}/${uuid}/label`)) ?? '').trim();
      const fields = ((await readOrUndefined(`${files}/stat`)) ?? '').trim().split(/\s+/).map(Number);
      // iostats.rst: completed reads, writes, discards, flushes.
      const finished = [0, 4, 11, 15].reduce((sum, field) => sum + (fields[field] ?? 0), 0);
      busy.set(device, { label: label === '' ? uuid : label, finished });
    }
  }
  return busy;
}

/** Tells a disk that hangs from busy ones, by what each look at all of them finds. */
export class Stillness {
  readonly #patienceMs: number;
  /** When each busy disk was last seen to have finished something. */
  readonly #moved = new Map<string, { finished: number; at: number }>();
  /** Busy at the first look, and not seen to finish anything since. */
  #undecided: Set<string> | undefined;
  #begun = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** `wait`: look again. `clear`: none hangs. Otherwise the label of the file system whose disk still hangs when patience is over. */
  look(now: number, busy: ReadonlyMap<string, Busy>): 'wait' | 'clear' | { hangs: string } {
    if (this.#undecided === undefined) this.#begun = now;
    for (const device of this.#moved.keys()) if (!busy.has(device)) this.#moved.delete(device);
    let hangs: string | undefined;
    for (const [device, { label, finished }] of busy) {
      const known = this.#moved.get(device);
      if (known?.finished !== finished) {
        this.#moved.set(device, { finished, at: now });
        if (known !== undefined) this.#undecided?.delete(device);
      } else if (now - known.at >= STILL_MS) hangs = label;
    }
    this.#undecided ??= new Set(busy.keys());
    for (const device of this.#undecided) if (!busy.has(device)) this.#undecided.delete(device);
    if (hangs === undefined && this.#undecided.size === 0) return 'clear';
    if (now - this.#begun < this.#patienceMs) return 'wait';
    return hangs === undefined ? 'clear' : { hangs };
  }
}

/** The label of a mounted btrfs file system one of whose disks hangs and still does after `patienceMs`; undefined: none. */
async function hungFileSystem(patienceMs: number): Promise<string | undefined> {
  const stillness = new Stillness(patienceMs);
  for (;;) {
    const found = stillness.look(performance.now(), await busyDisks());
    if (found === 'clear') return undefined;
    if (found !== 'wait') return found.hangs;
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
