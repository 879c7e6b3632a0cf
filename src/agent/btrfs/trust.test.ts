import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideTrust, type Candidate } from './trust.ts';

const UUID = '5cea847e-a4b6-44c4-92e8-839084596d0d';

function candidate(
  id: string,
  generation: number | undefined,
  more: Partial<Candidate> & { logRoot?: number; uuid?: string } = {},
): Candidate {
  const { logRoot = 0, uuid = UUID, ...rest } = more;
  return {
    id,
    recorded: 'healthy',
    super:
      generation === undefined
        ? undefined
        : { uuid, deviceUuid: id, deviceId: 1, generation, logRoot, deviceBytes: 1, numberOfDevices: 2 },
    changedAt: 0n,
    ...rest,
  };
}

const anyCandidate = fc
  .record({
    recorded: fc.constantFrom('healthy', 'rebuilding', 'set-aside', 'missing', 'failed') as fc.Arbitrary<
      Candidate['recorded']
    >,
    generation: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    logRoot: fc.integer({ min: 0, max: 2 }),
    uuid: fc.constantFrom(UUID, 'another'),
    changedAt: fc.bigInt({ min: 0n, max: 3n }),
  })
  .map(
    ({ generation, ...rest }) =>
      (id: string) =>
        candidate(id, generation, rest),
  );
const anyVolume = fc
  .array(anyCandidate, { minLength: 1, maxLength: 4 })
  .map((made) => made.map((make, index) => make(`r${index + 1}`)));

describe('which replicas may be served', () => {
  test('both, after an orderly close', () => {
    expect(decideTrust([candidate('r1', 17), candidate('r2', 17)], UUID)).toEqual({
      complete: ['r1', 'r2'],
      stale: [],
      absent: [],
    });
  });

  test('only the newer one, when one was written after the other had stopped', () => {
    expect(decideTrust([candidate('r1', 17), candidate('r2', 18)], UUID)).toEqual({
      complete: ['r2'],
      stale: ['r1'],
      absent: [],
    });
  });

  test('the one written last, when only the logs of fsyncs differ', () => {
    const volume = [
      candidate('r1', 17, { logRoot: 100, changedAt: 9n }),
      candidate('r2', 17, { logRoot: 200, changedAt: 8n }),
    ];
    expect(decideTrust(volume, UUID)).toEqual({ complete: ['r1'], stale: ['r2'], absent: [] });
    expect(decideTrust([candidate('r1', 17), candidate('r2', 17, { logRoot: 200 })], UUID).complete).toEqual(['r2']);
  });

  test('never one that was set aside, however new it looks', () => {
    expect(decideTrust([candidate('r1', 99, { recorded: 'set-aside' }), candidate('r2', 18)], UUID)).toEqual({
      complete: ['r2'],
      stale: ['r1'],
      absent: [],
    });
  });

  test('a disk with another file system is as good as none', () => {
    expect(decideTrust([candidate('r1', 50, { uuid: 'another' }), candidate('r2', 18)], UUID)).toEqual({
      complete: ['r2'],
      stale: [],
      absent: ['r1'],
    });
  });

  test('in any volume: what is served was healthy, is ours, and is the newest of these; all that is served is equal', () => {
    fc.assert(
      fc.property(anyVolume, (volume) => {
        const trust = decideTrust(volume, UUID);
        const by = new Map(volume.map((one) => [one.id, one]));
        const eligible = volume.filter((one) => one.recorded === 'healthy' && one.super?.uuid === UUID);
        expect(trust.complete.length > 0).toBe(eligible.length > 0);
        const newest = Math.max(...eligible.map((one) => one.super?.generation ?? 0));
        for (const id of trust.complete) {
          expect(eligible.map((one) => one.id)).toContain(id);
          expect(by.get(id)?.super?.generation).toBe(newest);
          expect(by.get(id)?.super?.logRoot).toBe(by.get(trust.complete[0] ?? '')?.super?.logRoot);
        }
      }),
    );
  });

  test('in any volume: every replica is in at most one of the three lists, and one that is rebuilding is never complete', () => {
    fc.assert(
      fc.property(anyVolume, (volume) => {
        const { complete, stale, absent } = decideTrust(volume, UUID);
        const all = [...complete, ...stale, ...absent];
        expect(new Set(all).size).toBe(all.length);
        const rebuilding = volume.filter((one) => one.recorded === 'rebuilding').map((one) => one.id);
        expect(complete.filter((id) => rebuilding.includes(id))).toEqual([]);
      }),
    );
  });
});
