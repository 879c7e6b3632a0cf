import { expect, test } from 'vitest';
import type { VolumeView } from '../protocol/browser.ts';
import { redundancyWords, volumeRow } from './volume.ts';

const volume: VolumeView = {
  name: 'home1',
  engine: 'local',
  state: 'open',
  trouble: null,
  redundancy: 'full',
  sizeBytes: 8 * 1024 ** 3,
  usedBytes: 1024 ** 3,
  replicas: [],
  operation: null,
  readAt: '2026-01-01T00:00:00.000Z',
  accounts: 3,
  promisedBytes: 0,
};

test('a closed volume is not called mirrored, and one that was never read has no figures', () => {
  expect(volumeRow(volume).slice(1, 4)).toEqual(['open', 'full', '1.0 GiB of 8.0 GiB']);
  const closed = volumeRow({ ...volume, state: 'closed', usedBytes: 0, readAt: '1970-01-01T00:00:00.000Z' });
  expect(closed.slice(1, 4)).toEqual(['closed', 'was full', 'not read yet']);
});

test('the status and the list of volumes use the same words', () => {
  for (const state of ['open', 'trouble', 'closed'] as const)
    expect(redundancyWords({ state, redundancy: 'full' })).toBe(volumeRow({ ...volume, state })[2]);
  expect(redundancyWords({ state: 'not looked at yet', redundancy: 'full' })).toBe('was full');
});
