import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SiteStatus } from '../../protocol/sites.ts';
import { until } from '../../runtime/deadline.ts';
import { WakerServer } from './waker.ts';

describe('the waker', () => {
  let directory: string;
  let server: WakerServer;
  let calls: string[];
  let finish: () => void;

  const ask = async (host: string): Promise<{ status: number; redirect: unknown; retry: unknown; body: string }> =>
    await new Promise((resolve, reject) => {
      const asked = request(
        { socketPath: join(directory, 'wake.sock'), headers: { Host: host }, agent: false },
        (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              redirect: response.headers['x-accel-redirect'],
              retry: response.headers['retry-after'],
              body,
            }),
          );
        },
      );
      asked.on('error', reject);
      asked.end();
    });

  beforeEach(async () => {
    directory = await mkdtemp('/var/tmp/holdfast-waker-');
    calls = [];
    const finished = new Promise<void>((resolve) => (finish = resolve));
    server = new WakerServer({
      directory,
      gatewayGid: 0,
      log: pino({ level: 'silent' }),
      accountOf: (domain) => /^\w+-(\w+)\./.exec(domain)?.[1],
      holdMs: 60_000,
      waitingPerSite: 2,
      waitingPerVolume: 3,
      waker: {
        volumeOf: (account) => (account === 'carol' ? 'home2' : 'home1'),
        wakeDomain: async (domain) => {
          calls.push(domain);
          if (!domain.includes('carol')) await finished;
          return { state: 'awake' } as SiteStatus;
        },
      },
    });
    await server.start();
  });

  afterEach(async () => {
    finish();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('holds only so many requests of one site and of one volume, and other volumes not at all', async () => {
    const held = [ask('a-alice.test'), ask('A-alice.test.')];
    await until(() => calls.length === 2, 'Two held requests', 10_000);
    expect(await ask('a-alice.test')).toMatchObject({ status: 503, retry: '5' });
    held.push(ask('b-bob.test'));
    await until(() => calls.length === 3, 'Three held requests', 10_000);
    expect((await ask('c-bob.test')).status).toBe(503);
    expect(await ask('d-carol.test')).toMatchObject({ status: 204, redirect: '@again' });
    finish();
    expect((await Promise.all(held)).map((answer) => answer.redirect)).toEqual(['@again', '@again', '@again']);
    expect((await ask('c-bob.test')).status).toBe(204);
  });

  it('knows no other domains than those published', async () => {
    expect((await ask('unknown.test')).status).toBe(404);
    expect(calls).toEqual([]);
  });

  it('takes the place of a socket that a killed agent left', async () => {
    const second = new WakerServer({
      directory,
      gatewayGid: 0,
      log: pino({ level: 'silent' }),
      accountOf: () => undefined,
      waker: { wakeDomain: () => Promise.reject(new Error('not asked')) },
    });
    await second.start();
    expect((await ask('x-alice.test')).status).toBe(404);
    await second.stop();
  });
});
