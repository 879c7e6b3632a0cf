import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { createLogger } from '../../runtime/log.ts';
import { isAlive, recordOf, type ProcessRecord } from '../../runtime/process-record.ts';
import { WatcherProcess } from './watcher-process.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-watcher-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

async function watching(): Promise<{ watcher: WatcherProcess; own: ProcessRecord; prober: ProcessRecord }> {
  const log = createLogger('test');
  log.level = 'silent';
  let heard = false;
  const watcher = new WatcherProcess({
    directory,
    run: directory,
    log,
    onReport: () => (heard = true),
    onBlind: () => undefined,
  });
  watcher.start();
  await until(() => heard, 'the first report', 30_000, 20);
  const prober = JSON.parse(await readFile(join(directory, 'prober.json'), 'utf8')) as ProcessRecord;
  return { watcher, own: recordOf(watcher.pid ?? 0) ?? { pid: 0, startTime: '' }, prober };
}

test('a stop ends the watcher and its prober, also when both are frozen', async () => {
  const { watcher, own, prober } = await watching();
  expect([isAlive(own), isAlive(prober)]).toEqual([true, true]);
  process.kill(prober.pid, 'SIGSTOP');
  process.kill(own.pid, 'SIGSTOP');
  await watcher.stop();
  await until(() => !isAlive(own) && !isAlive(prober), 'their end', 1_000, 5);
}, 60_000);

test('a watcher that an agent left frozen when it was killed, and its prober, are ended by the next one', async () => {
  const first = await watching();
  process.kill(first.prober.pid, 'SIGSTOP');
  process.kill(first.own.pid, 'SIGSTOP');
  const second = await watching();
  try {
    await until(() => !isAlive(first.own) && !isAlive(first.prober), 'their end', 1_000, 5);
  } finally {
    await Promise.all([first.watcher.stop(), second.watcher.stop()]);
  }
}, 60_000);
