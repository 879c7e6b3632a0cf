const WINDOW_MS = 60_000;
/** Keys without a request in the window are swept when this many are known. */
const SWEEP_AT = 5_000;

/**
 * At most so many requests a minute for one key, counted over the sixty seconds before each request (Django REST
 * framework's SimpleRateThrottle, which PythonAnywhere uses). A refused request does not count. Pure: the caller brings the time.
 */
export class RequestThrottle {
  /** Times of the requests let through, oldest first. */
  readonly #history = new Map<string, number[]>();

  /** 0 = go on, otherwise the seconds after which the next request will be let through. `now` in milliseconds. */
  take(key: string, limit: number, now: number): number {
    if (limit <= 0) return 0;
    const times = (this.#history.get(key) ?? []).filter((time) => now - time < WINDOW_MS);
    if (times.length >= limit) {
      // The limit may have been lowered: as many must have left the window as are over it.
      const leaving = times[times.length - limit] ?? now;
      this.#history.set(key, times);
      return Math.max(1, Math.ceil((leaving + WINDOW_MS - now) / 1000));
    }
    times.push(now);
    this.#history.set(key, times);
    if (this.#history.size > SWEEP_AT) this.#sweep(now);
    return 0;
  }

  #sweep(now: number): void {
    for (const [key, times] of this.#history) {
      if (now - (times.at(-1) ?? 0) >= WINDOW_MS) this.#history.delete(key);
    }
  }
}
