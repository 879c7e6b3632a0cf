import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SiteSpec } from '../../protocol/sites.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

vi.setConfig({ testTimeout: 60_000 });

const HOST = 'alice.holdfast.test';

let context: Awaited<ReturnType<typeof testContext>>;
let gateway: Gateway;
let authority: string;
let servers: Server[] = [];

beforeAll(async () => {
  context = await testContext();
  gateway = createGateway(context, {
    wakeDomain: async () => {
      await serveSites();
      return { id: '000000000000', state: 'awake', generation: 1, since: new Date(0).toISOString(), failure: null, remark: null, kept: null, lastRequestAt: null, memoryBytes: null, processes: 1 }; // prettier-ignore
    },
  });
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

let spec: SiteSpec;

const seen = (request: IncomingMessage): string => JSON.stringify(request.rawHeaders);
const listener: RequestListener = (request, response) => response.end(seen(request));

async function serveSites(): Promise<void> {
  const server = await serveSite(context.layout.sites, spec.id, '1', listener);
  server.on('upgrade', (request, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${seen(request)}`);
  });
  servers.push(server);
}

async function publish(change: Partial<SiteSpec>, awake = true): Promise<void> {
  spec = siteSpec({ domain: HOST, ...change });
  if (awake) await serveSites();
  await gateway.publish([spec]);
}

/** What servers, frameworks and single sign-on in front of a program are known to say in its name. */
const SAID = [
  'X-Scheme', 'X-Forwarded-Ssl', 'X-Forwarded-Protocol', 'X-Forwarded-Scheme', 'X-Url-Scheme', 'Front-End-Https',
  'X-Forwarded-Prefix', 'X-Script-Name', 'X-Forwarded-Path', 'X-Forwarded-Uri', 'X-Original-Url', 'X-Original-Uri', 'X-Original-Host', 'X-Rewrite-Url',
  'X-Forwarded-Server', 'X-Forwarded-By', 'X-Host', 'Forwarded', 'Proxy',
  'X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Groups', 'X-Forwarded-Preferred-Username', 'X-Forwarded-Access-Token',
  'X-Remote-User', 'Remote-User', 'X-Auth-Request-User', 'X-Authenticated-User', 'X-Forwarded-Client-Cert', 'X-Ssl-Client-Verify',
  'X-Client-Ip', 'Client-Ip', 'X-Cluster-Client-Ip', 'X-Remote-Addr', 'X-Remote-Ip', 'X-Originating-Ip',
  'X-Real-Ip', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Forwarded-Port',
  'X-Sendfile-Type', 'X-Accel-Mapping',
]; // prettier-ignore
const LIE = 'visitors-word';
const headers: Record<string, string> = {
  ...Object.fromEntries(SAID.map((name) => [name.toLowerCase(), LIE])),
  // A header that somebody is free to send, and one that Cloudflare sends to the sites behind it.
  'x-mine': 'kept',
  'cf-connecting-ip': '203.0.113.9',
};

function expectOnlyOurs(raw: string): void {
  const names = (JSON.parse(raw) as string[]).flatMap((word, at, all) =>
    at % 2 === 1 && word === LIE ? [all[at - 1]] : [],
  );
  expect(names).toEqual([]);
  const sent = JSON.parse(raw) as string[];
  expect(sent).toEqual(expect.arrayContaining(['kept', '203.0.113.9', '127.0.0.1']));
  expect(sent.filter((word) => /^x-forwarded-/i.test(word))).toHaveLength(4);
}

async function overHttp2(): Promise<string> {
  const session = connectHttp2(`https://127.0.0.1:${context.configuration.httpsPort}`, {
    servername: HOST,
    ca: authority,
  });
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':authority': HOST, ':path': '/', ...headers });
      let body = '';
      stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
      stream.on('error', reject);
      stream.on('end', () => resolve(body));
      stream.end();
    });
  } finally {
    session.destroy();
  }
}

async function websocket(): Promise<string> {
  const lines = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'Connection: upgrade',
    'Upgrade: websocket',
  ];
  return await new Promise((resolve, reject) => {
    const socket = connect(context.configuration.httpPort, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('end', () => resolve(answer));
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${lines.join('\r\n')}\r\n\r\n`);
  });
}

describe('what a visitor says of where they come from and who they are does not reach a site', () => {
  it.each(['wsgi', 'command'] as const)('%s, over HTTP/1.1 and HTTP/2, and as a websocket', async (kind) => {
    await publish({ kind });
    const plain = await ask(context, { host: HOST, headers });
    expectOnlyOurs(plain.body);
    expectOnlyOurs(await overHttp2());
    const [head = '', body = ''] = (await websocket()).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 101/);
    expectOnlyOurs(body);
  });

  it('said several times, or with other letters', async () => {
    await publish({});
    const twice = { 'X-FORWARDED-User': [LIE, LIE], 'x-scheme': [LIE, LIE], X_Scheme: LIE, 'x-mine': 'kept', 'cf-connecting-ip': '203.0.113.9' }; // prettier-ignore
    const { body } = await ask(context, { host: HOST, headers: twice as unknown as Record<string, string> });
    expectOnlyOurs(body);
  });

  it('that was asleep, nor one that is asked for a challenge', async () => {
    await publish({}, false);
    expectOnlyOurs((await ask(context, { host: HOST, headers })).body);
    expectOnlyOurs((await ask(context, { host: HOST, path: '/.well-known/acme-challenge/abc', headers })).body);
  });
});
