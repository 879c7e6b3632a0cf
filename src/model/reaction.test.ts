import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { troubleKeyOf, type Diagnosis, type FaultKind } from './health.ts';
import {
  CONFIRM_MS,
  CUTS_AN_HOUR,
  decide,
  SCRUB_SETTLES_MS,
  SCRUBS,
  type Decision,
  type Situation,
  type TroubleView,
  type VolumeView,
} from './reaction.ts';
import { redundancyOf, type ReplicaState } from './volumes.ts';

const NOW = 10_000_000;

function volume(
  name: string,
  states: ReplicaState[] = ['healthy', 'healthy'],
  more: Partial<VolumeView> = {},
): VolumeView {
  const replicas = states.map((state, index) => ({ id: `r${index + 1}`, disk: `/dev/${name}${index + 1}`, state }));
  return {
    name,
    state: 'open',
    redundancy: redundancyOf(states),
    replicas,
    busy: false,
    held: false,
    advice: null,
    ...more,
  };
}

function sick(name: string, replica: string, fault: FaultKind = 'hung'): Diagnosis {
  const culprit = { kind: 'disk' as const, volume: name, replica, disk: `/dev/${name}${replica.slice(1)}` };
  return { culprit, fault, evidence: ['It was seen.'], ruledOut: [] };
}

function trouble(name: string, replica: string, more: Partial<TroubleView> = {}): TroubleView {
  return {
    key: `disk:${name}:${replica}`,
    volume: name,
    fault: 'hung',
    cutAt: null,
    provenAt: null,
    scrubs: 0,
    scrubbedAt: null,
    unhealed: false,
    retryAt: 0,
    ...more,
  };
}

function situation(more: Partial<Situation>): Situation {
  return {
    now: NOW,
    reaction: true,
    watching: true,
    diagnoses: [],
    suspects: [],
    volumes: [],
    troubles: [],
    cuts: [],
    ...more,
  };
}

const acts = (decisions: readonly Decision[]): string[] =>
  decisions
    .filter((one) => one.do !== 'person' && one.do !== 'wait')
    .map((one) => `${one.do} ${'volume' in one ? one.volume : ''}${'replica' in one ? `/${one.replica}` : ''}`);

const faults = fc.constantFrom<FaultKind>('hung', 'failing', 'slow', 'corrupt', 'lost', 'full');
const states = fc.constantFrom<ReplicaState>(
  'healthy',
  'healthy',
  'healthy',
  'rebuilding',
  'set-aside',
  'missing',
  'failed',
);

/** Anything that can come, and much that cannot. */
const anySituation: fc.Arbitrary<Situation> = fc
  .array(
    fc.record({
      states: fc.array(states, { minLength: 1, maxLength: 3 }),
      faults: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), faults), { maxLength: 3 }),
      suspect: fc.option(fc.integer({ min: 1, max: 3 })),
      busy: fc.boolean(),
      held: fc.boolean(),
      cutAgo: fc.option(fc.integer({ min: 0, max: 2 * CONFIRM_MS })),
      proven: fc.boolean(),
      scrubs: fc.nat(3),
      unhealed: fc.boolean(),
    }),
    { maxLength: 4 },
  )
  .chain((all) =>
    fc
      .record({
        reaction: fc.boolean(),
        watching: fc.boolean(),
        host: fc.integer({ min: 0, max: 9 }),
        cuts: fc.array(fc.integer({ min: 0, max: 7_200_000 }), { maxLength: 10 }),
      })
      .map(({ reaction, watching, host, cuts }) => {
        const volumes = all.map((one, index) => volume(`v${index}`, one.states, { busy: one.busy, held: one.held }));
        const diagnoses = all.flatMap((one, index) =>
          one.faults.map(([replica, fault]) => sick(`v${index}`, `r${replica}`, fault)),
        );
        if (host === 0)
          diagnoses.push({
            culprit: { kind: 'host', volume: null, replica: null, disk: null },
            fault: 'hung',
            evidence: [],
            ruledOut: [],
          });
        const troubles = all.flatMap((one, index) =>
          one.faults.map(([replica, fault]) =>
            trouble(`v${index}`, `r${replica}`, {
              fault,
              unhealed: one.unhealed,
              cutAt: one.cutAgo === null ? null : NOW - one.cutAgo,
              provenAt: one.cutAgo !== null && one.proven ? NOW - one.cutAgo / 2 : null,
              scrubs: one.scrubs,
              scrubbedAt: one.scrubs > 0 ? 0 : null,
            }),
          ),
        );
        const suspects = all.flatMap((one, index) =>
          one.suspect === null ? [] : [{ volume: `v${index}`, replica: `r${one.suspect}` }],
        );
        return situation({
          reaction,
          watching,
          diagnoses,
          suspects,
          volumes,
          troubles,
          cuts: cuts.map((ago) => NOW - ago),
        });
      }),
  );

function cutsOf(decisions: readonly Decision[]): Extract<Decision, { do: 'cut' }>[] {
  return decisions.filter((one) => one.do === 'cut');
}

describe('what must hold in every situation', () => {
  const holds = (law: (given: Situation, decisions: Decision[]) => void): void =>
    fc.assert(
      fc.property(anySituation, (given) => law(given, decide(given))),
      { numRuns: 2_000 },
    );

  test('a complete replica is cut only when another complete one is well', () => {
    holds((given, decisions) => {
      for (const cut of cutsOf(decisions)) {
        const { replicas = [] } = given.volumes.find((one) => one.name === cut.volume) ?? {};
        if (replicas.find((one) => one.id === cut.replica)?.state !== 'healthy') continue;
        const bad = new Set(
          given.diagnoses
            .filter((one) => one.culprit.volume === cut.volume && ['hung', 'failing', 'lost'].includes(one.fault))
            .map((one) => one.culprit.replica),
        );
        const others = replicas.filter((one) => one.id !== cut.replica && one.state === 'healthy' && !bad.has(one.id));
        expect(others.length).toBeGreaterThan(0);
      }
    });
  });

  test('at most one disk is cut at a time, only a disk that was named, and only one that is in use', () => {
    holds((given, decisions) => {
      const cuts = cutsOf(decisions);
      expect(cuts.length).toBeLessThanOrEqual(1);
      for (const cut of cuts) {
        expect(given.diagnoses.map(troubleKeyOf)).toContain(cut.key);
        const state = given.volumes
          .find((one) => one.name === cut.volume)
          ?.replicas.find((one) => one.id === cut.replica)?.state;
        expect(['healthy', 'rebuilding']).toContain(state);
      }
    });
  });

  test('nothing is cut while another volume was cut and has not proved good', () => {
    holds((given, decisions) => {
      for (const cut of cutsOf(decisions)) {
        const unproven = given.troubles.some(
          ({ volume: name, cutAt, provenAt }) =>
            name !== cut.volume &&
            cutAt !== null &&
            given.now - cutAt < CONFIRM_MS &&
            (provenAt === null || provenAt < cutAt),
        );
        expect(unproven).toBe(false);
      }
    });
  });

  test("while the machine's own disk is full nothing is done to any disk, and a person is asked for", () => {
    const advice = 'Make room.';
    const scarce: Diagnosis = {
      culprit: { kind: 'host', volume: null, replica: null, disk: null },
      fault: 'full',
      evidence: [],
      ruledOut: [],
    };
    holds((given) => {
      const diagnoses = [...given.diagnoses.filter(({ culprit }) => culprit.kind !== 'host'), scarce];
      const full = { ...given, reaction: true, diagnoses, hostAdvice: advice, hostFull: true };
      const decisions = decide(full);
      expect(acts(decisions)).toEqual([]);
      expect(decisions).toContainEqual({ do: 'person', key: 'host-room:-:-', sentence: advice });
      // That it has little room is no reason to leave a disk that hangs alone.
      const little = decide({ ...full, hostFull: false });
      expect(acts(little)).toEqual(acts(decide({ ...full, hostFull: false, diagnoses: diagnoses.slice(0, -1) })));
    });
  });

  test('a disk that is only slow or returns wrong data is not cut while a fellow does so too', () => {
    holds((given, decisions) => {
      for (const cut of cutsOf(decisions)) {
        const mine = given.diagnoses.filter((one) => one.culprit.volume === cut.volume);
        const own = mine.filter((one) => one.culprit.replica === cut.replica).map(({ fault }) => fault);
        if (own.some((fault) => fault === 'hung' || fault === 'failing' || fault === 'lost')) continue;
        const { replicas = [] } = given.volumes.find((one) => one.name === cut.volume) ?? {};
        const doubtful = mine.filter(
          ({ culprit, fault }) =>
            culprit.replica !== cut.replica &&
            (fault === 'slow' || fault === 'corrupt') &&
            replicas.find((one) => one.id === culprit.replica)?.state === 'healthy',
        );
        expect(doubtful).toEqual([]);
      }
    });
  });

  test('a host that stalls: nothing is done to any volume; a reaction that is off only lets go what it held', () => {
    holds((given, decisions) => {
      if (given.diagnoses.some((one) => one.culprit.kind === 'host')) expect(acts(decisions)).toEqual([]);
      else if (!given.reaction) expect(acts(decisions).filter((one) => !one.startsWith('release'))).toEqual([]);
    });
  });

  test('nothing comes back while nobody watches', () => {
    holds((given, decisions) => {
      if (!given.watching) expect(decisions.filter((one) => one.do === 'release')).toEqual([]);
    });
  });

  test('what only a person can do is told, whether the reaction is on or off: room, and a file system that waits', () => {
    const culprit = { kind: 'volume' as const, volume: 'one', replica: null, disk: null };
    const volumes = [volume('one', ['healthy', 'healthy'], { state: 'trouble', advice: 'Restart it.' })];
    for (const reaction of [true, false]) {
      const told = (fault: FaultKind): Decision[] =>
        decide(situation({ reaction, volumes, diagnoses: [{ culprit, fault, evidence: ['Seen.'], ruledOut: [] }] }));
      expect(told('hung')).toEqual([{ do: 'person', key: 'volume:one:-', sentence: 'Restart it.' }]);
      expect(told('full')).toMatchObject([{ do: 'person', sentence: expect.stringMatching(/volume grow one/) }]);
    }
  });

  test('a fresh disk is taken in only for one that failed or is not there', () => {
    holds((given, decisions) => {
      for (const one of decisions) {
        if (one.do !== 'restore') continue;
        const { replicas = [] } = given.volumes.find((candidate) => candidate.name === one.volume) ?? {};
        const lost = replicas.some(({ state }) => state === 'failed' || state === 'missing');
        expect(lost || replicas.length < 2).toBe(true);
      }
    });
  });

  test('no more cuts an hour than allowed', () => {
    holds((given, decisions) => {
      const hour = given.cuts.filter((at) => given.now - at < 3_600_000).length;
      if (hour >= CUTS_AN_HOUR) expect(cutsOf(decisions)).toEqual([]);
    });
  });

  test('a volume is never held while a complete replica of it is well, nor released while none is', () => {
    holds((given, decisions) => {
      for (const one of decisions) {
        if (one.do !== 'hold' && one.do !== 'release') continue;
        const { replicas = [] } = given.volumes.find((candidate) => candidate.name === one.volume) ?? {};
        const bad = new Set(
          given.diagnoses
            .filter(
              ({ culprit, fault }) => culprit.volume === one.volume && ['hung', 'failing', 'lost'].includes(fault),
            )
            .map(({ culprit }) => culprit.replica),
        );
        const well = replicas.some((replica) => replica.state === 'healthy' && !bad.has(replica.id));
        expect(well).toBe(one.do === 'release');
      }
    });
  });

  test('the order of diagnoses changes nothing', () => {
    holds((given, decisions) => {
      expect(acts(decide({ ...given, diagnoses: given.diagnoses.toReversed() })).toSorted()).toEqual(
        acts(decisions).toSorted(),
      );
    });
  });
});

describe('what is done', () => {
  test('a hung disk is cut, then redundancy is restored', () => {
    const hung = { diagnoses: [sick('one', 'r1')], troubles: [trouble('one', 'r1')] };
    expect(acts(decide(situation({ ...hung, volumes: [volume('one')] })))).toEqual(['cut one/r1']);
    const cut = {
      troubles: [trouble('one', 'r1', { cutAt: NOW - 100 })],
      volumes: [volume('one', ['failed', 'healthy'])],
    };
    expect(acts(decide(situation(cut)))).toEqual(['restore one']);
    expect(
      acts(decide(situation({ ...cut, volumes: [volume('one', ['failed', 'healthy'], { busy: true })] }))),
    ).toEqual([]);
    expect(acts(decide(situation({ ...cut, troubles: [trouble('one', 'r1', { retryAt: NOW + 1 })] })))).toEqual([]);
  });

  test('a scrub that runs gives way to a missing copy; other work does not', () => {
    const given = (more: Partial<VolumeView>): Situation =>
      situation({
        troubles: [trouble('one', 'r1', { cutAt: NOW - 100 })],
        volumes: [volume('one', ['failed', 'healthy'], { busy: true, ...more })],
      });
    expect(acts(decide(given({ scrubbing: true })))).toEqual(['restore one']);
    expect(acts(decide(given({ scrubbing: false })))).toEqual([]);
  });

  test('limits that do not hold are mended by the storage: a person is needed only when it says so, whoever repairs disks', () => {
    const culprit = { kind: 'volume' as const, volume: 'one', replica: null, disk: null };
    const diagnoses: Diagnosis[] = [{ culprit, fault: 'uncounted', evidence: ['It was seen.'], ruledOut: [] }];
    const troubles = [trouble('one', '-', { key: 'limits:one:-', fault: 'uncounted' })];
    for (const reaction of [true, false]) {
      expect(decide(situation({ reaction, diagnoses, troubles, volumes: [volume('one')] }))).toEqual([]);
      const asks = volume('one', undefined, { limitsAdvice: 'Close it and open it again.' });
      expect(decide(situation({ reaction, diagnoses, troubles, volumes: [asks] }))).toEqual([
        { do: 'person', key: 'limits:one:-', sentence: 'Close it and open it again.' },
      ]);
    }
  });

  test('nothing is taken in while the volume refuses it', () => {
    const given = (state: VolumeView['state']): Situation =>
      situation({
        troubles: [trouble('one', 'r1', { cutAt: NOW - 100 })],
        volumes: [volume('one', ['failed', 'healthy'], { state })],
      });
    expect(acts(decide(given('trouble')))).toEqual([]);
    expect(acts(decide(given('closed')))).toEqual([]);
    expect(acts(decide(given('open')))).toEqual(['restore one']);
  });

  test('a replica that an operator set aside is left alone', () => {
    const aside = volume('one', ['set-aside', 'healthy']);
    expect(decide(situation({ volumes: [aside] }))).toEqual([]);
    // Whatever else is wrong with the volume.
    const full = trouble('one', '-', { key: 'volume:one:-', fault: 'full' });
    expect(decide(situation({ volumes: [aside], troubles: [full] }))).toEqual([]);
    // One that is not even recorded any more (a rebuild that was given up) is missing all the same.
    expect(acts(decide(situation({ volumes: [volume('one', ['healthy'])], troubles: [full] })))).toEqual([
      'restore one',
    ]);
  });

  test('both disks return wrong data: each is healed, neither is given up for the other, and a person is told', () => {
    const given = (scrubs: number, more: Partial<TroubleView> = {}): Situation =>
      situation({
        diagnoses: [sick('one', 'r1', 'corrupt'), sick('one', 'r2', 'corrupt')],
        troubles: ['r1', 'r2'].map((replica) =>
          trouble('one', replica, { fault: 'corrupt', scrubs, scrubbedAt: NOW - SCRUB_SETTLES_MS, ...more }),
        ),
        volumes: [volume('one')],
      });
    expect(new Set(acts(decide(given(0))))).toEqual(new Set(['scrub one']));
    const worn = decide(given(SCRUBS));
    expect(acts(worn)).toEqual([]);
    expect(worn).toContainEqual(expect.objectContaining({ do: 'person', key: 'disk:one:r1' }));
    // The other one did so a moment ago.
    const before = { ...given(SCRUBS), diagnoses: [sick('one', 'r1', 'corrupt')] };
    expect(acts(decide(before))).toEqual([]);
    // What no disk has whole is not looked for again, and a scrub that failed is not tried again before its time.
    expect(decide(given(1, { unhealed: true }))).toEqual([]);
    expect(decide(given(0, { retryAt: NOW + 1 }))).toEqual([]);
  });

  test('a slow disk is not cut while the other one returns wrong data; one that hangs is', () => {
    const given = (fault: FaultKind): Situation =>
      situation({
        diagnoses: [sick('one', 'r1', fault), sick('one', 'r2', 'corrupt')],
        troubles: [trouble('one', 'r1', { fault }), trouble('one', 'r2', { fault: 'corrupt' })],
        volumes: [volume('one', ['healthy', 'healthy'], { busy: true })],
      });
    expect(decide(given('slow'))).toEqual([expect.objectContaining({ do: 'wait', key: 'disk:one:r1' })]);
    expect(acts(decide(given('hung')))).toEqual(['cut one/r1']);
  });

  test('a volume that is held comes back also when the reaction was switched off meanwhile', () => {
    const held = situation({ reaction: false, volumes: [volume('one', ['healthy', 'healthy'], { held: true })] });
    expect(acts(decide(held))).toEqual(['release one']);
    expect(acts(decide({ ...held, watching: false }))).toEqual([]);
    expect(acts(decide({ ...held, diagnoses: [sick('one', 'r1')] }))).toEqual([]);
  });

  test('with the reaction switched off a person is told the command, with the name of the volume', () => {
    const one = sick('one', 'r1');
    const host: Diagnosis = { ...one, culprit: { kind: 'host', volume: null, replica: null, disk: null } };
    const told = decide(situation({ reaction: false, diagnoses: [one, host], volumes: [volume('one')] }));
    expect(told.map((each) => (each.do === 'person' ? each.sentence : each.do))).toEqual([
      'The reaction is switched off on this host. Switch it on, or repair by hand: holdfast recover one',
      'The reaction is switched off on this host. Switch it on.',
    ]);
  });

  test('no disk of a volume is there: a person is told', () => {
    const given = (both: ReplicaState[]): Decision[] =>
      decide(situation({ diagnoses: [sick('one', 'r1', 'lost')], volumes: [volume('one', both)] }));
    expect(given(['missing', 'missing'])).toEqual([
      expect.objectContaining({ do: 'person', key: 'disk:one:r1', sentence: expect.stringContaining('stopped') }),
    ]);
    expect(given(['missing', 'healthy'])).toEqual([]);
  });

  test('both disks hang: the volume is held, nothing is cut, and a person is told', () => {
    const both = {
      diagnoses: [sick('one', 'r1'), sick('one', 'r2')],
      troubles: [trouble('one', 'r1'), trouble('one', 'r2')],
    };
    const decisions = decide(situation({ ...both, volumes: [volume('one')] }));
    expect(new Set(acts(decisions))).toEqual(new Set(['hold one']));
    expect(decisions.some((one) => one.do === 'person')).toBe(true);
    const held = volume('one', ['healthy', 'healthy'], { held: true });
    expect(acts(decide(situation({ ...both, volumes: [held] })))).toEqual([]);
    // One answers again: the other is cut, and only then the volume comes back.
    expect(acts(decide(situation({ ...both, diagnoses: [sick('one', 'r1')], volumes: [held] })))).toEqual([
      'cut one/r1',
    ]);
    const cut = volume('one', ['failed', 'healthy'], { held: true });
    expect(acts(decide(situation({ troubles: both.troubles, volumes: [cut] })))).toEqual(['release one']);
    // That the volume itself says so of the disk that was given up is nothing new.
    const said = { diagnoses: [sick('one', 'r1', 'failing')], troubles: both.troubles, volumes: [cut] };
    expect(acts(decide(situation(said)))).toEqual(['release one']);
  });

  test('the other disk has just stopped as well: it waits to see', () => {
    const given = situation({
      diagnoses: [sick('one', 'r1')],
      troubles: [trouble('one', 'r1')],
      suspects: [{ volume: 'one', replica: 'r2' }],
      volumes: [volume('one')],
    });
    expect(decide(given)).toEqual([expect.objectContaining({ do: 'wait' })]);
  });

  test('two volumes at once: the second waits, says so, and is treated when the first has proved good', () => {
    const volumes = [volume('one'), volume('two')];
    const troubles = [trouble('one', 'r1'), trouble('two', 'r2')];
    const first = decide(situation({ diagnoses: [sick('one', 'r1'), sick('two', 'r2')], troubles, volumes }));
    expect(acts(first)).toEqual(['cut one/r1']);
    // Nobody is woken for what passes by itself within seconds.
    const waits = expect.objectContaining({ do: 'wait', key: 'disk:two:r2' });
    expect(first).toContainEqual(waits);
    const after = (ago: number, diagnoses = [sick('two', 'r2')], provenAt: number | null = null): Decision[] =>
      decide(
        situation({
          diagnoses,
          troubles: [trouble('one', 'r1', { cutAt: NOW - ago, provenAt, retryAt: NOW + 1 }), trouble('two', 'r2')],
          volumes: [volume('one', ['failed', 'healthy']), volume('two')],
        }),
      );
    expect(after(CONFIRM_MS - 1)).toEqual([waits]);
    expect(acts(after(CONFIRM_MS))).toEqual(['cut two/r2']);
    // What the first volume has answered since is proof; what it answered before is not.
    expect(acts(after(100, undefined, NOW - 20))).toEqual(['cut two/r2']);
    expect(after(100, undefined, NOW - 200)).toEqual([waits]);
    // What was done on the first did not help: its other disk is in trouble now. That needs a person.
    const worse = after(CONFIRM_MS, [sick('one', 'r2'), sick('two', 'r2')]);
    expect(acts(worse)).not.toContain('cut two/r2');
    expect(worse).toContainEqual(expect.objectContaining({ do: 'person', key: 'disk:two:r2' }));
  });

  test('minutes apart, both are treated', () => {
    const given = situation({
      diagnoses: [sick('two', 'r2')],
      troubles: [trouble('one', 'r1', { cutAt: NOW - 180_000, retryAt: NOW + 1 }), trouble('two', 'r2')],
      volumes: [volume('one', ['failed', 'healthy']), volume('two')],
    });
    expect(acts(decide(given))).toEqual(['cut two/r2']);
  });

  test('wrong data is healed; again and again, the disk is replaced', () => {
    const given = (scrubs: number, ago: number): Situation =>
      situation({
        diagnoses: [sick('one', 'r1', 'corrupt')],
        troubles: [trouble('one', 'r1', { scrubs, scrubbedAt: scrubs === 0 ? null : NOW - ago })],
        volumes: [volume('one')],
      });
    expect(acts(decide(given(0, 0)))).toEqual(['scrub one']);
    // What a scrub finds while it runs and just after is what it was for.
    expect(acts(decide(given(1, 1_000)))).toEqual([]);
    expect(acts(decide(given(1, SCRUB_SETTLES_MS)))).toEqual(['scrub one']);
    expect(acts(decide(given(SCRUBS, SCRUB_SETTLES_MS)))).toEqual(['cut one/r1']);
  });

  test('the last complete replica is never cut, whatever it does', () => {
    for (const fault of ['hung', 'failing', 'slow', 'lost'] as const) {
      const given = situation({
        diagnoses: [sick('one', 'r1', fault)],
        troubles: [trouble('one', 'r1')],
        volumes: [volume('one', ['healthy', 'rebuilding'])],
      });
      expect(cutsOf(decide(given))).toEqual([]);
    }
  });

  test('when all disks of a volume hang a person is told so once, and not of each that it is the last', () => {
    const given = situation({
      diagnoses: [sick('one', 'r1'), sick('one', 'r2')],
      troubles: [trouble('one', 'r1'), trouble('one', 'r2')],
      volumes: [volume('one', ['healthy', 'healthy'])],
    });
    const said = decide(given).flatMap((decision) => (decision.do === 'person' ? [decision.sentence] : []));
    expect(said).toHaveLength(2);
    expect([...new Set(said)]).toEqual([expect.stringContaining('No disk of the volume one can serve now')]);
  });

  test('a disk that hangs while it is rebuilt onto is taken out', () => {
    const given = situation({
      diagnoses: [sick('one', 'r2')],
      troubles: [trouble('one', 'r2')],
      volumes: [volume('one', ['healthy', 'rebuilding'], { busy: true })],
    });
    expect(acts(decide(given))).toEqual(['cut one/r2']);
  });

  test('a full volume is for a person, who is told what to do', () => {
    const full: Diagnosis = {
      culprit: { kind: 'volume', volume: 'one', replica: null, disk: null },
      fault: 'full',
      evidence: [],
      ruledOut: [],
    };
    expect(decide(situation({ diagnoses: [full], volumes: [volume('one')] }))).toEqual([
      expect.objectContaining({
        do: 'person',
        key: 'volume:one:-',
        sentence: expect.stringContaining('holdfast volume grow one'),
      }),
    ]);
    const off = decide(situation({ reaction: false, diagnoses: [full], volumes: [volume('one')] }));
    expect(off).toEqual(decide(situation({ diagnoses: [full], volumes: [volume('one')] })));
  });
});
