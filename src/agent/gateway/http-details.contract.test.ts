import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener, Server } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SiteSpec } from '../../protocol/sites.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

const SLOW = 60_000;

let context: Awaited<ReturnType<typeof testContext>>;
let gateway: Gateway;
let authority: string;
let servers: Server[] = [];

beforeAll(async () => {
  context = await testContext();
  gateway = createGateway(context, { wakeDomain: () => Promise.reject(new Error('not asked for here')) });
  await gateway.start();
  const pages = join(context.layout.gateway, 'pages');
  await mkdir(pages, { recursive: true });
  await writeFile(join(pages, 'index.html'), 'the pages');
  authority = (await gateway.handlers['gateway.authority']({})).certificatePem;
}, SLOW);

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
}, SLOW);

async function serve(change: Partial<SiteSpec>, listener: RequestListener): Promise<SiteSpec> {
  const spec = siteSpec({ domain: 'alice.holdfast.test', ...change });
  servers.push(await serveSite(context.layout.sites, spec.id, '1', listener));
  await gateway.publish([spec]);
  return spec;
}

/** One request over HTTP/2 that says it has `bytes` to send and sends few of them. */
async function announce(host: string, path: string, bytes: number): Promise<{ status: number; body: string }> {
  const session = connectHttp2(`https://127.0.0.1:${context.configuration.httpsPort}`, {
    servername: host,
    ca: authority,
  });
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':authority': host, ':path': path, ':method': 'POST', 'content-length': bytes });
      let status = 0;
      let body = '';
      stream.on('response', (headers) => (status = Number(headers[':status'])));
      stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
      stream.on('end', () => resolve({ status, body }));
      stream.on('error', (error) => (status === 0 ? reject(error) : resolve({ status, body })));
      stream.write(Buffer.alloc(1000));
    });
  } finally {
    session.destroy();
  }
}

test('a body that is too large is told so in our words, over HTTP/2 as over HTTP/1.1', { timeout: SLOW }, async () => {
  await serve({}, (_request, response) => response.end('never'));
  const host = 'alice.holdfast.test';
  const large = await ask(context, { host, tls: true, ca: authority, method: 'POST', headers: { 'content-length': '600000000' }, body: 'x' }).catch(() => undefined); // prettier-ignore
  if (large !== undefined) expect(large.status).toBe(413);
  const answer = await announce(host, '/', 600_000_000);
  expect(answer.status).toBe(413);
  expect(answer.body).toContain('That is too much at once');
});

test('a call of the API that is too large is refused in its own form, over both', { timeout: SLOW }, async () => {
  const answer = await announce('holdfast.test', '/api/holdfast/sites', 60_000_000);
  expect(answer.status).toBe(413);
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'too-large' });
});

/** Resolves with the first piece of a body that goes on until `end` is called; the answer's headers with it. */
async function firstPiece(host: string, headers: Record<string, string>): Promise<string> {
  return await new Promise((resolve, reject) => {
    const outgoing = httpsGet(
      { host: '127.0.0.1', port: context.configuration.httpsPort, servername: host, ca: authority, headers: { host, ...headers }, agent: false, signal: AbortSignal.timeout(20_000) },
      (response) => {
        response.once('data', (chunk: Buffer) => {
          resolve(`${response.headers['content-encoding'] ?? ''} ${chunk.length > 0}`.trim());
          outgoing.destroy();
        });
        response.on('error', () => undefined);
      },
    ); // prettier-ignore
    outgoing.on('error', reject);
  });
}

test.each([
  ['command', 'text/event-stream', {}],
  ['command', 'text/html', {}],
  ['wsgi', 'text/event-stream', { 'x-accel-buffering': 'no' }],
  ['wsgi', 'text/html', { 'x-accel-buffering': 'no' }],
] as const)(
  'the first event of a %s site comes before the second is made (%s)',
  { timeout: SLOW },
  async (kind, type, headers) => {
    // It never ends by itself: what is kept back until the end never comes.
    await serve({ kind }, (_request, response) => {
      response.writeHead(200, { 'content-type': type, ...headers });
      response.write('data: first\n\n');
    });
    expect(await firstPiece('alice.holdfast.test', { 'accept-encoding': 'identity' })).toBe('true');
    expect(await firstPiece('alice.holdfast.test', { 'accept-encoding': 'gzip' })).toMatch(/true$/);
  },
);

const TEXT = 'a line of text that is long enough to be made smaller\n'.repeat(100);

test.each([
  ['nothing said', {}, 'gzip', undefined],
  ['a weak ETag', { etag: 'W/"abc"' }, 'gzip', 'W/"abc"'],
  ['a strong ETag', { etag: '"abc"' }, 'identity', '"abc"'],
  ['no-transform', { 'cache-control': 'private, no-transform' }, 'identity', undefined],
  ['an encoding of its own', { 'content-encoding': 'br', etag: '"abc"' }, 'br', '"abc"'],
] as const)(
  'an answer is made smaller unless it says otherwise: %s',
  { timeout: SLOW },
  async (_name, headers, encoding, etag) => {
    await serve({}, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html', ...headers });
      response.end(TEXT);
    });
    const host = 'alice.holdfast.test';
    const answer = await ask(context, { host, headers: { 'accept-encoding': 'gzip, br' } });
    expect(answer.headers['content-encoding'] ?? 'identity').toBe(encoding);
    expect(answer.headers.etag).toBe(etag);
    if (encoding !== 'gzip') expect(answer.body).toBe(TEXT);
    // Who does not ask for gzip is not told of an encoding.
    const plain = await ask(context, { host });
    if (encoding !== 'br') expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.headers.etag).toBe(etag);
  },
);

test('nothing is said of an encoding where an answer is too short for gzip', { timeout: SLOW }, async () => {
  await serve({}, (request, response) => {
    const length = Number(request.url?.slice(1));
    response.writeHead(200, { 'content-type': 'text/html', etag: '"abc"', 'content-length': length });
    response.end('a'.repeat(length));
  });
  const encoding = async (length: number): Promise<string | undefined> =>
    (await ask(context, { host: 'alice.holdfast.test', path: `/${length}`, headers: { 'accept-encoding': 'gzip' } }))
      .headers['content-encoding'];
  for (const length of [0, 5, 999, 1000, 1023]) expect([length, await encoding(length)]).toEqual([length, undefined]);
  for (const length of [1024, 1030, 5000]) expect([length, await encoding(length)]).toEqual([length, 'identity']);
});

test.each([
  ['TRACE', '/', 'GET, HEAD'],
  ['POST', '/', 'GET, HEAD'],
  ['POST', '/status/', 'GET, HEAD'],
  ['PROPFIND', '/status/', 'GET, HEAD'],
  ['TRACE', '/api/holdfast/sites', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ['PROPFIND', '/api/holdfast/sites', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ['PROPFIND', '/api/holdfast/events', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
  ['MKCOL', '/api/v0/user/alice/files/path/home/alice/x', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
])('the platform refuses %s %s as it refuses any wrong method', { timeout: SLOW }, async (method, path, allow) => {
  const answer = await ask(context, { host: 'holdfast.test', tls: true, ca: authority, method, path });
  expect(answer).toMatchObject({ status: 405, headers: { allow, 'content-type': 'application/json' } });
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'method-not-allowed', detail: expect.any(String) });
});
