import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { OwnedChild, uncaughtError } from './child.ts';
import { assertComingUp, MOST_ENDS } from './coming-up.ts';

let directory: string;
let child: OwnedChild | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-child-'));
});
afterEach(async () => {
  await child?.stop('SIGKILL', 10_000);
  rmSync(directory, { recursive: true, force: true });
});

test('a part that ends again and again is given up with its own last words, and not with those of an earlier start', async () => {
  const logFile = join(directory, 'log');
  writeFileSync(logFile, 'an earlier start\n');
  const part = new OwnedChild(
    {
      name: 'control',
      program: '/bin/sh',
      arguments: ['-c', 'echo the sandbox does not work; exit 7'],
      environment: {},
      logFile,
      recordFile: join(directory, 'record'),
    },
    () => undefined,
  );
  child = part;
  assertComingUp([part]);
  part.start();
  await until(() => part.failures >= MOST_ENDS, 'the fifth end', 60_000);
  expect(() => assertComingUp([part])).toThrow(
    expect.objectContaining({
      code: 'not-ready',
      message: expect.stringMatching(
        /^The control does not come up: .* 5 times, and each time it ended \(exit code 7\)/,
      ),
      details: Array.from({ length: MOST_ENDS }, () => 'the sandbox does not work'),
    }),
  );
}, 90_000);

test('a part that ends of an error tells which, each time', async () => {
  const lines: string[] = [];
  const part = new OwnedChild(
    {
      name: 'control',
      program: process.execPath,
      arguments: ['-e', "require('node:fs').readFileSync('/nowhere/key.pem')"],
      environment: {},
      logFile: join(directory, 'log'),
      recordFile: join(directory, 'record'),
    },
    (line) => lines.push(line),
  );
  child = part;
  part.start();
  await until(() => lines.length >= 2, 'the second end', 60_000);
  expect(lines[1]).toBe(
    `control ended (exit code 1): ENOENT: no such file or directory, open '/nowhere/key.pem'; starting it again. Its log: ${join(directory, 'log')}`,
  );
}, 90_000);

test.each([
  [
    ['TypeError: x is not a function', '    at y (file:///z.ts:1:2)', '', 'Node.js v26.10.0'],
    'TypeError: x is not a function',
  ],
  [['HoldfastError: nginx refuses it.', '    at z'], 'nginx refuses it'],
  [['Error [ERR_X]: told so'], 'Error [ERR_X]: told so'],
  [['{"level":50,"msg":"Error: a logged one"}', 'Error:'], undefined],
  [[], undefined],
])('the error in %j', (lines, error) => expect(uncaughtError(lines)).toBe(error));
