import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamWatch } from './stream-watch.ts';

test('six seconds without a heartbeat are silence, and since when is known', () => {
  const watch = new StreamWatch(0);
  watch.heard(2000);
  expect([3000, 4000, 5000, 6000, 7000].map((now) => watch.look(now))).toEqual([false, false, false, false, false]);
  expect(watch.look(8000)).toBe(true);
  expect(watch.heardAt).toBe(2000);
  watch.heard(9000);
  expect(watch.look(9000)).toBe(false);
});

test('a page that slept reads what came meanwhile before it complains', () => {
  const watch = new StreamWatch(0);
  expect(watch.look(3_600_000)).toBe(false);
  watch.heard(3_600_500);
  expect(watch.look(3_601_000)).toBe(false);
});

test('a page that slept and hears nothing afterwards says so, since the last it heard', () => {
  const watch = new StreamWatch(0);
  watch.look(3_600_000);
  expect(watch.look(3_601_000)).toBe(false);
  expect(watch.look(3_602_000)).toBe(true);
  expect(watch.heardAt).toBe(0);
});

test('never names a time in the future, whatever the clock does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat({ max: 100_000 }), heard: fc.boolean() }), { maxLength: 40 }),
      (steps) => {
        const watch = new StreamWatch(0);
        for (const { at, heard } of steps) {
          if (heard) watch.heard(at);
          else {
            watch.look(at);
            expect(watch.heardAt).toBeLessThanOrEqual(at);
          }
        }
      },
    ),
  );
});
