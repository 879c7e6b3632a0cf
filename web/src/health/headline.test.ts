import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actSentence, storageHeadline, type StorageView } from './headline.ts';
import { volumeShown } from './volume-state.ts';

const names = ['home1', 'home2', 'home3'] as const;
const volumes = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom(...names),
    state: fc.constantFrom('open' as const, 'closed' as const, 'trouble' as const),
    redundancy: fc.constantFrom('full' as const, 'rebuilding' as const, 'reduced' as const, 'lost' as const),
    operation: fc.option(fc.constant('op-1')),
    trouble: fc.constant(null),
    accounts: fc.nat({ max: 40 }),
    replicas: fc.constant([1, 2]),
  }),
  { selector: (volume) => volume.name, maxLength: 3 },
);
const incidents = fc.array(
  fc
    .record({
      state: fc.constantFrom('open' as const, 'resolved' as const),
      severity: fc.constantFrom('minor' as const, 'major' as const, 'critical' as const),
      service: fc.constantFrom('serving' as const, 'waiting' as const, 'stopped' as const),
      volume: fc.option(fc.constantFrom(...names)),
      mustAct: fc.option(fc.constantFrom('Name a spare disk.', 'Make room.')),
      fault: fc.constantFrom('hung' as const, 'slow' as const, 'full' as const),
    })
    .map((each) => ({
      ...each,
      doing: 'It is being repaired.',
      title: 'x',
      culprit: { kind: 'disk' as const, volume: each.volume, replica: 'r2', disk: '/dev/sdc' },
    })),
  { maxLength: 4 },
);
const host = fc.option(
  fc.record({
    name: fc.constant('host-1'),
    condition: fc.constantFrom('healthy' as const, 'stalled' as const, 'blind' as const),
    reaction: fc.boolean(),
    watcherGapMs: fc.nat({ max: 5000 }),
  }),
);
const views: fc.Arbitrary<StorageView> = fc.record({ volumes, host, incidents, connected: fc.boolean() });
const open = (view: StorageView): StorageView['incidents'] => view.incidents.filter((each) => each.state === 'open');

function always(rule: (view: StorageView, headline: ReturnType<typeof storageHeadline>) => void): void {
  fc.assert(
    fc.property(views, (view) => rule(view, storageHeadline(view))),
    { numRuns: 2000 },
  );
}

describe('the one sentence for the whole storage', () => {
  test('says that everything is mirrored only when it is', () => {
    always((view, { title }) => {
      if (!title.startsWith('Everything is mirrored')) return;
      if (!view.connected) expect(title).toContain('As last seen');
      expect(open(view)).toEqual([]);
      expect(view.host?.condition).toBe('healthy');
      expect(view.volumes.every((volume) => volume.redundancy === 'full' && volume.state !== 'trouble')).toBe(true);
    });
  });

  test('says that nobody is waiting only when nobody is', () => {
    always((view, { title }) => {
      if (!title.includes('Nobody is waiting')) return;
      expect(open(view).every((incident) => incident.service === 'serving')).toBe(true);
      const known = new Set(open(view).map((incident) => incident.volume));
      expect(
        view.volumes.some(
          (volume) =>
            !known.has(volume.name) &&
            (volume.state === 'trouble' || (volume.redundancy === 'lost' && volume.state !== 'closed')),
        ),
      ).toBe(false);
    });
  });

  test('is the most serious one while a volume is out of service, and names it', () => {
    always((view, { tone, title }) => {
      const stopped = open(view).filter((incident) => incident.service === 'stopped' && incident.volume !== null);
      if (stopped.length === 0) return;
      expect(tone).toBe('bad');
      for (const incident of stopped) expect(title.toLowerCase()).toContain(incident.volume);
    });
  });

  test('lists whatever a person must do, once', () => {
    always((view, { acts }) => {
      for (const incident of open(view)) if (incident.mustAct !== null) expect(acts).toContain(incident.mustAct);
      expect(new Set(acts).size).toBe(acts.length);
    });
  });

  test('asks nothing of anybody while the platform repairs by itself', () => {
    always((view, { acts }) => {
      const quiet =
        view.volumes.length > 0 &&
        view.host?.reaction !== false &&
        open(view).every((incident) => incident.mustAct === null) &&
        view.volumes.every(
          (volume) =>
            volume.operation !== null ||
            volume.state === 'closed' ||
            (volume.state === 'open' && ['full', 'rebuilding'].includes(volume.redundancy)),
        );
      if (quiet) expect(acts).toEqual([]);
    });
  });

  test('never passes a switched-off reaction or a host that cannot be seen for good', () => {
    always((view, { tone, acts }) => {
      if (view.host === null || view.host.condition !== 'healthy') expect(tone).not.toBe('good');
      if (view.host?.reaction === false) {
        expect(tone).not.toBe('good');
        expect(acts.some((act) => act.includes('reaction'))).toBe(true);
      }
    });
  });

  test('passes nothing that is only remembered for what is', () => {
    always((view, { tone, title, acts }) => {
      if (view.connected) return;
      expect(tone).not.toBe('good');
      expect(title).toMatch(/As last seen|cannot be seen/);
      expect(actSentence(acts, false)).toMatch(/^When last seen/);
    });
  });

  test('is made of whole sentences', () => {
    always((_view, { title, acts, details }) => {
      for (const text of [title, ...acts, ...details]) expect(text).toMatch(/^[A-Za-z0-9].*[.)]$/);
    });
  });

  test('reads as a person would say it', () => {
    const volume = { name: 'home3', state: 'open' as const, redundancy: 'full' as const, operation: null, trouble: null, accounts: 11, replicas: [1, 2] }; // prettier-ignore
    const well = { name: 'host-1', condition: 'healthy' as const, reaction: true, watcherGapMs: 12 };
    const hung = {
      state: 'open' as const, severity: 'minor' as const, service: 'waiting' as const, volume: 'home3', mustAct: null, fault: 'hung' as const,
      doing: 'Its outstanding requests are being failed.', title: 'home3: disk r2 hung',
      culprit: { kind: 'disk' as const, volume: 'home3', replica: 'r2', disk: '/dev/sdc' },
    }; // prettier-ignore
    const title = (incident: typeof hung | undefined, service: 'waiting' | 'serving' | 'stopped' = 'serving'): string =>
      storageHeadline({
        volumes: [volume],
        host: well,
        connected: true,
        incidents: incident === undefined ? [] : [{ ...incident, service }],
      }).title;
    expect(title(undefined)).toBe('Everything is mirrored.');
    expect(title(hung, 'waiting')).toBe('Members on home3 are waiting: disk r2 of home3 is being dealt with.');
    expect(title(hung, 'serving')).toBe('home3 is being repaired. Nobody is waiting.');
    expect(title(hung, 'stopped')).toBe('home3 is out of service. 11 accounts cannot be served.');
  });
});

test('names the volume that needs somebody, not the one that is being repaired', () => {
  const volume = (name: string, redundancy: 'full' | 'rebuilding' | 'reduced'): StorageView['volumes'][number] => ({
    name, state: 'open', redundancy, operation: redundancy === 'rebuilding' ? 'op' : null, trouble: null, accounts: 3, replicas: [1, 2],
  }); // prettier-ignore
  const headline = storageHeadline({
    volumes: [volume('home1', 'rebuilding'), volume('home2', 'reduced')],
    host: { name: 'host-1', condition: 'healthy', reaction: true, watcherGapMs: 9 },
    connected: true,
    incidents: [
      {
        state: 'open', severity: 'minor', service: 'serving', volume: 'home1', mustAct: null, fault: 'hung', doing: 'Rebuilding.', title: '',
        culprit: { kind: 'disk', volume: 'home1', replica: 'r2', disk: '/dev/sdc' },
      },
    ],
  }); // prettier-ignore
  expect(headline.title).toBe('home2 needs you. Nobody is waiting.');
  expect(headline.acts).toHaveLength(1);
});

test('does not claim that something is done while the reaction is switched off, and asks for it once', () => {
  const headline = storageHeadline({
    volumes: [{ name: 'home1', state: 'open', redundancy: 'full', operation: null, trouble: null, accounts: 3, replicas: [1, 2] }],
    host: { name: 'host-1', condition: 'healthy', reaction: false, watcherGapMs: 9 },
    connected: true,
    incidents: [
      {
        state: 'open', severity: 'critical', service: 'waiting', volume: 'home1', mustAct: 'Switch the reaction on again.', fault: 'hung', doing: 'Nothing.',
        title: '', culprit: { kind: 'disk', volume: 'home1', replica: 'r2', disk: '/dev/sdc' },
      },
    ],
  }); // prettier-ignore
  expect(headline.title).toBe(
    'Members on home1 are waiting: disk r2 of home1 is in trouble, and the reaction is switched off.',
  );
  expect(headline.acts).toEqual(['Switch the reaction on again.']);
});

test('a volume that the agent has not come to yet is neither closed nor mirrored', () => {
  const unseen = { state: 'closed', redundancy: 'full', wantedOpen: true, readAt: '1970-01-01T00:00:00.000Z' } as const;
  const volume = { ...unseen, name: 'home1', operation: null, trouble: null, accounts: 3, replicas: [1, 2] };
  const up = { name: 'host-1', condition: 'healthy', reaction: true, watcherGapMs: 0 } as const;
  const said = storageHeadline({ volumes: [volume], host: up, incidents: [], connected: true });
  expect(said).toMatchObject({ tone: 'warn', title: expect.stringContaining('has not looked at home1 yet') });
  expect(volumeShown(volume, [], undefined)).toMatchObject({ tone: 'quiet', word: 'not looked at yet' });
});
