import { expect, test } from 'vitest';
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
