import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Throttle } from './throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a throttle', () => {
  it('passes the first at once, never two within its time, and always the last', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 300 })), { maxLength: 60 }),
        (pushes) => {
          const seen: { key: string; value: number; at: number }[] = [];
          const throttle = new Throttle<{ key: string; value: number }>(100, (value) =>
            seen.push({ ...value, at: Date.now() }),
          );
          const last = new Map<string, number>();
          pushes.forEach(([key, waitMs], value) => {
            throttle.push(key, { key, value });
            if (!last.has(key)) expect(seen.at(-1)).toMatchObject({ key, value });
            last.set(key, value);
            vi.advanceTimersByTime(waitMs);
          });
          vi.advanceTimersByTime(1_000);
          for (const [key, value] of last) {
            const own = seen.filter((entry) => entry.key === key);
            expect(own.at(-1)?.value).toBe(value);
            own.forEach((entry, index) =>
              expect(index === 0 || entry.at - (own[index - 1]?.at ?? 0) >= 100).toBe(true),
            );
          }
        },
      ),
    );
  });
});
