import { HoldfastError } from '../protocol/errors.ts';

export interface CompartmentRule {
  /** Pieces of work inside one compartment at the same time. */
  atOnce: number;
  /** Pieces of work that may wait for their turn; beyond that an error (usually `storage-repair`) is thrown at once. */
  waiting: number;
  /** How long one may wait for its turn, milliseconds; left out: as long as it takes (work in the background). */
  waitMs?: number;
}

interface Compartment {
  inside: number;
  queue: Set<() => void>;
}

/**
 * One small counting lock per volume (law 2): what waits for one volume can never use up what serves another. Full means
 * "storage is being repaired", at once, and not a hang.
 */
export class Compartments {
  readonly #rule: CompartmentRule;
  readonly #compartments = new Map<string, Compartment>();

  readonly #full: () => HoldfastError;

  constructor(rule: CompartmentRule, full: () => HoldfastError = storageRepair) {
    this.#rule = rule;
    this.#full = full;
  }

  /** Waits for a place (as far as the rule lets anybody wait) and takes it. Call what it resolves to exactly once, to leave. */
  async enter(volume: string): Promise<() => void> {
    const compartment = this.#compartments.get(volume) ?? { inside: 0, queue: new Set() };
    this.#compartments.set(volume, compartment);
    if (compartment.inside >= this.#rule.atOnce) {
      if (compartment.queue.size >= this.#rule.waiting) throw this.#full();
      // The place is handed over by whoever leaves, so `inside` does not change.
      await this.#turn(compartment.queue);
    } else {
      compartment.inside += 1;
    }
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const [next] = compartment.queue;
      if (next) {
        compartment.queue.delete(next);
        next();
        return;
      }
      compartment.inside -= 1;
      if (compartment.inside === 0) this.#compartments.delete(volume);
    };
  }

  async #turn(queue: Set<() => void>): Promise<void> {
    const { waitMs } = this.#rule;
    await new Promise<void>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const come = (): void => {
        clearTimeout(timer);
        resolve();
      };
      queue.add(come);
      if (waitMs === undefined) return;
      timer = setTimeout(() => {
        // Not handed a place any more: whoever leaves looks into the queue.
        queue.delete(come);
        reject(this.#full());
      }, waitMs);
    });
  }

  async run<T>(volume: string, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(volume);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** How many are inside a volume's compartment now. */
  inside(volume: string): number {
    return this.#compartments.get(volume)?.inside ?? 0;
  }
}

/** What a member is told when the places of a volume are taken. */
export function storageRepair(): HoldfastError {
  return new HoldfastError(
    'storage-repair',
    'The storage of this account is busy or being repaired. Nothing is lost; please try again in a moment.',
    { retryAfterSeconds: 10 },
  );
}
