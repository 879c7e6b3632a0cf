import { expect, test } from 'vitest';
import { remarkOn } from './remarks.ts';

/** What the guard of WSGI programs writes when a call does not fit the application: no frame of it is the member's. */
const misfit = (summary: string): string[] => [
  '2026-11-28 22:36:56,379: Error running WSGI application',
  `2026-11-28 22:36:56,379: ${summary}`,
  `  ${summary}`,
];

test("an error in which no line is the member's is told with its summary", () => {
  const summary = 'TypeError: application() takes 1 positional argument but 2 were given';
  const remark = remarkOn({ status: 500 }, misfit(summary));
  expect(remark?.message).toContain(`with 500 Internal Server Error: ${summary}. Visitors`);
  expect(remark?.message).not.toContain('ASGI');
});

test.each([
  "application() missing 1 required positional argument: 'send'",
  "FastAPI.__call__() missing 2 required positional arguments: 'receive' and 'send'",
])('an ASGI application in a WSGI site is told what it needs: %s', (words) => {
  const remark = remarkOn({ status: 500 }, misfit(`TypeError: ${words}`));
  expect(remark?.message).toContain(words);
  expect(remark?.message).toMatch(/ASGI.*command.*uvicorn --uds \$DOMAIN_SOCKET/);
});

test('a missing argument of another name is no sign of ASGI', () => {
  const remark = remarkOn({ status: 500 }, misfit("TypeError: view() missing 1 required positional argument: 'name'"));
  expect(remark?.message).not.toContain('ASGI');
});
