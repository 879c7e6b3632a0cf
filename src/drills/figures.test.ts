import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes, longest, percentile, spoken } from './figures.ts';

const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });

describe('percentile', () => {
  it('is always a value that was measured, with the right share at or below it', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const value = percentile(list, share);
        expect(list).toContain(value);
        const below = list.filter((other) => other <= value).length;
        expect(below).toBeGreaterThanOrEqual(Math.min(list.length, Math.ceil(share * list.length)));
        expect(list.filter((other) => other < value).length).toBeLessThan(Math.max(1, Math.ceil(share * list.length)));
      }),
    );
  });

  it('never falls when one request takes longer', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.double({ min: 0, max: 1e6, noNaN: true }), (list, at, more) => {
        const slower = list.with(at % list.length, (list[at % list.length] ?? 0) + more);
        expect(percentile(slower, 0.99)).toBeGreaterThanOrEqual(percentile(list, 0.99));
        expect(longest(slower)).toBeGreaterThanOrEqual(longest(list));
      }),
    );
  });

  it('of nothing is nothing', () => {
    expect(percentile([], 0.99)).toBe(0);
    expect(longest([])).toBe(0);
  });
});

it('speaks times and sizes as people do', () => {
  expect([4.24, 14.4, 1_204, 61_040, 200_000].map(spoken)).toEqual([
    '4.2 ms',
    '14 ms',
    '1.20 s',
    '61.0 s',
    '3 min 20 s',
  ]);
  expect([512, 1536, 30 * 1024 ** 2].map(bytes)).toEqual(['512 B', '1.5 KiB', '30 MiB']);
});
