import { createHash } from 'node:crypto';

const EVERY_MS = 250;
/** Small enough to stay in a processor's own cache, so that only the processor's speed is measured: half a millisecond in all. */
const PIECE = Buffer.alloc(16 * 1024);
const PIECES = 32;

/** Of the measurements of a window the slowest are left out: in those something else had the processor meanwhile. */
const QUICKEST = 0.9;

/**
 * How fast the machine itself is: the time that the same small piece of work takes, four times a second. On a host that is shared with others it changes by
 * a quarter and more from one minute to the next (decision 0009), whatever is asked of the machine; a ratio of two p99 taken at different
 * times means little without it. The piece is so short that a processor which is merely busy seldom interrupts it.
 */
export class MachineSpeed implements Disposable {
  readonly #samples: { at: number; milliseconds: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
  }

  #measure(): void {
    const before = performance.now();
    const hash = createHash('sha256');
    for (let piece = 0; piece < PIECES; piece += 1) hash.update(PIECE);
    hash.digest();
    this.#samples.push({ at: Date.now(), milliseconds: performance.now() - before });
  }

  /** Milliseconds for the piece of work between two moments (since 1970), the mean of its quickest nine of ten; undefined when it was not measured then. */
  mean(from: number, to: number): number | undefined {
    const within = this.#samples.filter(({ at }) => at >= from && at <= to).map(({ milliseconds }) => milliseconds);
    const quick = within.toSorted((a, b) => a - b).slice(0, Math.ceil(within.length * QUICKEST));
    if (quick.length === 0) return undefined;
    return quick.reduce((sum, milliseconds) => sum + milliseconds, 0) / quick.length;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
