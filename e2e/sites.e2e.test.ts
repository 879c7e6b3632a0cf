import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { Platform } from './platform.ts';

interface SiteEntry {
  id: string;
  domain: string;
  status: {
    state: string;
    processes: number;
    failure: { step: string; message: string; output: string[] } | null;
  } | null;
}

/** One text frame of a client, masked as RFC 6455 demands; the answer's payload. */
async function echoByWebsocket(platform: Platform, host: string, text: string): Promise<string> {
  const key = randomBytes(16).toString('base64');
  return await new Promise((resolve, reject) => {
    const call = httpsRequest({
      host: '127.0.0.1',
      port: platform.httpsPort,
      servername: host,
      ca: readFileSync(join(platform.layout.gateway, 'authority.pem')),
      path: '/ws',
      headers: {
        host,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
      },
      signal: AbortSignal.timeout(60_000),
    });
    call.on('error', reject);
    call.on('response', (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
    call.on('upgrade', (response, socket, head) => {
      const accepted = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      if (response.headers['sec-websocket-accept'] !== accepted) reject(new Error('wrong accept key'));
      const payload = Buffer.from(text);
      const mask = randomBytes(4);
      const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, masked]));
      let received = head;
      const look = (): void => {
        const length = received[1];
        if (length === undefined || received.length < 2 + length) return;
        resolve(received.subarray(2, 2 + length).toString());
        socket.destroy();
      };
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        look();
      });
      look();
    });
    call.end();
  });
}

describe("a member's sites", () => {
  let platform: Platform;
  let account: { username: string; password: string; api_token: string };
  const domain = 'alice.localhost';
  const second = 'two-alice.localhost';
  const sites = (): string => 'v0/user/alice/webapps/';

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    account = await platform.account('alice', 'large');
    await platform.wsgiSite(account, "def application(e, s):\n    s('200 OK', [])\n    return [b'it runs']\n");
  });

  afterAll(async () => {
    await platform?.remove();
  });

  const entry = async (of: string): Promise<SiteEntry> => {
    const found = (await platform.holdfastJson<SiteEntry[]>('site', 'list')).find((site) => site.domain === of);
    if (!found) throw new Error(`${of} is not defined`);
    return found;
  };

  it('speak websockets through the gateway (FastAPI by command, made with the v1 API)', async () => {
    await platform.writeFile(
      account,
      '/home/alice/ws/main.py',
      'from fastapi import FastAPI, WebSocket\napp = FastAPI()\n@app.websocket("/ws")\nasync def echo(ws: WebSocket):\n    await ws.accept()\n    await ws.send_text(await ws.receive_text())\n',
    );
    const made = await platform.apiJson(account.api_token, 'v1/user/alice/websites/', 'POST', {
      domain_name: second,
      enabled: true,
      webapp: { command: 'uvicorn --app-dir /home/alice/ws --uds ${DOMAIN_SOCKET} main:app' },
    });
    expect(made.status, made.text).toBe(201);
    expect(await echoByWebsocket(platform, second, 'over the gateway')).toBe('over the gateway');
  });

  it('log what visitors asked for, where the member reads it', async () => {
    await platform.request(domain, '/some/page?x=1', { headers: { 'user-agent': 'a test' } });
    const line = async (): Promise<string> =>
      (await platform.api(account.api_token, `v0/user/alice/files/path/var/log/${domain}.access.log`)).text;
    await until(
      async () => (await line()).includes('GET /some/page?x=1 HTTP/1.1'),
      'the line in the access log',
      60_000,
      2_000,
    );
    expect(await line()).toMatch(/"GET \/some\/page\?x=1 HTTP\/1\.1" 200 \d+ "-" "a test" "[^"]*" response-time=\d/);
  });

  it('can insist on HTTPS and on a password', async () => {
    const change = await platform.apiJson(account.api_token, `${sites()}${domain}/`, 'PATCH', {
      force_https: true,
      password_protection_enabled: true,
      password_protection_username: 'guest',
      password_protection_password: 'open sesame',
    });
    expect(change.status, change.text).toBe(200);
    const plain = await new Promise<{ status: number; location: string }>((resolve, reject) => {
      const call = httpRequest(
        { host: '127.0.0.1', port: platform.httpPort, path: '/a?b=c', headers: { host: domain } },
        (response) => {
          response.resume();
          resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '' });
        },
      );
      call.on('error', reject);
      call.end();
    });
    expect(plain.status).toBeGreaterThanOrEqual(301);
    expect(plain.location).toBe(`https://${domain}:${platform.httpsPort}/a?b=c`);
    expect((await platform.request(domain, '/')).status).toBe(401);
    const authorization = `Basic ${Buffer.from('guest:open sesame').toString('base64')}`;
    expect((await platform.request(domain, '/', { headers: { authorization } })).text).toBe('it runs');
    await platform.apiJson(account.api_token, `${sites()}${domain}/`, 'PATCH', {
      force_https: false,
      password_protection_enabled: false,
    });
    expect((await platform.request(domain, '/')).text).toBe('it runs');
  });

  it('tell their owner what failed and the visitor nothing', async () => {
    await platform.writeFile(account, '/var/www/alice_localhost_wsgi.py', 'import secret_module_of_alice\n');
    const reload = await platform.api(account.api_token, `${sites()}${domain}/reload/`, { method: 'POST' });
    expect(reload.status).toBeGreaterThanOrEqual(400);
    const failed = await entry(domain);
    expect(failed.status?.failure?.step).toBe('import');
    expect(JSON.stringify(failed.status?.failure)).toContain('secret_module_of_alice');
    // The old generation goes on serving; a visitor of a site that cannot start at all sees nothing internal.
    expect((await platform.request(domain, '/')).text).toBe('it runs');
    await platform.api(account.api_token, `${sites()}${domain}/disable/`, { method: 'POST' });
    const off = await platform.request(domain, '/');
    expect(off.status).toBe(503);
    await platform.api(account.api_token, `${sites()}${domain}/enable/`, { method: 'POST' });
    const broken = await platform.request(domain, '/');
    expect(broken.status).toBeGreaterThanOrEqual(500);
    expect(broken.text).not.toMatch(/secret_module|Traceback|\/var\/|\/home\//);
    await platform.writeFile(
      account,
      '/var/www/alice_localhost_wsgi.py',
      "def application(e, s):\n    s('200 OK', [])\n    return [b'mended']\n",
    );
    const again = await platform.api(account.api_token, `${sites()}${domain}/reload/`, { method: 'POST' });
    expect(again.status, again.text).toBe(200);
    expect((await platform.request(domain, '/')).text).toBe('mended');
  });

  it('are reloaded when their WSGI file is touched', async () => {
    await platform.request(domain, '/');
    await platform.writeFile(
      account,
      '/var/www/alice_localhost_wsgi.py',
      "def application(e, s):\n    s('200 OK', [])\n    return [b'touched']\n",
    );
    await until(async () => (await platform.request(domain, '/')).text === 'touched', 'the new code', 90_000, 300);
  });

  it('refuse a domain that is taken, malformed or the platform’s own', async () => {
    const python = await platform.python();
    for (const name of [domain, 'not a domain', 'www.localhost', 'bob.localhost']) {
      const answer = await platform.apiJson(account.api_token, sites(), 'POST', {
        domain_name: name,
        python_version: python,
      });
      expect(answer.status, name).toBe(400);
      expect(JSON.parse(answer.text)).toMatchObject({ status: 'ERROR' });
    }
  });

  it('keep the old file whole when the quota is full', async () => {
    const small = await platform.account('bob', 'starter');
    await platform.writeFile(small, '/home/bob/kept.txt', 'the old content');
    const boundary = 'holdfastboundary';
    const big = Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n`),
      randomBytes(520 * 1024 * 1024),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const answer = await platform
      .api(small.api_token, 'v0/user/bob/files/path/home/bob/kept.txt', {
        method: 'POST',
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': String(big.length) },
        body: big,
        deadlineMs: 180_000,
      })
      .catch((error: unknown) => ({ status: 507, text: String(error) })); // It may close the connection while we send.
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const kept = await platform.api(small.api_token, 'v0/user/bob/files/path/home/bob/kept.txt');
    expect(kept.text).toBe('the old content');
  });
});
