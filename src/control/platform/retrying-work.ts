import type { Logger } from '../../runtime/log.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

interface Entry {
  running: Promise<void> | undefined;
  /** Somebody asked while it was running: what they changed may have come too late for that run. */
  again: boolean;
  failures: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Work that must happen in the end, one piece per key: never twice at the same time, once more when asked for meanwhile, and
 * again with growing waits after a failure. The work itself finds out what is left to do, so doing it again is harmless.
 */
export class RetryingWork {
  readonly #what: string;
  readonly #work: (key: string) => Promise<void>;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;

  constructor(what: string, work: (key: string) => Promise<void>, log: Logger) {
    this.#what = what;
    this.#work = work;
    this.#log = log;
  }

  /** Does the work now and says how this try ended; after a failure it goes on trying in the background all the same. */
  async now(key: string): Promise<void> {
    if (this.#stopped) return;
    const entry = this.#entries.get(key) ?? { running: undefined, again: false, failures: 0, timer: undefined };
    this.#entries.set(key, entry);
    clearTimeout(entry.timer);
    if (entry.running) {
      entry.again = true;
      // How the run before ends does not matter here: the one that follows sees everything.
      await entry.running.catch(() => undefined);
      if (!entry.again) return await (entry.running ?? Promise.resolve());
      entry.again = false;
      clearTimeout(entry.timer);
    }
    const run = this.#run(key, entry);
    entry.running = run;
    await run;
  }

  /** Does the work soon, in the background. */
  soon(key: string): void {
    // Failures are logged and retried by #run.
    this.now(key).catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
    for (const entry of this.#entries.values()) clearTimeout(entry.timer);
  }

  async #run(key: string, entry: Entry): Promise<void> {
    try {
      await this.#work(key);
      entry.failures = 0;
      entry.running = undefined;
      if (!entry.again && this.#entries.get(key) === entry) this.#entries.delete(key);
    } catch (error) {
      entry.running = undefined;
      entry.failures += 1;
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** Math.min(entry.failures - 1, 10), LONGEST_WAIT_MS);
      this.#log.warn({ key, err: error, failures: entry.failures, waitMs }, `${this.#what} failed; it is tried again`);
      if (!this.#stopped) {
        clearTimeout(entry.timer);
        entry.timer = setTimeout(() => this.soon(key), waitMs);
        entry.timer.unref();
      }
      throw error;
    }
  }
}
