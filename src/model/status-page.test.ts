import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { publicStatusOf, renderStatusFiles, type StatusFacts, type StatusTrouble } from './status-page.ts';
import { escapeText, shortIdOf } from './status-words.ts';

const at = '2026-07-07T17:00:00.000Z';

function facts(change: Partial<StatusFacts> = {}): StatusFacts {
  return {
    name: 'example.org',
    url: 'https://example.org/status/',
    at,
    gateway: true,
    control: true,
    volumes: [
      { name: 'home1', state: 'open' },
      { name: 'home2', state: 'open' },
    ],
    troubles: [],
    notes: [],
    watching: 'yes',
    knownAt: at,
    ...change,
  };
}

function trouble(change: Partial<StatusTrouble> = {}): StatusTrouble {
  return {
    id: 't1',
    state: 'open',
    diagnosis: { fault: 'hung', culprit: { kind: 'disk' } },
    volume: 'home1',
    service: 'waiting',
    since: '2026-07-07T16:06:00.000Z',
    namedAt: '2026-07-07T16:06:01.000Z',
    resolvedAt: null,
    timeline: [],
    ...change,
  };
}

/** Whether every tag is closed in order, and nothing else stands where XML does not allow it. */
function wellFormed(xml: string): boolean {
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(xml)) return false;
  const open: string[] = [];
  const body = xml.replace(/^<\?xml [^>]*\?>\n/, '');
  let last = 0;
  for (const match of body.matchAll(/<(\/?)([A-Za-z:]+)((?:\s+[A-Za-z:]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (/[<]|&(?!(amp|lt|gt|quot|#39);)/.test(body.slice(last, match.index) + (match[3] ?? ''))) return false;
    last = match.index + match[0].length;
    if (match[1] === '/') {
      if (open.pop() !== match[2]) return false;
    } else if (match[4] !== '/') open.push(match[2] ?? '');
  }
  return open.length === 0 && body.slice(last).trim() === '';
}

const anyTrouble: fc.Arbitrary<StatusTrouble> = fc.record({
  id: fc.string({ unit: 'binary' }),
  state: fc.constantFrom('open' as const, 'resolved' as const),
  diagnosis: fc.record({
    fault: fc.constantFrom('hung', 'failing', 'slow', 'full', 'corrupt', 'lost'),
    culprit: fc.record({ kind: fc.constantFrom('disk', 'volume', 'host') }),
  }),
  volume: fc.constantFrom('home1', 'home2', 'gone', null),
  service: fc.constantFrom('serving' as const, 'waiting' as const, 'stopped' as const),
  since: fc.constant('2026-07-07T16:06:00.000Z'),
  namedAt: fc.constant('2026-07-07T16:06:01.000Z'),
  resolvedAt: fc.constantFrom(null, '2026-07-07T16:10:00.000Z'),
  timeline: fc.array(
    fc.record({ at: fc.constant('2026-07-07T16:06:02.000Z'), kind: fc.constantFrom('action', 'result') }),
  ),
}) as fc.Arbitrary<StatusTrouble>;

describe('the public status', () => {
  it('says that everything works when nothing is wrong', () => {
    const status = publicStatusOf(facts());
    expect(status.indicator).toBe('none');
    expect(status.components.map((one) => one.name)).toEqual([
      'Websites',
      'Sign-in, pages and API',
      'Watching and repair',
      'Storage home1',
      'Storage home2',
    ]);
    expect(status.components.every((one) => one.status === 'operational')).toBe(true);
  });

  it('names the storage that has trouble and clears the others', () => {
    const status = publicStatusOf(facts({ troubles: [trouble()] }));
    expect(status.components.map((one) => one.status)).toEqual([
      'operational',
      'operational',
      'operational',
      'partial_outage',
      'operational',
    ]);
    expect(status.open[0]?.name).toBe('Storage home1: a disk does not answer');
    expect(status.description).toBe('Storage home1 has trouble, all else works');
  });

  it('calls members unharmed when the culprit is cut, and still shows the repair', () => {
    const status = publicStatusOf(facts({ troubles: [trouble({ service: 'serving' })] }));
    expect(status.components.every((one) => one.status === 'operational')).toBe(true);
    expect(status.indicator).toBe('minor');
    expect(status.open[0]?.status).toBe('monitoring');
  });

  it.each(['open', 'resolved'] as const)('tells of no repair where there is only no room (%s)', (state) => {
    for (const kind of ['host', 'volume'] as const) {
      const one = trouble({
        state,
        diagnosis: { fault: 'full', culprit: { kind } },
        volume: kind === 'host' ? null : 'home1',
        service: 'serving',
        resolvedAt: state === 'open' ? null : at,
      });
      const { open, resolved } = publicStatusOf(facts({ troubles: [one] }));
      const said = [...open, ...resolved].flatMap(({ updates }) => updates.map(({ body }) => body)).join(' ');
      expect(said).toMatch(kind === 'host' ? /serve[sd] its members (as before|meanwhile)/ : /(can|could) be read/);
      expect(said).not.toMatch(/repair|served its members again/);
    }
  });

  it('shows a volume in trouble as such also before anybody has named the cause', () => {
    const status = publicStatusOf(facts({ volumes: [{ name: 'home1', state: 'trouble' }] }));
    expect(status.components.at(-1)?.status).toBe('partial_outage');
  });

  it('is critical only when all sites are out of service', () => {
    const stopped = [trouble({ service: 'stopped' }), trouble({ id: 't2', volume: 'home2', service: 'stopped' })];
    expect(publicStatusOf(facts({ troubles: stopped.slice(0, 1) })).indicator).toBe('major');
    expect(publicStatusOf(facts({ troubles: stopped })).indicator).toBe('critical');
    expect(publicStatusOf(facts({ gateway: false })).indicator).toBe('critical');
  });

  it('puts a resolved trouble into the history with its times, and the newest words first', () => {
    const done = trouble({ state: 'resolved', service: 'serving', resolvedAt: '2026-07-07T16:20:00.000Z' });
    const status = publicStatusOf(facts({ troubles: [done] }));
    expect(status.open).toEqual([]);
    expect(status.resolved[0]?.updates.map((update) => update.status)).toEqual([
      'resolved',
      'monitoring',
      'identified',
      'investigating',
    ]);
    expect(renderStatusFiles(facts({ troubles: [done] }))['index.html']).toContain('It took 14 minutes.');
  });

  it('shows what operators published, with the trouble it belongs to', () => {
    const note = { trouble: 't1', at: '2026-07-07T16:30:00.000Z', text: 'We wait for <b>the provider</b> & co.' };
    const files = renderStatusFiles(facts({ troubles: [trouble()], notes: [note] }));
    expect(files['index.html']).toContain('We wait for &lt;b&gt;the provider&lt;/b&gt; &amp; co.');
    expect(files['api/v2/summary.json']).toContain('We wait for <b>the provider</b> & co.');
  });

  const guidsOf = (given: StatusFacts): string[] =>
    [...renderStatusFiles(given)['history.rss'].matchAll(/<guid isPermaLink="false">([^<]+)<\/guid>/g)].map(
      (match) => match[1] ?? '',
    );

  it('gives readers of the feed an item for every update, which stays the same one when others come', () => {
    const note = { trouble: 't1', at: '2026-07-07T16:05:30.000Z', text: 'We look at it.' };
    const acted = [{ at: '2026-07-07T16:06:03.000Z', kind: 'result' }];
    const steps = [
      facts({ troubles: [trouble()] }),
      facts({ troubles: [trouble()], notes: [note] }),
      facts({ troubles: [trouble({ service: 'serving', timeline: acted })], notes: [note] }),
      facts({
        troubles: [
          trouble({ service: 'serving', timeline: acted, state: 'resolved', resolvedAt: '2026-07-07T16:20:00.000Z' }),
        ],
        notes: [note],
      }),
    ];
    const seen = steps.map(guidsOf);
    expect(seen.map((guids) => guids.length)).toEqual([2, 3, 4, 5]);
    for (const [step, guids] of seen.entries()) {
      expect(new Set(guids).size).toBe(guids.length);
      expect(guids).toEqual(expect.arrayContaining(seen[step - 1] ?? []));
    }
    const [first] = /<item>.*?<\/item>/s.exec(renderStatusFiles(steps[3] ?? facts())['history.rss']) ?? [];
    expect(first).toContain('<title>Resolved: Storage home1: a disk did not answer</title>');
    expect(first).toContain('<pubDate>Tue, 07 Jul 2026 16:20:00 GMT</pubDate>');
  });

  it('names no two updates alike in the feed and in the JSON, whatever troubles and notes there are', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyTrouble, { maxLength: 4, selector: (one) => one.id.toWellFormed() }),
        fc.array(fc.constantFrom('', 'a', 'signs', '1'), { maxLength: 4 }),
        (troubles, texts) => {
          const notes = troubles.flatMap((one) => texts.map((text) => ({ trouble: one.id, at, text })));
          const given = facts({ troubles, notes });
          const guids = guidsOf(given);
          expect(new Set(guids).size).toBe(guids.length);
          const { incidents } = JSON.parse(renderStatusFiles(given)['api/v2/incidents.json']) as {
            incidents: { incident_updates: { id: string }[] }[];
          };
          const ids = incidents.flatMap((one) => one.incident_updates.map((update) => update.id));
          expect(ids.sort()).toEqual(guids.sort());
        },
      ),
    );
  });

  it("has the shape of Statuspage's summary", () => {
    const summary = JSON.parse(renderStatusFiles(facts({ troubles: [trouble()] }))['api/v2/summary.json']) as Record<
      string,
      unknown
    >;
    expect(Object.keys(summary).sort()).toEqual([
      'components',
      'incidents',
      'page',
      'scheduled_maintenances',
      'status',
    ]);
    expect(summary).toMatchObject({
      page: { name: 'example.org', url: 'https://example.org/status/', updated_at: at },
      status: { indicator: 'minor' },
      incidents: [
        {
          status: 'identified',
          impact: 'major',
          incident_updates: [{ status: 'identified' }, { status: 'investigating' }],
        },
      ],
    });
  });

  it('leaks nothing of what operators see: no disk, no path, no account, no evidence', () => {
    const secret = fc.stringMatching(/^(zq)[a-z0-9]{6,12}$/);
    fc.assert(
      fc.property(anyTrouble, secret, (one, word) => {
        // As a whole trouble comes from the agent: with everything that is not for the public.
        const whole = {
          ...one,
          id: word,
          key: `disk:home1/${word}`,
          doing: word,
          mustAct: word,
          operation: word,
          diagnosis: {
            ...one.diagnosis,
            culprit: { ...one.diagnosis.culprit, volume: 'home1', replica: word, disk: `/dev/${word}` },
            evidence: [word],
            ruledOut: [word],
          },
          timeline: one.timeline.map((entry) => ({ ...entry, text: `cut ${word}` })),
        };
        for (const text of Object.values(renderStatusFiles(facts({ troubles: [whole] })))) {
          expect(text).not.toContain(word);
        }
      }),
    );
  });

  it('is well-formed and breaks out of nothing, whatever is written into notes and names', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(']]>', '</script><script>alert(1)</script>', '"><svg/onload=x>', '\u0000\ud800<', '<!--'),
    );
    fc.assert(
      fc.property(fc.array(anyTrouble, { maxLength: 4 }), nasty, nasty, (troubles, text, name) => {
        const notes = troubles.map((one) => ({ trouble: one.id, at, text }));
        const files = renderStatusFiles(facts({ name, troubles, notes, volumes: [{ name, state: 'open' }] }));
        expect(wellFormed(files['history.rss'])).toBe(true);
        expect(files['index.html'].match(/<script/g)).toHaveLength(1);
        expect(files['index.html'].match(/<svg/g)?.length).toBe(files['index.html'].match(/<\/svg>/g)?.length);
        for (const file of ['api/v2/summary.json', 'api/v2/status.json', 'api/v2/incidents.json'] as const)
          JSON.parse(files[file]);
      }),
    );
  });

  it('never calls an open trouble resolved, nor everything well while one is open', () => {
    fc.assert(
      fc.property(fc.array(anyTrouble, { maxLength: 5 }), (troubles) => {
        const status = publicStatusOf(facts({ troubles }));
        expect(status.open.length + status.resolved.length).toBe(troubles.length);
        expect(status.open.every((one) => one.status !== 'resolved')).toBe(true);
        expect(status.resolved.every((one) => one.status === 'resolved')).toBe(true);
        expect(status.indicator === 'none').toBe(status.open.length === 0);
      }),
    );
  });
});

const anyFacts: fc.Arbitrary<StatusFacts> = fc
  .record({
    gateway: fc.boolean(),
    control: fc.boolean(),
    watching: fc.constantFrom('yes' as const, 'blind' as const, 'silent' as const),
    knownAt: fc.constant('2026-07-07T16:58:00.000Z'),
    volumes: fc.array(
      fc.record({
        name: fc.constantFrom('home1', 'home2', 'home3'),
        state: fc.constantFrom('open' as const, 'closed' as const, 'trouble' as const),
      }),
      { maxLength: 3 },
    ),
    troubles: fc.array(anyTrouble, { maxLength: 3 }),
  })
  .map((change) => facts(change));

describe('the public status says only what is known now', () => {
  it('has no green word beside a red fact', () => {
    fc.assert(
      fc.property(anyFacts, (some) => {
        const status = publicStatusOf(some);
        const red = status.components.some((one) => one.tone === 'bad' || one.tone === 'warn');
        const open = status.open.some((one) => one.impact !== 'minor');
        if (red || open || status.open.length > 0) {
          expect(status.indicator).not.toBe('none');
          expect(status.description).not.toMatch(/^Everything/);
        }
        if (red || open) expect(status.description).not.toMatch(/^All is served(?!, but)/);
        for (const one of status.components) {
          if (one.tone === 'good') expect(one.status).toBe('operational');
          if (one.status !== 'operational') expect(one.word).not.toMatch(/^Works/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('marks what it does not know now with when it was known', () => {
    fc.assert(
      fc.property(anyFacts, (some) => {
        const status = publicStatusOf({ ...some, watching: 'silent' });
        for (const one of status.components.filter(({ kind }) => kind === 'storage')) {
          expect(one.word).toContain('at 7 Jul 2026, 16:58 UTC');
          expect(one.tone).not.toBe('good');
        }
        expect(status.components.find(({ kind }) => kind === 'watching')?.word).toBe('Does not answer');
        expect(status.indicator).not.toBe('none');
      }),
    );
  });

  it('tells what is over as over', () => {
    fc.assert(
      fc.property(fc.array(anyTrouble, { maxLength: 4 }), (troubles) => {
        for (const one of publicStatusOf(facts({ troubles })).resolved) {
          for (const text of [one.name, ...one.updates.map((update) => update.body)])
            expect(text).not.toMatch(/\b(is|are|has|does|answers|serves|goes|works|wait|waits)\b/);
        }
      }),
    );
  });

  it('says that watching stands still when nothing else is wrong', () => {
    expect(publicStatusOf(facts({ watching: 'silent' })).description).toBe(
      'Watching and repair do not answer; sites that are awake are served',
    );
    expect(publicStatusOf(facts({ watching: 'blind' })).description).toBe(
      'All is served, but disks are not watched just now',
    );
    expect(publicStatusOf(facts({ control: false })).description).toBe('Members cannot sign in now, sites work');
  });
});

describe('the words of the status page', () => {
  it('escapes once, so that the text reads as it was written', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const back = escapeText(text)
          .replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
          .replaceAll('&quot;', '"')
          .replaceAll('&#39;', "'")
          .replaceAll('&amp;', '&');
        // eslint-disable-next-line no-control-regex
        expect(back).toBe(text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, ''));
      }),
    );
  });

  it('makes the same short name of the same text, and another of another', () => {
    expect(shortIdOf('volume home1')).toBe(shortIdOf('volume home1'));
    expect(shortIdOf('volume home1')).not.toBe(shortIdOf('volume home2'));
  });
});

describe('a volume that a new agent has not come to yet', () => {
  const volumes: StatusFacts['volumes'] = [
    { name: 'home1', state: 'closed', unseen: true },
    { name: 'home2', state: 'open' },
  ];

  it('is neither closed for maintenance nor said to work', () => {
    const status = publicStatusOf(facts({ volumes }));
    expect(status.description).toBe('The platform has just started and is looking at its parts');
    expect(status.components.find(({ name }) => name === 'Storage home1')).toMatchObject({
      word: 'Not looked at yet',
      tone: 'quiet',
    });
  });

  it('does not hide the trouble that is known of it', () => {
    const status = publicStatusOf(facts({ volumes, troubles: [trouble({ service: 'stopped' })] }));
    expect(status.components.find(({ name }) => name === 'Storage home1')?.status).toBe('major_outage');
  });
});
