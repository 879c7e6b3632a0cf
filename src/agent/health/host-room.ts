import { open, rm, stat, statfs } from 'node:fs/promises';
import type { FullSpell, HostRoom } from '../../model/host-room.ts';
import { isHostFull, littleRoom, seeRoom } from '../../model/host-room.ts';
import { mustRun } from '../../runtime/command.ts';
import type { Logger } from '../../runtime/log.ts';
import { monotonicMs } from '../../runtime/monotonic.ts';

const LOOK_EVERY_MS = 1_000;
/** An older look says nothing about now: the disk itself may hang, and what was full then must not stop anything. */
const FRESH_MS = 5_000;
/**
 * Kept in a file, and given back when nothing else is left: so much the platform can then still write of its database, its journals and its
 * incidents. They write some hundred KiB a day.
 */
export const RESERVE_BYTES = 64 * 1024 ** 2;
const ALLOCATE_DEADLINE_MS = 10_000;
/** A file system that cannot keep room for a file is not asked every second. */
const AGAIN_AFTER_MS = 600_000;

export interface HostRoomOptions {
  /** The platform's home. */
  home: string;
  /** The file that holds the reserve. */
  reserve: string;
  log: Logger;
  /** What image files on it may still take, bytes. */
  promised: () => Promise<number>;
}

/** Looks at the room on the machine's own disk, and keeps some of it for the platform itself. */
export class HostRoomWatch {
  readonly #options: HostRoomOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #room: HostRoom | undefined;
  #promised = 0;
  #spell: FullSpell | undefined;
  #lookedAt = -Infinity;
  #failed = false;
  #reserveNotBefore = -Infinity;

  constructor(options: HostRoomOptions) {
    this.#options = options;
  }

  /** As it was at the last look, some seconds ago at most; undefined when nobody knows. */
  get room(): HostRoom | undefined {
    return performance.now() - this.#lookedAt < FRESH_MS ? this.#room : undefined;
  }

  /** Whether there is no room, or was none a moment ago; undefined before the first look. */
  get spell(): FullSpell | undefined {
    return this.#spell;
  }

  start(): void {
    void this.look();
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look, or the one that is under way. Never throws. */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { log, promised } = this.#options;
    try {
      await this.measure();
      this.#promised = await promised();
      if (this.#room !== undefined) {
        this.#room = { ...this.#room, promisedBytes: this.#promised };
        await this.#keepReserve(this.#room);
      }
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) log.warn({ error }, "the room on the machine's own disk could not be looked at");
      this.#failed = true;
    }
  }

  /** The figure alone, which nobody else holds up: whatever more a look does may wait for a disk that is full. */
  async measure(): Promise<void> {
    const { home } = this.#options;
    // statfs(2) reads what the kernel has in memory: it waits for no disk.
    const { bavail, blocks, bsize } = await statfs(home);
    const freeBytes = bavail * bsize;
    this.#room = { path: home, sizeBytes: blocks * bsize, freeBytes, promisedBytes: this.#promised };
    this.#spell = seeRoom(this.#spell, freeBytes, monotonicMs());
    this.#lookedAt = performance.now();
  }

  async #keepReserve(room: HostRoom): Promise<void> {
    const { reserve, log } = this.#options;
    const kept = (await stat(reserve).catch(() => undefined))?.size ?? 0;
    if (kept > 0 && isHostFull(room)) {
      // Emptied and not removed: that needs no room for anything new.
      const file = await open(reserve, 'w', 0o600);
      await file.close();
      log.warn({ freeBytes: room.freeBytes }, "the machine's own disk is full; the platform's reserve is given back");
    } else if (
      kept === 0 &&
      room.freeBytes > littleRoom(room.sizeBytes) + RESERVE_BYTES &&
      performance.now() >= this.#reserveNotBefore
    ) {
      await mustRun('fallocate', ['--length', String(RESERVE_BYTES), '--', reserve], {
        deadlineMs: ALLOCATE_DEADLINE_MS,
      }).catch(async (error: unknown) => {
        this.#reserveNotBefore = performance.now() + AGAIN_AFTER_MS;
        await rm(reserve, { force: true });
        throw error;
      });
    }
  }
}
