import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DRILLS } from '../model/drills.ts';
import { drillCheckSchema, drillResultSchema, type DrillCheck } from '../protocol/drills.ts';
import { SCRIPTS } from './catalogue/catalogue.ts';
import { diskPromises, everybodyElse, holds, resultOf } from './score.ts';
import type { Copy } from './observer.ts';
import type { Outcome } from './script.ts';
import type { Group, Tally } from './witness/messages.ts';

function tally(part: Partial<Tally> = {}): Tally {
  return { requests: 1_000, failed: 0, refused: 0, p50Ms: 5, p99Ms: 20, longestMs: 30, ...part };
}

function group(part: { all?: Partial<Tally>; steady?: Partial<Tally>; kinds?: Group['kinds'] } = {}): Group {
  const kinds = { site: tally(), write: tally(), start: tally(), reload: tally(), ...part.kinds };
  return { all: tally(part.all), steady: tally(part.steady), kinds };
}

/** A drill in which everything held. */
function good(): Outcome {
  const window = { affected: group(), unaffected: group() };
  return {
    drill: 'disk-hang',
    target: { volume: 'drill2', replica: 'r1', disk: '/x/r1.img' },
    faultAt: Date.UTC(2026, 0, 1),
    windowMs: 25_000,
    machineMs: {},
    witness: {
      affectedAccounts: 4,
      unaffectedAccounts: 8,
      windows: { before: window, during: window, whole: window },
      acknowledgedWrites: 500,
      lostWrites: 0,
      unreadable: [],
      restarted: [],
      tasks: {
        affected: { due: 3, missed: 0, doubled: 0, late: 1 },
        unaffected: { due: 9, missed: 0, doubled: 0, late: 0 },
      },
      failures: [],
      resent: 0,
      peakMemoryBytes: 0,
      cpuSeconds: 0,
    },
    trouble: undefined,
    culprit: 'drill2/r1 (/x/r1.img)',
    locatedS: 0.6,
    restoreStartedS: 1.2,
    restoredS: 9,
    rebuildBytes: 1e8,
    copy: { volume: 'drill2', from: 1_000, to: 6_000, bytes: 5e8, disk: '/x/r3.img', limit: undefined },
    diskBytesPerSecond: 1.1e8,
    operatorCommands: 0,
    reboots: 0,
    facts: {},
  };
}

const LIMITS = { locatedS: 1, waitS: 2.5 };

describe('the score', () => {
  it('holds when everything did', () => {
    const missed = diskPromises(good(), LIMITS).filter((check) => check.ok === false);
    expect(missed.map((check) => check.what)).toEqual([]);
  });

  it('tells kinds of requests apart for information only, also where a window is missing', () => {
    const outcome = good();
    const slow = { affected: group(), unaffected: group({ kinds: { write: tally({ p99Ms: 900 }) } }) };
    outcome.witness.windows['during'] = slow;
    const synced = diskPromises(outcome, LIMITS).find((check) => check.what.startsWith('p99 of their synced writes'));
    expect(synced).toMatchObject({ measured: '900.0, - / 20.0 ms', ok: null });
  });

  const copyOf = (outcome: Outcome): Copy => {
    if (outcome.copy === undefined) throw new Error('there is a copy');
    return outcome.copy;
  };
  const breaks: [string, (outcome: Outcome) => void][] = [
    ['nothing was named', (outcome) => (outcome.locatedS = null)],
    ['it was named late', (outcome) => (outcome.locatedS = 1.01)],
    ['another disk was named', (outcome) => (outcome.culprit = 'drill2/r2 (/x/r2.img)')],
    ['another disk with a longer name was named', (outcome) => (outcome.culprit = 'drill2/r11 (/x/r11.img)')],
    ['no mirror was made', (outcome) => (outcome.restoredS = null)],
    ['the repair began late', (outcome) => (outcome.restoreStartedS = 10.1)],
    ['a write was lost', (outcome) => (outcome.witness.lostWrites = 1)],
    ['a file could not be read back', (outcome) => (outcome.witness.unreadable = ['drill01'])],
    ['nothing was written at all', (outcome) => (outcome.witness.acknowledgedWrites = 0)],
    ['a person had to act', (outcome) => (outcome.operatorCommands = 1)],
    ['the machine was started again', (outcome) => (outcome.reboots = 1)],
    ['a program was started again', (outcome) => (outcome.witness.restarted = ['drill01'])],
    ['an affected request failed', (outcome) => set(outcome, 'whole', 'affected', group({ all: { failed: 1 } }))],
    ['an affected request was refused', (outcome) => set(outcome, 'whole', 'affected', group({ all: { refused: 1 } }))],
    [
      'a member waited long',
      (outcome) => set(outcome, 'whole', 'affected', group({ kinds: { write: tally({ longestMs: 2_501 }) } })),
    ],
    ['somebody else failed', (outcome) => set(outcome, 'whole', 'unaffected', group({ all: { failed: 1 } }))],
    [
      'a start of somebody else was refused',
      (outcome) => set(outcome, 'whole', 'unaffected', group({ kinds: { start: tally({ refused: 1 }) } })),
    ],
    ['the copy was slow', (outcome) => (outcome.diskBytesPerSecond = 1.3e8)],
    [
      'the copy did not make what it was allowed to',
      (outcome) => ((outcome.diskBytesPerSecond = 9e8), (copyOf(outcome).limit = 1.3e8)),
    ],
    [
      'the copy was slow and held to more than the disk takes',
      (outcome) => ((outcome.diskBytesPerSecond = 1.3e8), (copyOf(outcome).limit = 1.4e8)),
    ],
    [
      'somebody else was slower while it was rebuilt',
      (outcome) => set(outcome, 'rebuild', 'unaffected', group({ steady: { p99Ms: 24.1 } })),
    ],
    [
      'reads were slower afterwards',
      (outcome) => set(outcome, 'after', 'affected', group({ kinds: { site: tally({ p99Ms: 31 }) } })),
    ],
    ['somebody else was slower', (outcome) => set(outcome, 'during', 'unaffected', group({ steady: { p99Ms: 24.1 } }))],
  ];
  it.each(breaks)('does not hold when %s', (_what, spoil) => {
    const outcome = structuredClone(good());
    spoil(outcome);
    expect(holds(diskPromises(outcome, LIMITS))).toBe(false);
  });

  it('compares a copy that was held back with what it was held to', () => {
    const outcome = good();
    outcome.diskBytesPerSecond = 9e8;
    copyOf(outcome).limit = 1.1e8;
    expect(holds(diskPromises(outcome, LIMITS))).toBe(true);
  });

  it('says nothing of a p99 that few requests made, nor of a copy that was over at once', () => {
    const outcome = good();
    set(outcome, 'rebuild', 'unaffected', group({ steady: { p99Ms: 500, requests: 40 } }));
    outcome.copy = { volume: 'drill2', from: 1_000, to: 1_500, bytes: 1e6, disk: '/x/r3.img', limit: undefined };
    expect(holds(diskPromises(outcome, LIMITS))).toBe(true);
  });

  it('tells of a missed p99 that the machine itself was slower meanwhile; it is missed all the same', () => {
    const during = (p99Ms: number, machine: number): DrillCheck | undefined => {
      const outcome = good();
      set(outcome, 'before', 'unaffected', group({ steady: { p99Ms: 20 } }));
      set(outcome, 'during', 'unaffected', group({ steady: { p99Ms } }));
      outcome.machineMs = { before: 2, during: 2 * machine };
      return everybodyElse(outcome).find(({ what }) => what === 'p99 of everybody else, during / before');
    };
    expect(during(26, 1.2)).toMatchObject({
      ok: false,
      measured: expect.stringMatching(/1\.30 x.*itself was 1\.20 x slower/),
    });
    expect(during(26, 0.9)).toMatchObject({ ok: false, measured: expect.not.stringContaining('itself') });
    expect(during(22, 1.2)).toMatchObject({ ok: true });
  });

  it('lets what goes through an agent that was killed be refused honestly, but not fail, and no page be refused', () => {
    const absent = { ...LIMITS, absent: 'agent' as const };
    const of = (kinds: Group['kinds'], all: Partial<Tally>): boolean => {
      const outcome = good();
      set(outcome, 'whole', 'unaffected', group({ kinds, all }));
      return holds(diskPromises(outcome, absent));
    };
    expect(of({ api: tally({ refused: 3 }) }, { refused: 3 })).toBe(true);
    expect(of({ api: tally({ failed: 1 }) }, { failed: 1 })).toBe(false);
    expect(of({ site: tally({ refused: 1 }) }, { refused: 1 })).toBe(false);
  });

  it('of a drill in which nothing at all was measured does not hold, for any drill', () => {
    const empty: Outcome = {
      ...good(),
      witness: { ...good().witness, windows: {}, acknowledgedWrites: 0 },
      culprit: null,
      locatedS: null,
      restoreStartedS: null,
      restoredS: null,
    };
    for (const script of SCRIPTS.values()) {
      const checks = script.checks(empty);
      expect(holds(checks), script.name).toBe(false);
      for (const check of checks) drillCheckSchema.parse(check);
    }
  });
});

describe('the figures', () => {
  it('have exactly the keys that scripts rely on, in their order', () => {
    const number = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.option(number), fc.option(number), number, (locatedS, restoredS, p99Ms) => {
        const outcome = { ...good(), locatedS, restoredS };
        set(outcome, 'during', 'unaffected', group({ steady: { p99Ms } }));
        const result = resultOf(outcome);
        expect(Object.keys(result)).toEqual(Object.keys(drillResultSchema.shape));
        expect(Object.keys(result.affected)).toEqual(Object.keys(drillResultSchema.shape.affected.shape));
        expect(Object.keys(result.unaffected)).toEqual(Object.keys(drillResultSchema.shape.unaffected.shape));
        drillResultSchema.parse(result);
      }),
    );
  });

  it('count a refusal as a request that somebody went without', () => {
    const outcome = good();
    set(outcome, 'whole', 'affected', group({ all: { failed: 2, refused: 3 } }));
    expect(resultOf(outcome).affected.failed).toBe(5);
  });
});

it('every drill that is shown can be run, and the other way round', () => {
  expect([...SCRIPTS.keys()]).toEqual(DRILLS.map((drill) => drill.name));
});

function set(outcome: Outcome, window: string, side: 'affected' | 'unaffected', value: Group): void {
  const before = outcome.witness.windows[window] ?? { affected: group(), unaffected: group() };
  outcome.witness.windows = { ...outcome.witness.windows, [window]: { ...before, [side]: value } };
}
