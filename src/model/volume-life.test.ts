import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advanceVolume,
  HAPPENS_IN,
  isServed,
  isToBeAsked,
  isToBeRefused,
  newVolumeLife,
  shownVolumeState,
  SILENT_MS,
  SUSPICIOUS_MS,
  wayBack,
  whyUnusable,
  type VolumeEvent,
  type VolumeLife,
} from './volume-life.ts';

const SINCE = '2026-01-01T00:00:00.000Z';

function silence(beganAt: number) {
  return { since: SINCE, beganAt, cause: 'unknown', waitsIn: null, mount: '/srv/mnt' } as const;
}

function notOpened(sentence: string): VolumeEvent {
  return { type: 'not-opened', sentence, unopened: { since: SINCE, beganAt: 5, reason: sentence, heldBy: null } };
}

const event: fc.Arbitrary<VolumeEvent> = fc.oneof(
  // More often what makes a volume go on than what does not, so that all states are seen.
  ...(['open', 'mounted', 'opened', 'open', 'mounted', 'opened', 'recovered', 'unmounted', 'closed'] as const).map(
    (type) => fc.constant<VolumeEvent>({ type }),
  ),
  fc.constantFrom<VolumeEvent>(
    { type: 'closing' },
    { type: 'closing-over' },
    { type: 'doubted' },
    { type: 'asked' },
    { type: 'answered' },
  ),
  fc.constantFrom('It broke.', 'It is gone.').map((sentence): VolumeEvent => ({ type: 'broke', sentence })),
  fc.constantFrom('No disk.', 'Held.').map(notOpened),
  fc.option(fc.constantFrom('It rests.')).map((sentence): VolumeEvent => ({ type: 'held', sentence })),
  fc.option(fc.constantFrom('It errs.')).map((sentence): VolumeEvent => ({ type: 'warned', sentence })),
  fc.nat(9).map((beganAt): VolumeEvent => ({ type: 'silent', silence: silence(beganAt) })),
  fc.subarray(['r1', 'r2']).map((unreachable): VolumeEvent => ({ type: 'reach', unreachable })),
);

const histories = fc.array(event, { maxLength: 60 });

function after(events: readonly VolumeEvent[]): VolumeLife {
  return events.reduce((life, one) => advanceVolume(life, one) ?? life, newVolumeLife());
}

function walk(
  events: readonly VolumeEvent[],
  look: (before: VolumeLife, event: VolumeEvent, after: VolumeLife) => void,
): void {
  let life = newVolumeLife();
  for (const one of events) {
    const next = advanceVolume(life, one);
    if (next === undefined) continue;
    look(life, one, next);
    life = next;
  }
}

/** Of every life that can be. */
function expectLegal(life: VolumeLife): void {
  const { step, mounted, trouble, unopened, silence: silent, warning } = life;
  if (step === 'open') expect({ mounted, trouble, unopened }).toEqual({ mounted: true, trouble: null, unopened: null });
  if (step === 'broken' || step === 'unopened') expect(trouble).not.toBeNull();
  if (step === 'broken') expect(unopened).toBeNull();
  if (step === 'unopened') expect(unopened).not.toBeNull();
  if (step === 'closed')
    expect({ mounted, trouble, unopened, silent, warning }).toEqual({
      mounted: false,
      trouble: null,
      unopened: null,
      silent: null,
      warning: null,
    });
  if (silent !== null) expect(mounted).toBe(true);
}

describe('the life of a volume', () => {
  test('whatever happens, it is in a state that can be', () => {
    fc.assert(
      fc.property(histories, (events) => walk(events, (_before, _one, life) => expectLegal(life))),
      { numRuns: 500 },
    );
  });

  test('every state can be reached', () => {
    const steps: string[] = [newVolumeLife().step];
    const events: VolumeEvent[] = [
      { type: 'open' },
      notOpened('No disk.'),
      { type: 'open' },
      { type: 'mounted' },
      { type: 'opened' },
      { type: 'broke', sentence: 'Its disks fail.' },
      { type: 'closed' },
    ];
    walk(events, (_before, _one, life) => steps.push(life.step));
    expect(steps).toEqual(['closed', 'opening', 'unopened', 'opening', 'opening', 'open', 'broken', 'closed']);
  });

  test('what a state forbids changes nothing; what it allows happens', () => {
    fc.assert(
      fc.property(histories, event, (events, one) => {
        const life = after(events);
        const next = advanceVolume(life, one);
        const allowed = HAPPENS_IN[one.type].includes(life.step);
        // Beside the state it takes a mount to serve, and to keep whoever asks waiting.
        const mounted = life.mounted || (one.type !== 'opened' && one.type !== 'silent');
        expect(next !== undefined).toBe(allowed && mounted);
      }),
    );
  });

  test('it serves only once it answered, and what serves is neither opened nor unmounted', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (before, one, life) => {
          if (life.step === 'open' && before.step !== 'open') expect(['opened', 'recovered']).toContain(one.type);
          if (before.step !== 'open') return;
          expect(['open', 'unmounted']).not.toContain(one.type);
          if (life.step !== 'open') expect(['broke', 'closed']).toContain(one.type);
        }),
      ),
    );
  });

  test('what is wrong stays said while it is tried again, until it serves or is closed', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (before, one, life) => {
          if (before.trouble !== null && life.trouble === null)
            expect(['opened', 'recovered', 'closed']).toContain(one.type);
          if (before.unopened !== null && life.unopened === null)
            expect(['opened', 'recovered', 'closed']).toContain(one.type);
        }),
      ),
    );
  });

  test('a volume is not closed while it is being opened, and a closed one has no trouble', () => {
    const opening = after([{ type: 'open' }, { type: 'mounted' }]);
    expect(advanceVolume(opening, { type: 'closed' })).toBeUndefined();
    expect(advanceVolume(opening, { type: 'open' })).toBeUndefined();
    expect(advanceVolume(newVolumeLife(), { type: 'broke', sentence: 'It broke.' })).toBeUndefined();
  });

  test('a refusal to close leaves all as it was', () => {
    fc.assert(
      fc.property(histories, (events) => {
        const life = { ...after(events), closing: false };
        const closing = advanceVolume(life, { type: 'closing' })!;
        expect(shownVolumeState(closing, true)).not.toBe('open');
        expect(advanceVolume(closing, { type: 'closing-over' })).toEqual(life);
      }),
    );
  });

  test('to hold, to doubt, to warn and to ask decide nothing about its state', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (before, one, life) => {
          if (['held', 'warned', 'doubted', 'asked', 'answered', 'silent', 'reach'].includes(one.type))
            expect([life.step, life.mounted, life.trouble]).toEqual([before.step, before.mounted, before.trouble]);
        }),
      ),
    );
  });

  test('from every state there is a way to serve, and from there to be closed', () => {
    fc.assert(
      fc.property(histories, (events) => {
        const way: VolumeEvent[] = [{ type: 'open' }, { type: 'mounted' }, { type: 'opened' }];
        let life = after(events);
        for (const one of way) life = advanceVolume(life, one) ?? life;
        expect(life.step).toBe('open');
        expect(advanceVolume(life, { type: 'closed' })?.step).toBe('closed');
      }),
    );
  });
});

describe('what follows from the life of a volume', () => {
  test('it is usable exactly when it is shown as open, and otherwise there is one reason why not', () => {
    fc.assert(
      fc.property(histories, fc.boolean(), fc.boolean(), (events, answersWork, wantedOpen) => {
        const life = after(events);
        const shown = shownVolumeState(life, answersWork);
        const why = whyUnusable(life, answersWork, wantedOpen);
        expect(why === undefined).toBe(shown === 'open');
        if (shown === 'open') {
          expect(life).toMatchObject({ step: 'open', held: null, closing: false });
          expect(answersWork).toBe(true);
        }
        if (why === 'closed' || why === 'opening') expect(why === 'opening').toBe(wantedOpen);
        if (shown === 'trouble') expect(['closing', 'repair']).toContain(why);
      }),
    );
  });

  test('nobody is asked who does not serve; whoever waits is a reason to ask, and so is work that takes long', () => {
    const well = { refused: false, oldestMs: 0 };
    fc.assert(
      fc.property(histories, fc.boolean(), fc.nat(2 * SUSPICIOUS_MS), (events, refused, oldestMs) => {
        const life = after(events);
        const work = { refused, oldestMs };
        if (!isServed(life)) expect(isToBeAsked(life, work)).toBe(false);
        else expect(isToBeAsked({ ...life, doubted: true }, well)).toBe(true);
        if (isServed(life) && (refused || oldestMs > SUSPICIOUS_MS)) expect(isToBeAsked(life, work)).toBe(true);
      }),
    );
    expect(isToBeAsked(after([{ type: 'open' }, { type: 'mounted' }, { type: 'opened' }]), well)).toBe(false);
  });

  test('a volume that only programs wait for is refused after ten seconds, one whose own work waits at once', () => {
    const silent = { ...newVolumeLife(), silence: silence(1_000) };
    const well = { refused: false, oldestMs: SUSPICIOUS_MS };
    expect(isToBeRefused(silent, well, 1_000 + SILENT_MS - 1)).toBe(false);
    expect(isToBeRefused(silent, well, 1_000 + SILENT_MS)).toBe(true);
    expect(isToBeRefused(silent, { ...well, oldestMs: SUSPICIOUS_MS + 1 }, 1_000)).toBe(true);
    expect(isToBeRefused(silent, { ...well, refused: true }, 1_000)).toBe(true);
  });

  test('only one that is wanted is opened again, and a mount that a disk still serves is asked first', () => {
    fc.assert(
      fc.property(
        histories,
        fc.record({ wanted: fc.boolean(), serving: fc.boolean(), unsure: fc.boolean() }),
        (events, facts) => {
          const life = after(events);
          const way = wayBack(life, facts);
          if (!facts.wanted || life.step === 'open' || life.step === 'opening') expect(way).toBe('none');
          else if (life.step === 'broken' && facts.serving) expect(way).toBe(facts.unsure ? 'open' : 'ask');
          else expect(way).toBe('open');
        },
      ),
    );
  });
});
