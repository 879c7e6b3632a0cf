/** What became of many pieces of work. */
export interface Outcome<T> {
  done: T[];
  /** Those not done: the ones that failed, and the ones nobody began with after that or after a stop. */
  left: T[];
  /** The first failure. */
  error: unknown;
}

/**
 * Does the same with each item, a few at once, and tells after each how many are done. Ends early after a failure or when `signal`
 * fires; what is under way then is still finished and counted. Never throws.
 */
export async function forEachItem<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  options: { atOnce: number; onProgress: (done: number) => void; signal: AbortSignal },
): Promise<Outcome<T>> {
  const done = new Set<T>();
  let next = 0;
  let error: unknown = null;
  const runner = async (): Promise<void> => {
    while (error === null && !options.signal.aborted) {
      const item = items[next];
      next += 1;
      if (item === undefined) return;
      try {
        await work(item);
        done.add(item);
        options.onProgress(done.size);
      } catch (reason) {
        error ??= reason;
      }
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, runner));
  return { done: items.filter((item) => done.has(item)), left: items.filter((item) => !done.has(item)), error };
}
