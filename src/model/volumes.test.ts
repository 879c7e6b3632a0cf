import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeAccount, redundancyOf, type PlacementCandidate, type ReplicaState } from './volumes.ts';

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
  promisedBytes: fc.nat(),
});

describe('placing an account', () => {
  it('never takes a volume that is not open or has lost its replicas, and prefers full redundancy', () => {
    fc.assert(
      fc.property(fc.array(candidate), (volumes) => {
        const chosen = placeAccount(volumes);
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
    expect(placeAccount([volume('a', 50), volume('b', 20)])?.name).toBe('b');
    expect(placeAccount([volume('b', 20), volume('a', 20)])?.name).toBe('a');
  });
});
