import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { symlink, lchown } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 120_000;

/** The same table for whatever serves the files: nothing else, uWSGI behind, gunicorn behind. */
const SERVERS = ['static', 'uwsgi', 'gunicorn'] as const;
type Server = (typeof SERVERS)[number];

const APPLICATION = `import time
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/early":
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", "7")])
        return [b"refused"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    seen = "|".join([environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], environ.get("HTTP_X_REAL_IP", ""),
        environ.get("HTTP_X_FORWARDED_PROTO", ""), environ["HTTP_HOST"], str(len(body)), str(len(environ.get("HTTP_X_LONG", "")))])
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Accel-Buffering", "no"), ("X-Answer", "a" * int(environ.get("HTTP_X_WANT", "1")))])
    return [seen.encode()]
`;

const BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251));

const grounds = new Map<Server, TestGround>();
const programs = new Map<Server, Programs>();
const sites = new Map<Server, SiteSpec>();

async function link(ground: TestGround, account: AccountSpec, target: string, path: string): Promise<void> {
  const home = ground.pathsOf(account.name).home;
  const file = join(home, path);
  await symlink(target, file);
  await lchown(file, account.uid, account.uid);
}

async function fill(ground: TestGround, owner: AccountSpec): Promise<void> {
  const home = `/home/${owner.name}`;
  const write = async (path: string, content: string): Promise<void> =>
    await ground.write(owner, `${home}/${path}`, content);
  await write('public/docs/index.html', '<a href="two.html">two</a>');
  await write('public/docs/two.html', 'two');
  await write('public/docs/empty/x', 'x');
  await write('public/a b/index.html', 'spaces');
  await write('public/.well-known/security.txt', 'dot');
  await write('public-private/secret', 'hidden text');
  await write('outside/secret', 'hidden text');
  await write('releases/42/app.css', 'body{}');
  await write('public/long.css', 'body { color: #123456 }\n'.repeat(200));
  await write('robots', 'robots');
  await write('public/cost $5 "q" \\ {x};.txt', 'odd name');
  for (const name of [
    'p.JPG',
    'v.Svg',
    'm.mjs',
    'w.wasm',
    'f.woff2',
    's.webmanifest',
    'c.css',
    'n.unknown',
    'Makefile',
  ])
    await write(`public/types/${name}`, 'x');
  await ground.write(owner, `${home}/public/clip.mp4`, BYTES.toString('latin1'));
  await link(ground, owner, '../releases/42', 'public/current');
  await link(ground, owner, '/etc/passwd', 'public/passwd');
  await link(ground, owner, '/proc/self/environ', 'public/environ');
  await link(ground, owner, 'nowhere', 'public/dangling');
}

beforeAll(async () => {
  for (const server of SERVERS) {
    const ground = await openTestGround();
    grounds.set(server, ground);
    // A machine whose uWSGI has no plugin for the site's Python: here the plugin is only said to be missing.
    const its = createPrograms(ground.context, ground.storage, {
      lookEveryMs: 100,
      ...(server === 'gunicorn' ? { pluginVersion: '3.99' } : {}),
    });
    programs.set(server, its);
    const owner = await ground.account(`s${server}`);
    await fill(ground, owner);
    const home = `/home/${owner.name}`;
    const site = siteSpec(owner, `${owner.name}.localhost`, {
      kind: server === 'static' ? 'static' : 'wsgi',
      virtualenv: server === 'gunicorn' ? 'mine' : '',
      staticFiles: [
        { id: 1, url: '/static/', path: `${home}/public` },
        { id: 2, url: '/robots.txt', path: `${home}/robots` },
        { id: 3, url: '/current', path: `${home}/public/current/` },
        { id: 4, url: '/static', path: `${home}/outside` },
        { id: 5, url: '/gone/', path: `${home}/never-made` },
      ],
      staticHeaders: [
        { id: 1, url: '/static', name: 'X-Kind', value: 'file of $5; "quoted" {}' },
        { id: 2, url: '/dynamic', name: 'X-Dynamic', value: 'yes' },
      ],
    });
    sites.set(server, site);
    if (server !== 'static')
      await ground.write(owner, `/var/www/${site.domain.replaceAll('.', '_')}_wsgi.py`, APPLICATION);
    await its.start();
    await its.sync([owner], [site]);
    if (server === 'gunicorn') {
      const made = await its.sandboxes.run(
        { account: owner, home: ground.storage.homeOf(owner.name), command: ['/usr/bin/python3.11', '-m', 'venv', '--without-pip', '--system-site-packages', `${home}/.virtualenvs/mine`] },
        { deadlineMs: 60_000 },
      ); // prettier-ignore
      if (made.code !== 0) throw new Error(`no virtualenv: ${made.stderr}`);
      const script = 'import sys\nfrom gunicorn.app.wsgiapp import run\nsys.exit(run())\n';
      await ground.write(owner, `${home}/.virtualenvs/mine/bin/gunicorn`, script);
    }
    await its.handlers['sites.wake']({ id: site.id });
  }
}, SLOW);

afterAll(async () => {
  for (const one of programs.values()) await one.stop('stop');
  for (const ground of grounds.values()) await ground.close();
}, SLOW);

interface Exchange {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

async function get(
  server: Server,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body?: Buffer,
): Promise<Exchange> {
  const [site, ground] = [sites.get(server), grounds.get(server)];
  if (site === undefined || ground === undefined) throw new Error(`no site ${server}`);
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath: join(ground.context.layout.sites, site.id, 'current', 'app.sock'),
        path,
        method,
        agent: false,
        headers: { host: `${site.domain}:8443`, connection: 'close', ...headers },
        signal: AbortSignal.timeout(30_000),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const CLIP = Buffer.from(BYTES.toString('latin1'), 'utf8');

describe.each(SERVERS)('files of a site (%s)', (server) => {
  test('a directory without its slash is redirected to the one with it, as the visitor sees the site', async () => {
    const answer = await get(server, '/static/docs');
    expect(answer.status).toBe(301);
    expect(answer.headers.location).toBe('/static/docs/');
    expect((await get(server, '/static/docs?a=1&b=%20')).headers.location).toBe('/static/docs/?a=1&b=%20');
    expect((await get(server, '/static')).headers.location).toBe('/static/');
    expect((await get(server, '/static/a%20b')).headers.location).toBe('/static/a%20b/');
    expect((await get(server, '//static//docs')).headers.location).toBe('/static/docs/');
    expect((await get(server, '/static/docs/')).body.toString()).toContain('two.html');
    expect((await get(server, '/static/docs/two.html')).body.toString()).toBe('two');
  });

  test.each([
    ['bytes=0-1', 0, 2],
    ['bytes=500-999', 500, 1000],
    ['bytes=99990-', 99990, undefined],
    ['bytes=-100', -100, undefined],
    ['bytes=99000-999999', 99000, undefined],
  ])('range %s', async (range, from, to) => {
    const answer = await get(server, '/static/clip.mp4', { range });
    const wanted = CLIP.subarray(from, to);
    expect(answer.status).toBe(206);
    const first = from < 0 ? CLIP.length + from : from;
    expect(answer.headers['content-range']).toBe(`bytes ${first}-${first + wanted.length - 1}/${CLIP.length}`);
    expect(digest(answer.body)).toBe(digest(wanted));
  });

  test('ranges that cannot be, or are not ranges, and several ranges', async () => {
    const whole = await get(server, '/static/clip.mp4');
    expect(whole.headers).toMatchObject({ 'accept-ranges': 'bytes', 'content-length': String(CLIP.length) });
    expect(digest(whole.body)).toBe(digest(CLIP));
    const beyond = await get(server, '/static/clip.mp4', { range: 'bytes=900000-' });
    expect(beyond.status).toBe(416);
    expect(beyond.headers['content-range']).toBe(`bytes */${CLIP.length}`);
    for (const range of ['items=0-5', 'bytes=abc', 'bytes=', 'bytes=-', 'bytes=1', 'bytes=0-1,x', 'nonsense']) {
      const answer = await get(server, '/static/clip.mp4', { range });
      expect([range, answer.status, answer.body.length]).toEqual([range, 200, CLIP.length]);
    }
    const several = await get(server, '/static/clip.mp4', { range: 'bytes=0-0,-1' });
    expect(several.status).toBe(206);
    expect(several.headers['content-type']).toContain('multipart/byteranges');
    expect(several.body.toString('latin1').match(/Content-Range: bytes /g)).toHaveLength(2);
  });

  test('a resumed download gets the rest of the same file, or the whole of the new one', async () => {
    const { headers } = await get(server, '/static/clip.mp4');
    const [etag, modified] = [String(headers.etag), String(headers['last-modified'])];
    expect(etag).toMatch(/^"[^"]+"$/);
    const range = 'bytes=500-999';
    const path = '/static/clip.mp4';
    expect((await get(server, path, { range, 'if-range': etag })).status).toBe(206);
    expect((await get(server, path, { range, 'if-range': modified })).status).toBe(206);
    for (const other of ['"another"', 'Wed, 01 Jan 2020 00:00:00 GMT']) {
      const answer = await get(server, path, { range, 'if-range': other });
      expect([other, answer.status, answer.body.length]).toEqual([other, 200, CLIP.length]);
    }
  });

  test('conditions', async () => {
    const path = '/static/clip.mp4';
    const { headers } = await get(server, path);
    const [etag, modified] = [String(headers.etag), String(headers['last-modified'])];
    const status = async (more: Record<string, string>): Promise<number> => (await get(server, path, more)).status;
    expect(await status({ 'if-modified-since': modified })).toBe(304);
    expect(await status({ 'if-modified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' })).toBe(200);
    expect(await status({ 'if-none-match': etag })).toBe(304);
    expect(await status({ 'if-none-match': `W/${etag}` })).toBe(304);
    expect(await status({ 'if-none-match': '"another"' })).toBe(200);
    expect(await status({ 'if-match': '"another"' })).toBe(412);
    expect(await status({ 'if-unmodified-since': 'Sat, 01 Jan 2000 00:00:00 GMT' })).toBe(412);
  });

  test('HEAD has the headers of GET and no body', async () => {
    const answer = await get(server, '/static/clip.mp4', {}, 'HEAD');
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ 'content-length': String(CLIP.length), 'content-type': 'video/mp4' });
    expect(answer.body).toHaveLength(0);
  });

  test.each([
    ['p.JPG', 'image/jpeg'],
    ['v.Svg', 'image/svg+xml'],
    ['m.mjs', 'text/javascript'],
    ['w.wasm', 'application/wasm'],
    ['f.woff2', 'font/woff2'],
    ['s.webmanifest', 'application/manifest+json'],
    ['c.css', 'text/css'],
    ['n.unknown', 'application/octet-stream'],
    ['Makefile', 'application/octet-stream'],
  ])('type of %s', async (name, type) => {
    expect((await get(server, `/static/types/${name}`)).headers['content-type']).toBe(type);
  });

  test('text is made smaller for who asks, and then its ETag is a weak one', async () => {
    const plain = await get(server, '/static/long.css');
    expect(plain.headers.etag).toMatch(/^"/);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const small = await get(server, '/static/long.css', { 'accept-encoding': 'gzip' });
    expect(small.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(gunzipSync(small.body).equals(plain.body)).toBe(true);
    const etag = String(small.headers.etag);
    expect(etag).toBe(`W/${plain.headers.etag?.toString()}`);
    expect((await get(server, '/static/long.css', { 'if-none-match': etag })).status).toBe(304);
    const clip = await get(server, '/static/clip.mp4', { 'accept-encoding': 'gzip' });
    expect(clip.headers.etag).toMatch(/^"/);
  });

  test('a mapped file, odd names, names that begin with a dot', async () => {
    expect((await get(server, '/robots.txt')).body.toString()).toBe('robots');
    expect((await get(server, '/robots.txt/')).status).toBe(404);
    expect((await get(server, '/static/.well-known/security.txt')).body.toString()).toBe('dot');
    const odd = encodeURIComponent('cost $5 "q" \\ {x};.txt');
    expect((await get(server, `/static/${odd}`)).body.toString()).toBe('odd name');
  });

  test('nothing beside the mapped directory can be reached', async () => {
    for (const path of [
      '/static-private/secret',
      '/static/../public-private/secret',
      '/static/%2e%2e/public-private/secret',
      '/static/..%2fpublic-private/secret',
      '/static/.%2E/outside/secret',
      '/static/docs/../../outside/secret',
      '/static../outside/secret',
      '/../../../etc/passwd',
      '/static/..',
      '/static/two.html%00.txt',
      '/static/..%5coutside%5csecret',
    ]) {
      const answer = await get(server, path);
      expect({ path, body: answer.body.toString() }).not.toMatchObject({
        body: expect.stringMatching(/hidden text|root:/) as string,
      });
      if (/\.\.|%2e|%00/i.test(path) && !path.startsWith('/static../'))
        expect([path, answer.status]).toEqual([path, 400]);
    }
  });

  test("links are followed to the member's own files and to nothing else", async () => {
    expect((await get(server, '/static/current/app.css')).body.toString()).toBe('body{}');
    expect((await get(server, '/current/app.css')).body.toString()).toBe('body{}');
    expect((await get(server, '/static/passwd')).status).toBe(403);
    const environment = await get(server, '/static/environ');
    expect(environment.body.toString()).not.toContain('HOME=');
    expect((await get(server, '/static/dangling')).status).toBe(404);
  });

  test('headers of a URL prefix', async () => {
    const value = 'file of $5; "quoted" {}';
    expect((await get(server, '/static/docs/two.html')).headers['x-kind']).toBe(value);
    expect((await get(server, '/static/missing')).headers['x-kind']).toBe(value);
    expect((await get(server, '/static-private/x')).headers['x-kind']).toBeUndefined();
    expect((await get(server, '/robots.txt')).headers['x-kind']).toBeUndefined();
    expect((await get(server, '/dynamic/x')).headers['x-dynamic']).toBe('yes');
  });

  test('a missing file below a mapping is 404, and a file takes no POST', async () => {
    for (const path of ['/static/missing', '/gone/x', '/gone', '/static/docs/two.html/x'])
      expect([path, (await get(server, path)).status]).toEqual([path, 404]);
    const posted = await get(server, '/static/docs/two.html', {}, 'POST', Buffer.alloc(3_000_000));
    expect(posted).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

describe.each(['uwsgi', 'gunicorn'] as const)('the application behind the files (%s)', (server) => {
  test('gets method, path as sent, query, body, and what the gateway says of the visitor', async () => {
    const domain = sites.get(server)?.domain ?? '';
    const answer = await get(
      server,
      '/dynamic/a%20b//c?x=1&y',
      { 'x-real-ip': '192.0.2.7', 'x-forwarded-proto': 'https' },
      'PUT',
      Buffer.alloc(2_000_000),
    );
    expect(answer.body.toString()).toBe(`PUT|/dynamic/a b//c|x=1&y|192.0.2.7|https|${domain}:8443|2000000|0`);
    expect(answer.headers['x-accel-buffering']).toBe('no');
  });

  test('an answer that comes before the body was read arrives whole', async () => {
    for (const bytes of [1_000, 5_000_000]) {
      const answer = await get(server, '/early', {}, 'POST', Buffer.alloc(bytes));
      expect([bytes, answer.status, answer.body.toString()]).toEqual([bytes, 403, 'refused']);
    }
  });

  test('long headers pass in both directions', async () => {
    const answer = await get(server, '/', { 'x-long': 'l'.repeat(7_000), 'x-want': '14000' });
    expect(answer.body.toString()).toMatch(/\|7000$/);
    expect(String(answer.headers['x-answer'])).toHaveLength(14_000);
  });

  test('is stopped after it, and the last request is answered whole', async () => {
    const [its, site, ground] = [programs.get(server), sites.get(server), grounds.get(server)];
    if (its === undefined || site === undefined || ground === undefined) throw new Error('no site');
    const before = await ground.processesOf(site);
    expect(before).toHaveLength(1);
    expect(await its.handlers['sites.sleep']({ id: site.id })).toMatchObject({ state: 'asleep' });
    expect(await livingGenerations(ground.context, site)).toEqual([]);
    await its.handlers['sites.wake']({ id: site.id });
    expect((await ask(ground.context, site, '/')).status).toBe(200);
    expect(await logOf(ground.context, site, 'server')).not.toMatch(/\[(alert|emerg|crit|warn)\]/);
  });
});
