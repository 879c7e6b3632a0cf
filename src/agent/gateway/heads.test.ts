import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromThousands } from './heads.ts';

it('a number of bytes is compared by its digits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 99 }), fc.integer({ min: 0, max: 999_999 }), (thousands, bytes) => {
      expect(new RegExp(`^${fromThousands(thousands)}$`).test(String(bytes))).toBe(bytes >= thousands * 1000);
    }),
    { numRuns: 3000 },
  );
});
