import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUSY,
  busyShare,
  CALM,
  FASTEST_COPY,
  nextLimit,
  SLOWEST_CHECK,
  SLOWEST_COPY,
  SLOWEST_COPY_UNTOLD,
} from './copy-pace.ts';

const moments = fc.record({
  floor: fc.constantFrom(SLOWEST_COPY, SLOWEST_COPY_UNTOLD, SLOWEST_CHECK),
  limit: fc.integer({ min: 1, max: FASTEST_COPY * 2 }),
  speed: fc.integer({ min: 0, max: FASTEST_COPY * 2 }),
  busy: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
});

describe('the pace of a copy', () => {
  test('never leaves its bounds', () => {
    fc.assert(
      fc.property(moments, (moment) => {
        const limit = nextLimit(moment);
        expect(limit).toBeGreaterThanOrEqual(moment.floor);
        expect(limit).toBeLessThanOrEqual(FASTEST_COPY);
      }),
    );
  });

  test('a busier machine never makes it faster', () => {
    fc.assert(
      fc.property(moments, fc.double({ min: 0, max: 1, noNaN: true }), (moment, more) => {
        const busy = moment.busy ?? 0;
        const busier = Math.max(busy, more);
        expect(nextLimit({ ...moment, busy: busier })).toBeLessThanOrEqual(nextLimit({ ...moment, busy }));
      }),
    );
  });

  test('gives way on a busy machine down to the floor, and stays as it is between busy and calm', () => {
    const floor = SLOWEST_COPY;
    let limit = 16 * floor;
    for (let turn = 0; turn < 20; turn += 1) limit = nextLimit({ floor, limit, speed: limit, busy: BUSY + 0.01 });
    expect(limit).toBe(floor);
    expect(nextLimit({ floor, limit: floor, speed: floor, busy: (BUSY + CALM) / 2 })).toBe(floor);
    expect(nextLimit({ floor, limit: floor, speed: floor, busy: undefined })).toBe(floor);
  });

  test('takes more on a calm machine only while the limit is what holds it back', () => {
    const [floor, limit, busy] = [SLOWEST_COPY, SLOWEST_COPY, CALM / 2];
    expect(nextLimit({ floor, limit, speed: limit, busy })).toBeGreaterThan(limit);
    expect(nextLimit({ floor, limit, speed: limit / 2, busy })).toBe(limit);
  });

  test('takes no more where members keep a tenth of the processors busy', () => {
    const [floor, limit] = [SLOWEST_COPY, SLOWEST_COPY];
    expect(nextLimit({ floor, limit, speed: limit, busy: 0.1 })).toBe(limit);
  });
});

describe('how busy a machine is', () => {
  test('is what was neither idle nor waiting for a disk', () => {
    expect(busyShare([0, 0, 0, 0, 0, 0, 0, 0], [20, 0, 10, 50, 10, 0, 5, 5])).toBeCloseTo(0.4);
    expect(busyShare([10, 0, 0, 10], [10, 0, 0, 30])).toBe(0);
  });

  test('is not known when no time has passed, or a counter went back', () => {
    expect(busyShare([1, 2, 3, 4], [1, 2, 3, 4])).toBeUndefined();
    expect(busyShare([1, 2, 3, 40], [100, 2, 3, 4])).toBeUndefined();
  });
});
