/** One after the other for each key; other keys do not wait. Nothing is kept of a key nobody waits for. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Does the work when everybody who came before with this key is through, whatever became of theirs. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const through = result.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, through);
    try {
      return await result;
    } finally {
      if (this.#last.get(key) === through) this.#last.delete(key);
    }
  }
}
