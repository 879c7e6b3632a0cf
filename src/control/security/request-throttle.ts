const WINDOW_MS = 60_000;
/** Keys without a request in the window are swept when this many are known. */
const SWEEP_AT = 5_000;
/** Above this limit, requests of one second are remembered as one entry, so that a key holds at most about sixty of them. */
const REMEMBERED_SINGLY = 600;
const GRAIN_MS = 1_000;

/** Requests let through, and when the last of them was. */
interface Entry {
  from: number;
  at: number;
  count: number;
}

/**
 * At most so many requests a minute for one key, counted over the sixty seconds before each request (Django REST
 * framework's SimpleRateThrottle, which PythonAnywhere uses). A refused request does not count. Pure: the caller brings the time.
 */
export class RequestThrottle {
  /** What was let through, oldest first. */
  readonly #history = new Map<string, Entry[]>();

  /** 0 = go on, otherwise the seconds after which the next request will be let through. `now` in milliseconds. */
  take(key: string, limit: number, now: number): number {
    if (limit <= 0) return 0;
    const entries = this.#history.get(key) ?? [];
    while (entries[0] !== undefined && now - entries[0].at >= WINDOW_MS) entries.shift();
    this.#history.set(key, entries);
    const count = entries.reduce((sum, entry) => sum + entry.count, 0);
    if (count >= limit) {
      // The limit may have been lowered: as many must have left the window as are over it.
      let left = count;
      const leaving = entries.find((entry) => (left -= entry.count) < limit)?.at ?? now;
      return Math.max(1, Math.ceil((leaving + WINDOW_MS - now) / 1000));
    }
    const last = entries.at(-1);
    if (limit > REMEMBERED_SINGLY && last !== undefined && now - last.from < GRAIN_MS) {
      last.count += 1;
      last.at = now;
    } else entries.push({ from: now, at: now, count: 1 });
    if (this.#history.size > SWEEP_AT) this.#sweep(now);
    return 0;
  }

  #sweep(now: number): void {
    for (const [key, entries] of this.#history) {
      if (now - (entries.at(-1)?.at ?? 0) >= WINDOW_MS) this.#history.delete(key);
    }
  }
}
