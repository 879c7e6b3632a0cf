import { describe, expect, it } from 'vitest';
import { acrossVolumes, MIX, outcomeOf, placesInMix } from './witness.ts';
import { planMembers } from '../members.ts';

describe('an answer', () => {
  it('is an honest refusal only when it says when to come back, or that there is no room', () => {
    expect(outcomeOf({ status: 200, headers: {} })).toBe('ok');
    expect(outcomeOf({ status: 204, headers: {} })).toBe('ok');
    expect(outcomeOf({ status: 503, headers: { 'retry-after': '10' } })).toBe('refused');
    expect(outcomeOf({ status: 507, headers: {} })).toBe('refused');
    expect(outcomeOf({ status: 503, headers: {} })).toBe('failed');
    expect(outcomeOf({ status: 502, headers: { 'retry-after': '10' } })).toBe('failed');
    expect(outcomeOf({ status: 302, headers: {} })).toBe('failed');
  });
});

describe('the accounts of a drill', () => {
  const plans = planMembers(40, ['v1', 'v2', 'v3', 'v4', 'v5']);

  it('are spread evenly, and on every volume one site is started and one is reloaded', () => {
    for (const volume of ['v1', 'v2', 'v3', 'v4', 'v5']) {
      const roles = plans.filter((plan) => plan.volume === volume).map((plan) => plan.role);
      expect(roles.length).toBe(8);
      expect(roles.filter((role) => role === 'starts').length).toBe(1);
      expect(roles.filter((role) => role === 'reloads').length).toBe(1);
    }
    expect(new Set(plans.map((plan) => plan.name)).size).toBe(40);
  });

  it.each([
    [40, 5],
    [18, 3],
    [12, 2],
    [7, 7],
  ])(
    '%i on %i volumes: in each round of requests every volume with enough of them is written to and read',
    (count, on) => {
      const volumes = Array.from({ length: on }, (_, index) => `v${index}`);
      const steady = planMembers(count, volumes).filter(({ role }) => role !== 'starts');
      const places = placesInMix(steady);
      for (let round = 0; round < MIX.length; round += 1) {
        for (const volume of volumes) {
          const asked = steady.flatMap((one, index) =>
            one.volume === volume ? [MIX[((places[index] ?? 0) + round) % MIX.length]] : [],
          );
          if (asked.length >= MIX.length) expect(new Set(asked)).toEqual(new Set(MIX));
        }
      }
      // And not all volumes write at once.
      expect(new Set(places.map((place) => place % MIX.length)).size).toBe(Math.min(MIX.length, steady.length));
    },
  );

  it('take their turns volume by volume', () => {
    const accounts = plans.map((plan) => ({ ...plan, domain: '', siteId: '', token: '', password: '', taskId: null }));
    const turns = acrossVolumes(accounts);
    expect(turns.length).toBe(40);
    for (let index = 0; index < 40; index += 5)
      expect(new Set(turns.slice(index, index + 5).map((turn) => turn.volume)).size).toBe(5);
  });
});
