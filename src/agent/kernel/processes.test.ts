import { expect, test } from 'vitest';
import { isAlive, processStat } from './processes.ts';

test('this process is alive; the same number with another start time is another process', async () => {
  const own = await processStat(process.pid);
  expect(own?.pid).toBe(process.pid);
  expect(await isAlive({ pid: process.pid, startTime: own?.startTime ?? '' })).toBe(true);
  expect(await isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
});
