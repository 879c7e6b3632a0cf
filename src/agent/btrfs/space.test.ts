import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { neededToCopy, roomBytes, unallocatedBytes, usedBytes, type Space } from './space.ts';

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** As the kernel told it, in KiB: total, used, promised. */
function space(data: number[], metadata: number[], system = [8192, 16, 0], reserve = 5632): Space {
  const kind = ([total = 0, used = 0, promised = 0]: number[]): Space['data'] => ({
    total: total * KiB,
    used: used * KiB,
    promised: promised * KiB,
  });
  return { data: kind(data), metadata: kind(metadata), system: kind(system), reserve: reserve * KiB };
}

describe('room on a mirror', () => {
  test('a fresh one of 384 MiB: nearly all of it, but for what metadata has', () => {
    const fresh = space([65_536, 0, 0], [39_296, 128, 5632]);
    expect(unallocatedBytes(fresh, 384 * MiB) / MiB).toBeCloseTo(272.6, 0);
    expect(roomBytes(fresh, 384 * MiB) / MiB).toBeGreaterThan(325);
    expect(usedBytes(fresh)).toBe(144 * KiB);
  });

  test('the same one when no write goes in any more: none, though 12 % of the disk are unused', () => {
    const full = space([344_704, 344_640, 0], [39_296, 544, 5632]);
    expect(roomBytes(full, 384 * MiB)).toBeLessThan(MiB);
    expect(usedBytes(full) / (384 * MiB)).toBeLessThan(0.88);
  });

  test('none when metadata has no room, however much data has', () => {
    const many = space([300_000, 10_000, 0], [84_000, 78_300, 5632], [8192, 16, 0]);
    expect(roomBytes(many, 384 * MiB) / MiB).toBeLessThan(2);
  });

  test('what is being written now has its room already', () => {
    const quiet = space([344_704, 200_000, 0], [39_296, 544, 5632]);
    const writing = space([344_704, 200_000, 50_000], [39_296, 544, 5632]);
    expect(roomBytes(quiet, 384 * MiB) - roomBytes(writing, 384 * MiB)).toBeGreaterThan(40_000 * KiB);
  });

  test('it is never below zero, never more than the disk, and never less when less is used', () => {
    const amount = fc.nat({ max: 10_000_000 });
    const kind = fc.tuple(amount, amount, amount);
    fc.assert(
      fc.property(kind, kind, amount, amount, (data, metadata, reserve, disk) => {
        const room = roomBytes(space(data, metadata, [8192, 16, 0], reserve), disk * KiB);
        expect(room).toBeGreaterThanOrEqual(0);
        expect(room).toBeLessThanOrEqual(Math.max(disk, data[0]) * KiB);
        const [total, used, promised] = data;
        const less = roomBytes(
          space([total, Math.floor(used / 2), promised], metadata, [8192, 16, 0], reserve),
          disk * KiB,
        );
        if (metadata[0] >= metadata[1] + reserve && total >= used + promised) expect(less).toBeGreaterThanOrEqual(room);
      }),
    );
  });

  test('a copy needs a small share of a large disk', () => {
    expect(neededToCopy(8 * GiB) / (8 * GiB)).toBeLessThan(0.1);
    expect(neededToCopy(4096 * GiB) / (4096 * GiB)).toBeLessThan(0.001);
  });
});
