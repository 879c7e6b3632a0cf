import { ROOM_SHARE } from '../../model/reaction.ts';
import { roomBytes, settledRoomBytes, usedBytes, type Space } from './space.ts';

/** A volume that only seems full is not made to write everything out more often than this. */
const COMMIT_EVERY_MS = 5_000;

export interface RoomSource {
  /** What the kernel counts now; undefined: the file system is not there. */
  space(): Promise<Space | undefined>;
  /** Has everything written out, in a throw-away process. Answers whether that went well, in bounded time. */
  commit(): Promise<boolean>;
  /** Of the smaller disk. */
  diskBytes(): number;
}

export interface Room {
  usedBytes: number;
  freeBytes: number;
  /** When these figures were read. */
  at: Date;
}

/**
 * How much room a volume has. What is being written counts as taken until the next commit, and more of it than will stay: a member who writes
 * over one file again and again takes the whole volume for an instant, every instant. So when only that makes a volume seem full, everything
 * is written out first, and what is used then tells; until then the last figures stand.
 */
export class RoomWatch {
  readonly #source: RoomSource;
  #last: Room | undefined;
  #committing = false;
  /** performance.now() of the beginning of the last commit that went well. */
  #committedAt = -Infinity;
  #askedAt = -Infinity;

  constructor(source: RoomSource) {
    this.#source = source;
  }

  /** The figures now, or the last ones that can be believed. Waits for nothing but the kernel's counters. */
  async look(): Promise<Room | undefined> {
    const space = await this.#source.space();
    if (space === undefined) return this.#last;
    const disk = this.#source.diskBytes();
    const now: Room = { usedBytes: usedBytes(space), freeBytes: roomBytes(space, disk), at: new Date() };
    const settled: Room = { ...now, freeBytes: settledRoomBytes(space, disk) };
    if (!isScarce(now) || isScarce(settled)) return (this.#last = now);
    if (performance.now() - this.#committedAt < COMMIT_EVERY_MS) return (this.#last = settled);
    this.#commit();
    return this.#last ?? settled;
  }

  #commit(): void {
    const asked = performance.now();
    if (this.#committing || asked - this.#askedAt < COMMIT_EVERY_MS) return;
    this.#committing = true;
    this.#askedAt = asked;
    // One that does not answer is told of by others; here only the figures stay as they were.
    void this.#source
      .commit()
      .then((well) => well && (this.#committedAt = performance.now()))
      .finally(() => (this.#committing = false));
  }
}

function isScarce({ usedBytes: used, freeBytes: free }: Room): boolean {
  return used >= ROOM_SHARE * (used + free);
}
