import { expect, it } from 'vitest';
import { busyBetween, Calm, parseProcessorTime } from './calm.ts';

it('reads the processor time, waiting for disks counted as idle', () => {
  const stat = 'cpu  100 10 50 800 40 0 5 5 7 7\ncpu0 1 1 1 1 1 1 1 1 0 0\nintr 1\n';
  expect(parseProcessorTime(stat)).toEqual({ idle: 840, total: 1010 });
  expect(() => parseProcessorTime('intr 1')).toThrow('no line "cpu"');
});

it('says which share was busy', () => {
  expect(busyBetween({ idle: 0, total: 0 }, { idle: 75, total: 100 })).toBeCloseTo(0.25);
  expect(busyBetween({ idle: 5, total: 10 }, { idle: 5, total: 10 })).toBe(0);
});

it('does not wait for calm without end', async () => {
  const calm = new Calm(0);
  await calm.wait();
  expect(calm.rounds.calm + calm.rounds.disturbed).toBe(1);
});
