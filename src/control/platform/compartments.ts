import { HoldfastError } from '../../protocol/errors.ts';

export interface CompartmentRule {
  /** Pieces of work inside one compartment at the same time. */
  atOnce: number;
  /** Pieces of work that may wait for their turn; beyond that an error (usually `storage-repair`) is thrown at once. */
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

  readonly #full: () => HoldfastError;

  constructor(rule: CompartmentRule, full: () => HoldfastError = storageRepair) {
    this.#rule = rule;
    this.#full = full;
  }

  /** Waits for a place (as far as the rule lets anybody wait) and takes it. Call what it resolves to exactly once, to leave. */
  async enter(volume: string): Promise<() => void> {
    const compartment = this.#compartments.get(volume) ?? { inside: 0, queue: [] };
    this.#compartments.set(volume, compartment);
    if (compartment.inside >= this.#rule.atOnce) {
      if (compartment.queue.length >= this.#rule.waiting) throw this.#full();
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

export interface FilePlacesRule {
  volume: CompartmentRule;
  /** The share one member may have of its volume's places. */
  member: CompartmentRule;
}

/**
 * Places for work on members' files: those of a volume, and of these no member more than a share, so that a few slow
 * downloads of one leave the others on the same volume their places.
 */
export class FilePlaces {
  readonly #volumes: Compartments;
  readonly #members: Compartments;

  constructor(rule: FilePlacesRule) {
    this.#volumes = new Compartments(rule.volume);
    this.#members = new Compartments(rule.member, tooManyAtOnce);
  }

  /** Takes a place. Throws `too-many-requests` beyond the member's share, `storage-repair` when the volume's are taken. */
  async enter(volume: string, member: string): Promise<() => void> {
    // The share first: who waits for its own turn must not wait in the volume's queue.
    const leaveShare = await this.#members.enter(member);
    try {
      const leaveVolume = await this.#volumes.enter(volume);
      return () => {
        leaveVolume();
        leaveShare();
      };
    } catch (error) {
      leaveShare();
      throw error;
    }
  }

  async run<T>(volume: string, member: string, work: () => Promise<T>): Promise<T> {
    const leave = await this.enter(volume, member);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** How many are inside a volume's places now. */
  inside(volume: string): number {
    return this.#volumes.inside(volume);
  }
}

function tooManyAtOnce(): HoldfastError {
  return new HoldfastError(
    'too-many-requests',
    'Too many of your files are being sent or read at once. Wait until one of them is done.',
    { retryAfterSeconds: 5 },
  );
}

export function storageRepair(): HoldfastError {
  return new HoldfastError(
    'storage-repair',
    'The storage of this account is busy or being repaired. Nothing is lost; please try again in a moment.',
    { retryAfterSeconds: 10 },
  );
}
