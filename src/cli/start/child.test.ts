import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { OwnedChild } from './child.ts';
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
