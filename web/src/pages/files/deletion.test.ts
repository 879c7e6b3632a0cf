import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEachItem } from './deletion.ts';

describe('deleting many', () => {
  it('counts each, never has more under way than it may, and leaves none out', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 6 }), async (length, atOnce) => {
        const items = Array.from({ length }, (_, index) => `file${index}`);
        const counts: number[] = [];
        let under = 0;
        let most = 0;
        const outcome = await forEachItem(
          items,
          async () => {
            under += 1;
            most = Math.max(most, under);
            await Promise.resolve();
            under -= 1;
          },
          { atOnce, onProgress: (done) => counts.push(done), signal: new AbortController().signal },
        );
        expect(outcome).toEqual({ done: items, left: [], error: null });
        expect(counts).toEqual(items.map((_, index) => index + 1));
        expect(most).toBeLessThanOrEqual(atOnce);
      }),
    );
  });

  it('says which are left after a failure, with its reason, and begins with no more', async () => {
    const items = ['a', 'b', 'c', 'd', 'e', 'f'];
    const begun: string[] = [];
    const outcome = await forEachItem(
      items,
      async (item) => {
        begun.push(item);
        await Promise.resolve();
        if (item === 'b') throw new Error('no');
      },
      { atOnce: 2, onProgress: () => undefined, signal: new AbortController().signal },
    );
    expect(outcome.left).toContain('b');
    expect(outcome.error).toEqual(new Error('no'));
    expect([...outcome.done, ...outcome.left].toSorted()).toEqual(items);
    expect(begun).not.toContain('f');
  });

  it('ends where it is told to', async () => {
    const stop = new AbortController();
    const items = Array.from({ length: 100 }, (_, index) => index);
    const outcome = await forEachItem(items, async () => await Promise.resolve(), {
      atOnce: 1,
      onProgress: (done) => done === 10 && stop.abort(),
      signal: stop.signal,
    });
    expect([outcome.done.length, outcome.left.length, outcome.error]).toEqual([10, 90, null]);
  });
});
