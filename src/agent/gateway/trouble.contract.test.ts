import { chmod, mkdir } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { StatusTrouble } from '../../model/status-page.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { until } from '../../runtime/deadline.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { runningConfiguration } from './internal.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

vi.setConfig({ testTimeout: 30_000 });

const trouble: StatusTrouble = {
  id: 't1',
  state: 'open',
  diagnosis: { fault: 'hung', culprit: { kind: 'disk' } },
  volume: 'home1',
  service: 'waiting',
  since: new Date().toISOString(),
  namedAt: new Date().toISOString(),
  resolvedAt: null,
  timeline: [],
};

describe('the gateway while a volume is in trouble', () => {
  let context: Awaited<ReturnType<typeof testContext>>;
  let gateway: Gateway;
  let servers: Server[] = [];
  const troubles: StatusTrouble[] = [];
  const alice = siteSpec({ domain: 'alice.holdfast.test', account: 'alice' });
  const bob = siteSpec({ domain: 'bob.holdfast.test', account: 'bob' });

  const serve = async (id: string, listener: Parameters<typeof serveSite>[3]): Promise<void> => {
    servers.push(await serveSite(context.layout.sites, id, '1', listener));
  };
  const generation = async (): Promise<string | undefined> =>
    (await runningConfiguration(join(context.configuration.runDirectory, 'g', 'internal.sock')))?.generation;
  const impact = async (since: Date, ...domains: string[]): ReturnType<Gateway['handlers']['gateway.impact']> =>
    await gateway.handlers['gateway.impact']({ domains, since: since.toISOString() });

  beforeAll(async () => {
    context = await testContext();
    for (const account of ['alice', 'bob']) await mkdir(join(context.layout.logs, account), { recursive: true });
    gateway = createGateway(
      context,
      {
        volumeOf: (account) => (account === 'alice' ? 'home1' : 'home2'),
        wakeDomain: async () =>
          await Promise.reject(new HoldfastError('storage-repair', 'Later.', { retryAfterSeconds: 7 })),
      },
      {
        troubles: () => troubles,
        notes: () => [],
        volumes: () => [
          { name: 'home1', state: 'open' },
          { name: 'home2', state: 'open' },
        ],
        watching: () => 'yes',
        supervisor: () => ({ silentSince: null, says: null }),
      },
    );
    await gateway.start();
    await gateway.publish([alice, bob]);
  }, 60_000);

  afterEach(async () => {
    gateway.hold('home1', false);
    troubles.length = 0;
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    servers = [];
  });

  afterAll(async () => {
    await gateway?.stop('stop');
    await context?.remove();
  }, 60_000);

  it('answers for an awake site that hangs at once and honestly, lets who waits already finish, and goes back by itself', async () => {
    const waiting: ServerResponse[] = [];
    await serve(alice.id, (request, response) => {
      if (request.url === '/hangs') waiting.push(response);
      else response.end('alice');
    });
    await serve(bob.id, (_request, response) => response.end('bob'));
    const before = await generation();
    const early = ask(context, { host: 'alice.holdfast.test', path: '/hangs' });
    await until(() => waiting.length === 1, 'the request that waits in the site', 5_000);

    gateway.hold('home1', true);
    const refused = await ask(context, { host: 'alice.holdfast.test', path: '/hangs' });
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('15');
    expect(refused.body).toContain('Storage is being repaired');
    expect(refused.body).toContain('/status/');
    expect(
      (await ask(context, { host: 'alice.holdfast.test', method: 'POST', body: 'x'.repeat(200_000) })).status,
    ).toBe(503);
    expect((await ask(context, { host: 'bob.holdfast.test' })).body).toBe('bob');

    waiting[0]?.end('at last');
    expect((await early).body).toBe('at last');
    gateway.hold('home1', false);
    expect((await ask(context, { host: 'alice.holdfast.test' })).body).toBe('alice');
    // Nobody else noticed: nginx was not even told.
    expect(await generation()).toBe(before);
  });

  it('counts what failed and what the site was late with, and nothing that only took long', async () => {
    const since = new Date();
    await serve(alice.id, (request, response) => {
      if (request.url === '/late') setTimeout(() => response.end('late'), 1_100);
      else if (request.url === '/download') {
        response.write('the beginning');
        setTimeout(() => response.end('the end'), 1_200);
      } else if (request.url === '/error') response.writeHead(500).end();
      else response.end('quick');
    });
    await serve(bob.id, (_request, response) => response.writeHead(500).end());
    await Promise.all(
      ['/late', '/download', '/error', '/'].map(
        async (path) => await ask(context, { host: 'alice.holdfast.test', path }),
      ),
    );
    await ask(context, { host: 'bob.holdfast.test' });
    gateway.hold('home1', true);
    await ask(context, { host: 'alice.holdfast.test' });
    // nginx writes the line after the answer.
    await until(async () => (await impact(since, 'alice.holdfast.test')).failed === 2, 'both failures', 5_000);
    const counted = await impact(since, 'alice.holdfast.test', 'nobody.holdfast.test');
    expect(counted).toMatchObject({ delayed: 1, failed: 2 });
    expect(counted.longestMs).toBeGreaterThanOrEqual(1_050);
    expect(await impact(new Date(Date.now() + 60_000), 'alice.holdfast.test')).toEqual({
      delayed: 0,
      failed: 0,
      longestMs: 0,
    });
  });

  it('counts the honest page of a sleeping site as failed', async () => {
    const since = new Date();
    const answer = await ask(context, { host: 'alice.holdfast.test' });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('7');
    expect(answer.headers['x-holdfast-page']).toBeUndefined();
    await until(async () => (await impact(since, 'alice.holdfast.test')).failed === 1, 'the failure', 5_000);
  });

  it('shows the status page over HTTP and HTTPS, with its own policy, and keeps it true', async () => {
    const page = await ask(context, { host: 'holdfast.test', path: '/status/' });
    expect(page.status).toBe(200);
    expect(page.body).toContain('Everything works');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['cache-control']).toBe('public, max-age=2');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; style-src 'sha256-");
    troubles.push(trouble);
    gateway.statusChanged();
    const ca = (await gateway.handlers['gateway.authority']({})).certificatePem;
    const summary = async (): Promise<{ incidents: object[] }> => {
      const answer = await ask(context, { host: 'holdfast.test', path: '/status/api/v2/summary.json', tls: true, ca });
      expect(answer.headers['content-type']).toContain('application/json');
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      return JSON.parse(answer.body) as { incidents: object[] };
    };
    await until(async () => (await summary()).incidents.length === 1, 'the incident on the page', 10_000);
    const feed = await ask(context, { host: 'holdfast.test', path: '/status/history.rss' });
    expect(feed.headers['content-type']).toContain('application/rss+xml');
    const packed = { host: 'holdfast.test', path: '/status/', headers: { 'Accept-Encoding': 'gzip' } };
    expect((await ask(context, packed)).headers['content-encoding']).toBe('gzip');
    expect((await ask(context, { host: 'holdfast.test', path: '/status' })).headers['location']).toBe('/status/');
  });

  it('passes a scrape with its token to the control plane, and only there', async () => {
    const { controlSocket } = context.layout;
    await mkdir(join(controlSocket, '..'), { recursive: true });
    const control = createServer((request, response) =>
      response.end(`${request.url} ${request.headers.authorization}`),
    );
    await new Promise<void>((resolve) => control.listen(controlSocket, resolve));
    await chmod(controlSocket, 0o666);
    servers.push(control);
    const ca = (await gateway.handlers['gateway.authority']({})).certificatePem;
    const answer = await ask(context, {
      host: 'holdfast.test',
      path: '/metrics',
      tls: true,
      ca,
      headers: { Authorization: 'Bearer abc' },
    });
    expect(answer.body).toBe('/metrics Bearer abc');
  });
});
