import { HoldfastError } from '../../protocol/errors.ts';

export interface CompartmentRule {
  /** Pieces of work inside one compartment at the same time. */
  atOnce: number;
  /** Pieces of work that may wait for their turn; beyond that `storage-repair` is thrown at once. */
  waiting: number;
}

interface Compartment {
  inside: number;
  queue: (() => void)[];
}

/**
 * One small counting lock per volume (law 2): what waits for one volume can never use up what serves another. Full means
 * "storage is being repaired", at once, and not a hang.
 */
export class Compartments {
  readonly #rule: CompartmentRule;
  readonly #compartments = new Map<string, Compartment>();

  constructor(rule: CompartmentRule) {
    this.#rule = rule;
  }

  /** Waits for a place (as far as the rule lets anybody wait) and takes it. Call what it resolves to exactly once, to leave. */
  async enter(volume: string): Promise<() => void> {
    const compartment = this.#compartments.get(volume) ?? { inside: 0, queue: [] };
    this.#compartments.set(volume, compartment);
    if (compartment.inside >= this.#rule.atOnce) {
      if (compartment.queue.length >= this.#rule.waiting) throw storageRepair();
      // The place is handed over by whoever leaves, so `inside` does not change.
      await new Promise<void>((resolve) => compartment.queue.push(resolve));
    } else {
      compartment.inside += 1;
    }
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const next = compartment.queue.shift();
      if (next) {
        next();
        return;
      }
      compartment.inside -= 1;
      if (compartment.inside === 0) this.#compartments.delete(volume);
    };
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

export function storageRepair(): HoldfastError {
  return new HoldfastError(
    'storage-repair',
    'The storage of this account is busy or being repaired. Nothing is lost; please try again in a moment.',
    { retryAfterSeconds: 10 },
  );
}
