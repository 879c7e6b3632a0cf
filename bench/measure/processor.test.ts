import { expect, it } from 'vitest';
import { parseTicks, processorMs } from './processor.ts';

it('reads the time a process has used, whatever its name holds', () => {
  expect(parseTicks('12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 37 5 0 0 20 0 1 0 1000 1 1')).toBe(42);
  expect(processorMs([process.pid])).toBeGreaterThanOrEqual(0);
  expect(processorMs([2 ** 30])).toBe(0);
});
