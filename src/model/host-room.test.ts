import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adviceOnHostRoom, diagnoseHostRoom, isHostFull, littleRoom } from './host-room.ts';

const GiB = 1024 ** 3;
const room = (freeBytes: number, promisedBytes = 0, sizeBytes = 100 * GiB) => ({
  path: '/var/lib/holdfast',
  sizeBytes,
  freeBytes,
  promisedBytes,
});

test('the machine is named when little is left on its own disk, and it is over only with more than that', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1, max: 100_000, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (size, share) => {
        const one = room(size * GiB * share, 0, size * GiB);
        const little = littleRoom(one.sizeBytes);
        expect(diagnoseHostRoom(one, false) !== undefined).toBe(one.freeBytes < little);
        expect(diagnoseHostRoom(one, true) !== undefined).toBe(one.freeBytes < little * 1.25);
        if (isHostFull(one)) expect(diagnoseHostRoom(one, false)).toBeDefined();
      },
    ),
  );
});

test('it says how much is left, what may still be taken, that no disk is to blame, and what to do', () => {
  const found = diagnoseHostRoom(room(100 * 1024 ** 2, 12 * GiB), false);
  expect(found).toMatchObject({ culprit: { kind: 'host', volume: null }, fault: 'full' });
  expect(found?.evidence).toEqual([
    "100 MiB of 100 GiB are free on this machine's own disk, where the platform keeps its records (/var/lib/holdfast).",
    'The image files of its volumes may still take 12 GiB, which is not there: what members write may have to wait.',
  ]);
  expect(diagnoseHostRoom(room(100 * 1024 ** 2), false)?.evidence).toHaveLength(1);
  expect(adviceOnHostRoom(room(0))).toMatch(/Make room on the disk of \/var\/lib\/holdfast, at least 2560 MiB/);
});
