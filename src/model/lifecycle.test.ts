import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  advance,
  crashDelayMs,
  MOST_CRASHES,
  newLife,
  wakeHoldOffMs,
  WELL_AFTER_MS,
  type SiteEvent,
  type SiteLife,
} from './lifecycle.ts';

const failure = { step: 'import' as const, message: 'no', output: [], at: '2026-01-01T00:00:00.000Z' };

const event: fc.Arbitrary<SiteEvent> = fc.oneof(
  fc.constantFrom<SiteEvent>(
    { type: 'start' },
    { type: 'start-failed', failure },
    { type: 'stop' },
    { type: 'stopped' },
    { type: 'disable' },
    { type: 'enable' },
  ),
  fc.boolean().map((stopFirst): SiteEvent => ({ type: 'reload', stopFirst })),
  fc.nat(20).map((generation): SiteEvent => ({ type: 'answered', generation })),
  fc.nat(2 * WELL_AFTER_MS).map((livedMs): SiteEvent => ({ type: 'crashed', failure, livedMs })),
);

function walk(events: readonly SiteEvent[], look: (before: SiteLife, event: SiteEvent, after: SiteLife) => void): void {
  let life = newLife(true);
  for (const one of events) {
    const next = advance(life, one);
    if (next === undefined) continue;
    look(life, one, next);
    life = next;
  }
}

const histories = fc.array(event, { maxLength: 60 });

describe('the life of a site', () => {
  test('only an answer makes it awake from outside, and the generation only grows', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (before, one, after) => {
          expect(after.generation).toBeGreaterThanOrEqual(before.generation);
          if (after.state === 'awake' && before.state !== 'awake') {
            expect(one.type === 'answered' || (one.type === 'start-failed' && before.serving)).toBe(true);
          }
        }),
      ),
    );
  });

  test('serves exactly when a generation is there to serve', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (_before, _one, after) => {
          if (['asleep', 'starting', 'failed', 'disabled'].includes(after.state)) expect(after.serving).toBe(false);
          if (after.serving) expect(after.generation).toBeGreaterThan(0);
        }),
      ),
    );
  });

  test('a disabled site does nothing until it is enabled', () => {
    fc.assert(
      fc.property(event, (one) => {
        const next = advance(newLife(false), one);
        if (one.type === 'enable') expect(next?.state).toBe('asleep');
        else expect(next).toBeUndefined();
      }),
    );
  });

  test('a failed state always says why', () => {
    fc.assert(
      fc.property(histories, (events) =>
        walk(events, (_before, _one, after) => {
          if (after.state === 'failed') expect(after.failure).not.toBeNull();
        }),
      ),
    );
  });

  test('from every state there is a way back to awake', () => {
    fc.assert(
      fc.property(histories, (events) => {
        let life = newLife(true);
        for (const one of events) life = advance(life, one) ?? life;
        const way: SiteEvent[] = [
          { type: 'stopped' },
          { type: 'enable' },
          { type: 'start' },
          { type: 'reload', stopFirst: false },
          { type: 'answered', generation: life.generation + 1 },
        ];
        for (const one of way) life = advance(life, one) ?? life;
        expect(life).toMatchObject({ state: 'awake', serving: true, failure: null });
      }),
    );
  });

  test('a reload that fails keeps the old generation, unless it was stopped first', () => {
    const awake = { ...newLife(true), state: 'awake' as const, serving: true, generation: 3 };
    const blueGreen = advance(advance(awake, { type: 'reload', stopFirst: false })!, { type: 'start-failed', failure });
    expect(blueGreen).toMatchObject({ state: 'awake', serving: true, generation: 3, failure });
    const stopFirst = advance(advance(awake, { type: 'reload', stopFirst: true })!, { type: 'start-failed', failure });
    expect(stopFirst).toMatchObject({ state: 'failed', serving: false, failure });
  });

  test('an old generation that answers late changes nothing', () => {
    const starting = { ...newLife(true), state: 'starting' as const, generation: 4 };
    expect(advance(starting, { type: 'answered', generation: 4 })).toBeUndefined();
  });

  test('quick crashes in a row end in failed; one after a long life counts from one again', () => {
    let life: SiteLife = { ...newLife(true), state: 'awake', serving: true, generation: 1 };
    for (let crash = 1; crash < MOST_CRASHES; crash += 1) {
      life = advance(life, { type: 'crashed', failure, livedMs: 10 })!;
      expect(life).toMatchObject({ state: 'starting', crashes: crash });
      life = advance(life, { type: 'answered', generation: crash + 1 })!;
    }
    expect(advance(life, { type: 'crashed', failure, livedMs: WELL_AFTER_MS })).toMatchObject({
      state: 'starting',
      crashes: 1,
    });
    expect(advance(life, { type: 'crashed', failure, livedMs: 10 })).toMatchObject({ state: 'failed' });
  });
});

test('waits grow to a bound', () => {
  fc.assert(
    fc.property(fc.nat(1000), (count) => {
      expect(crashDelayMs(count + 1)).toBeGreaterThanOrEqual(crashDelayMs(count));
      expect(crashDelayMs(count)).toBeLessThanOrEqual(30_000);
      expect(wakeHoldOffMs(count + 1)).toBeGreaterThanOrEqual(wakeHoldOffMs(count));
      expect(wakeHoldOffMs(count)).toBeLessThanOrEqual(60_000);
    }),
  );
});
