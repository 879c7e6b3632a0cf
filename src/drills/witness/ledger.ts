import { createHash } from 'node:crypto';

export interface Write {
  seq: number;
  check: string;
}

/**
 * The book of one account's writes: what was sent, what was acknowledged, and, in the end, what of that is really there. A write that was
 * sent and never acknowledged may be there or not; one that is there twice was sent again. Neither is a loss.
 */
export class Ledger {
  readonly #account: string;
  readonly #acknowledged = new Set<number>();
  #next = 1;

  constructor(account: string) {
    this.#account = account;
  }

  next(): Write {
    const seq = this.#next;
    this.#next += 1;
    return { seq, check: checkOf(this.#account, seq) };
  }

  acknowledge(seq: number): void {
    this.#acknowledged.add(seq);
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** Acknowledged writes that the file does not hold whole, in order. */
  missingFrom(text: string): number[] {
    const there = new Set<number>();
    for (const line of text.split('\n')) {
      const [seq, check] = line.split(' ').slice(-2);
      const number = Number(seq);
      if (Number.isInteger(number) && check === checkOf(this.#account, number)) there.add(number);
    }
    return [...this.#acknowledged].filter((seq) => !there.has(seq)).sort((a, b) => a - b);
  }
}

/** Tells a line of this account with this number from any other, and from one that was torn. */
export function checkOf(account: string, seq: number): string {
  return createHash('sha256').update(`${account} ${seq}`).digest('hex').slice(0, 32);
}
