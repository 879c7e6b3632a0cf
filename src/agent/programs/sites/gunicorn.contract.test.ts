import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 120_000;

// A machine whose uWSGI has no plugin for the site's Python: here the plugin is only said to be missing.
let ground: TestGround;
let programs: Programs;
let owner: AccountSpec;
let site: SiteSpec;

const application = (version: number): string => `import sys
print("complained", file=sys.stderr)
def application(environ, start_response):
    if environ["PATH_INFO"] == "/bad":
        raise KeyError("bad")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("version ${version} " + sys.prefix + " " + str(environ["wsgi.multithread"]) + " " + sys.path[0]).encode()]
`;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100, pluginVersion: '3.99' });
  await programs.start();
  owner = await ground.account('green');
  site = siteSpec(owner, 'green.localhost', {
    virtualenv: 'mine',
    workers: 2,
    staticFiles: [
      { id: 1, url: '/static/', path: '/home/green/static' },
      { id: 2, url: '/robots.txt', path: '/home/green/robots' },
    ],
    staticHeaders: [{ id: 1, url: '/static', name: 'X-Kind', value: 'file' }],
  });
  await ground.write(owner, '/var/www/green_localhost_wsgi.py', application(1));
  await ground.write(owner, '/home/green/static/a.css', 'body{}');
  await ground.write(owner, '/home/green/static/sub/index.html', 'index');
  await ground.write(owner, '/home/green/static-private/a.css', 'private');
  await ground.write(owner, '/home/green/robots', 'robots');
  await programs.sync([owner], [site]);
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

test(
  'a virtualenv without gunicorn is refused with what to install',
  async () => {
    const home = ground.storage.homeOf(owner.name);
    const made = await programs.sandboxes.run(
    { account: owner, home, command: ['/usr/bin/python3.11', '-m', 'venv', '--without-pip', '--system-site-packages', '/home/green/.virtualenvs/mine'] },
    { deadlineMs: 60_000 },
  ); // prettier-ignore
    expect(made).toMatchObject({ code: 0 });
    await expect(programs.handlers['sites.wake']({ id: site.id })).rejects.toMatchObject({
      code: 'site-start-failed',
      message: expect.stringContaining('/home/green/.virtualenvs/mine/bin/pip install gunicorn') as string,
    });
  },
  SLOW,
);

test(
  'gunicorn of the virtualenv serves the site, its mappings and its headers',
  async () => {
    const script = 'import sys\nfrom gunicorn.app.wsgiapp import run\nsys.exit(run())\n';
    await ground.write(owner, '/home/green/.virtualenvs/mine/bin/gunicorn', script);
    expect(await programs.handlers['sites.wake']({ id: site.id })).toMatchObject({ state: 'awake' });
    expect((await ask(ground.context, site, '/')).body).toBe('version 1 /home/green/.virtualenvs/mine False /var/www');
    expect(await ask(ground.context, site, '/static/a.css')).toMatchObject({ status: 200, body: 'body{}' });
    expect((await ask(ground.context, site, '/static/a.css')).headers).toMatchObject({
      'content-type': 'text/css',
      'x-kind': 'file',
    });
    expect((await ask(ground.context, site, '/static/sub/')).body).toBe('index');
    expect((await ask(ground.context, site, '/robots.txt')).body).toBe('robots');
    expect((await ask(ground.context, site, '/static')).status).toBe(301);
    for (const path of [
      '/static-private/a.css',
      '/static/../static-private/a.css',
      '/static/%2e%2e/static-private/a.css',
    ]) {
      expect({ path, body: (await ask(ground.context, site, path)).body }).not.toEqual({ path, body: 'private' });
    }
    expect((await ask(ground.context, site, '/bad')).status).toBe(500);
    const log = await logOf(ground.context, site, 'error');
    expect(log).toContain('complained');
    expect(log).toContain("KeyError: 'bad'");
    expect(log).not.toContain('/opt/holdfast');
    expect(await logOf(ground.context, site, 'server')).toContain('gunicorn');
  },
  SLOW,
);

test(
  'touching its WSGI file reloads it, and it stops cleanly',
  async () => {
    await ground.write(owner, '/var/www/green_localhost_wsgi.py', application(2));
    await until(
      async () => (await ask(ground.context, site, '/')).body.startsWith('version 2'),
      'the new code',
      60_000,
      100,
    );
    expect(await programs.handlers['sites.sleep']({ id: site.id })).toMatchObject({ state: 'asleep' });
    expect(await livingGenerations(ground.context, site)).toEqual([]);
  },
  SLOW,
);

test(
  'an import that fails names the line',
  async () => {
    await ground.write(owner, '/var/www/green_localhost_wsgi.py', 'import nowhere_to_be_found\n');
    await expect(programs.handlers['sites.wake']({ id: site.id })).rejects.toMatchObject({
      code: 'site-start-failed',
      message: expect.stringMatching(/ModuleNotFoundError.*green_localhost_wsgi\.py, line 1/) as string,
    });
  },
  SLOW,
);

test.each([
  ['import os\nos._exit(1)\n', 'The process ended while it imported the WSGI file'],
  ['import os\nos._exit(3)\n', 'The process ended while it imported the WSGI file (exit code 3)'],
  ['import os\nos.abort()\n', 'The process ended while it imported the WSGI file (SIGABRT)'],
])(
  'workers that end in the import are told as that: %j',
  async (source, message) => {
    await programs.handlers['sites.sleep']({ id: site.id });
    await ground.write(owner, '/var/www/green_localhost_wsgi.py', source);
    await expect(programs.handlers['sites.wake']({ id: site.id })).rejects.toMatchObject({
      code: 'site-start-failed',
      message: expect.stringContaining(message) as string,
    });
  },
  SLOW,
);
