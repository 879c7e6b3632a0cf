import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskHealth } from '../../../src/protocol/health.ts';
import {
  answers,
  diskNow,
  healthOf,
  knownState,
  shownRedundancy,
  shownState,
  takesPart,
  tieBetween,
} from './disk-state.ts';
import {
  culpritName,
  culpritStory,
  incidentHeadline,
  incidentTone,
  requestsFelt,
  whoIsAffected,
} from './incident-words.ts';
import { storageNotice } from './notices.ts';

const health: DiskHealth = {
  disk: '/dev/sdc', device: 'sdc', volume: 'home1', replica: 'r2', condition: 'healthy', inFlight: 0, stalledMs: 0, readsPerSecond: 0,
  writesPerSecond: 0, readBytesPerSecond: 0, writtenBytesPerSecond: 0, latencyMs: null, probeMs: 1.4,
}; // prettier-ignore
const states = fc.constantFrom(
  'healthy' as const,
  'rebuilding' as const,
  'set-aside' as const,
  'missing' as const,
  'failed' as const,
);
const conditions = fc.option(
  fc.constantFrom('healthy' as const, 'slow' as const, 'hung' as const, 'failed' as const, 'unknown' as const),
  { nil: undefined },
);

describe('a disk as it is shown', () => {
  test('a replica that is out is never shown as well, whatever its disk does', () => {
    fc.assert(
      fc.property(states, conditions, (state, condition) => {
        const shown = shownState({ state }, condition === undefined ? undefined : { condition });
        if (state === 'failed' || state === 'missing' || state === 'set-aside') expect(shown).toBe(state);
        if (shown === 'healthy') expect([state, condition]).toEqual(['healthy', 'healthy']);
        if (condition === 'hung' && takesPart(state)) expect(shown).toBe('hung');
        if (answers(shown)) expect(takesPart(shown)).toBe(true);
      }),
    );
  });

  test('what an open incident calls hung is not shown as healthy, though the last figures were', () => {
    const culprit = { kind: 'disk' as const, volume: 'home1', replica: 'r2', disk: '/dev/sdc' };
    const incident = { state: 'open' as const, fault: 'hung' as const, culprit };
    expect(knownState('healthy', { id: 'r2' }, incident)).toBe('hung');
    expect(knownState('healthy', { id: 'r1' }, incident)).toBe('healthy');
    expect(knownState('failed', { id: 'r2' }, incident)).toBe('failed');
    expect(knownState('healthy', { id: 'r2' }, { ...incident, fault: 'slow' })).toBe('healthy');
    expect(knownState('healthy', { id: 'r2' }, { ...incident, state: 'resolved' })).toBe('healthy');
    expect(knownState('healthy', { id: 'r2' }, undefined)).toBe('healthy');
  });

  test('only two disks that both answer are tied', () => {
    expect(tieBetween('healthy', 'healthy')).toBe('full');
    expect(tieBetween('healthy', 'rebuilding')).toBe('rebuilding');
    expect(tieBetween('healthy', 'hung')).toBe('reduced');
    expect(tieBetween('failed', 'rebuilding')).toBe('reduced');
    expect(tieBetween('hung', 'hung')).toBe('lost');
    expect(tieBetween('healthy', 'unwatched')).toBe('unknown');
  });

  test('a copy on a disk that hangs is not called redundancy', () => {
    expect(shownRedundancy('full', ['healthy', 'healthy'])).toBe('full');
    expect(shownRedundancy('full', ['hung', 'healthy'])).toBe('waiting');
    expect(shownRedundancy('rebuilding', ['healthy', 'rebuilding'])).toBe('rebuilding');
    expect(shownRedundancy('reduced', ['failed', 'healthy'])).toBe('reduced');
    expect(shownRedundancy('lost', ['hung', 'failed'])).toBe('lost');
  });

  test('says what it does now', () => {
    expect(diskNow(undefined)).toContain('does not see it');
    expect(diskNow(health)).toBe('Idle; a small read and write takes 1.4 ms.');
    expect(diskNow({ ...health, condition: 'hung', inFlight: 1, stalledMs: 840 })).toBe(
      '1 request waits in it; none has completed for 840 ms.',
    );
    expect(diskNow({ ...health, readsPerSecond: 40, writesPerSecond: 2.4 })).toBe('40 reads and 2 writes a second.');
  });

  test('is found by its replica, or by its path when the watcher does not know whose it is', () => {
    expect(healthOf([health], 'home1', { id: 'r2', disk: 'x' })).toBe(health);
    expect(healthOf([health], 'home2', { id: 'r2', disk: '/dev/sdc' })).toBeUndefined();
    const unknown = { ...health, volume: null, replica: null };
    expect(healthOf([unknown], 'home2', { id: 'r1', disk: '/dev/sdc' })).toBe(unknown);
  });
});

describe('what an incident says', () => {
  const disk = { kind: 'disk' as const, volume: 'home3', replica: 'r2', disk: '/dev/sdg' };
  const base = {
    title: '',
    state: 'open' as const,
    service: 'serving' as const,
    volume: 'home3',
    mustAct: null,
    fault: 'hung' as const,
    culprit: disk,
  };

  test('names the disk, the volume or the host', () => {
    expect(culpritName(disk)).toBe('Disk r2 of home3');
    expect(culpritName({ ...disk, volume: null, replica: null })).toBe('Disk /dev/sdg');
    expect(culpritName({ ...disk, kind: 'volume' })).toBe('Volume home3');
    expect(culpritName({ ...disk, kind: 'host' })).toBe('The host');
  });

  test('begins with what it means for members', () => {
    expect(incidentHeadline(base)).toBe('Disk r2 of home3 is hung. Nobody is waiting.');
    expect(incidentHeadline({ ...base, service: 'waiting' })).toBe(
      'Disk r2 of home3 is hung. Members on home3 are waiting.',
    );
    expect(incidentHeadline({ ...base, service: 'stopped' })).toBe(
      'home3 is out of service. Disk r2 of home3 is hung.',
    );
    expect(incidentHeadline({ ...base, state: 'resolved', service: 'stopped' })).toBe(
      'Disk r2 of home3 was hung. It is resolved.',
    );
  });

  test('is never calm while a person must act', () => {
    expect(incidentTone({ state: 'open', severity: 'minor', mustAct: 'Add a disk.', service: 'serving' })).toBe('warn');
    expect(incidentTone({ state: 'open', severity: 'critical', mustAct: null, service: 'serving' })).toBe('bad');
    expect(incidentTone({ state: 'resolved', severity: 'critical', mustAct: null, service: 'serving' })).toBe('good');
  });

  test('counts who is affected and what they felt', () => {
    const impact = { accounts: 1, sites: 2, requests: null };
    expect(whoIsAffected({ ...base, impact })).toBe('1 account on home3, with 2 sites: served as always.');
    expect(whoIsAffected({ ...base, fault: 'full', impact })).toMatch(/what they write may be refused\.$/);
    expect(whoIsAffected({ ...base, state: 'resolved', impact })).toBe('1 account on home3, with 2 sites was on it.');
    expect(whoIsAffected({ ...base, impact: { ...impact, accounts: 0, sites: 0 } })).toBe('No account is affected.');
    const felt = (
      requests: { delayed: number; failed: number; longestMs: number } | null,
      service: 'serving' | 'waiting' | 'stopped' = 'serving',
      state: 'open' | 'resolved' = 'resolved',
    ): string => requestsFelt({ impact: { accounts: 1, sites: 2, requests }, state, service, volume: 'home3' });
    expect(felt(null, 'stopped', 'open')).toContain('503');
    expect(felt({ delayed: 0, failed: 0, longestMs: 0 }, 'stopped', 'open')).not.toContain('none failed');
    expect(felt({ delayed: 0, failed: 0, longestMs: 0 }, 'waiting', 'open')).not.toContain('none failed');
    expect(felt({ delayed: 3, failed: 2, longestMs: 1200 }, 'stopped', 'open')).toBe(
      'So far: 3 requests waited longer than a second (the longest 1.2 s); 2 failed.',
    );
    expect(felt(null)).toContain('not counted');
    expect(felt({ delayed: 0, failed: 0, longestMs: 0 })).toBe(
      'No request waited longer than a second, and none failed.',
    );
    expect(felt({ delayed: 1, failed: 1200, longestMs: 1080 })).toBe(
      '1 request waited longer than a second (the longest 1.1 s); 1,200 failed.',
    );
  });

  test('explains the very disk once it is out, and no other', () => {
    const incident = { id: 7, culprit: disk, fault: 'hung' as const };
    expect(culpritStory(incident, { id: 'r2', state: 'failed' })).toContain('incident 7');
    expect(culpritStory(incident, { id: 'r2', state: 'healthy' })).toBeUndefined();
    expect(culpritStory(incident, { id: 'r1', state: 'failed' })).toBeUndefined();
    expect(culpritStory(undefined, { id: 'r2', state: 'failed' })).toBeUndefined();
  });
});

test('a member is told on every page of trouble with their storage, and of nothing else', () => {
  const marked = { level: 'problem' as const, text: 'x', about: 'storage' as const };
  const worded = { level: 'problem' as const, text: 'Your storage is being repaired. Nothing is lost.' };
  expect(storageNotice([{ level: 'warning', text: 'Your disk is nearly full.' }, marked])).toBe(marked);
  expect(storageNotice([worded])).toBe(worded);
  expect(storageNotice([{ level: 'info', text: 'x', about: 'storage' }])).toBeUndefined();
});
