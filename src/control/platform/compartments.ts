import { HoldfastError } from '../../protocol/errors.ts';
import { Compartments, type CompartmentRule } from '../../runtime/compartments.ts';

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
  readonly #refusal: (volume: string) => HoldfastError | undefined;

  /** `refusal`: why a volume takes nobody now, if it is known to be of no use; said at once. */
  constructor(rule: FilePlacesRule, refusal: (volume: string) => HoldfastError | undefined = () => undefined) {
    this.#refusal = refusal;
    this.#volumes = new Compartments(rule.volume);
    this.#members = new Compartments(rule.member, tooManyAtOnce);
  }

  /** Takes a place. Throws `too-many-requests` beyond the member's share, `storage-repair` when the volume's are taken. */
  async enter(volume: string, member: string): Promise<() => void> {
    const refused = this.#refusal(volume);
    if (refused) throw refused;
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

/**
 * Remembers which volumes have just let somebody wait in vain, so that the next one need not: for a few seconds what is dispensable is
 * not asked of them, then one tries again.
 */
export class Breaker {
  readonly #restMs: number;
  readonly #now: () => number;
  readonly #resting = new Map<string, number>();

  constructor(restMs: number, now: () => number = () => performance.now()) {
    this.#restMs = restMs;
    this.#now = now;
  }

  /** Whether this volume is left alone for now. Who gets `false` after a rest tries for all: the others rest on. */
  resting(volume: string): boolean {
    const until = this.#resting.get(volume);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#resting.set(volume, this.#now() + this.#restMs);
    return false;
  }

  failed(volume: string): void {
    this.#resting.set(volume, this.#now() + this.#restMs);
  }

  succeeded(volume: string): void {
    this.#resting.delete(volume);
  }
}

function tooManyAtOnce(): HoldfastError {
  return new HoldfastError(
    'too-many-requests',
    'Too many of your files are being sent or read at once. Wait until one of them is done.',
    { retryAfterSeconds: 5 },
  );
}
