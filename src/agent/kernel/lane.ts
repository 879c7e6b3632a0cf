import { HoldfastError } from '../../protocol/errors.ts';

/**
 * Everything that touches one volume goes through that volume's lane: few at a time, a bounded number waiting, and a
 * breaker. After a deadline passed, further work is refused at once with `storage-repair` until a probe succeeded, so
 * that a hung volume holds up nobody, not even those who ask for it.
 */
export class Lane {
  readonly #name: string;
  readonly #atOnce: number;
  readonly #mayWait: number;
  readonly #waiting: Array<{ start: () => void; refuse: (error: HoldfastError) => void }> = [];
  readonly #onBreak: (broken: boolean) => void;
  /** What runs now: since when, and how to answer its caller early. */
  readonly #inWork = new Set<{ since: number; refuse: (error: HoldfastError) => void }>();
  #running = 0;
  #broken = false;

  constructor(name: string, onBreak: (broken: boolean) => void, atOnce = 2, mayWait = 512) {
    this.#name = name;
    this.#onBreak = onBreak;
    this.#atOnce = atOnce;
    this.#mayWait = mayWait;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Runs work when it is its turn. Work must hold to a deadline of its own and throw `deadline-passed` at it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#broken) throw this.#refusal();
    if (this.#running >= this.#atOnce) await this.#turn();
    else this.#running += 1;
    try {
      return await this.#orTripped(work);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'deadline-passed') {
        this.trip();
        throw this.#refusal(error);
      }
      throw error;
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next.start();
    }
  }

  /** Milliseconds since the oldest work that still runs began; 0 when none runs. A reason to probe. */
  get oldestMs(): number {
    const begun = Math.min(...[...this.#inWork].map((work) => work.since));
    return Number.isFinite(begun) ? performance.now() - begun : 0;
  }

  /** The work's result, or the refusal as soon as the lane is tripped. The work itself is left to its own deadline. */
  async #orTripped<T>(work: () => Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, refuse) => {
      const entry = { since: performance.now(), refuse };
      this.#inWork.add(entry);
      work()
        .then(resolve, refuse)
        .finally(() => this.#inWork.delete(entry));
    });
  }

  /** Refuses everything from now on, also what waits and what runs. */
  trip(): void {
    if (!this.#broken) {
      this.#broken = true;
      this.#onBreak(true);
    }
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(this.#refusal());
    for (const entry of this.#inWork) entry.refuse(this.#refusal());
  }

  /** A probe succeeded: work goes through again. */
  mend(): void {
    if (!this.#broken) return;
    this.#broken = false;
    this.#onBreak(false);
  }

  async #turn(): Promise<void> {
    if (this.#waiting.length >= this.#mayWait) {
      throw new HoldfastError(
        'too-many-requests',
        `Too much work waits for the volume ${this.#name}. Try again shortly.`,
        {
          retryAfterSeconds: 5,
        },
      );
    }
    await new Promise<void>((start, refuse) => this.#waiting.push({ start, refuse }));
  }

  #refusal(cause?: unknown): HoldfastError {
    return new HoldfastError(
      'storage-repair',
      `The storage volume ${this.#name} does not answer and is being repaired.`,
      {
        retryAfterSeconds: 5,
        cause,
      },
    );
  }
}
