/**
 * Slows down the guessing of passwords, per account and per address, without locking anybody out for long: after some free
 * tries the wait doubles with each failure, up to a limit. Pure: the caller brings the time.
 */
export interface ThrottleRule {
  /** Failures that cost nothing. */
  freeFailures: number;
  /** Wait after the first failure beyond them, seconds. */
  firstWaitSeconds: number;
  longestWaitSeconds: number;
  /** Failures are forgotten after this long without a new one, seconds. */
  forgetAfterSeconds: number;
  /** Keys remembered at most; the oldest go first. */
  keys: number;
}

/** An account: 5 free failures, then 2 s, 4 s ... 5 min. At most some 300 guesses a day on one account. */
export const PER_ACCOUNT: ThrottleRule = {
  freeFailures: 5,
  firstWaitSeconds: 2,
  longestWaitSeconds: 300,
  forgetAfterSeconds: 3600,
  keys: 10_000,
};

/** An address may hold a whole office or school: more free failures. */
export const PER_ADDRESS: ThrottleRule = { ...PER_ACCOUNT, freeFailures: 20 };

interface Entry {
  failures: number;
  lastAt: number;
}

export class LoginThrottle {
  readonly #rule: ThrottleRule;
  /** In order of the last failure. */
  readonly #entries = new Map<string, Entry>();

  constructor(rule: ThrottleRule) {
    this.#rule = rule;
  }

  /** Seconds to wait before the next try; 0 = go on. `now` in milliseconds. */
  waitSeconds(key: string, now: number): number {
    const entry = this.#entries.get(key);
    if (!entry) return 0;
    const since = (now - entry.lastAt) / 1000;
    if (since >= this.#rule.forgetAfterSeconds) {
      this.#entries.delete(key);
      return 0;
    }
    const over = entry.failures - this.#rule.freeFailures;
    if (over <= 0) return 0;
    const wait = Math.min(this.#rule.firstWaitSeconds * 2 ** Math.min(over - 1, 30), this.#rule.longestWaitSeconds);
    return Math.max(0, Math.ceil(wait - since));
  }

  /**
   * Counts a try as failed, before its outcome is known: tries sent at the same moment are then all counted.
   * A success forgets them (`succeeded`).
   */
  failed(key: string, now: number): void {
    const entry = this.#entries.get(key);
    const forgotten = entry === undefined || (now - entry.lastAt) / 1000 >= this.#rule.forgetAfterSeconds;
    this.#entries.delete(key);
    this.#entries.set(key, { failures: forgotten ? 1 : entry.failures + 1, lastAt: now });
    if (this.#entries.size > this.#rule.keys) {
      const oldest = this.#entries.keys().next().value;
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  /** The owner was there: all is forgotten. */
  succeeded(key: string): void {
    this.#entries.delete(key);
  }

  /**
   * This try was no guess. For an address, where one good sign-in must not wipe out the failures on other accounts.
   */
  takeBack(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    if (entry.failures <= 1) this.#entries.delete(key);
    else entry.failures -= 1;
  }

  get size(): number {
    return this.#entries.size;
  }
}
