import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { chartPath, type ChartPoint, niceMax } from './chart-path.ts';

const frame = { from: 0, to: 100, max: 10, width: 200, height: 40 };
const points: fc.Arbitrary<ChartPoint[]> = fc.array(
  fc.tuple(
    fc.integer({ min: -50, max: 150 }),
    fc.oneof(fc.double({ min: -5, max: 50 }), fc.constant<number | null>(null)),
  ),
);

test('a curve never leaves its frame and holds no nonsense', () => {
  fc.assert(
    fc.property(points, (list) => {
      const { line, area, dots } = chartPath(
        list.toSorted(([a], [b]) => a - b),
        frame,
      );
      for (const text of [line, area]) {
        expect(text).not.toMatch(/NaN|Infinity|undefined/);
        for (const [, x, y] of text.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)) {
          expect(Number(x)).toBeGreaterThanOrEqual(0);
          expect(Number(x)).toBeLessThanOrEqual(frame.width);
          expect(Number(y)).toBeGreaterThanOrEqual(0);
          expect(Number(y)).toBeLessThanOrEqual(frame.height);
        }
      }
      expect(dots.every(([x, y]) => x >= 0 && x <= frame.width && y >= 0 && y <= frame.height)).toBe(true);
    }),
  );
});

test('what was not measured is a gap, and a lonely point is still seen', () => {
  const { line, dots } = chartPath([[0, 1], [10, 2], [20, null], [30, 3], [40, null], [50, 5], [60, 5]], frame); // prettier-ignore
  expect(line.match(/M/g)).toHaveLength(2);
  expect(dots).toEqual([[60, 27.6]]);
});

test('a chart without time or without points is empty', () => {
  expect(chartPath([], frame)).toEqual({ line: '', area: '', dots: [] });
  expect(chartPath([[1, 1]], { ...frame, to: 0 }).line).toBe('');
});

test('a scale is round, holds every value and is not needlessly large', () => {
  expect([0.3, 1, 1.2, 3, 7, 45, 101].map((value) => niceMax([value], 0))).toEqual([0.5, 1, 2, 5, 10, 50, 200]);
  expect(niceMax([null, Number.NaN], 4)).toBe(5);
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e9, noNaN: true }), (value) => {
      const max = niceMax([value], 0);
      expect(max).toBeGreaterThanOrEqual(value * 0.999_999);
      expect(max).toBeLessThanOrEqual(value * 5.000_001);
    }),
  );
});
