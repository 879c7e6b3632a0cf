import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { until } from '../../../runtime/deadline.ts';
import { createCgroups } from '../cgroups.ts';
import { processStat } from '../../kernel/processes.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 90_000;

// A WSGI application behind the site's own nginx, with files at the top of the site.
const APPLICATION = `import os, time
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/end":
        os._exit(3)
    if path == "/kill":
        os.kill(os.getppid(), 9)
        time.sleep(30)
    if path == "/slow":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return slow()
    if path == "/wait":
        while not os.path.exists("/tmp/go-on"): time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("application " + environ["REQUEST_METHOD"] + " " + path).encode()]
def slow():
    yield b"first"
    while not os.path.exists("/tmp/go-on"): time.sleep(0.02)
    yield b"last"
`;

let ground: TestGround;
let programs: Programs;
let owner: AccountSpec;
let site: SiteSpec;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
  owner = await ground.account('front');
  site = siteSpec(owner, 'front.localhost', {
    staticFiles: [
      { id: 1, url: '/', path: '/home/front/public' },
      { id: 2, url: '/media', path: '/home/front/media' },
    ],
  });
  await ground.write(owner, '/var/www/front_localhost_wsgi.py', APPLICATION);
  await ground.write(owner, '/home/front/public/page/index.html', 'page');
  await ground.write(owner, '/home/front/public/bare/file.txt', 'file');
  await ground.write(owner, '/home/front/media/x.txt', 'medium');
  await programs.sync([owner], [site]);
  await programs.handlers['sites.wake']({ id: site.id });
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

/** The request line over a connection of its own; `first` resolves with what came first, `whole` with everything. */
function stream(path: string): { first: Promise<string>; whole: Promise<string> } {
  const socket = connect(join(ground.context.layout.sites, site.id, 'current', 'app.sock'));
  let text = '';
  const first = new Promise<string>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes('first')) resolve(text);
    });
    socket.on('error', reject);
  });
  const whole = new Promise<string>((resolve, reject) => {
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: front.localhost\r\nConnection: close\r\n\r\n`);
  return { first, whole };
}

test(
  'a mapping of "/" sends the files that are there, and everything else is the application',
  async () => {
    const body = async (path: string, method = 'GET'): Promise<string> =>
      (await ask(ground.context, site, path, { method })).body;
    expect(await body('/bare/file.txt')).toBe('file');
    expect(await body('/page/')).toBe('page');
    expect((await ask(ground.context, site, '/page?x=1')).headers.location).toBe('/page/?x=1');
    expect((await ask(ground.context, site, '//page')).headers.location).toBe('/page/');
    expect(await body('/')).toBe('application GET /');
    expect(await body('/bare/')).toBe('application GET /bare/');
    expect(await body('/bare')).toBe('application GET /bare');
    expect(await body('/anything')).toBe('application GET /anything');
    expect(await body('/bare/file.txt', 'POST')).toBe('application POST /bare/file.txt');
    expect((await ask(ground.context, site, '/media/missing')).status).toBe(404);
  },
  SLOW,
);

test(
  'what a view yields comes through at once, and a reload lets it finish',
  async () => {
    const { first, whole } = stream('/slow');
    expect(await first).toContain('first');
    const generation = (await livingGenerations(ground.context, site))[0];
    await programs.handlers['sites.reload']({ id: site.id });
    expect(await livingGenerations(ground.context, site)).toContain(generation);
    await ground.write(owner, '/tmp/go-on', '');
    expect(await whole).toMatch(/last/);
    await until(
      async () => !(await livingGenerations(ground.context, site)).includes(generation ?? 0),
      'the end of the old generation',
      40_000,
      100,
    );
  },
  SLOW,
);

test(
  'a server that ends takes its nginx with it, and a visitor whose answer broke off is told so by the gateway',
  async () => {
    // No answer at all, not one of nginx's own: the gateway has the page for it.
    expect(await stream('/end').whole).toBe('');
    expect(await logOf(ground.context, site, 'server')).toContain('upstream prematurely closed connection');
    const generation = (await livingGenerations(ground.context, site))[0] ?? 0;
    expect(await stream('/kill').whole).toBe('');
    await until(
      async () => !(await livingGenerations(ground.context, site)).includes(generation),
      'the end of the generation whose server was killed',
      40_000,
      100,
    );
  },
  SLOW,
);

test(
  'its nginx is counted with the site and costs at most 4 MiB of its own',
  async () => {
    await programs.handlers['sites.wake']({ id: site.id });
    for (let count = 0; count < 200; count++) await ask(ground.context, site, count % 2 === 0 ? '/' : '/media/x.txt');
    const cgroups = createCgroups(ground.context.configuration.instance);
    const [generation] = await livingGenerations(ground.context, site);
    const pids = await cgroups.processes(owner.name, `site-${site.id}-${generation}`);
    const own = await Promise.all(
      pids.map(async (pid) => ({ name: (await processStat(pid))?.name, bytes: await privateBytes(pid) })),
    );
    const front = own.filter(({ name }) => name === 'nginx' || name === 'front');
    expect(front.filter(({ name }) => name === 'nginx')).toHaveLength(2);
    const total = front.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThanOrEqual(4 * 1024 ** 2);
  },
  SLOW,
);

async function privateBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].map((match) => Number(match[1]));
  return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}
