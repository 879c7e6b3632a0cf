import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interleaved, largest, median, percentile, sum } from './statistics.ts';

const values = fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 });

describe('percentile', () => {
  it('takes the nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
    expect(percentile([7], 0.99)).toBe(7);
  });

  it('is always a measured value that at least that share of the values does not exceed', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const value = percentile(list, share);
        expect(list).toContain(value);
        expect(list.filter((entry) => entry <= value).length / list.length).toBeGreaterThanOrEqual(share - 1e-12);
      }),
    );
  });

  it('refuses what has no answer', () => {
    expect(() => percentile([], 0.5)).toThrow('no values');
    expect(() => percentile([1], 99)).toThrow('not a share');
  });
});

describe('median', () => {
  it('is the middle, or the mean of the middle two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow('no values');
  });

  it('does not depend on the order and does not change its input', () => {
    fc.assert(
      fc.property(values, (list) => {
        const before = [...list];
        expect(median(list.toReversed())).toBe(median(list));
        expect(list).toEqual(before);
      }),
    );
  });
});

it('sums, and finds the largest', () => {
  expect(sum([1, 2, 3.5])).toBe(6.5);
  expect(sum([])).toBe(0);
  expect(largest([2, 9, 4])).toBe(9);
});

it('lets neither side always go first', () => {
  expect(interleaved('a', 'b', 3)).toEqual(['a', 'b', 'b', 'a', 'a', 'b']);
});
