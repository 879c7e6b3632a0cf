import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  notLookedAt,
  placeAccount,
  redundancyOf,
  roomOf,
  type PlacementCandidate,
  type ReplicaState,
  stoppedWriting,
} from './volumes.ts';

const states: readonly ReplicaState[] = ['healthy', 'rebuilding', 'set-aside', 'missing', 'failed'];

describe('redundancy', () => {
  it('is full with two healthy replicas, rebuilding or reduced with one, lost with none', () => {
    expect(redundancyOf(['healthy', 'healthy'])).toBe('full');
    expect(redundancyOf(['healthy', 'rebuilding'])).toBe('rebuilding');
    expect(redundancyOf(['healthy', 'missing'])).toBe('reduced');
    expect(redundancyOf(['failed', 'rebuilding'])).toBe('lost');
    expect(redundancyOf([])).toBe('lost');
  });
  it('is never called full with fewer than two healthy replicas', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...states), { maxLength: 5 }), (replicas) => {
        const healthy = replicas.filter((state) => state === 'healthy').length;
        expect(redundancyOf(replicas) === 'full').toBe(healthy >= 2);
        expect(redundancyOf(replicas) === 'lost').toBe(healthy === 0);
      }),
    );
  });
});

const candidate = fc.record<PlacementCandidate>({
  name: fc.stringMatching(/^[a-z]{1,8}$/),
  state: fc.constantFrom('open', 'closed', 'trouble'),
  redundancy: fc.constantFrom('full', 'rebuilding', 'reduced', 'lost'),
  sizeBytes: fc.nat(),
  usedBytes: fc.nat(),
  freeBytes: fc.option(fc.nat(), { nil: undefined }),
  promisedBytes: fc.nat(),
});

describe('placing an account', () => {
  it('never takes a volume that is not open or has lost its replicas, and prefers full redundancy', () => {
    fc.assert(
      fc.property(fc.array(candidate), fc.nat(), (volumes, limit) => {
        const chosen = placeAccount(volumes, limit);
        const usable = volumes.filter((volume) => volume.state === 'open' && volume.redundancy !== 'lost');
        expect(chosen === undefined).toBe(usable.length === 0);
        if (!chosen) return;
        expect(usable).toContain(chosen);
        if (usable.some((volume) => volume.redundancy === 'full')) expect(chosen.redundancy).toBe('full');
      }),
    );
  });
  it('spreads empty accounts out by what is promised', () => {
    const volume = (name: string, promisedBytes: number): PlacementCandidate => ({
      name,
      state: 'open',
      redundancy: 'full',
      sizeBytes: 100,
      usedBytes: 1,
      promisedBytes,
    });
    expect(placeAccount([volume('a', 50), volume('b', 20)], 10)?.name).toBe('b');
    expect(placeAccount([volume('b', 20), volume('a', 20)], 10)?.name).toBe('a');
  });

  const GiB = 1024 ** 3;
  const made = (name: string, values: Partial<PlacementCandidate>): PlacementCandidate => ({
    name, state: 'open', redundancy: 'full', sizeBytes: 8 * GiB, usedBytes: 0, promisedBytes: 0, ...values,
  }); // prettier-ignore

  it('puts an account of 10 GiB where it can write most, and not on an empty volume that is smaller than that', () => {
    const volumes = [
      made('small', { sizeBytes: 2 * GiB, freeBytes: 1.9 * GiB }),
      made('home1', { usedBytes: GiB, freeBytes: 7 * GiB, promisedBytes: 8 * GiB }),
      made('home2', { usedBytes: GiB, freeBytes: 7 * GiB, promisedBytes: 10 * GiB }),
    ];
    expect(placeAccount(volumes, 10 * GiB)?.name).toBe('home1');
    // What fits on the small one may go there: nothing is promised there yet.
    expect(placeAccount(volumes, GiB)?.name).toBe('small');
  });

  it('believes what the file system says can be written, not the size on the label', () => {
    const volumes = [
      made('uneven', { sizeBytes: 20 * GiB, usedBytes: GiB, freeBytes: GiB }),
      made('even', { usedBytes: 2 * GiB, freeBytes: 6 * GiB, promisedBytes: 6 * GiB }),
    ];
    expect(placeAccount(volumes, 2 * GiB)?.name).toBe('even');
  });

  it('spreads accounts that fit nowhere over volumes of like room instead of piling them on one', () => {
    const promised = new Map([['a', 0], ['b', 0], ['c', 0]]); // prettier-ignore
    for (let account = 0; account < 9; account += 1) {
      const volumes = [...promised].map(([name, promisedBytes], index) =>
        made(name, { usedBytes: index * 1000, freeBytes: 7 * GiB - index * 1000, promisedBytes }),
      );
      const chosen = placeAccount(volumes, 10 * GiB)?.name ?? '';
      promised.set(chosen, (promised.get(chosen) ?? 0) + 10 * GiB);
    }
    expect([...promised.values()]).toEqual([30 * GiB, 30 * GiB, 30 * GiB]);
  });

  it('never takes a volume with less than half the room of another unless the whole limit can be written there', () => {
    fc.assert(
      fc.property(fc.array(candidate), fc.nat(), (volumes, limit) => {
        const chosen = placeAccount(volumes, limit);
        if (!chosen || roomOf(chosen) >= limit) return;
        const others = volumes.filter((volume) => volume.state === 'open' && volume.redundancy === chosen.redundancy);
        for (const other of others) expect(roomOf(chosen)).toBeGreaterThanOrEqual(roomOf(other) / 2);
      }),
    );
  });
});

describe('a volume that its agent has not looked at yet', () => {
  const unseen = { state: 'closed', trouble: null, wantedOpen: true, readAt: '1970-01-01T00:00:00.000Z' } as const;

  it('is one that nobody closed, and of which nothing is known', () => {
    expect(notLookedAt(unseen)).toBe(true);
    expect(notLookedAt({ ...unseen, unopened: null })).toBe(true);
  });

  it.each([
    { wantedOpen: false },
    { wantedOpen: undefined },
    { state: 'open' as const },
    { trouble: 'A disk is missing.' },
    { unopened: {} },
    { readAt: '2026-01-01T00:00:00.000Z' },
  ])('is no other: %j', (values) => {
    expect(notLookedAt({ ...unseen, ...values })).toBe(false);
  });
});

it('a file system that stopped is told with what is left of its disks: not all of them failed when one is complete', () => {
  expect(stoppedWriting('home1', [])).toBe(
    'The volume home1 accepts no writes any more: none of its disks is complete.',
  );
  expect(stoppedWriting('home1', ['r1'])).toBe(
    'The file system of the volume home1 stopped accepting writes when a disk of it failed. It is opened afresh from r1, which is complete.',
  );
  expect(stoppedWriting('home1', ['r1', 'r2'])).toMatch(/afresh from r1 and r2, which are complete\.$/);
});
