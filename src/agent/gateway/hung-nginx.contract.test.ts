import { readFileSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { get } from 'node:http';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

describe('nginx hangs', () => {
  let context: Awaited<ReturnType<typeof testContext>>;
  let gateway: Gateway;
  const servers: Server[] = [];
  const alice = siteSpec({ domain: 'alice.holdfast.test', account: 'alice' });

  beforeAll(async () => {
    context = await testContext();
    await mkdir(join(context.layout.logs, 'alice'), { recursive: true });
    gateway = createGateway(context, {
      volumeOf: () => 'home1',
      wakeDomain: async () => await Promise.reject(new Error()),
    });
    await gateway.start();
    await gateway.publish([alice]);
    servers.push(
      await serveSite(context.layout.sites, alice.id, '1', (request, response) => {
        response.write('first ');
        if (request.url === '/long') held.push(() => response.end('last'));
        else response.end('last');
      }),
    );
  });
  const held: (() => void)[] = [];
  afterAll(async () => {
    for (const pid of pids('')) process.kill(pid, 'SIGCONT');
    for (const go of held) go();
    await gateway.stop('stop');
    for (const server of servers) server.close();
    await context.remove();
  });

  function pids(title: string): number[] {
    return gateway
      .processes()
      .filter((entry) => entry.name.startsWith(title))
      .map((entry) => entry.pid);
  }
  function stateOf(pid: number): string {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
  }
  const served = async (): Promise<boolean> => (await ask(context, { host: alice.domain })).body === 'first last';

  it.each(['nginx: worker process', 'nginx: master process'])(
    'a stopped "%s" goes on by itself, and what it carried goes on with it',
    async (title) => {
      expect(await served()).toBe(true);
      let text = '';
      const ended = new Promise<void>((resolve, reject) => {
        const { httpPort } = context.configuration;
        get({ port: httpPort, path: '/long', headers: { host: alice.domain } }, (response) => {
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', resolve).on('error', reject);
        }).on('error', reject);
      });
      await until(() => held.length > 0 && text === 'first ', 'the first piece', 20_000);
      const stopped = pids(title);
      expect(stopped.length).toBeGreaterThan(0);
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      await until(() => stopped.every((pid) => stateOf(pid) === 'T'), 'the stop', 20_000);
      await until(() => stopped.every((pid) => stateOf(pid) !== 'T'), 'going on', 60_000);
      expect(await served()).toBe(true);
      held.pop()?.();
      await ended;
      expect(text).toBe('first last');
      expect(pids(title)).toEqual(stopped);
    },
  );

  it('is not ready while nobody answers, and is again when somebody does', async () => {
    await until(() => gateway.ready(), 'being ready', 60_000);
    // Where it is asked whether it serves, nobody is found.
    const socket = join(context.configuration.runDirectory, 'g', 'internal.sock');
    await rename(socket, `${socket}.away`);
    try {
      await until(() => !gateway.ready(), 'being not ready', 60_000);
    } finally {
      await rename(`${socket}.away`, socket);
    }
    await until(() => gateway.ready(), 'being ready again', 60_000);
    await until(served, 'an answer', 60_000);
  });
});
