/**
 * Hands on the latest value of each key, at most once per `everyMs`: the first at once, later ones when the time has come. What was
 * overtaken in between is dropped, the last one never is.
 */
export class Throttle<T> {
  readonly #everyMs: number;
  readonly #pass: (value: T) => void;
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; next: T | undefined }>();

  constructor(everyMs: number, pass: (value: T) => void) {
    this.#everyMs = everyMs;
    this.#pass = pass;
  }

  push(key: string, value: T): void {
    const waiting = this.#waiting.get(key);
    if (waiting) {
      waiting.next = value;
      return;
    }
    this.#hold(key);
    this.#pass(value);
  }

  stop(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #hold(key: string): void {
    const timer = setTimeout(() => {
      const next = this.#waiting.get(key)?.next;
      this.#waiting.delete(key);
      if (next === undefined) return;
      this.#hold(key);
      this.#pass(next);
    }, this.#everyMs);
    timer.unref();
    this.#waiting.set(key, { timer, next: undefined });
  }
}
