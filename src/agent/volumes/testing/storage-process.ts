import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { contextOf } from './context.ts';

/**
 * An agent with nothing but its storage, to be killed in tests. It does one thing after the start and prints the final
 * volumes and operations as one JSON line.
 *
 *   storage-process.ts HOME ACTION [KILL_KIND KILL_AT]
 *
 * KILL_KIND `step`: dies (SIGKILL, no clean-up of any kind) when it tells of its KILL_AT-th change of an operation;
 * `command`: dies right after it started its KILL_AT-th program, which goes on alone.
 */
const [home = '', action = '', killKind = '', killAt = '0'] = process.argv.slice(2);
let countdown = Number(killAt);

function maybeDie(kind: string): void {
  if (kind !== killKind || !acting) return;
  countdown -= 1;
  if (countdown === 0) process.kill(process.pid, 'SIGKILL');
}

let acting = false;
const spawn = childProcess.spawn;
childProcess.spawn = ((...parameters: Parameters<typeof spawn>) => {
  const child = spawn(...parameters);
  maybeDie('command');
  return child;
}) as typeof spawn;
syncBuiltinESMExports();

const { createStorage } = await import('../storage.ts');
const context = contextOf(home, (event) => {
  if (event.type === 'operation') maybeDie('step');
});
const storage = createStorage(context);
const { handlers } = storage;

async function settled(): Promise<void> {
  for (;;) {
    const operations = await handlers['operations.list']({});
    if (operations.every((operation) => operation.state !== 'running')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await storage.start();
await settled();
acting = true;
switch (action) {
  case 'create':
    await handlers['volumes.create']({ name: 'one', disks: [], imageBytes: 384 * 1024 ** 2 });
    break;
  case 'ensure':
    await handlers['accounts.ensure']({
      name: 'alice',
      uid: context.ids.firstAccount,
      volume: 'one',
      limits: limits(),
    });
    break;
  case 'rebuild': {
    const [volume] = await handlers['volumes.list']({});
    const bad = volume?.replicas.find((replica) => replica.state !== 'healthy');
    if (bad === undefined) await handlers['volumes.setAside']({ name: 'one', replica: volume?.replicas[0]?.id ?? '' });
    await handlers['volumes.addReplica']({ name: 'one' });
    break;
  }
  case 'recover': {
    acting = false;
    if ((await handlers['volumes.list']({}))[0]?.redundancy === 'full') {
      await storage.cut('one', storage.disks()[0]?.replica ?? '', 'it hung.');
    }
    acting = true;
    await handlers['volumes.recover']({ name: 'one' });
    break;
  }
  case 'replace':
    await handlers['volumes.replaceDisk']({ name: 'one', replica: storage.disks()[0]?.replica ?? '' });
    break;
  case 'delete':
    await handlers['volumes.delete']({ name: 'one' });
    break;
  case 'stop':
    await storage.stop();
    break;
  case 'look':
    break;
  default:
    throw new Error(`unknown action ${action}`);
}
await settled();
process.stdout.write(
  `${JSON.stringify({ volumes: await handlers['volumes.list']({}), operations: await handlers['operations.list']({}) })}\n`,
);
process.exit(0);

function limits(): Parameters<(typeof handlers)['accounts.ensure']>[0]['limits'] {
  return {
    diskBytes: 100 * 1024 ** 2,
    memoryBytes: 1024 ** 2,
    sites: 1,
    workers: 1,
    cpuSecondsPerDay: 1,
    consoles: 1,
    tasks: 1,
    alwaysOnTasks: 2,
    taskSeconds: 3600,
    stopGraceSeconds: 2,
    processes: 1,
    requestTimeoutSeconds: 1,
    idleSleepSeconds: 1,
    cpuWeight: 100,
  };
}
