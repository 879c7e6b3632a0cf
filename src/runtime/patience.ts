/**
 * Tells something that hangs from something that is only late. Turns are counted, not time: while the looker itself was stopped, suspended or
 * starved, nothing is held against whom it looks at.
 */
export interface PatienceOptions {
  /** How long one turn of the looker is meant to be, milliseconds. */
  turnMs: number;
  /** After so many turns without an answer it counts as silent. */
  turns: number;
}

/** A turn that comes so many times later than meant is the looker's own trouble. */
const LATE = 2.5;

export class Patience {
  readonly #turnMs: number;
  #turns: number;
  #silent = 0;
  #last: number | undefined;

  constructor(options: PatienceOptions) {
    this.#turnMs = options.turnMs;
    this.#turns = options.turns;
  }

  /** Turns without an answer that were counted. */
  get silentTurns(): number {
    return this.#silent;
  }

  /** An answer came. */
  heard(): void {
    this.#silent = 0;
  }

  /** From now on so many turns are waited, and it begins anew: something was just started, say. */
  reset(turns: number): void {
    this.#turns = turns;
    this.#silent = 0;
  }

  /** One turn of the looker at `now` (a clock that never goes back, milliseconds). Answers whether it counts as silent. */
  turn(now: number): boolean {
    const late = this.#last !== undefined && now - this.#last > this.#turnMs * LATE;
    this.#last = now;
    if (!late) this.#silent += 1;
    return this.#silent >= this.#turns;
  }
}
