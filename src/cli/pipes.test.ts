import { expect, test } from 'vitest';
import { endOf } from './pipes.ts';

const failed = (code: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: x`), { code });

test('a reader that has gone is nothing to speak of', () => {
  expect(endOf(failed('EPIPE'))).toEqual({ code: 141 });
  expect(endOf(failed('EIO'))).toEqual({ code: 141 });
});

test('output that cannot be written is said in one sentence', () => {
  expect(endOf(failed('ENOSPC'))).toEqual({
    code: 1,
    words: 'The output could not be written: there is no space left where it goes.',
  });
  expect(endOf(failed('EBADF'))).toMatchObject({ code: 1 });
});
