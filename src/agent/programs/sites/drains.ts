import { drainGeneration, type Generation, type Ground } from './generation.ts';

/** Generations that have answered everything and still end; one more, and the oldest is hurried. Nobody waits for what they do. */
const MOST_ENDING = 2;
/** Older generations beside the one that answers: those that carry requests, and the one that is kept. */
const MOST_OLDER = 8;
/** The memory of these together, in memories of the plan. Ordinary programs take a small part of theirs; two may have all of it. */
const MOST_MEMORIES = 2;

interface Drain {
  generation: Generation;
  hurry: AbortController;
  /** When it is ended at the latest, by performance.now(). */
  until: number;
  /** Whether it may still have requests; when not, it has been asked to end. */
  carries: boolean;
}

/**
 * The generations of one site that finish what they carry. Requests are never cut off for want of room: who wants to add another generation
 * asks for room first.
 */
export class Drains {
  readonly #ground: Ground;
  readonly #site: string;
  /** The oldest first. */
  readonly #all = new Map<Promise<void>, Drain>();

  constructor(ground: Ground, site: string) {
    this.#ground = ground;
    this.#site = site;
  }

  /** Drains a generation for at most `drainMs`, then ends it. The gateway must not point to it any more. */
  add(generation: Generation, drainMs: number): void {
    const hurry = new AbortController();
    const drain: Drain = { generation, hurry, until: performance.now() + drainMs, carries: true };
    const asked = (): void => {
      drain.carries = false;
      this.#thin();
    };
    const work = drainGeneration(this.#ground, generation, drainMs, hurry.signal, asked)
      .catch((error: unknown) =>
        this.#ground.context.log.warn({ err: error, site: this.#site }, 'a generation did not stop cleanly'),
      )
      .finally(() => this.#all.delete(work));
    this.#all.set(work, drain);
  }

  /** Gives those that drain now `milliseconds` more, whatever they carry. */
  hurryIn(milliseconds: number): void {
    for (const { hurry } of this.#all.values()) setTimeout(() => hurry.abort(), milliseconds).unref();
  }

  async settled(): Promise<void> {
    await Promise.all(this.#all.keys());
  }

  /**
   * Undefined when there is room for one more beside these and `kept`; otherwise how many carry requests, and milliseconds until the first
   * of them ends at the latest.
   */
  async crowd(
    kept: Generation | undefined,
    memoryBytes: number,
  ): Promise<{ carrying: number; freeInMs: number } | undefined> {
    const carrying = [...this.#all.values()].filter((one) => one.carries);
    // What is kept alone is no reason to wait: a reload replaces it.
    if (carrying.length === 0) return undefined;
    const older = carrying.map((one) => one.generation);
    if (kept !== undefined) older.push(kept);
    let used = 0;
    for (const { record } of older)
      used += (await this.#ground.sandboxes.cgroups.usage(record.account, record.program))?.memoryBytes ?? 0;
    if (older.length < MOST_OLDER && used <= MOST_MEMORIES * memoryBytes) return undefined;
    const first = Math.min(...carrying.map((one) => one.until));
    return { carrying: carrying.length, freeInMs: Math.max(0, first - performance.now()) };
  }

  #thin(): void {
    const ending = [...this.#all.values()].filter((one) => !one.carries);
    for (const { hurry } of ending.slice(0, Math.max(0, ending.length - MOST_ENDING))) hurry.abort();
  }
}
