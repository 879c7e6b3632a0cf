import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answersHttp } from '../../runtime/alive.ts';
import { until } from '../../runtime/deadline.ts';
import { ChildWatch } from './child-watch.ts';
import { OwnedChild } from './child.ts';

let home: string;
let child: OwnedChild;
let watch: ChildWatch;
let said: string[];
const socket = (): string => join(home, 'x.sock');

/** A server that blocks its own event loop for ever when it is asked to. */
const SERVER = `
const { createServer } = require('node:http');
const { rmSync } = require('node:fs');
rmSync(process.argv[2], { force: true });
createServer((request, response) => {
  if (request.url === '/block') for (;;);
  response.end('here');
}).listen(process.argv[2]);
`;

beforeEach(() => {
  home = mkdtempSync('/var/tmp/holdfast-hung-child-');
  writeFileSync(join(home, 'server.cjs'), SERVER);
  said = [];
  const say = (line: string): number => said.push(line);
  child = new OwnedChild(
    {
      name: 'server',
      program: process.execPath,
      arguments: [join(home, 'server.cjs'), socket()],
      environment: { PATH: '/usr/bin:/bin' },
      logFile: join(home, 'server.log'),
      recordFile: join(home, 'server.json'),
    },
    say,
  );
  watch = new ChildWatch({ name: 'server', child, answers: () => answersHttp(socket(), '/', 2_000), say });
  child.start();
  watch.start();
});
afterEach(async () => {
  watch.stop();
  const { pid } = child;
  if (pid !== undefined) process.kill(pid, 'SIGCONT');
  await child.stop('SIGKILL', 5_000);
  rmSync(home, { recursive: true, force: true });
});

const answers = async (): Promise<boolean> => await answersHttp(socket(), '/', 2_000);

test.each([
  ['was stopped by a signal', (pid: number) => process.kill(pid, 'SIGSTOP')],
  ['blocks its event loop', () => void answersHttp(socket(), '/block', 1_000)],
])('a process that %s is seen from outside, ended, and another one answers in its place', async (_how, hang) => {
  await until(answers, 'the first answer', 60_000);
  const first = child.pid;
  expect(first).toBeDefined();
  await until(() => watch.hasAnswered, 'the watch having heard of it', 60_000);
  hang(first ?? 0);
  await until(() => watch.silentSince !== null, 'being told', 60_000);
  await until(() => child.pid !== undefined && child.pid !== first, 'another process', 60_000);
  await until(answers, 'an answer of the other one', 60_000);
  await until(() => watch.silentSince === null, 'the watch being content again', 60_000);
  expect(said.join('\n')).toContain('hangs');
});

test('a process that is well is left alone', async () => {
  await until(answers, 'the first answer', 60_000);
  const first = child.pid;
  // More turns than one that hangs is given, taken without waiting for them.
  for (let turn = 0; turn < 30; turn++) {
    watch.turn(performance.now(), new Date().toISOString());
    await until(answers, 'an answer', 10_000);
  }
  expect(child.pid).toBe(first);
});
