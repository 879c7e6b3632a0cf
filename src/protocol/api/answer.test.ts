import { expect, test } from 'vitest';
import { readAnswer } from './answer.ts';

test('an answer is read as its row has it', () => {
  expect(readAnswer('platform.alive', 200, { version: '1.0.0', more: 1 })).toEqual({ version: '1.0.0' });
  expect(readAnswer('sites.delete', 204, undefined)).toBeNull();
});

test('an answer of another version is called that, with what is strange about it', () => {
  expect(() => readAnswer('platform.alive', 200, {})).toThrow(
    expect.objectContaining({ code: 'internal', details: [expect.stringMatching(/^version: /)] }),
  );
  expect(() => readAnswer('platform.alive', 202, { version: '1.0.0' })).toThrow(/status 202/);
});
