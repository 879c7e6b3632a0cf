import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { journeyProgress } from './journey-progress.ts';

const NAMES = ['Prepare the disk', 'Copy', 'Mirror what was written meanwhile', 'Verify', 'Take it into service'];

test('the whole of a planned piece of work goes forward only, from its beginning to its end', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }), (fractions) => {
      const steps = NAMES.map((name) => ({ name, state: 'waiting' as 'waiting' | 'running' | 'done' }));
      let last = 0;
      for (const [index, step] of steps.entries()) {
        step.state = 'running';
        for (const fraction of [null, 0, fractions[index] ?? 0, 1]) {
          const now = journeyProgress(steps, fraction) ?? 0;
          expect(now).toBeGreaterThanOrEqual(fraction === null ? last - 1e-9 : last - 1e-9);
          last = Math.max(last, now);
        }
        step.state = 'done';
      }
      expect(journeyProgress(steps, null)).toBeCloseTo(1);
    }),
  );
});

test('the copy is most of a rebuild, and the check after it is not the beginning again', () => {
  const at = (running: string, fraction: number): number =>
    journeyProgress(
      NAMES.map((name) => ({
        name,
        state: name === running ? 'running' : NAMES.indexOf(name) < NAMES.indexOf(running) ? 'done' : 'waiting',
      })),
      fraction,
    ) ?? 0;
  expect(at('Copy', 0.5)).toBeGreaterThan(0.3);
  expect(at('Copy', 1)).toBeLessThan(0.7);
  expect(at('Verify', 0)).toBeGreaterThanOrEqual(at('Copy', 1));
  expect(at('Verify', 1)).toBeLessThan(1);
});

test('work without a measure has none before a first step is done', () => {
  expect(journeyProgress([{ name: 'x', state: 'running' }], null)).toBeNull();
});
