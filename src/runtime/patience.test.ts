import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Patience } from './patience.ts';

test('what does not answer for so many turns is silent, and what answers again is not', () => {
  const patience = new Patience({ turnMs: 1000, turns: 3 });
  expect([0, 1000, 2000].map((at) => patience.turn(at))).toEqual([false, false, true]);
  patience.heard();
  expect(patience.turn(3000)).toBe(false);
});

test('a looker that was itself held up holds nothing against anybody, however long it was', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 2600, max: 10_000_000 }), { maxLength: 50 }), (gaps) => {
      const patience = new Patience({ turnMs: 1000, turns: 3 });
      let now = 0;
      patience.turn(now);
      for (const gap of gaps) {
        now += gap;
        expect(patience.turn(now)).toBe(false);
      }
    }),
  );
});

test('begins anew with another patience when something was just started', () => {
  const patience = new Patience({ turnMs: 1000, turns: 1 });
  expect(patience.turn(0)).toBe(true);
  patience.reset(2);
  expect(patience.turn(1000)).toBe(false);
  expect(patience.turn(2000)).toBe(true);
});
