import { expect, test } from 'vitest';
import { someVolume } from '../testing/memory-agent.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { World } from './world.ts';

const volume = (name: string): VolumeStatus => ({ name, state: 'closed' }) as VolumeStatus;
const operation = (kind: Operation['kind'], state: Operation['state']): Operation =>
  ({ id: `${kind}-1`, kind, subject: 'home1', state }) as Operation;

test('a volume is gone as soon as its deletion is done, not at the next look', () => {
  const world = new World();
  for (const name of ['home1', 'home2']) world.apply({ type: 'volume', volume: volume(name) });
  world.apply({ type: 'operation', operation: operation('volume-delete', 'running') });
  world.apply({ type: 'operation', operation: operation('volume-delete', 'failed') });
  world.apply({ type: 'operation', operation: operation('volume-scrub', 'done') });
  expect([...world.volumes.keys()]).toEqual(['home1', 'home2']);
  world.apply({ type: 'operation', operation: operation('volume-delete', 'done') });
  expect([...world.volumes.keys()]).toEqual(['home2']);
});

test('a new agent that has not come to an open volume yet does not make it a closed one', () => {
  const unseen = someVolume('home1', { state: 'closed', wantedOpen: true, readAt: '1970-01-01T00:00:00.000Z' });
  const world = new World();
  world.apply({ type: 'volume', volume: unseen });
  expect(world.volumes.get('home1')?.state).toBe('closed'); // Nothing better is known.
  const open = someVolume('home1', { wantedOpen: true });
  world.apply({ type: 'volume', volume: open });
  world.apply({ type: 'volume', volume: unseen });
  expect(world.volumes.get('home1')).toBe(open);
  const reason = 'A disk is missing.';
  world.apply({
    type: 'volume',
    volume: { ...unseen, unopened: { since: unseen.readAt, lastedMs: 9_000, reason, heldBy: null } },
  });
  expect(world.volumes.get('home1')?.state).toBe('closed');
});
