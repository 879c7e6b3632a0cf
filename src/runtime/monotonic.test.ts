import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bootId, monotonicMs, readClocks, shiftOfMoments } from './monotonic.ts';

test('moments of one boot compare as they are, whatever the time of day was set to', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), fc.integer(), fc.integer(), (then, later, wallThen, wallNow) => {
      const written = { boot: 'a', monotonicMs: then, wallMs: wallThen };
      expect(shiftOfMoments(written, { boot: 'a', monotonicMs: then + later, wallMs: wallNow })).toBe(0);
    }),
  );
});

test('what was written in an earlier boot lies before this one, and as long ago as the time of day says when that is longer', () => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.nat(1e9), fc.integer(), fc.integer(), (then, uptime, wallThen, wallNow) => {
      const shift = shiftOfMoments(
        { boot: 'a', monotonicMs: then, wallMs: wallThen },
        { boot: 'b', monotonicMs: uptime, wallMs: wallNow },
      );
      const ago = uptime - (then + shift);
      expect(ago).toBe(Math.max(uptime, wallNow - wallThen));
    }),
  );
});

test('the clock goes on, and the boot has an id', () => {
  const before = monotonicMs();
  expect(readClocks().monotonicMs).toBeGreaterThanOrEqual(before);
  expect(bootId()).toMatch(/^[0-9a-f-]{36}$/);
});
