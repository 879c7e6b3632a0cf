import { Patience } from '../../runtime/patience.ts';
import { PULSE_EVERY_MS } from '../../runtime/pulse.ts';

/** What is watched: a process that its owner starts again when it ends. */
export interface WatchedChild {
  readonly pid: number | undefined;
  /** Ends it although it hangs. Must not throw. */
  endHung(): Promise<void>;
}

export interface ChildWatchOptions {
  name: string;
  child: WatchedChild;
  /** Asks it something that only a process whose event loop turns can answer. Must not throw, and must end by itself. */
  answers: () => Promise<boolean>;
  say: (line: string) => void;
  /** So many turns without an answer end it, the first time in a row. */
  hungTurns?: number;
  /** Told when it falls silent and when it answers again. */
  onChange?: (silentSince: string | null) => void;
}

/** One without an answer for so many turns is said to be silent. */
const TOLD_TURNS = 3;
/** And for so many it is ended and started again: it costs a second without pages; sites do not notice. */
const HUNG_TURNS = 7;
/** One that was just started may take as long as this: there may be a large database to bring up to date. */
const START_TURNS = 120;
/** Each time in a row that did not help the next is waited for longer, up to this. */
const LONGEST_TURNS = 60;
/** After so many turns with an answer the next is the first again. */
const CALM_TURNS = 120;

/**
 * Asks a child every second whether it is there, from outside. One that is alive and does not answer hangs: it is ended, and its owner
 * starts it again. Turns are counted, so that a machine that was suspended, or a supervisor that was itself held up, ends nobody.
 */
export class ChildWatch {
  readonly #options: ChildWatchOptions;
  readonly #patience = new Patience({ turnMs: PULSE_EVERY_MS, turns: START_TURNS });
  #timer: NodeJS.Timeout | undefined;
  #pid: number | undefined;
  #answeredPid: number | undefined;
  #asking = false;
  #ending = false;
  #lastAnswer: string | undefined;
  #silentSince: string | null = null;
  #calm = 0;
  #hungInARow = 0;

  constructor(options: ChildWatchOptions) {
    this.#options = options;
  }

  get #hungTurns(): number {
    return this.#options.hungTurns ?? HUNG_TURNS;
  }

  /** Since when it has not answered, ISO 8601; null: it answered when it was last asked, or has not had the time to. */
  get silentSince(): string | null {
    return this.#silentSince;
  }

  /** Whether the process that runs now has answered before. Until then it is given the time that a start needs. */
  get hasAnswered(): boolean {
    return this.#answeredPid !== undefined && this.#answeredPid === this.#options.child.pid;
  }

  start(): void {
    this.#timer = setInterval(() => this.turn(performance.now(), new Date().toISOString()), PULSE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One turn, at `now` (a clock that never goes back) and `wall` (the time of day). */
  turn(now: number, wall: string): void {
    const { child, name, say } = this.#options;
    if (child.pid !== this.#pid) {
      this.#pid = child.pid;
      if (this.#pid !== undefined) this.#patience.reset(START_TURNS);
    }
    this.#lastAnswer ??= wall;
    const hangs = this.#patience.turn(now);
    this.#calm += 1;
    if (this.#patience.silentTurns >= Math.min(TOLD_TURNS, this.#hungTurns)) {
      this.#calm = 0;
      this.#become(this.#lastAnswer);
    }
    if (!this.#asking) void this.#ask();
    if (!hangs || this.#pid === undefined || this.#ending) return;
    this.#ending = true;
    this.#hungInARow += 1;
    say(`${name} (pid ${this.#pid}) has not answered since ${this.#lastAnswer}: it hangs and is ended.`);
    void child.endHung().finally(() => {
      this.#ending = false;
    });
  }

  async #ask(): Promise<void> {
    const asked = this.#pid;
    this.#asking = true;
    try {
      if (asked === undefined || !(await this.#options.answers())) return;
      if (this.#options.child.pid !== asked) return;
      this.#answeredPid = asked;
      this.#lastAnswer = new Date().toISOString();
      if (this.#calm >= CALM_TURNS) this.#hungInARow = 0;
      this.#patience.reset(Math.min(LONGEST_TURNS, this.#hungTurns * 2 ** this.#hungInARow));
      this.#become(null);
    } finally {
      this.#asking = false;
    }
  }

  #become(silentSince: string | null): void {
    if (this.#silentSince === silentSince) return;
    this.#silentSince = silentSince;
    this.#options.onChange?.(silentSince);
  }
}
