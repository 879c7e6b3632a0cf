import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAgo, formatClock, readSentence } from '../format/format.ts';
import { storageHeadline } from './headline.ts';
import { incidentHeadline, incidentTone, requestsFelt, whoIsAffected } from './incident-words.ts';
import { lossLine, lossStory } from './loss-words.ts';
import { siteStateOf } from './site-state.ts';
import { volumeShown } from './volume-state.ts';

/** What the pages say: no green word beside a red fact, no time in the future, nothing that is only remembered as if it were seen. */
const service = fc.constantFrom('serving' as const, 'waiting' as const, 'stopped' as const);
const siteStates = fc.constantFrom(
  'asleep' as const, 'starting' as const, 'awake' as const, 'reloading' as const, 'stopping' as const, 'failed' as const, 'disabled' as const,
); // prettier-ignore
const site = fc.record({
  enabled: fc.boolean(),
  storage: service,
  status: fc.option(
    siteStates.map((state) => ({
      id: 'x', state, generation: 1, since: '2026-01-01T00:00:00Z', failure: null, remark: null, kept: null, lastRequestAt: null, memoryBytes: null, processes: 1,
    })),
  ),
}); // prettier-ignore
const volume = fc.record({
  name: fc.constantFrom('home1', 'home2'),
  state: fc.constantFrom('open' as const, 'closed' as const, 'trouble' as const),
  redundancy: fc.constantFrom('full' as const, 'rebuilding' as const, 'reduced' as const, 'lost' as const),
  readAt: fc.constantFrom('1970-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
});
const disks = fc.array(
  fc.constantFrom(
    'healthy' as const, 'slow' as const, 'hung' as const, 'failed' as const, 'rebuilding' as const, 'unwatched' as const,
  ),
  { maxLength: 3 },
); // prettier-ignore
const incident = fc
  .record({
    state: fc.constantFrom('open' as const, 'resolved' as const),
    severity: fc.constantFrom('minor' as const, 'major' as const, 'critical' as const),
    service,
    mustAct: fc.option(fc.constant('Make room.')),
    fault: fc.constantFrom('hung' as const, 'slow' as const, 'full' as const, 'lost' as const),
    requests: fc.option(fc.record({ delayed: fc.nat(9), failed: fc.nat(9), longestMs: fc.nat(9000) })),
  })
  .map(({ requests, ...each }) => ({
    ...each,
    volume: 'home1',
    title: 'x',
    doing: 'It is being repaired.',
    impact: { accounts: 3, sites: 2, requests },
    culprit: { kind: 'disk' as const, volume: 'home1', replica: 'r2', disk: '/dev/sdc' },
  }));

describe('a site', () => {
  test('is green only where its visitors are answered', () => {
    fc.assert(
      fc.property(site, fc.boolean(), (one, old) => {
        const shown = siteStateOf(one, old);
        if (shown.tone === 'good' || /answering visitors/i.test(shown.meaning)) {
          expect(one.storage).toBe('serving');
          expect(one.enabled).toBe(true);
          expect(one.status?.state).toBe('awake');
        }
        if (one.enabled && one.storage === 'stopped') expect(shown.tone).toBe('bad');
        if (old) expect(shown.tone).not.toBe('good');
        if (old && one.enabled && one.status?.state !== 'disabled')
          expect([shown.word, shown.meaning]).toEqual([
            expect.stringMatching(/^was /),
            expect.stringMatching(/^When last seen: /),
          ]);
      }),
    );
  });
});

describe('a volume', () => {
  test('is green only when it is open, mirrored and answers; closed, it is not called mirrored now', () => {
    fc.assert(
      fc.property(volume, disks, fc.boolean(), (one, states, old) => {
        const shown = volumeShown(one, states, undefined, old);
        if (shown.tone === 'good') {
          expect([one.state, one.redundancy, old]).toEqual(['open', 'full', false]);
          expect(states).not.toContain('hung');
        }
        if (one.state === 'closed') {
          expect(shown.word).toBe('closed');
          expect(shown.meaning).toMatch(/(was|were) .*closed|when it was closed/);
        }
        if (one.state === 'trouble') expect(shown.tone).toBe('bad');
        if (one.readAt.startsWith('1970')) expect(shown.figures).toBe(false);
        if (old && one.state !== 'closed') expect(shown.word).toMatch(/\bwas\b/);
      }),
    );
  });

  test('with an open incident has the colour of that incident, as the headline and the line on every page have', () => {
    fc.assert(
      fc.property(
        incident,
        fc.constantFrom('full' as const, 'rebuilding' as const, 'reduced' as const),
        (one, redundancy) => {
          fc.pre(one.state === 'open');
          const tone = incidentTone(one);
          const shown = volumeShown(
            { state: 'open', redundancy, readAt: '2026-01-01T00:00:00Z' },
            ['hung', 'healthy'],
            tone,
          );
          expect(shown.tone).toBe(tone);
          const headline = storageHeadline({
            volumes: [
              {
                name: 'home1',
                state: 'open',
                redundancy,
                operation: 'op',
                trouble: null,
                accounts: 3,
                replicas: [1, 2],
              },
            ],
            host: { name: 'h', condition: 'healthy', reaction: true, watcherGapMs: 1 },
            incidents: [one],
            connected: true,
          });
          expect(headline.tone === 'bad').toBe(one.service !== 'serving');
          if (one.service !== 'serving') expect(tone).toBe('bad');
          expect(headline.tone).not.toBe('good');
        },
      ),
    );
  });
});

describe('an incident', () => {
  test('never says that none failed, or that all is served, while it is out of service or waits', () => {
    fc.assert(
      fc.property(incident, (one) => {
        const text = [requestsFelt(one), whoIsAffected(one), incidentHeadline(one)].join(' ');
        if (one.state === 'open' && one.service === 'stopped') {
          expect(text).not.toMatch(/none failed|served as always|Nobody is waiting/);
        }
        if (one.state === 'open' && one.service === 'waiting')
          expect(text).not.toMatch(/none failed\.$|Nobody is waiting/);
        if (one.state === 'resolved') expect(text).not.toMatch(/ right now|are waiting|out of service until/);
      }),
    );
  });
});

describe('times', () => {
  const moments = fc.integer({ min: 0, max: Date.parse('2030-01-01T00:00:00Z') });
  test('are never in the future, and never twenty thousand days ago', () => {
    fc.assert(
      fc.property(moments, moments, (at, now) => {
        const iso = new Date(at).toISOString();
        for (const text of [formatAgo(iso, now), readSentence(iso, now)]) expect(text).not.toMatch(/\bin \d/);
      }),
    );
    expect(readSentence('1970-01-01T00:00:00.000Z', Date.now())).toBe('Not read yet.');
  });

  test('what is not up to date says since when, to the second', () => {
    const cause = fc.constantFrom('connection' as const, 'silence' as const, 'agent' as const);
    fc.assert(
      fc.property(moments, cause, (since, why) => {
        for (const text of [lossLine({ since, cause: why }, since), lossStory({ since, cause: why }, since)])
          expect(text).toContain(formatClock(new Date(since).toISOString(), since));
      }),
    );
  });
});
