import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import type { IncomingHttpHeaders, RequestListener, Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SiteSpec } from '../../protocol/sites.ts';
import { until } from '../../runtime/deadline.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

vi.setConfig({ testTimeout: 60_000 });

const HOST = 'alice.holdfast.test';
const KB = 1000;

let context: Awaited<ReturnType<typeof testContext>>;
let gateway: Gateway;
let authority: string;
let servers: Server[] = [];

beforeAll(async () => {
  context = await testContext();
  gateway = createGateway(context, { wakeDomain: () => Promise.reject(new Error('not asked for here')) });
  await gateway.start();
  authority = (await gateway.handlers['gateway.authority']({})).certificatePem;
}, 60_000);

afterEach(async () => {
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

async function serve(change: Partial<SiteSpec>, listener: RequestListener): Promise<void> {
  const spec = siteSpec({ domain: HOST, ...change });
  servers.push(await serveSite(context.layout.sites, spec.id, '1', listener));
  await gateway.publish([spec]);
}

/** Says how much of the head arrived. */
const measures: RequestListener = (request, response) => {
  const { url = '', headers } = request;
  response.end(JSON.stringify({ url: url.length, cookie: headers.cookie?.length ?? 0 }));
};

const MEASURES = `import json
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"url": len(environ.get("REQUEST_URI", "")), "cookie": len(environ.get("HTTP_COOKIE", "")), "query": len(environ.get("QUERY_STRING", ""))}).encode()]
`;

interface Answer {
  status: number;
  body: string;
}

const protocols: Record<string, (path: string, headers: Record<string, string>, host?: string) => Promise<Answer>> = {
  'HTTP/1.1': async (path, headers, host = HOST) =>
    await ask(context, { host, path, headers, tls: true, ca: authority }),
  'HTTP/2': async (path, headers, host = HOST) => {
    const session = connectHttp2(`https://127.0.0.1:${context.configuration.httpsPort}`, {
      servername: host,
      ca: authority,
      maxSendHeaderBlockLength: 1024 * 1024,
    });
    try {
      return await new Promise((resolve, reject) => {
        session.on('error', reject);
        const stream = session.request({ ':authority': host, ':path': path, ...headers });
        const answer: Answer = { status: 0, body: '' };
        stream.on('response', (sent: IncomingHttpHeaders & { ':status'?: number }) => (answer.status = Number(sent[':status']))); // prettier-ignore
        stream.on('data', (chunk: Buffer) => (answer.body += chunk.toString()));
        stream.on('error', reject);
        stream.on('end', () =>
          answer.status === 0 ? reject(new Error('cut off without an answer')) : resolve(answer),
        );
        stream.end();
      });
    } finally {
      session.destroy();
    }
  },
};

// As tokens are: HTTP/2 sends such text in about three quarters of its length.
const text = (length: number): string => 'aZ3k9-Qx'.repeat(length / 8 + 1).slice(0, length);

describe.each(Object.entries(protocols))('the head of a request over %s', (protocol, send) => {
  it.each([
    ['wsgi', '/', 16 * KB],
    ['wsgi', '/', 59 * KB],
    ['command', '/', 59 * KB],
    ['wsgi', `/${text(25 * KB)}`, 10],
    ['command', `/${text(50 * KB)}`, 10],
    ['wsgi', `/${text(10 * KB)}`, 15 * KB],
  ] as const)('reaches a %s site whole: %#', async (kind, path, cookie) => {
    await serve({ kind }, measures);
    const { status, body } = await send(path, { cookie: text(cookie) });
    expect({ status, body }).toEqual({ status: 200, body: JSON.stringify({ url: path.length, cookie }) });
  });

  it.each([
    ['one cookie', '/', { cookie: text(85 * KB) }, 431],
    ['many headers', '/', Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`x-${at}`, text(9 * KB)])), 431],
    ['an address', `/${text(31 * KB)}`, {}, 414],
    ['a long address', `/${text(70 * KB)}`, {}, 414],
    ['an address and a cookie', `/${text(20 * KB)}`, { cookie: text(30 * KB) }, 431],
  ])('is refused with a page when it is too long: %s', async (_case, path, headers, expected) => {
    let asked = 0;
    await serve({}, (_request, response) => {
      asked += 1;
      response.end();
    });
    const { status, body } = await send(path, headers);
    expect({ status, asked }).toEqual({ status: expected, asked: 0 });
    expect(body).toMatch(/too (long|much at once)/);
  });

  it('is said to be too long when its site closes for it', async () => {
    await serve({}, (request) => request.socket.destroy());
    // More than uWSGI takes, and the gateway does not see how much: over HTTP/2 it is compressed.
    const { status } = await send('/', { cookie: text(70 * KB) });
    expect(status).toBe(431);
    expect((await send('/', { cookie: text(20 * KB) })).status).toBe(502);
  });

  it('reaches uWSGI whole or not at all', async () => {
    const spec = siteSpec({ domain: HOST });
    // Makes the socket's directory and the link to it; then uWSGI takes the socket's place.
    const server = await serveSite(context.layout.sites, spec.id, '1', measures);
    await new Promise((resolve) => server.close(resolve));
    const socket = join(context.layout.sites, spec.id, '1', 'app.sock');
    const program = join(context.configuration.home, 'measures.py');
    await writeFile(program, MEASURES);
    const uwsgi = spawn(
      '/usr/bin/uwsgi',
      ['--plugin', 'python3', '--master', '--http-socket', socket, '--chmod-socket=666', '--buffer-size', '65535', '--max-vars', '256', '--lazy-apps', '--wsgi-file', program, '--disable-logging'],
      { stdio: 'ignore', cwd: '/' },
    ); // prettier-ignore
    try {
      await gateway.publish([spec]);
      await until(async () => (await send('/', {})).status === 200, 'uWSGI', 20_000, 100);
      for (const address of [1, 1_900, 2_100, 5_900, 13_900, 21_900, 25_900])
        for (const head of [33_000, 41_000, 49_000, 57_000, 61_000]) {
          const cookie = Math.max(10, head - address);
          const query = Math.floor(address / 2);
          const path = `/${text(address - query)}?${text(query)}`;
          const { status, body } = await send(path, { cookie: text(cookie) });
          if (status === 200) expect(JSON.parse(body)).toEqual({ url: path.length, cookie, query });
          else expect({ status, body }).toEqual({ status: 431, body: expect.stringContaining('too much at once') });
        }
    } finally {
      // Asks the master to end its workers at once.
      uwsgi.kill('SIGINT');
      await once(uwsgi, 'exit');
    }
  });
});

it.each(Object.entries(protocols))(
  'a head that is too long for the API is refused in its own form over %s',
  async (_protocol, send) => {
    for (const [path, headers] of [
      ['/api/v0/user/alice/cpu/', { cookie: text(85 * KB) }],
      [`/api/v0/user/alice/${text(70 * KB)}`, {}],
    ] as [string, Record<string, string>][]) {
      const { status, body } = await send(path, headers, 'holdfast.test');
      expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({
        status: 431,
        body: { code: 'too-large', detail: expect.any(String) },
      });
    }
  },
);
