import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { FileWorkers, WORKER_LIMITS } from './file-workers.ts';

it('keeps the place of a worker whose sandbox has ended but whose server the kernel still holds', async () => {
  const children: ChildProcess[] = [];
  let held = true;
  const workers = new FileWorkers(
    {
      volumeOf: (account) => (account === 'zoe' ? 'home2' : 'home1'),
      spawn: async () => {
        // It never answers, like a server that waits for its disk.
        const child = spawn('/bin/sleep', ['600'], { stdio: ['pipe', 'pipe', 'ignore'] });
        children.push(child);
        await once(child, 'spawn');
        return child;
      },
      end: async () => {
        for (const child of children) child.kill('SIGKILL');
        if (held) throw await Promise.resolve(new Error('the kernel holds it'));
      },
    },
    pino({ level: 'silent' }),
    { ...WORKER_LIMITS, requestMs: 50, waitMs: 50, workersPerVolume: 2 },
  );
  const use = async (account: string): Promise<unknown> =>
    await workers.use(account, async () => await Promise.resolve()).catch((error: unknown) => error);
  for (const account of ['ann', 'ben']) expect(await use(account)).toMatchObject({ code: 'storage-repair' });
  await until(() => children.every((child) => child.signalCode !== null), 'the end of both sandboxes', 5_000);
  expect(workers.count('home1')).toBe(2);
  // No third one is started beside them; another volume has places of its own.
  expect(await use('cid')).toMatchObject({ code: 'storage-repair' });
  expect(children).toHaveLength(2);
  await use('zoe');
  expect(children).toHaveLength(3);

  held = false;
  await until(() => workers.count('home1') === 0, 'the free places', 10_000);
  await use('cid');
  expect(children).toHaveLength(4);
  await workers.stop();
});

it('does not blame the storage when the file server ends by itself', async () => {
  const workers = new FileWorkers(
    {
      volumeOf: () => 'home1',
      spawn: async () => {
        const child = spawn('/bin/false', [], { stdio: ['pipe', 'pipe', 'ignore'] });
        await once(child, 'spawn');
        return child;
      },
      end: async () => await Promise.resolve(),
    },
    pino({ level: 'silent' }),
  );
  const asked = workers.use('ann', async () => await Promise.resolve()).catch((error: unknown) => error);
  expect(await asked).toMatchObject({ code: 'not-ready', message: expect.not.stringMatching(/storage|repair/i) });
  await workers.stop();
});
