import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../protocol/errors.ts';
import { Lane } from './lane.ts';

function gate(): { wait: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

describe('a lane of a volume', () => {
  test('lets few through at a time and all in the end, in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean(), { maxLength: 20 }),
        async (atOnce, fails) => {
          const lane = new Lane('one', () => undefined, atOnce);
          let running = 0;
          let most = 0;
          const begun: number[] = [];
          const results = await Promise.allSettled(
            fails.map((fail, index) =>
              lane.run(async () => {
                begun.push(index);
                running += 1;
                most = Math.max(most, running);
                await new Promise((resolve) => setImmediate(resolve));
                running -= 1;
                if (fail) throw new Error('an ordinary failure');
                return index;
              }),
            ),
          );
          expect(most).toBeLessThanOrEqual(atOnce);
          expect(begun).toEqual(fails.map((_fail, index) => index));
          expect(results.map((result) => result.status === 'rejected')).toEqual(fails);
          expect(lane.broken).toBe(false);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a deadline that passed breaks it: what runs, waits and comes is refused at once, until it is mended', async () => {
    const told: boolean[] = [];
    const lane = new Lane('one', (broken) => told.push(broken), 2);
    const held = gate();
    const late = gate();
    const running = lane.run(() => held.wait);
    const passed = lane.run(async () => {
      await late.wait;
      throw new HoldfastError('deadline-passed', 'too late');
    });
    const waiting = lane.run(() => Promise.resolve('never'));
    const outcomes = Promise.allSettled([running, passed, waiting]);
    late.open();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'storage-repair', retryAfterSeconds: 5 } });
    }
    await expect(lane.run(() => Promise.resolve('no'))).rejects.toMatchObject({ code: 'storage-repair' });
    expect(told).toEqual([true]);
    held.open();
    lane.mend();
    expect(told).toEqual([true, false]);
    expect(await lane.run(() => Promise.resolve('yes'))).toBe('yes');
  });

  test('no more than a bounded number waits', async () => {
    const lane = new Lane('one', () => undefined, 1, 2);
    const held = gate();
    const accepted = [1, 2, 3].map(() => lane.run(() => held.wait));
    await expect(lane.run(() => held.wait)).rejects.toMatchObject({ code: 'too-many-requests' });
    held.open();
    await Promise.all(accepted);
  });
});
