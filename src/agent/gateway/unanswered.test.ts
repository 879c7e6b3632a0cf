import { mkdtemp, mkdir, readFile, rename, rm, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseUnanswered, SITES_LOG, UnansweredLog } from './unanswered.ts';

const SITE = 'fc8b594efaa1';
const OTHER = '0123456789ab';

function line(reason: string, change: { request?: string; site?: string; referrer?: string } = {}): string {
  const upstream = `http://unix:/run/holdfast/951a9ffc/s/${change.site ?? SITE}/current/app.sock:/`;
  return `2026/11/28 18:00:00 [error] 10#10: *7 ${reason}, client: 127.0.0.1, server: _, request: "${change.request ?? 'GET / HTTP/1.1'}", upstream: "${upstream}", host: "a.test"${change.referrer === undefined ? '' : `, referrer: "${change.referrer}"`}`;
}

const CLOSED = 'upstream prematurely closed connection while reading response header from upstream';

test.each([
  [CLOSED, 'The server closed the connection before it answered'],
  ['upstream sent too big header while reading response header from upstream', 'The head of the answer is larger than'],
  [
    'recv() failed (104: Connection reset by peer) while reading upstream',
    'The server broke its answer off in the midst',
  ],
  ['upstream timed out (110: Connection timed out) while reading response header from upstream', 'in time'],
  ['sendfile() failed (32: Broken pipe) while sending request to upstream', 'before it had read the request'],
  [
    'connect() to unix:/run/x/s/y/current/app.sock failed (11: Resource temporarily unavailable) while connecting to upstream',
    'queue is full',
  ],
  ['something that nobody has seen yet', 'could not pass the answer on'],
])('%s is told to the owner in words', (reason, words) => {
  const found = parseUnanswered(line(reason));
  expect(found).toMatchObject({ site: SITE, at: '2026/11/28 18:00:00' });
  expect(found?.sentence).toContain(words);
  expect(found?.sentence).not.toContain('/run/');
});

test.each([
  ['a site that sleeps', line('connect() to unix:/run/x failed (2: No such file or directory) while connecting')],
  ['a server that has just ended', line('connect() to unix:/run/x failed (111: Connection refused) while connecting')],
  ['what is no error of a site', '2026/11/28 18:00:00 [error] 1#1: *1 user "x" was not found, client: 1.2.3.4'],
  ['half a line', line(CLOSED).slice(0, 80)],
])('%s is not told', (_, text) => {
  expect(parseUnanswered(text)).toBeUndefined();
});

test('a visitor who writes an upstream into the request or the referrer tells nobody anything', () => {
  const forged = `upstream: "http://unix:/run/holdfast/951a9ffc/s/${OTHER}/current/app.sock:/"`;
  expect(parseUnanswered(line(CLOSED, { request: `GET /, ${forged} HTTP/1.1` }))).toBeUndefined();
  expect(parseUnanswered(line(CLOSED, { referrer: `x", ${forged}` }))).toBeUndefined();
});

let root: string;
let log: UnansweredLog;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-unanswered-'));
  await mkdir(join(root, 'gateway'));
  log = open();
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function open(): UnansweredLog {
  return new UnansweredLog({
    gatewayLogs: join(root, 'gateway'),
    logs: join(root, 'logs'),
    memory: join(root, 'memory.json'),
    siteOf: (id) => (id === SITE ? { account: 'ada', domain: 'a.test' } : undefined),
    log: pino({ level: 'silent' }),
  });
}

const sites = (): string => join(root, 'gateway', SITES_LOG);
const served = async (): Promise<string[]> =>
  (await readFile(join(root, 'logs', 'ada', 'a.test.server.log'), 'utf8')).trim().split('\n');

test('each line is told once, over a rotation, a restart and a line that is still being written', async () => {
  const [first, second] = [line(CLOSED), line('upstream timed out (110: Connection timed out) while reading')];
  await log.look();
  await writeFile(sites(), `${first}\n${second.slice(0, 50)}`);
  await log.look();
  await log.look();
  expect(await served()).toHaveLength(1);
  await appendFile(sites(), `${second.slice(50)}\n${line(CLOSED, { site: OTHER })}\n`);
  await open().look();
  expect(await served()).toHaveLength(2);
  await rename(sites(), `${sites()}.1`);
  await writeFile(sites(), `${first}\n`);
  await log.look();
  expect((await served())[2]).toBe(
    `2026-11-28 18:00:00 - gateway: The server closed the connection before it answered (${CLOSED})`,
  );
});

test('a storm of one reason is counted, not copied', async () => {
  await writeFile(sites(), `${line(CLOSED)}\n`.repeat(500));
  await log.look();
  expect(await served()).toHaveLength(21);
  expect((await served())[20]).toContain('and 480 more');
});
