import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { createDefinitions, type Definitions } from './definitions.ts';

const schema = z.object({ name: z.string(), size: z.number() });
let root: string;
const open = (): Definitions<z.infer<typeof schema>> =>
  createDefinitions(join(root, 'things'), schema, (thing) => thing.name, pino({ level: 'silent' }));

beforeEach(async () => (root = await mkdtemp(join(tmpdir(), 'holdfast-definitions-'))));
afterEach(async () => await rm(root, { recursive: true, force: true }));

it('keeps what was put over a restart, and forgets what was removed', async () => {
  const first = open();
  await first.load();
  await first.put({ name: 'a', size: 1 });
  await first.put({ name: 'b', size: 2 });
  await first.remove('b');
  const second = open();
  await second.load();
  expect([...second.all.values()]).toEqual([{ name: 'a', size: 1 }]);
});

it('does not take for known what could not be written, so that it is taken up when it is told again', async () => {
  const things = open();
  // The directory is not there before the first load.
  await expect(things.put({ name: 'a', size: 1 })).rejects.toThrow(/ENOENT/);
  expect(things.all.size).toBe(0);
  await things.load();
  await things.put({ name: 'a', size: 1 });
  expect(things.all.get('a')).toEqual({ name: 'a', size: 1 });
});
