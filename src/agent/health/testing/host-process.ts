import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { until } from '../../../runtime/deadline.ts';
import { createStorage } from '../../volumes/storage.ts';
import { removeHome } from '../../volumes/testing/cleanup.ts';
import { contextOf } from '../../volumes/testing/context.ts';
import { createHealth } from '../health.ts';

/**
 * An agent with its storage and its health only, for tests and measurements: every time a trouble changes it adds a line to LOG, and
 * dies (SIGKILL) at the KILL_AT-th. 0: never. Ends at SIGTERM and leaves its volumes mounted. Says "ready", and after each order from
 * standard input "done" (or "failed" and why):
 *
 *   create VOLUME BYTES, scrub VOLUME, replace VOLUME (set aside and rebuilt, as an operator does it), watch (when started with "later"),
 *   close (closes every volume), remove (takes away whatever is left of the home)
 *
 *   host-process.ts HOME LOG KILL_AT [later]
 */
const [home = '', logFile = '', killAt = '0', when = ''] = process.argv.slice(2);
let countdown = Number(killAt);

const context = contextOf(home, (event) => {
  if (event.type !== 'trouble') return;
  appendFileSync(logFile, `${JSON.stringify(event.trouble)}\n`);
  countdown -= 1;
  if (countdown === 0) process.kill(process.pid, 'SIGKILL');
});
const storage = createStorage(context);
const health = createHealth(context, { storage });
const { handlers } = storage;
const OPERATION_DEADLINE_MS = 1_200_000;

async function settled(name: string): Promise<void> {
  const running = async (): Promise<boolean> =>
    (await handlers['operations.list']({})).some((one) => one.subject === name && one.state === 'running');
  await until(async () => !(await running()), `the work on ${name}`, OPERATION_DEADLINE_MS, 100);
  const last = (await handlers['operations.list']({}))
    .filter(({ subject }) => subject === name)
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt))[0];
  if (last?.state === 'failed') throw new Error(last.error ?? `${last.kind} failed`);
}

async function obey(line: string): Promise<void> {
  const [action = '', name = '', bytes = '0'] = line.split(' ');
  switch (action) {
    case 'create':
      await handlers['volumes.create']({ name, disks: [], imageBytes: Number(bytes) });
      break;
    case 'scrub':
      await storage.scrub(name);
      break;
    case 'replace': {
      const status = storage.statuses().find((one) => one.name === name);
      await handlers['volumes.setAside']({ name, replica: status?.replicas[0]?.id ?? '' });
      await handlers['volumes.addReplica']({ name });
      break;
    }
    case 'watch':
      await health.start();
      return;
    case 'close':
      await health.stop();
      await storage.stop();
      return;
    case 'remove':
      await removeHome(home);
      return;
    default:
      throw new Error(`there is no order ${action}`);
  }
  await settled(name);
}

process.on('SIGTERM', () => process.exit(0));
await storage.start();
if (when !== 'later') await health.start();
process.stdout.write('ready\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  obey(line).then(
    () => process.stdout.write(`done ${line}\n`),
    (error: unknown) => process.stdout.write(`failed ${line}: ${String(error)}\n`),
  );
});
