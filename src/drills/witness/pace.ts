/**
 * Calls `act` at a fixed pace, whatever became of the calls before: what was due while something stood still is sent all the same, with
 * the moment at which it was due. So no wait is hidden (no "coordinated omission").
 */
export class Pace {
  readonly #everyMs: number;
  readonly #offsetMs: number;
  readonly #act: (due: number) => void;
  #began = 0;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(everyMs: number, offsetMs: number, act: (due: number) => void) {
    this.#everyMs = everyMs;
    this.#offsetMs = offsetMs;
    this.#act = act;
  }

  start(): void {
    this.#began = performance.timeOrigin + performance.now() + this.#offsetMs;
    this.#arm();
  }

  /** One timer for the next call, and not a tick for every pace: forty of them would cost more than the requests. */
  #arm(): void {
    const due = this.#began + this.#count * this.#everyMs;
    const wait = Math.max(0, due - (performance.timeOrigin + performance.now()));
    this.#timer = setTimeout(() => {
      const now = performance.timeOrigin + performance.now();
      for (;;) {
        const next = this.#began + this.#count * this.#everyMs;
        if (next > now) break;
        this.#count += 1;
        this.#act(next);
      }
      this.#arm();
    }, wait);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
