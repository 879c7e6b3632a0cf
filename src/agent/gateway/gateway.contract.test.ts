import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '../../protocol/errors.ts';
import type { SiteStatus } from '../../protocol/sites.ts';
import { until } from '../../runtime/deadline.ts';
import { createRunDirectory } from '../programs/sites/records.ts';
import { openAuthority } from './authority.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { processesOf } from './process-table.ts';
import { ask, serveSite, siteSpec, testContext } from './test-bench.ts';

vi.setConfig({ testTimeout: 30_000 });

const awake: SiteStatus = {
  id: '000000000000',
  state: 'awake',
  generation: 1,
  since: new Date(0).toISOString(),
  failure: null,
  remark: null,
  kept: null,
  lastRequestAt: null,
  memoryBytes: null,
  processes: 1,
};

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('the gateway', () => {
  let context: Awaited<ReturnType<typeof testContext>>;
  let gateway: Gateway;
  let authority: string;
  let wake: (domain: string) => Promise<SiteStatus>;
  let wakes: string[];
  let servers: Server[] = [];
  const accountGid = (): number => context.ids.firstAccount;

  const serve = async (id: string, listener: Parameters<typeof serveSite>[3], generation = '1'): Promise<Server> => {
    const server = await serveSite(context.layout.sites, id, generation, listener);
    servers.push(server);
    return server;
  };
  const close = async (server: Server): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };

  beforeAll(async () => {
    context = await testContext();
    const logs = join(context.layout.logs, 'alice');
    await mkdir(logs, { recursive: true });
    await chown(logs, 0, accountGid());
    gateway = createGateway(context, {
      wakeDomain: async (domain) => {
        wakes.push(domain);
        return await wake(domain);
      },
    });
    await gateway.start();
    authority = (await gateway.handlers['gateway.authority']({})).certificatePem;
  }, 60_000);

  beforeEach(() => {
    wakes = [];
    wake = () => Promise.reject(new HoldfastError('site-start-failed', 'It does not start.'));
  });

  afterEach(async () => {
    await Promise.all(servers.map(close));
    servers = [];
  });

  afterAll(async () => {
    await gateway?.stop('stop');
    await context?.remove();
  }, 60_000);

  it('runs nginx as the gateway uid, not as root', () => {
    expect(gateway.ready()).toBe(true);
    const running = processesOf(context.ids.gateway).map((entry) => entry.title);
    expect(running.some((title) => title.startsWith('nginx: master process'))).toBe(true);
    expect(running.some((title) => title === 'nginx: worker process')).toBe(true);
  });

  it('does not pass on what a visitor says of where they come from', async () => {
    const spec = siteSpec({ domain: 'forged-alice.holdfast.test' });
    await serve(spec.id, (request, response) => response.end(JSON.stringify(request.headers)));
    await gateway.publish([spec]);
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' };
    const { body } = await ask(context, { host: spec.domain, headers });
    expect(body).not.toContain('203.0.113.9');
  });

  it('passes long heads in both directions, and says so of one that is too long', async () => {
    const spec = siteSpec({ domain: 'heads-alice.holdfast.test' });
    await serve(spec.id, (_, response) => response.setHeader('x-long', 'b'.repeat(50_000)).end('fine'));
    await gateway.publish([spec]);
    const pieces = (count: number): Record<string, string> =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-piece-${index}`, 'a'.repeat(14_000)]));
    expect(await ask(context, { host: spec.domain, headers: pieces(3) })).toMatchObject({ status: 200, body: 'fine' });
    const refused = await ask(context, { host: spec.domain, headers: pieces(6) });
    expect(refused).toMatchObject({ status: 431 });
    expect(refused.body).toContain('too much at once');
  });

  it('tells the owner in the server log why a visitor got a 502', async () => {
    const spec = siteSpec({ domain: 'breaks-alice.holdfast.test' });
    await serve(spec.id, (request) => request.socket.destroy());
    await gateway.publish([spec]);
    expect(await ask(context, { host: spec.domain })).toMatchObject({ status: 502 });
    const log = join(context.layout.logs, 'alice', `${spec.domain}.server.log`);
    const text = async (): Promise<string> => await readFile(log, 'utf8').catch(() => '');
    await until(async () => (await text()) !== '', 'the line in the server log', 30_000, 100);
    expect(await text()).toMatch(/ - gateway: The server closed the connection before it answered \(upstream/);
  });

  it('passes a request to the site with the addresses it came from', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (request, response) =>
      response.end(JSON.stringify({ url: request.url, headers: request.headers })),
    );
    await gateway.publish([spec]);
    const answer = await ask(context, { host: 'alice.holdfast.test:1234', path: '/a%20b?x=1' });
    expect(answer.status).toBe(200);
    const seen = JSON.parse(answer.body) as { url: string; headers: Record<string, string> };
    expect(seen.url).toBe('/a%20b?x=1');
    expect(seen.headers).toMatchObject({
      host: 'alice.holdfast.test:1234',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    });
    // A server that is to close the connection does so with the rest of an upload unread.
    expect(seen.headers).not.toHaveProperty('connection');
    const secure = await ask(context, { host: 'alice.holdfast.test', tls: true, ca: authority });
    expect((JSON.parse(secure.body) as typeof seen).headers['x-forwarded-proto']).toBe('https');
  });

  it('answers over IPv6 and HTTP/2', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (_request, response) => response.end('hello'));
    await gateway.publish([spec]);
    for (const address of existsSync('/proc/net/if_inet6') ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
      expect((await ask(context, { host: 'alice.holdfast.test', address })).body).toBe('hello');
    }
    const session = connectHttp2(`https://127.0.0.1:${context.configuration.httpsPort}`, {
      ca: authority,
      servername: 'alice.holdfast.test',
    });
    try {
      const stream = session.request({ ':path': '/', ':authority': 'alice.holdfast.test' });
      let body = '';
      stream.setEncoding('utf8');
      for await (const chunk of stream) body += chunk as string;
      expect(body).toBe('hello');
    } finally {
      session.destroy();
    }
  });

  it('shows clear pages, never 200, for a domain without a site and for a disabled site', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test', enabled: false });
    await serve(spec.id, (_request, response) => response.end('must not be seen'));
    await gateway.publish([spec]);
    const unknown = await ask(context, { host: 'nobody.example.org', method: 'POST', body: 'x' });
    expect(unknown.status).toBe(404);
    expect(unknown.body).toContain('There is no site here');
    const disabled = await ask(context, { host: 'alice.holdfast.test' });
    expect(disabled.status).toBe(503);
    expect(disabled.body).toContain('switched off');
    expect(wakes).toEqual([]);
  });

  it('does not let a visitor open the internal pages, nor a site redirect into them', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (_request, response) => {
      response.setHeader('X-Accel-Redirect', '/.holdfast-page/repair.html');
      response.end('from the site');
    });
    await gateway.publish([spec]);
    expect((await ask(context, { host: 'alice.holdfast.test', path: '/.holdfast-page/repair.html' })).status).toBe(404);
    expect((await ask(context, { host: 'alice.holdfast.test' })).body).toBe('from the site');
  });

  it('finds a site whose socket directory was mounted after nginx started, and follows no link out of it', async () => {
    const spec = siteSpec({ domain: 'mounted-alice.holdfast.test' });
    const victim = siteSpec({ domain: 'victim-alice.holdfast.test' });
    await gateway.publish([spec, victim]);
    await serve(victim.id, (_request, response) => response.end('not for you'));
    const run = createRunDirectory(context.layout.sites);
    const directory = await run.makeSocketDirectory(spec.id, 1, context.ids.firstAccount, context.ids.gateway);
    try {
      const server = createServer((_request, response) => response.end('mounted'));
      servers.push(server);
      const socket = join(directory, 'app.sock');
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      await chmod(socket, 0o666);
      await run.point(spec.id, 1);
      expect((await ask(context, { host: spec.domain })).body).toBe('mounted');
      expect(wakes).toEqual([]);
      await close(server);
      await symlink(join(context.layout.sites, victim.id, 'current', 'app.sock'), socket);
      expect((await ask(context, { host: spec.domain })).body).not.toContain('not for you');
      expect(wakes).toEqual([spec.domain]);
    } finally {
      await run.removeSite(spec.id);
    }
  });

  it('wakes a sleeping site and sends the held POST of 1 MiB through intact, once', async () => {
    const spec = siteSpec({ domain: 'sleepy-alice.holdfast.test' });
    await gateway.publish([spec]);
    const got: string[] = [];
    wake = async () => {
      await serve(spec.id, (request, response) => {
        const take = async (): Promise<void> => {
          const body = await bodyOf(request);
          got.push(`${request.method} ${request.url} ${createHash('sha256').update(body).digest('hex')}`);
          response.end('done');
        };
        take().catch(() => response.destroy());
      });
      return awake;
    };
    const body = randomBytes(1024 * 1024);
    const answer = await ask(context, { host: spec.domain, path: '/form?a=b', method: 'POST', body });
    expect(answer).toMatchObject({ status: 200, body: 'done' });
    expect(answer.headers['x-accel-redirect']).toBeUndefined();
    expect(got).toEqual([`POST /form?a=b ${createHash('sha256').update(body).digest('hex')}`]);
    expect(wakes).toEqual([spec.domain]);
  });

  it('wakes a site whose socket is stale', async () => {
    const spec = siteSpec({ domain: 'stale-alice.holdfast.test' });
    const server = await serve(spec.id, (_request, response) => response.end('old'));
    await gateway.publish([spec]);
    // A server that is closed removes its socket; keep a dead one by hand, as a killed process leaves it.
    await close(server);
    servers = [];
    const dead = connect({ port: 1, host: '127.0.0.1' });
    dead.on('error', () => undefined);
    dead.destroy();
    wake = async () => {
      await serve(spec.id, (_request, response) => response.end('new'), '2');
      return awake;
    };
    expect(await ask(context, { host: spec.domain })).toMatchObject({ status: 200, body: 'new' });
  });

  it('never sends a request twice: an application that dies after it took a POST yields 502', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    let runs = 0;
    await serve(spec.id, (request) => {
      runs++;
      request.socket.destroy();
    });
    await gateway.publish([spec]);
    const answer = await ask(context, { host: spec.domain, method: 'POST', body: 'order one' });
    expect(answer.status).toBe(502);
    expect(answer.body).toContain('broke off its answer');
    expect(runs).toBe(1);
    expect(wakes).toEqual([]);
  });

  it('does not loop when a woken site is gone again', async () => {
    const spec = siteSpec({ domain: 'gone-alice.holdfast.test' });
    await gateway.publish([spec]);
    wake = () => Promise.resolve(awake);
    const answer = await ask(context, { host: spec.domain });
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBeDefined();
    expect(wakes).toHaveLength(1);
  });

  it.each([
    ['site-start-failed', 502, 'could not start'],
    ['storage-repair', 503, 'Storage is being repaired'],
    ['deadline-passed', 503, 'waking up'],
    ['site-disabled', 503, 'switched off'],
    ['internal', 502, 'could not start'],
  ] as const)('tells a visitor about %s with %i and without internals', async (code, status, words) => {
    const spec = siteSpec({ domain: 'alice.holdfast.test', id: randomBytes(6).toString('hex') });
    await gateway.publish([spec]);
    wake = () => Promise.reject(new HoldfastError(code, 'secret detail', { details: ['secret output'] }));
    const answer = await ask(context, { host: spec.domain });
    expect(answer.status).toBe(status);
    expect(answer.body).toContain(words);
    expect(answer.body).not.toContain('secret');
    const waits = code === 'storage-repair' || code === 'deadline-passed';
    expect(answer.headers['retry-after'] !== undefined).toBe(waits);
  });

  it('passes on what a site answers itself, 502 and 404 included', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (request, response) => {
      response.statusCode = Number(request.url?.slice(1));
      response.end('mine');
    });
    await gateway.publish([spec]);
    for (const status of [404, 401, 500, 502, 503, 504]) {
      expect(await ask(context, { host: spec.domain, path: `/${status}` })).toMatchObject({ status, body: 'mine' });
    }
  });

  it('redirects to https where wanted, keeping path and method', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test', forceHttps: true });
    await serve(spec.id, (_request, response) => response.end('secure'));
    await gateway.publish([spec]);
    const answer = await ask(context, { host: spec.domain, path: '/x?y=1', method: 'POST', body: 'z' });
    expect(answer.status).toBe(308);
    expect(answer.headers.location).toBe(`https://${spec.domain}:${context.configuration.httpsPort}/x?y=1`);
    expect((await ask(context, { host: spec.domain, tls: true, ca: authority })).body).toBe('secure');
    // Spoken to in the wrong protocol, the secure port says where to go.
    const wrong = await ask(
      { ...context, configuration: { ...context.configuration, httpPort: context.configuration.httpsPort } },
      { host: spec.domain },
    );
    expect(wrong.status).toBe(308);
  });

  it('asks for a password where a site is protected', async () => {
    const salt = randomBytes(12);
    const digest = createHash('sha1').update('let me in').update(salt).digest();
    const passwordHash = `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}`;
    const spec = siteSpec({ domain: 'alice.holdfast.test', protection: { username: 'guest', passwordHash } });
    const broken = siteSpec({
      domain: 'b-alice.holdfast.test',
      protection: { username: 'a:b\n', passwordHash: 'plain' },
    });
    for (const { id } of [spec, broken]) await serve(id, (_request, response) => response.end('inside'));
    await gateway.publish([spec, broken]);
    const basic = (text: string): Record<string, string> => ({
      Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    });
    const refused = await ask(context, { host: spec.domain });
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toContain('Basic');
    expect(refused.body).toContain('asks for a password');
    expect((await ask(context, { host: spec.domain, headers: basic('guest:wrong') })).status).toBe(401);
    expect((await ask(context, { host: spec.domain, headers: basic('guest:let me in') })).body).toBe('inside');
    expect((await ask(context, { host: broken.domain, headers: basic('a:plain') })).status).toBe(401);
  });

  it('lets nobody past the password by way of the path of a certificate challenge', async () => {
    const spec = siteSpec({
      domain: 'alice.holdfast.test',
      protection: { username: 'guest', passwordHash: '$apr1$salt$hash' },
      forceHttps: true,
    });
    await serve(spec.id, (request, response) => response.end(`seen ${request.url}`));
    await gateway.publish([spec]);
    const paths = [
      '/secret/../.well-known/acme-challenge/x',
      '/secret/%2e%2e/.well-known/acme-challenge/x',
      '/.well-known/acme-challenge/x?next=/secret',
      '/.well-known/acme-challenge/%2e%2e%2fsecret',
      '/.well-known/acme-challenge/a/../../../secret',
      '/.well-known/acme-challenge/',
    ];
    for (const path of paths) {
      const answer = await ask(context, { host: spec.domain, path, tls: true, ca: authority });
      expect([path, answer.body.includes('seen')]).toEqual([path, false]);
    }
    const challenge = await ask(context, { host: spec.domain, path: '/.well-known/acme-challenge/aB_-9' });
    expect(challenge.body).toBe('seen /.well-known/acme-challenge/aB_-9');
  });

  it('tells a site its own name, whatever a visitor writes into the Host header', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (request, response) =>
      response.end(`${request.headers.host ?? ''} ${String(request.headers['x-forwarded-host'])}`),
    );
    await gateway.publish([spec]);
    const seen = async (host: string, path = '/'): Promise<string> => (await ask(context, { host, path })).body;
    expect(await seen('alice.holdfast.test')).toBe('alice.holdfast.test alice.holdfast.test');
    expect(await seen('Alice.Holdfast.test:81')).toBe('Alice.Holdfast.test:81 Alice.Holdfast.test:81');
    expect(await seen('alice.holdfast.test:@evil.example')).toBe('alice.holdfast.test alice.holdfast.test');
    expect(await seen('evil.example', 'http://alice.holdfast.test/')).toBe('alice.holdfast.test alice.holdfast.test');
  });

  it('carries websockets', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    const server = await serve(spec.id, (_request, response) => response.end());
    let upgraded: Duplex | undefined;
    server.on('upgrade', (request, socket) => {
      upgraded = socket;
      const accept = createHash('sha1').update(
        `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
      );
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
      );
      const text = Buffer.from('hello');
      socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    });
    await gateway.publish([spec]);
    const socket: Socket = connect(context.configuration.httpPort, '127.0.0.1');
    try {
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: ${spec.domain}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      );
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      await until(() => text.includes('hello'), 'The first message', 10_000);
      expect(text).toContain('101 Switching Protocols');
      // A reload does not close it.
      await gateway.publish([spec, siteSpec({ domain: 'other-alice.holdfast.test' })]);
      expect(socket.destroyed).toBe(false);
    } finally {
      socket.destroy();
      upgraded?.destroy();
    }
  });

  it("writes each site's access log in PythonAnywhere's format, readable by the account only", async () => {
    const spec = siteSpec({ domain: 'logs-alice.holdfast.test' });
    await serve(spec.id, (_request, response) => response.end('x'));
    await gateway.publish([spec]);
    await ask(context, { host: spec.domain, path: '/seen', headers: { 'User-Agent': 'tester "1"' } });
    const file = join(context.layout.logs, 'alice', `${spec.domain}.access.log`);
    await until(async () => (await readFile(file, 'utf8')).includes('/seen'), 'The line in the log', 10_000);
    expect(await readFile(file, 'utf8')).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/seen HTTP\/1\.1" 200 1 "-" "tester \\x221\\x22" "127\.0\.0\.1" response-time=\d+\.\d{3}$/m,
    );
    const entry = await stat(file);
    expect([entry.uid, entry.gid, entry.mode & 0o777]).toEqual([context.ids.gateway, accountGid(), 0o640]);
    const directory = await stat(join(context.layout.logs, 'alice'));
    expect([directory.uid, directory.gid, directory.mode & 0o777]).toEqual([0, accountGid(), 0o751]);
  });

  it('serves the pages of the platform, and an honest answer while the control plane is away', async () => {
    await gateway.publish([]);
    const pages = join(context.layout.gateway, 'pages');
    const missing = await ask(context, { host: 'holdfast.test', tls: true, ca: authority });
    expect(missing.status).toBe(503);
    await mkdir(join(pages, 'assets'), { recursive: true });
    await writeFile(join(pages, 'index.html'), '<!doctype html><title>Holdfast</title>');
    await writeFile(join(pages, 'assets', 'app-1a2b.js'), 'export {}');
    for (const [path, status] of [
      ['/', 200],
      ['/web/0123456789ab/logs', 200],
      ['/files/home/alice/a%20b.txt', 200],
      ['/user/alice/webapps/', 200],
      ['/nowhere', 404],
      ['/sites/42', 404],
      ['/wp-login.php', 404],
    ] as const) {
      const page = await ask(context, { host: 'www.holdfast.test', path, tls: true, ca: authority });
      expect([path, page.status]).toEqual([path, status]);
      expect(page.body).toContain('<title>Holdfast');
      expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(page.headers['cache-control']).toBe('no-cache');
    }
    const asset = await ask(context, { host: 'holdfast.test', path: '/assets/app-1a2b.js', tls: true, ca: authority });
    expect(asset.headers['cache-control']).toContain('immutable');
    expect(asset.headers['content-type']).toContain('text/javascript');
    const bundle = await ask(context, { host: 'holdfast.test', path: '/ca-bundle.pem', tls: true, ca: authority });
    expect([bundle.status, bundle.body.endsWith(authority)]).toEqual([200, true]);
    const down = await ask(context, { host: 'holdfast.test', path: '/api/holdfast/status', tls: true, ca: authority });
    expect(down.status).toBe(503);
    expect(JSON.parse(down.body)).toMatchObject({ code: 'not-ready' });
    expect(down.headers['retry-after']).toBe('5');
    const plain = await ask(context, { host: 'holdfast.test', path: '/api/v0/' });
    expect(plain.headers.location).toBe(`https://holdfast.test:${context.configuration.httpsPort}/api/v0/`);
  });

  it('passes the API to the control plane as it is: doubled slashes, streamed uploads, events as they come', async () => {
    await gateway.publish([]);
    const socket = context.layout.controlSocket;
    await mkdir(join(socket, '..'), { recursive: true });
    let firstByte: (() => void) | undefined;
    const arrived = new Promise<void>((resolve) => (firstByte = resolve));
    const control = createServer((request, response) => {
      if (request.url === '/api/holdfast/events') {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('data: one\n\n');
        return;
      }
      request.once('data', () => firstByte?.());
      request.resume();
      request.on('end', () => response.end(JSON.stringify({ url: request.url, headers: request.headers })));
    });
    servers.push(control);
    await new Promise<void>((resolve) => control.listen(socket, resolve));
    await chown(socket, context.ids.control, context.ids.gateway);
    await chmod(socket, 0o660);
    const answer = await ask(context, {
      host: 'holdfast.test',
      path: '/api/v0/user/alice//files/path//home/alice/x.py/',
      tls: true,
      ca: authority,
      headers: { 'X-Forwarded-For': '10.9.9.9', 'X-Real-IP': '10.9.9.9' },
    });
    expect(JSON.parse(answer.body)).toMatchObject({
      url: '/api/v0/user/alice//files/path//home/alice/x.py/',
      headers: { 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' },
    });

    const { request } = await import('node:https');
    const common = {
      host: '127.0.0.1',
      port: context.configuration.httpsPort,
      servername: 'holdfast.test',
      ca: authority,
    };
    const upload = request({
      ...common,
      agent: false,
      method: 'PUT',
      path: '/api/holdfast/files/content?path=/x',
      headers: { Host: 'holdfast.test' },
    });
    const finished = new Promise<number>((resolve, reject) => {
      upload.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      upload.on('error', reject);
    });
    upload.write(Buffer.alloc(200_000, 'a'));
    await arrived; // The control plane has bytes although the upload has not ended.
    upload.end('b');
    expect(await finished).toBe(200);

    const events = request({
      ...common,
      agent: false,
      path: '/api/holdfast/events',
      headers: { Host: 'holdfast.test' },
    });
    const event = await new Promise<string>((resolve, reject) => {
      events.on('response', (response) => response.once('data', (chunk: Buffer) => resolve(chunk.toString())));
      events.on('error', reject);
      events.end();
    });
    expect(event).toContain('data: one');
    events.destroy();
  });

  it('serves a certificate for every name by SNI, and a custom one where given', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    const own = await (
      await openAuthority(join(context.layout.agent, 'another'), 'another')
    ).issue(['shop.example.org']);
    const shop = siteSpec({ domain: 'shop.example.org', certificate: own });
    const wrong = siteSpec({ domain: 'wrong.example.org', certificate: own });
    for (const { id } of [spec, shop, wrong]) await serve(id, (_request, response) => response.end('ok'));
    await gateway.publish([spec, shop, wrong]);
    for (const host of ['alice.holdfast.test', 'www.holdfast.test', 'wrong.example.org']) {
      expect((await ask(context, { host, tls: true, ca: authority })).status).toBeGreaterThan(0);
    }
    const other = (await openAuthority(join(context.layout.agent, 'another'), 'another')).certificatePem;
    expect((await ask(context, { host: 'shop.example.org', tls: true, ca: other })).body).toBe('ok');
    expect(await gateway.handlers['sites.certificate']({ domain: 'shop.example.org' })).toMatchObject({
      custom: true,
      alternativeNames: ['shop.example.org'],
    });
    expect(await gateway.handlers['sites.certificate']({ domain: 'alice.holdfast.test' })).toMatchObject({
      custom: false,
    });
    await expect(gateway.handlers['sites.certificate']({ domain: 'none.example.org' })).rejects.toMatchObject({
      code: 'not-found',
    });
    const bundle = await readFile(join(context.layout.gateway, 'ca-bundle.pem'), 'utf8');
    expect(bundle).toContain(authority.trim());
    expect(new X509Certificate(authority).ca).toBe(true);
  });

  it('does not reload when nothing changed, and joins publications that come together', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await gateway.publish([spec]);
    const before = gateway.processes().map((entry) => entry.pid);
    await gateway.publish([{ ...spec, revision: 2, workers: 4 }]);
    expect(gateway.processes().map((entry) => entry.pid)).toEqual(before);
    const many = Array.from({ length: 30 }, (_, index) => siteSpec({ domain: `s${index}-alice.holdfast.test` }));
    await Promise.all(many.map(async (_, index) => await gateway.publish(many.slice(0, index + 1))));
    expect((await ask(context, { host: 's29-alice.holdfast.test' })).status).toBe(502);
  });

  it('drops no request over reloads', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (_request, response) => response.end('ok'));
    await gateway.publish([spec]);
    const work = { going: true };
    let done = 0;
    const failures: string[] = [];
    const client = async (): Promise<void> => {
      while (work.going) {
        try {
          const answer = await ask(context, { host: spec.domain });
          if (answer.status !== 200) failures.push(String(answer.status));
          done++;
        } catch (error) {
          failures.push(String(error));
        }
      }
    };
    const clients = [client(), client(), client(), client()];
    for (let round = 0; round < 5; round++) {
      await gateway.publish([spec, siteSpec({ domain: `r${round}-alice.holdfast.test` })]);
    }
    work.going = false;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(0);
  });

  it('is adopted by the next agent without an interruption, its sites still served', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (_request, response) => response.end('still here'));
    await gateway.publish([spec]);
    const before = gateway.processes().map((entry) => entry.pid);
    await gateway.stop('leave');
    expect((await ask(context, { host: spec.domain })).body).toBe('still here');
    const asleep = await ask(context, { host: 'alice.holdfast.test', path: '/' });
    expect(asleep.status).toBe(200);
    gateway = createGateway(context, { wakeDomain: (domain) => wake(domain) });
    await gateway.start();
    expect(gateway.processes().map((entry) => entry.pid)).toEqual(before);
    expect(gateway.ready()).toBe(true);
    expect((await ask(context, { host: spec.domain })).body).toBe('still here');
  });

  it('notices that nginx was killed and starts it again, orphaned workers included', async () => {
    const spec = siteSpec({ domain: 'alice.holdfast.test' });
    await serve(spec.id, (_request, response) => response.end('back'));
    await gateway.publish([spec]);
    const master = gateway.processes().find((entry) => entry.name.startsWith('nginx: master'));
    process.kill(master?.pid ?? 0, 'SIGKILL');
    await until(() => !gateway.ready(), 'The death being noticed', 10_000);
    await until(() => gateway.ready(), 'The new nginx', 30_000);
    expect(gateway.processes().find((entry) => entry.name.startsWith('nginx: master'))?.pid).not.toBe(master?.pid);
    expect((await ask(context, { host: spec.domain })).body).toBe('back');
  }, 60_000);

  it('says who uses a port it needs', async () => {
    const second = await testContext();
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(second.configuration.httpPort, resolve));
    const other = createGateway(second, { wakeDomain: (domain) => wake(domain) });
    try {
      await expect(other.start()).rejects.toMatchObject({
        code: 'port-in-use',
        message: expect.stringContaining(`process ${process.pid}`) as string,
      });
    } finally {
      await new Promise((resolve) => blocker.close(resolve));
      await other.stop('stop');
      await second.remove();
    }
  }, 60_000);
});
