import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Trouble } from '../../protocol/health.ts';
import { someTrouble } from '../testing/memory-agent.ts';
import { isOlder, mergeTimeline, newsOf, severityOf, titleOf, worseOf } from './rules.ts';
import { requestsInWords, span } from './words.ts';

const redundancies = fc.constantFrom('full', 'rebuilding', 'reduced', 'lost', undefined);
const services = fc.constantFrom('serving', 'waiting', 'stopped');
const ages = fc.integer({ min: 0, max: 600_000 });
const troubles = fc
  .record({ service: services, mustAct: fc.constantFrom(null, 'Name a disk.'), operation: fc.constantFrom(null, 'op') })
  .map((values): Trouble => someTrouble('t', values));

describe('the severity of an incident', () => {
  it('is critical exactly while members are without service', () => {
    fc.assert(
      fc.property(troubles, redundancies, ages, (trouble, redundancy, age) => {
        const without = trouble.service === 'stopped' || (trouble.service === 'waiting' && age >= 5_000);
        expect(severityOf(trouble, redundancy, age) === 'critical').toBe(without);
      }),
    );
  });

  it('is at least major when a person must act or no complete copy is left', () => {
    fc.assert(
      fc.property(troubles, redundancies, ages, (trouble, redundancy, age) => {
        fc.pre(trouble.mustAct !== null || redundancy === 'lost');
        expect(severityOf(trouble, redundancy, age)).not.toBe('minor');
      }),
    );
  });

  it('never falls as time passes and nothing else changes', () => {
    fc.assert(
      fc.property(troubles, redundancies, ages, ages, (trouble, redundancy, a, b) => {
        const early = severityOf(trouble, redundancy, Math.min(a, b));
        const late = severityOf(trouble, redundancy, Math.max(a, b));
        expect(worseOf(early, late)).toBe(late);
      }),
    );
  });

  it('is minor while the platform repairs it and nobody notices', () => {
    expect(severityOf(someTrouble('t'), 'rebuilding', 3_600_000)).toBe('minor');
    expect(severityOf(someTrouble('t', { operation: null }), 'reduced', 59_000)).toBe('minor');
    expect(severityOf(someTrouble('t', { operation: null }), 'reduced', 60_000)).toBe('major');
  });
});

describe('what an incident is called', () => {
  it('says where and what', () => {
    const { diagnosis } = someTrouble('t');
    expect(titleOf(diagnosis)).toBe('v1: disk r2 hung');
    const volume = { kind: 'volume' as const, volume: 'home1', replica: null, disk: null };
    expect(titleOf({ culprit: volume, fault: 'full' })).toBe('home1: volume full');
    const spare = { kind: 'disk' as const, volume: null, replica: null, disk: '/dev/sdx' };
    expect(titleOf({ culprit: spare, fault: 'lost' })).toBe('disk /dev/sdx lost');
  });
});

describe('words of the agent that come twice or late', () => {
  const entry = { at: '2026-01-01T00:00:00.000Z', kind: 'action' as const, text: 'x' };
  const timeline = (length: number): Trouble['timeline'] => Array.from({ length }, () => entry);

  it('are older when they know less, or when they know the same and not yet of the end', () => {
    const known = someTrouble('t', { timeline: timeline(3), state: 'resolved' });
    expect(isOlder(someTrouble('t', { timeline: timeline(2), state: 'open' }), known)).toBe(true);
    expect(isOlder(someTrouble('t', { timeline: timeline(3), state: 'open' }), known)).toBe(true);
    expect(isOlder(someTrouble('t', { timeline: timeline(4), state: 'open' }), known)).toBe(false);
    expect(isOlder(someTrouble('t', { timeline: timeline(3), state: 'resolved' }), known)).toBe(false);
  });

  it('never make both of two tellings the older one', () => {
    const told = fc
      .record({ length: fc.integer({ min: 0, max: 5 }), state: fc.constantFrom('open' as const, 'resolved' as const) })
      .map(({ length, state }) => someTrouble('t', { state, timeline: timeline(length) }));
    fc.assert(fc.property(told, told, (a, b) => !(isOlder(a, b) && isOlder(b, a))));
  });
});

describe('news', () => {
  it('are told once, and again when it matters', () => {
    const trouble = someTrouble('t');
    const base = { state: 'open' as const, severity: 'minor' as const, trouble };
    expect(newsOf({ ...base, told: null })).toBe('opened');
    const told = { what: 'opened' as const, severity: 'minor' as const, mustAct: null };
    expect(newsOf({ ...base, told })).toBeUndefined();
    expect(newsOf({ ...base, severity: 'critical', told })).toBe('updated');
    expect(newsOf({ ...base, trouble: { ...trouble, mustAct: 'Name a disk.' }, told })).toBe('updated');
    expect(newsOf({ ...base, state: 'resolved', told })).toBe('resolved');
    expect(newsOf({ ...base, state: 'resolved', told: null })).toBe('resolved');
    const over = { ...told, what: 'resolved' as const };
    expect(newsOf({ ...base, state: 'resolved', told: over })).toBeUndefined();
    expect(newsOf({ ...base, told: over })).toBe('opened');
  });
});

describe('the timeline', () => {
  it('is in the order of time and loses nothing', () => {
    const entries = fc.array(
      fc.record({
        at: fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }).map((date) => date.toISOString()),
        kind: fc.constantFrom('action' as const, 'impact' as const),
        text: fc.string(),
      }),
    );
    fc.assert(
      fc.property(entries, entries, (agents, ours) => {
        const merged = mergeTimeline(someTrouble('t', { timeline: agents }), ours, []);
        expect(merged).toHaveLength(agents.length + ours.length);
        merged.forEach((line, index) => expect(index === 0 || line.at >= (merged[index - 1]?.at ?? '')).toBe(true));
      }),
    );
  });
});

describe('figures in words', () => {
  it('read like sentences', () => {
    expect(requestsInWords({ delayed: 0, failed: 0, longestMs: 0 })).toBe(
      'No request took longer than a second, and none failed.',
    );
    expect(requestsInWords({ delayed: 1, failed: 0, longestMs: 1234 })).toBe(
      '1 request took longer than a second (the longest 1.2 s), none failed.',
    );
    expect(requestsInWords({ delayed: 7, failed: 2, longestMs: 61_000 })).toBe(
      '7 requests took longer than a second (the longest 1 min 1 s), and 2 requests failed.',
    );
    expect([span(700), span(42_400), span(725_000), span(9_650_000)]).toEqual([
      '0.7 s',
      '42 s',
      '12 min 5 s',
      '2 h 40 min',
    ]);
  });
});
