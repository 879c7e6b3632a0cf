import { EVENTS_IDLE_MS } from '../../../src/protocol/api/deadlines.ts';

/**
 * Tells from the heartbeats of the event stream whether what a page shows is up to date. Pure: whoever has it gives it the time.
 */

/** The control plane's heart beats every two seconds; without anything heard for this long the page is not up to date. */
export const STALE_MS = EVENTS_IDLE_MS;
/** How often it is looked at. */
export const LOOK_MS = 1_000;
/** A look that comes this much later than meant: the page itself slept (a background tab, a closed laptop). */
const SLEPT_MS = 4_000;
/** What was sent meanwhile has this long to be read before it is called missing. */
const GRACE_MS = 2_000;

export class StreamWatch {
  #heardAt: number;
  #lookedAt: number;
  #graceUntil = 0;

  constructor(now: number) {
    this.#heardAt = now;
    this.#lookedAt = now;
  }

  /** When something was last heard, milliseconds since 1970. */
  get heardAt(): number {
    return this.#heardAt;
  }

  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Whether nothing has been heard for too long. */
  look(now: number): boolean {
    if (now - this.#lookedAt > SLEPT_MS || now < this.#lookedAt) this.#graceUntil = now + GRACE_MS;
    this.#lookedAt = now;
    // A clock that was set back must not make silence look like the future.
    if (now < this.#heardAt) this.#heardAt = now;
    return now >= this.#graceUntil && now - this.#heardAt >= STALE_MS;
  }
}
