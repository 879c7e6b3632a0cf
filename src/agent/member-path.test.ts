import { stat } from 'node:fs/promises';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { asArgument } from './member-argument.ts';
import { MemberPath } from './member-path.ts';

const home = new MemberPath('/h/volumes/home1/mnt/accounts/alice/home');

test('a path on a volume cannot be opened by whoever has it: the compiler refuses', async () => {
  // @ts-expect-error -- law 1: it is no path that Node takes.
  await expect(stat(home)).rejects.toThrow(TypeError);
  // @ts-expect-error -- nor is it text.
  const text: string = home;
  expect(text).toBe(home);
});

test('it does not show its text, however it is printed', () => {
  for (const shown of [String(home), JSON.stringify({ home }), inspect({ home })]) expect(shown).not.toContain('alice');
});

test("it becomes an argument of a sandbox's, also of what is below it", () => {
  expect(asArgument(home.below('mysite', 'wsgi.py'))).toBe('/h/volumes/home1/mnt/accounts/alice/home/mysite/wsgi.py');
});
