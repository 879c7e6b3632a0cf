import { describe, expect, test } from 'vitest';
import { Stillness, type Busy } from './registering.ts';

const disks = (...entries: [device: string, finished: number][]): Map<string, Busy> =>
  new Map(entries.map(([device, finished]) => [device, { label: `of-${device}`, finished }]));

/** Looks every 50 ms until it is decided; answers what and after how many milliseconds. */
function decide(patienceMs: number, at: (now: number) => Map<string, Busy>): { found: unknown; now: number } {
  const stillness = new Stillness(patienceMs);
  for (let now = 0; now < 60_000; now += 50) {
    const found = stillness.look(now, at(now));
    if (found !== 'wait') return { found, now };
  }
  throw new Error('It never decides.');
}

describe('whether a disk hangs, before anything is registered', () => {
  test('nothing under way: clear at once', () => {
    expect(decide(5_000, () => disks())).toEqual({ found: 'clear', now: 0 });
  });

  test('a busy disk that finishes something is clear as soon as that is seen', () => {
    expect(decide(5_000, (now) => disks(['a', now < 200 ? 1 : 2]))).toEqual({ found: 'clear', now: 200 });
  });

  test('one that finishes nothing is named when patience is over, beside others that work', () => {
    expect(decide(5_000, (now) => disks(['a', 7], ['b', now]))).toEqual({ found: { hangs: 'of-a' }, now: 5_000 });
  });

  test('one whose disk is cut meanwhile is clear then', () => {
    expect(decide(5_000, (now) => (now < 1_300 ? disks(['a', 7]) : disks()))).toEqual({ found: 'clear', now: 1_300 });
  });

  test('one that begins to hang while another is waited for is named, too', () => {
    const found = decide(5_000, (now) =>
      now < 2_000 ? disks(['a', 7], ['b', Math.min(now, 500)]) : disks(['b', 500]),
    );
    expect(found).toEqual({ found: { hangs: 'of-b' }, now: 5_000 });
  });

  test('many disks that are busy by turns are no reason to wait', () => {
    expect(decide(5_000, (now) => disks([`disk${now}`, 1]))).toEqual({ found: 'clear', now: 50 });
  });
});
