import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FULL_SHARE, ROOM_SHARE } from './reaction.ts';
import { troubleKeyOf } from './health.ts';
import { diagnoseVolume, type VolumeFacts } from './volume-diagnosis.ts';
import type { ReplicaState } from './volumes.ts';

const MiB = 1024 ** 2;
const STATES: readonly ReplicaState[] = ['healthy', 'rebuilding', 'set-aside', 'missing', 'failed'];

function volume(changes: Partial<VolumeFacts> = {}): VolumeFacts {
  return {
    name: 'home1',
    state: 'open',
    trouble: null,
    sizeBytes: 1000 * MiB,
    usedBytes: 100 * MiB,
    replicas: [
      { id: 'r1', disk: '/dev/sdb', state: 'healthy' },
      { id: 'r2', disk: '/dev/sdc', state: 'healthy' },
    ],
    operation: null,
    ...changes,
  };
}

const faults = (facts: VolumeFacts, full = false): string[] =>
  diagnoseVolume(facts, { full }).map(({ fault }) => fault);

describe('what a volume itself tells', () => {
  test('nothing, while it is well, closed, or a disk was set aside on purpose', () => {
    expect(faults(volume())).toEqual([]);
    expect(faults(volume({ state: 'closed', usedBytes: 1000 * MiB }))).toEqual([]);
    const replicas: VolumeFacts['replicas'] = [
      { id: 'r1', disk: '/dev/sdb', state: 'set-aside' },
      { id: 'r2', disk: '/dev/sdc', state: 'rebuilding' },
    ];
    expect(faults(volume({ replicas }))).toEqual([]);
  });

  test('a disk that was given up is failing, one that is not there is lost; the sentence of the volume is evidence', () => {
    const found = diagnoseVolume(
      volume({
        trouble: 'Only one complete replica is left.',
        replicas: [
          { id: 'r1', disk: '/dev/sdb', state: 'failed' },
          { id: 'r2', disk: '/dev/sdc', state: 'missing' },
        ],
      }),
      { full: false },
    );
    expect(found).toMatchObject([
      {
        fault: 'failing',
        culprit: { kind: 'disk', volume: 'home1', replica: 'r1', disk: '/dev/sdb' },
        evidence: ['/dev/sdb (replica r1 of home1) does not work any more.', 'Only one complete replica is left.'],
      },
      {
        fault: 'lost',
        culprit: { replica: 'r2' },
        evidence: [expect.stringMatching(/is not there/), expect.any(String)],
      },
    ]);
  });

  test('it is full by the room that is really left, not by what is unused of the disk', () => {
    // A small mirror: a tenth of it is metadata that data can never use.
    const small = { sizeBytes: 384 * MiB, usedBytes: 337 * MiB };
    expect(faults(volume({ ...small, freeBytes: 0 }))).toEqual(['full']);
    expect(faults(volume({ ...small, freeBytes: 40 * MiB }))).toEqual([]);
    const [found] = diagnoseVolume(volume({ ...small, freeBytes: 2 * MiB }), { full: false });
    expect(found).toMatchObject({
      culprit: { kind: 'volume', volume: 'home1', replica: null, disk: null },
      evidence: ['99 % of the room on the volume home1 is used; 2 MiB are left.'],
    });
  });

  test('limits that do not hold are a trouble of their own, beside a volume that is full', () => {
    const why = 'The kernel has stopped counting.';
    const full = { sizeBytes: 384 * MiB, usedBytes: 337 * MiB, freeBytes: 0 };
    const found = diagnoseVolume(volume({ ...full, uncounted: { why } }), { full: false });
    expect(found.map(({ fault }) => fault)).toEqual(['full', 'uncounted']);
    expect(found.map(troubleKeyOf)).toEqual(['volume:home1:-', 'limits:home1:-']);
    expect(found[1]?.evidence).toEqual([why, expect.stringMatching(/limits of the accounts .*home1 are not enforced/)]);
    expect(faults(volume({ uncounted: null }))).toEqual([]);
  });

  test('a volume of which nothing is known yet is not full', () => {
    expect(faults(volume({ sizeBytes: 0, usedBytes: 0, freeBytes: 0 }))).toEqual([]);
  });

  test('it does not go to and fro: room comes back clearly before it counts as room', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 12 }), fc.nat({ max: 10 ** 12 }), (usedBytes, freeBytes) => {
        const facts = volume({ sizeBytes: 2 * 10 ** 12, usedBytes, freeBytes });
        const share = usedBytes + freeBytes === 0 ? 0 : usedBytes / (usedBytes + freeBytes);
        expect(faults(facts).includes('full')).toBe(share >= FULL_SHARE);
        expect(faults(facts, true).includes('full')).toBe(share >= ROOM_SHARE);
      }),
    );
  });

  test('whatever its replicas are, each one is told at most once, and only when it is failed or missing', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...STATES), { maxLength: 6 }), (states) => {
        const replicas = states.map((state, index) => ({ id: `r${index + 1}`, disk: `/dev/disk${index}`, state }));
        const found = diagnoseVolume(volume({ replicas }), { full: false });
        expect(found.map(({ culprit }) => culprit.replica)).toEqual(
          replicas.filter(({ state }) => state === 'failed' || state === 'missing').map(({ id }) => id),
        );
      }),
    );
  });
});
