import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRow } from './prober.ts';

/** sequence, began, completed, took (nanoseconds), failures, last errno, writes. */
function row(...fields: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(64);
  fields.forEach((field, index) => bytes.writeBigUInt64LE(BigInt(field), index * 8));
  return bytes;
}

describe("a row of the prober's table", () => {
  test('is milliseconds; what has not happened is null', () => {
    expect(parseRow(row(2))).toEqual({
      outstandingSince: null,
      completedAt: null,
      tookMs: null,
      failures: 0,
      error: null,
      writes: false,
    });
    expect(parseRow(row(4, 5_000_000_000n, 4_000_000_000n, 1_500_000, 0, 0, 1))).toEqual({
      outstandingSince: 5_000,
      completedAt: 4_000,
      tookMs: 1.5,
      failures: 0,
      error: null,
      writes: true,
    });
  });

  test('tells why the last ones failed', () => {
    expect(parseRow(row(2, 0, 0, 0, 3, constants.errno.EIO))).toMatchObject({ failures: 3, error: 'i/o error' });
  });

  test('that is being written is not believed, whatever is in it', () => {
    const field = fc.bigInt({ min: 0n, max: 2n ** 50n });
    fc.assert(
      fc.property(field, fc.array(field, { minLength: 6, maxLength: 6 }), (half, rest) => {
        expect(parseRow(row(half * 2n + 1n, ...rest))).toBeUndefined();
      }),
    );
  });
});
