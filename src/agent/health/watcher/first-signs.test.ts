import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../runtime/deadline.ts';
import { FirstSigns } from './first-signs.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-signs-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const written = async (part: string): Promise<void> =>
  await until(
    async () => (await readFile(join(directory, 'first-signs.json'), 'utf8').catch(() => '')).includes(part),
    'the file',
    10_000,
    10,
  );

test('what one watcher saw stop is known to the next one of the same boot, and to none of another', async () => {
  expect(new FirstSigns(directory, 'a').recall()).toEqual(new Map());
  const first = new FirstSigns(directory, 'a');
  first.keep(new Map([['one r1', 12_345]]));
  await written('12345');
  expect(new FirstSigns(directory, 'a').recall()).toEqual(new Map([['one r1', 12_345]]));
  expect(new FirstSigns(directory, 'b').recall()).toEqual(new Map());
  first.keep(new Map());
  await written('{}');
  expect(new FirstSigns(directory, 'a').recall()).toEqual(new Map());
});
