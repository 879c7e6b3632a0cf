import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Diagnosis } from './health.ts';
import {
  adviceOnHostRoom,
  diagnoseHostRoom,
  FULL_ENDS_MS,
  FULL_REMEMBERED_MS,
  isHostFull,
  isWaitForRoom,
  littleRoom,
  seeRoom,
  type FullSpell,
} from './host-room.ts';

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

const MiB = 1024 ** 2;
const found = (fault: Diagnosis['fault'], kind: 'disk' | 'host' = 'disk'): Diagnosis => ({
  culprit: { kind, volume: null, replica: null, disk: null },
  fault,
  evidence: [],
  ruledOut: [],
});
/** Looks at growing moments: how long after the one before, and what was free. */
const looks = fc.array(fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 400 })), {
  minLength: 1,
  maxLength: 30,
});
const WAITS = ['hung', 'slow', 'failing'] as const;

test('from the first sign that there is no room until some seconds after there is, nothing that waits names a disk', () => {
  fc.assert(
    fc.property(looks, fc.integer({ min: 0, max: 5_000 }), fc.constantFrom(...WAITS), (all, later, fault) => {
      let at = 0;
      let spell: FullSpell | undefined = seeRoom(undefined, 400 * MiB, at);
      let fullAt = -Infinity;
      let roomAt = -Infinity;
      for (const [after, free] of all) {
        at += after;
        spell = seeRoom(spell, free * MiB, at);
        if (free < 32) fullAt = at;
        else if (fullAt > roomAt) roomAt = at;
      }
      const now = at + later;
      const isFull = fullAt > roomAt;
      const overlaps = isFull || now - roomAt < FULL_ENDS_MS;
      expect(isWaitForRoom({ diagnosis: found(fault), since: now - 700, waitsNow: true }, spell, now)).toBe(overlaps);
    }),
  );
});

test('once that is over a disk that waits is named, however long it has; what only tells of waits of that time is not, until it is forgotten', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -100_000, max: 200_000 }),
      fc.integer({ min: 0, max: 100_000 }),
      fc.constantFrom(...WAITS),
      (since, later, fault) => {
        const spell = seeRoom(seeRoom(undefined, 0, 0), 400 * MiB, 10_000);
        const now = 10_000 + FULL_ENDS_MS + later;
        expect(isWaitForRoom({ diagnosis: found(fault), since, waitsNow: true }, spell, now)).toBe(false);
        const recalled = since < 10_000 + FULL_ENDS_MS && later < FULL_REMEMBERED_MS;
        expect(isWaitForRoom({ diagnosis: found(fault), since, waitsNow: false }, spell, now)).toBe(recalled);
      },
    ),
  );
});

test('a request that found no room has been tried again, and judged, before the time after it ends', () => {
  const RETRY_MS = 2_000;
  const JUDGED_MS = 1_500;
  expect(FULL_ENDS_MS).toBeGreaterThan(RETRY_MS + JUDGED_MS);
});

test('where there was always room nothing is excused; what is not there, or returns wrong data, never waits for room', () => {
  const always = seeRoom(seeRoom(undefined, 400 * MiB, 0), 33 * MiB, 1_000);
  expect(isWaitForRoom({ diagnosis: found('hung'), since: 900, waitsNow: true }, always, 1_000)).toBe(false);
  expect(isWaitForRoom({ diagnosis: found('hung'), since: 900, waitsNow: true }, undefined, 1_000)).toBe(false);
  const full = seeRoom(undefined, 0, 0);
  expect(isWaitForRoom({ diagnosis: found('hung', 'host'), since: 0, waitsNow: true }, full, 1_000)).toBe(true);
  for (const fault of ['lost', 'corrupt'] as const)
    expect(isWaitForRoom({ diagnosis: found(fault), since: 0, waitsNow: false }, full, 1_000)).toBe(false);
});

test('what has been freed of the reserve is no room that was there before: an agent that starts with so little takes it for a full disk', () => {
  const hung = { diagnosis: found('hung'), since: 0, waitsNow: true };
  expect(isWaitForRoom(hung, seeRoom(undefined, 61 * MiB, 0), 5_000)).toBe(true);
  expect(isWaitForRoom(hung, seeRoom(undefined, 300 * MiB, 0), 5_000)).toBe(false);
});

test('a look that is long ago says nothing about now', () => {
  const hung = { diagnosis: found('hung'), since: 0, waitsNow: true };
  const full = seeRoom(undefined, 0, 0);
  expect(isWaitForRoom(hung, full, 29_000)).toBe(true);
  expect(isWaitForRoom(hung, full, 31_000)).toBe(false);
});

test('until waits have ended the machine is named, even when there is plenty of room already', () => {
  const full = seeRoom(undefined, 0, 0);
  const over = seeRoom(full, 50 * GiB, 1_000);
  const named = diagnoseHostRoom(room(50 * GiB), true, { spell: over, now: 2_000 });
  expect(named).toMatchObject({
    fault: 'full',
    evidence: [
      "There is room again on this machine's own disk (/var/lib/holdfast): 50 GiB are free. What waited for it goes on within seconds.",
    ],
  });
  expect(diagnoseHostRoom(room(50 * GiB), true, { spell: over, now: 1_000 + FULL_ENDS_MS })).toBeUndefined();
});
