import { expect, test } from 'vitest';
import { createLogger } from './log.ts';
import { LogDestination } from './log-destination.ts';

/** A disk with so many bytes of room. */
function disk(room: number): { write: (text: string) => number; free: (bytes: number) => void; lines: () => string[] } {
  let left = room;
  let kept = '';
  return {
    write: (text) => {
      if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      const piece = text.slice(0, left);
      left -= piece.length;
      kept += piece;
      return piece.length;
    },
    free: (bytes) => (left = bytes),
    lines: () => kept.split('\n').filter((line) => line !== ''),
  };
}

test('a full disk costs lines and never the process, and how many is written as soon as there is room', () => {
  const { write, free, lines } = disk(15);
  const log = new LogDestination(write);
  for (const line of ['first', 'second', 'third', 'fourth']) log.write(`${line} line\n`);
  expect(log.dropped).toBe(3);
  free(10_000);
  log.write('fifth line\n');
  log.write('sixth line\n');
  expect(lines()).toEqual([
    'first line',
    'seco',
    expect.stringContaining('"msg":"3 lines could not be written"'),
    'fifth line',
    'sixth line',
  ]);
  expect(log.dropped).toBe(0);
});

test('a logger on a full disk goes on', () => {
  const { write, free, lines } = disk(0);
  const log = createLogger('test', new LogDestination(write));
  log.error({ error: new Error('no room') }, 'not written');
  free(10_000);
  log.error('written');
  expect(lines().map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
    '1 lines could not be written',
    'written',
  ]);
});
