import { expect, test } from 'vitest';
import type { VolumeStatus } from '../../protocol/volumes.ts';
import { readyLines } from './ready.ts';

const URL = 'https://localhost:8443/';
const volume = (name: string, changes: Partial<VolumeStatus>): VolumeStatus => ({
  name,
  engine: 'local',
  state: 'open',
  trouble: null,
  redundancy: 'full',
  sizeBytes: 0,
  usedBytes: 0,
  replicas: [],
  operation: null,
  wantedOpen: true,
  readAt: '2026-01-01T00:00:00.000Z',
  ...changes,
});

test('a platform whose volumes are open, or closed on purpose, is ready', () => {
  const closed = volume('home2', { state: 'closed', wantedOpen: false });
  expect(readyLines([volume('home1', {}), closed], URL)).toEqual([`ready ${URL}`]);
});

test('a volume that could not be opened is named with its reason, and what to do, instead of plain ready', () => {
  const trouble = 'The volume home2 could not be opened: held by `backup` (pid 12).';
  const lines = readyLines([volume('home1', {}), volume('home2', { state: 'trouble', trouble })], URL);
  expect(lines).toEqual([
    `ready except for home2: ${URL}`,
    expect.stringMatching(/held by `backup` \(pid 12\)\. Its members are without service .*recover home2 --dry-run$/),
  ]);
  expect(readyLines([volume('home1', { state: 'closed' })], URL)[0]).toBe(`ready except for home1: ${URL}`);
});
