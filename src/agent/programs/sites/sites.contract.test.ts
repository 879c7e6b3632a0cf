import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SiteSpec, SiteStatus } from '../../../protocol/sites.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 90_000;

let ground: TestGround;
let programs: Programs;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
}, SLOW);

afterEach(async () => {
  for (const spec of programs.specs()) await programs.handlers['sites.remove']({ id: spec.id });
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

async function define(spec: SiteSpec): Promise<SiteSpec> {
  await programs.handlers['sites.put'](spec);
  return spec;
}

async function account(
  name: string,
  limits: Parameters<TestGround['account']>[1] = {},
): ReturnType<TestGround['account']> {
  const made = await ground.account(name, limits);
  accounts.push(made);
  await programs.sync(accounts, programs.specs());
  return made;
}
const accounts: Awaited<ReturnType<TestGround['account']>>[] = [];

describe('quickstarts answer over their socket', () => {
  test.each(['flask', 'django', 'manual'] as const)(
    '%s',
    async (quickstart) => {
      const owner = await account(`quick${quickstart}`);
      const site = await define(siteSpec(owner, `${owner.name}.localhost`));
      const first = await programs.handlers['sites.quickstart']({ id: site.id, quickstart });
      expect(first.kept).toEqual([]);
      expect(first.written).toContain(`/var/www/quick${quickstart}_localhost_wsgi.py`);
      const again = await programs.handlers['sites.quickstart']({ id: site.id, quickstart });
      expect(again).toEqual({ written: [], kept: first.written });
      const status = await programs.wakeDomain(site.domain);
      expect(status).toMatchObject({ state: 'awake', generation: 1, failure: null });
      const answer = await ask(ground.context, site, '/');
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('Hello');
    },
    SLOW,
  );
});

const HELLO =
  'def application(environ, start_response):\n    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [b"hello"]\n';

async function wsgiSite(name: string, source: string, change: Partial<SiteSpec> = {}): Promise<SiteSpec> {
  const owner = accounts.find((one) => one.name === name) ?? (await account(name));
  const domain = change.domain ?? `${name}.localhost`;
  await ground.write(owner, `/var/www/${domain.replaceAll('.', '_')}_wsgi.py`, source);
  return await define(siteSpec(owner, domain, change));
}

async function commandSite(name: string, command: string, change: Partial<SiteSpec> = {}): Promise<SiteSpec> {
  const owner = accounts.find((one) => one.name === name) ?? (await account(name));
  return await define(siteSpec(owner, `${name}.localhost`, { kind: 'command', command, ...change }));
}

/** The failure of a start that has to fail. */
async function failureOf(site: SiteSpec): Promise<{ step: string; message: string; output: string[] }> {
  await expect(programs.handlers['sites.wake']({ id: site.id })).rejects.toMatchObject({ code: 'site-start-failed' });
  const status = (await programs.handlers['sites.statuses']({})).find((one) => one.id === site.id);
  expect(status?.state).toBe('failed');
  expect(await livingGenerations(ground.context, site)).toEqual([]);
  if (status?.failure === null || status === undefined) throw new Error('the status has no failure');
  return status.failure;
}

/** Answers until it is told to hang: from then on it takes no connection from its queue of two. */
const HANGS_WHEN_TOLD = `
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ['DOMAIN_SOCKET'])
listener.listen(1)
while True:
    connection, _ = listener.accept()
    request = connection.recv(4096)
    # A knock at the door sends nothing.
    if request: connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok')
    connection.close()
    if b'/hang' in request:
        while not os.path.exists('/tmp/go-on'): time.sleep(0.02)
`;

test(
  'a server whose queue is full is left alone: what it holds waits, and it goes on without a restart',
  async () => {
    const owner = await account('crowded');
    await ground.write(owner, '/home/crowded/server.py', HANGS_WHEN_TOLD);
    const site = await commandSite('crowded', 'python3 /home/crowded/server.py');
    const before = await programs.wakeDomain(site.domain);
    await ask(ground.context, site, '/hang');
    const waiting = [1, 2, 3].map(async () => await ask(ground.context, site, '/').catch((error: unknown) => error));
    await until(
      async () =>
        await programs.wakeDomain(site.domain).then(
          () => false,
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'too-many-requests' });
            return true;
          },
        ),
      'the full queue',
      10_000,
    );
    await ground.write(owner, '/tmp/go-on', '');
    const answers = await Promise.all(waiting);
    expect(answers.filter((answer) => !(answer instanceof Error)).length).toBeGreaterThan(0);
    expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake', generation: before.generation });
  },
  SLOW,
);

describe('servers of other kinds', () => {
  test(
    'an ASGI quickstart answers',
    async () => {
      const owner = await account('quickapi');
      const site = await define(
        siteSpec(owner, 'quickapi.localhost', {
          kind: 'command',
          command: 'uvicorn --app-dir /home/quickapi/myapi --uds ${DOMAIN_SOCKET} main:app',
        }),
      );
      await programs.handlers['sites.quickstart']({ id: site.id, quickstart: 'fastapi' });
      await programs.wakeDomain(site.domain);
      expect((await ask(ground.context, site, '/')).body).toContain('Hello from FastAPI');
      expect(JSON.parse((await ask(ground.context, site, '/api/hello?name=Ada')).body)).toEqual({
        message: 'Hello, Ada!',
      });
      expect(await logOf(ground.context, site, 'error')).toContain('Uvicorn running');
    },
    SLOW,
  );

  test(
    'the command quickstart answers',
    async () => {
      const site = await commandSite('quickcommand', 'python3 /home/quickcommand/mysite/server.py');
      await programs.handlers['sites.quickstart']({ id: site.id, quickstart: 'command' });
      await programs.wakeDomain(site.domain);
      expect((await ask(ground.context, site, '/')).body).toContain('Hello from a command');
    },
    SLOW,
  );

  test(
    'a static site serves its mapping, with index pages and without leaving it',
    async () => {
      const owner = await account('quickstatic');
      const site = await define(
        siteSpec(owner, 'quickstatic.localhost', {
          kind: 'static',
          staticFiles: [
            { id: 1, url: '/one.txt', path: '/home/quickstatic/single' },
            { id: 2, url: '/', path: '/home/quickstatic/public' },
          ],
          staticHeaders: [{ id: 1, url: '/sub/', name: 'Cache-Control', value: 'max-age=60, public' }],
        }),
      );
      await programs.handlers['sites.quickstart']({ id: site.id, quickstart: 'static' });
      await ground.write(owner, '/home/quickstatic/single', 'one file');
      await ground.write(owner, '/home/quickstatic/secret.txt', 'secret');
      await ground.write(owner, '/home/quickstatic/public-private/x', 'secret');
      await ground.write(owner, '/home/quickstatic/public/sub/index.html', 'the index');
      await programs.wakeDomain(site.domain);
      expect((await ask(ground.context, site, '/')).body).toContain('Your site is here');
      expect((await ask(ground.context, site, '/one.txt')).body).toBe('one file');
      const index = await ask(ground.context, site, '/sub/');
      expect(index.body).toBe('the index');
      expect(index.headers['cache-control']).toBe('max-age=60, public');
      expect((await ask(ground.context, site, '/missing')).status).toBe(404);
      for (const path of [
        '/../secret.txt',
        '/%2e%2e/secret.txt',
        '/sub/%2e%2e/%2e%2e/secret.txt',
        '/..%2fpublic-private/x',
      ]) {
        const answer = await ask(ground.context, site, path);
        expect({ path, ...answer }).not.toMatchObject({ body: expect.stringContaining('secret') as string });
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }
    },
    SLOW,
  );

  test(
    'a WSGI site serves mappings and headers beside its application, and not the neighbour of a mapping',
    async () => {
      const site = await wsgiSite('mapped', HELLO, {
        staticFiles: [{ id: 1, url: '/static', path: '/home/mapped/static/' }],
        staticHeaders: [{ id: 1, url: '/static/', name: 'X-Kind', value: 'static: yes' }],
      });
      const owner = accounts.find((one) => one.name === 'mapped')!;
      await ground.write(owner, '/home/mapped/static/a.css', 'body{}');
      await ground.write(owner, '/home/mapped/static-private/a.css', 'private');
      await programs.wakeDomain(site.domain);
      const file = await ask(ground.context, site, '/static/a.css');
      expect(file).toMatchObject({ status: 200, body: 'body{}' });
      expect(file.headers).toMatchObject({ 'content-type': 'text/css', 'x-kind': 'static: yes' });
      expect((await ask(ground.context, site, '/static-private/a.css')).body).toBe('hello');
      expect((await ask(ground.context, site, '/static')).status).toBe(301);
    },
    SLOW,
  );
});

describe('the environment of a WSGI site', () => {
  test(
    'is what PythonAnywhere gives',
    async () => {
      const site = await wsgiSite(
        'environment',
        `import os, sys, json
first = dict(path=sys.path[0], cwd=os.getcwd(), uid=os.getuid())
print("printed at import")
print("complained at import", file=sys.stderr)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    environ["wsgi.errors"].write("to wsgi.errors\\n")
    return [json.dumps(dict(first, multithread=environ["wsgi.multithread"], source="/home/environment/src" in sys.path,
        env={k: v for k, v in os.environ.items()})).encode()]
`,
        { sourceDirectory: '/home/environment/src' },
      );
      await programs.wakeDomain(site.domain);
      const answer = JSON.parse((await ask(ground.context, site, '/')).body) as Record<string, unknown>;
      expect(answer).toMatchObject({ path: '/var/www', cwd: '/home/environment', multithread: false, source: true });
      expect(answer['env']).toMatchObject({
        HOME: '/home/environment',
        USER: 'environment',
        LANG: 'C.UTF-8',
        PYTHONANYWHERE_SITE: 'www.localhost:8443',
        PYTHONANYWHERE_DOMAIN: 'localhost',
        HOST_NAME: 'environment.localhost',
        WSGI_MODULE: 'environment_localhost_wsgi',
        DOMAIN_SOCKET: '/var/sockets/environment.localhost/app.sock',
      });
      expect(JSON.stringify(answer['env'])).not.toContain('HOLDFAST');
      const [error, server] = [await logOf(ground.context, site, 'error'), await logOf(ground.context, site, 'server')];
      expect(error).toContain('complained at import');
      expect(error).toContain('to wsgi.errors');
      expect(error).not.toContain('printed at import');
      expect(server).toContain('printed at import');
      expect(server).toContain('uWSGI');
    },
    SLOW,
  );
});

describe('a start that fails names its step', () => {
  test(
    'import: a syntax error, with file and line',
    async () => {
      const failure = await failureOf(await wsgiSite('badsyntax', 'import sys\ndef application(:\n'));
      expect(failure.step).toBe('import');
      expect(failure.message).toContain('SyntaxError');
      expect(failure.message).toContain('/var/www/badsyntax_localhost_wsgi.py, line 2');
      expect(failure.output[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: Error running WSGI application$/);
      expect(failure.output.join('\n')).not.toContain('/opt/holdfast');
    },
    SLOW,
  );

  test(
    "import: an exception in the member's module shows that line only",
    async () => {
      const owner = await account('badimport');
      await ground.write(owner, '/home/badimport/mysite/application.py', 'import json\nvalue = json.loads("{")\n');
      const failure = await failureOf(
        await wsgiSite(
          'badimport',
          'import sys\nsys.path.insert(0, "/home/badimport/mysite")\nfrom application import value\n',
        ),
      );
      expect(failure.step).toBe('import');
      expect(failure.message).toContain('JSONDecodeError');
      expect(failure.message).toContain('/home/badimport/mysite/application.py, line 2');
      const output = failure.output.join('\n');
      expect(output).toContain('value = json.loads("{")');
      expect(output).not.toContain('importlib');
    },
    SLOW,
  );

  test.each([
    ['noapplication', 'x = 1\n', 'does not define "application"'],
    ['notcallable', 'application = 3\n', 'not callable'],
    ['exits', 'import sys\nsys.exit(3)\n', 'SystemExit'],
  ])(
    'import: %s',
    async (name, source, message) => {
      const failure = await failureOf(await wsgiSite(name, source));
      expect(failure).toMatchObject({ step: 'import' });
      expect(failure.message).toContain(message);
    },
    SLOW,
  );

  test(
    'import: no WSGI file',
    async () => {
      const owner = await account('nofile');
      const failure = await failureOf(await define(siteSpec(owner, 'nofile.localhost')));
      expect(failure).toMatchObject({ step: 'import' });
      expect(failure.message).toContain('/var/www/nofile_localhost_wsgi.py does not exist');
    },
    SLOW,
  );

  test.each([
    ['exitshard', 'import os\nos._exit(3)\n', 'imported the WSGI file. Look for what ends it, for example os._exit()'],
    [
      'crashes',
      'import ctypes\nctypes.string_at(0)\n',
      'imported the WSGI file (SIGSEGV). That is a crash in compiled code',
    ],
    ['killsitself', 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n', 'imported the WSGI file (SIGKILL).'],
    ['endsserver', 'import os\nos._exit(22)\n', 'imported the WSGI file (exit code 22).'],
  ])(
    'import: workers that end without a word, each time (%s)',
    async (name, source, message) => {
      const failure = await failureOf(await wsgiSite(name, source, { workers: 2 }));
      expect(failure).toMatchObject({ step: 'import' });
      expect(failure.message).toContain(message);
    },
    SLOW,
  );

  test(
    'import: one worker that ends is started again, and the site with it',
    async () => {
      const source = `import os\nif not os.path.exists("/tmp/tried"):\n    open("/tmp/tried", "w").close()\n    os._exit(3)\n${HELLO}`;
      const site = await wsgiSite('secondtry', source);
      expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake', failure: null });
    },
    SLOW,
  );

  test(
    'import: memory filled',
    async () => {
      await account('greedy', { memoryBytes: 64 * 1024 ** 2 });
      const failure = await failureOf(await wsgiSite('greedy', 'x = bytearray(500_000_000)\n'));
      expect(failure.step).toBe('import');
      expect(failure.message).toContain('64 MiB of memory');
    },
    SLOW,
  );

  test(
    'interpreter: a virtualenv that is not there, one of another Python, a Python without a plugin',
    async () => {
      const owner = await account('venvs');
      const missing = await failureOf(await wsgiSite('venvs', HELLO, { virtualenv: 'absent' }));
      expect(missing).toMatchObject({ step: 'interpreter' });
      expect(missing.message).toContain('/home/venvs/.virtualenvs/absent does not exist');
      await ground.write(owner, '/home/venvs/old/pyvenv.cfg', 'home = /usr/bin\nversion = 3.9.2\n');
      await ground.write(owner, '/home/venvs/old/bin/python', '');
      await ground.write(owner, '/home/venvs/broken/pyvenv.cfg', 'home = /usr/bin\nversion = 3.11.2\n');
      const broken = await failureOf(await wsgiSite('venvs', HELLO, { virtualenv: '/home/venvs/broken' }));
      expect(broken.message).toContain('is not a virtualenv');
      const gone = await failureOf(await wsgiSite('venvs', HELLO, { virtualenv: '/home/venvs/old' }));
      expect(gone.message).toContain('is not there any more');
      // What an upgrade of the system leaves of a virtualenv: a link to a Python that is not there any more.
      await ground.write(owner, '/home/venvs/dangling/pyvenv.cfg', 'home = /usr/bin\nversion = 3.11.2\n');
      await ground.write(owner, '/home/venvs/dangling/bin/activate', '');
      await symlink('/usr/bin/python3.4', join(ground.pathsOf('venvs').home, 'dangling/bin/python'));
      const dangling = await failureOf(await wsgiSite('venvs', HELLO, { virtualenv: '/home/venvs/dangling' }));
      expect(dangling.message).toContain('is not there any more');
      const none = await failureOf(await wsgiSite('venvs', HELLO, { pythonVersion: '3.9' }));
      expect(none).toMatchObject({ step: 'interpreter' });
      expect(none.message).toContain('virtualenv with gunicorn');
    },
    SLOW,
  );

  test(
    'interpreter: no working directory',
    async () => {
      const failure = await failureOf(await wsgiSite('nowhere', HELLO, { workingDirectory: '/home/nowhere/gone' }));
      expect(failure).toMatchObject({ step: 'interpreter' });
      expect(failure.message).toContain('/home/nowhere/gone does not exist');
    },
    SLOW,
  );

  test(
    'socket: a command that ends, with its output',
    async () => {
      const failure = await failureOf(await commandSite('ends', 'echo this is why >&2; exit 3'));
      expect(failure).toMatchObject({ step: 'socket', output: ['this is why'] });
      expect(failure.message).toContain('ended with code 3');
    },
    SLOW,
  );

  test(
    'socket: a command that never binds',
    async () => {
      const failure = await failureOf(await commandSite('neverbinds', 'exec sleep 1000'));
      expect(failure).toMatchObject({ step: 'socket' });
      expect(failure.message).toContain('nothing listens on $DOMAIN_SOCKET');
    },
    SLOW,
  );

  test(
    'socket: a command that forks away',
    async () => {
      const failure = await failureOf(await commandSite('forksaway', '(sleep 1000 &) ; exit 0'));
      expect(failure).toMatchObject({ step: 'socket' });
      expect(failure.message).toContain('into the background');
    },
    SLOW,
  );

  test(
    'answer: a command that binds and dies',
    async () => {
      const failure = await failureOf(
        await commandSite(
          'bindsanddies',
          `python3 -c 'import os,socket; s=socket.socket(socket.AF_UNIX); s.bind(os.environ["DOMAIN_SOCKET"]); s.listen(); s.accept(); c=s.accept(); os._exit(7)'`,
        ),
      );
      expect(failure).toMatchObject({ step: 'answer' });
      expect(failure.message).toContain('ended with code 7');
    },
    SLOW,
  );

  test(
    'answer: a command whose request fills the memory',
    async () => {
      await account('fills', { memoryBytes: 96 * 1024 ** 2 });
      const failure = await failureOf(
        await commandSite(
          'fills',
          `python3 -c 'import os,socket; s=socket.socket(socket.AF_UNIX); s.bind(os.environ["DOMAIN_SOCKET"]); s.listen(); s.accept(); c=s.accept(); x=bytearray(500000000)'`,
        ),
      );
      expect(failure).toMatchObject({ step: 'answer' });
      expect(failure.message).toContain('96 MiB of memory');
    },
    SLOW,
  );

  test(
    'visitors do not start a site again that has just failed; its owner does',
    async () => {
      const site = await wsgiSite('holdoff', 'raise Exception("broken")\n');
      const starts = async (): Promise<number> =>
        (await logOf(ground.context, site, 'error')).split('Error running WSGI application').length - 1;
      await expect(programs.wakeDomain(site.domain)).rejects.toMatchObject({ code: 'site-start-failed' });
      await expect(programs.wakeDomain(site.domain)).rejects.toMatchObject({ code: 'site-start-failed' });
      expect(await starts()).toBe(1);
      await ground.write(
        accounts.find((one) => one.name === 'holdoff')!,
        '/var/www/holdoff_localhost_wsgi.py',
        HELLO,
      );
      expect(await programs.handlers['sites.wake']({ id: site.id })).toMatchObject({ state: 'awake', failure: null });
    },
    SLOW,
  );

  test(
    'a disabled site does not start',
    async () => {
      const site = await wsgiSite('disabled', HELLO, { enabled: false });
      await expect(programs.wakeDomain(site.domain)).rejects.toMatchObject({ code: 'site-disabled' });
      await expect(programs.wakeDomain('nobody.localhost')).rejects.toMatchObject({ code: 'not-found' });
    },
    SLOW,
  );
});

test('switching a site off does not wait for its start', async () => {
  const site = await commandSite('cutshort', 'exec sleep 1000');
  const woken = programs.wakeDomain(site.domain).catch((error: unknown) => error);
  await until(async () => (await livingGenerations(ground.context, site)).length === 1, 'the start', 30_000);
  await programs.handlers['sites.put']({ ...site, enabled: false, revision: 2 });
  expect(await woken).toMatchObject({ code: 'site-start-failed' });
  expect((await programs.handlers['sites.statuses']({}))[0]?.state).toBe('disabled');
  expect(await livingGenerations(ground.context, site)).toEqual([]);
});

describe('a site that runs', () => {
  test(
    'an exception in a request becomes a 500 with a trimmed traceback, and the site goes on',
    async () => {
      const site = await wsgiSite(
        'raises',
        `import json
def application(environ, start_response):
    if environ["PATH_INFO"] == "/bad":
        return json.loads("[")
    if environ["PATH_INFO"] == "/begun":
        start_response("200 OK", [("X-Begun", "yes")])
        raise KeyError("begun")
    if environ["PATH_INFO"] == "/late":
        start_response("200 OK", [("Content-Length", "100")])
        def body():
            yield b"x"
            raise ValueError("too late")
        return body()
    start_response("200 OK", [])
    return [b"fine"]
`,
      );
      await programs.wakeDomain(site.domain);
      const answer = await ask(ground.context, site, '/bad');
      expect(answer.status).toBe(500);
      expect(answer.body).not.toContain('Traceback');
      expect((await ask(ground.context, site, '/begun')).status).toBe(500);
      await expect(ask(ground.context, site, '/late')).rejects.toThrow('aborted');
      expect((await ask(ground.context, site, '/')).body).toBe('fine');
      const log = await logOf(ground.context, site, 'error');
      expect(log).toMatch(/Error running WSGI application\n.*JSONDecodeError/);
      expect(log).toContain('return json.loads("[")');
      expect(log).toContain('ValueError: too late');
      expect(log).not.toContain('/opt/holdfast');
    },
    SLOW,
  );

  test(
    'everybody who wakes it waits for the same start',
    async () => {
      const site = await wsgiSite('manyvisitors', `import os\nopen("/tmp/starts", "a").write("x")\n${HELLO}`);
      await Promise.all(Array.from({ length: 12 }, async () => await programs.wakeDomain(site.domain)));
      expect(await livingGenerations(ground.context, site)).toEqual([1]);
      expect((await ask(ground.context, site, '/')).body).toBe('hello');
    },
    SLOW,
  );

  test(
    'sleeps and wakes',
    async () => {
      const site = await wsgiSite('sleeper', HELLO);
      await programs.wakeDomain(site.domain);
      expect(await programs.handlers['sites.sleep']({ id: site.id })).toMatchObject({ state: 'asleep', processes: 0 });
      expect(await livingGenerations(ground.context, site)).toEqual([]);
      await expect(ask(ground.context, site, '/')).rejects.toThrow(/ENOENT|ECONNREFUSED/);
      expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake', generation: 2 });
    },
    SLOW,
  );

  test(
    'goes to sleep by itself when idle, and not while a connection is open',
    async () => {
      await account('idler', { idleSleepSeconds: 1 });
      const site = await commandSite(
        'idler',
        `python3 -c '
import os,socket,threading
s=socket.socket(socket.AF_UNIX); s.bind(os.environ["DOMAIN_SOCKET"]); s.listen()
def serve(c):
    request=c.recv(1000)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
    if b"/hold" in request:
        c.recv(1)
    c.close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],)).start()
'`,
      );
      await programs.wakeDomain(site.domain);
      const { connect } = await import('node:net');
      const held = connect(`${ground.context.layout.sites}/${site.id}/current/app.sock`);
      held.write('GET /hold HTTP/1.1\r\n\r\n');
      await new Promise((resolve) => held.once('data', resolve));
      // Longer than the limit and several rounds of looking: what is asserted is that nothing happens.
      await new Promise((resolve) => setTimeout(resolve, 2500));
      expect((await programs.handlers['sites.statuses']({}))[0]?.state).toBe('awake');
      held.end('x');
      await until(
        async () => (await programs.handlers['sites.statuses']({}))[0]?.state === 'asleep',
        'falling asleep',
        30_000,
      );
    },
    SLOW,
  );

  test(
    'a crash is noticed and the site started again',
    async () => {
      const site = await wsgiSite('crasher', HELLO);
      await programs.wakeDomain(site.domain);
      const [pid] = await ground.processesOf(site);
      process.kill(pid!, 'SIGKILL');
      await until(
        async () => {
          const status = (await programs.handlers['sites.statuses']({}))[0];
          return status?.state === 'awake' && status.generation === 2;
        },
        'the second generation',
        30_000,
      );
      expect((await ask(ground.context, site, '/')).body).toBe('hello');
    },
    SLOW,
  );

  test(
    'quick crashes in a row end in failed',
    async () => {
      const site = await commandSite(
        'quickcrash',
        `python3 -c 'import os,socket; s=socket.socket(socket.AF_UNIX); s.bind(os.environ["DOMAIN_SOCKET"]); s.listen(); s.accept(); c=s.accept()[0]; c.recv(1000); c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n"); c.close(); os._exit(1)'`,
      );
      // Its first request ends it, and so does the platform's own after each start that follows a crash.
      await programs.handlers['sites.wake']({ id: site.id }).catch(() => undefined);
      await until(
        async () => (await programs.handlers['sites.statuses']({}))[0]?.state === 'failed',
        'giving up',
        60_000,
      );
      expect(await livingGenerations(ground.context, site)).toEqual([]);
    },
    SLOW,
  );
});

describe('a reload', () => {
  const versioned = (version: number): string =>
    `import time\ndef application(environ, start_response):\n    start_response("200 OK", [("Content-Type", "text/plain")])\n    time.sleep(0.002)\n    return [b"version ${version}"]\n`;

  async function underLoad(
    site: SiteSpec,
    clients: number,
    work: () => Promise<void>,
  ): Promise<{ answers: Set<string>; count: number }> {
    const load = { running: true };
    const answers = new Set<string>();
    let count = 0;
    const loops = Array.from({ length: clients }, async () => {
      while (load.running) {
        const answer = await ask(ground.context, site, '/');
        answers.add(`${answer.status} ${answer.body}`);
        count += 1;
      }
    });
    try {
      await work();
    } finally {
      load.running = false;
      await Promise.all(loops);
    }
    return { answers, count };
  }

  test(
    'under load drops no request and ends with the new code only',
    async () => {
      const site = await wsgiSite('reloaded', versioned(1), { workers: 2 });
      const owner = accounts.find((one) => one.name === 'reloaded')!;
      await programs.wakeDomain(site.domain);
      const seen = await underLoad(site, 8, async () => {
        for (const version of [2, 3, 4]) {
          await ground.write(owner, '/var/www/reloaded_localhost_wsgi.py', versioned(version));
          await programs.handlers['sites.reload']({ id: site.id });
          expect((await ask(ground.context, site, '/')).body).toBe(`version ${version}`);
        }
      });
      expect([...seen.answers].every((answer) => /^200 version [1-4]$/.test(answer))).toBe(true);
      expect(seen.count).toBeGreaterThan(50);
      await until(
        async () => (await livingGenerations(ground.context, site)).length === 1,
        'the end of the old generations',
        40_000,
      );
    },
    SLOW,
  );

  test(
    'a failed one leaves the old generation serving and says why',
    async () => {
      const site = await wsgiSite('failedreload', versioned(1));
      const owner = accounts.find((one) => one.name === 'failedreload')!;
      await programs.wakeDomain(site.domain);
      await ground.write(owner, '/var/www/failedreload_localhost_wsgi.py', 'raise Exception("not today")\n');
      await expect(programs.handlers['sites.reload']({ id: site.id })).rejects.toMatchObject({
        code: 'site-start-failed',
        message: expect.stringContaining('not today') as string,
      });
      // The touched file may have asked for a reload of its own meanwhile, which fails like the first.
      let status: SiteStatus | undefined;
      await until(
        async () => {
          [status] = await programs.handlers['sites.statuses']({});
          return status?.state === 'awake';
        },
        'the end of the reload',
        30_000,
      );
      expect(status).toMatchObject({ generation: 1, failure: { step: 'import' } });
      expect((await ask(ground.context, site, '/')).body).toBe('version 1');
    },
    SLOW,
  );

  test(
    'with stop first never runs two generations at a time',
    async () => {
      const lock = `import fcntl\nlock = open("/tmp/lock", "w")\nfcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n${versioned(1)}`;
      const site = await wsgiSite('stopfirst', lock, { stopFirst: true });
      await programs.wakeDomain(site.domain);
      expect(await programs.handlers['sites.reload']({ id: site.id })).toMatchObject({ state: 'awake', generation: 2 });
      expect(await livingGenerations(ground.context, site)).toEqual([2]);
    },
    SLOW,
  );

  test(
    'touching the WSGI file reloads',
    async () => {
      const site = await wsgiSite('touched', versioned(1));
      const owner = accounts.find((one) => one.name === 'touched')!;
      await programs.wakeDomain(site.domain);
      // uWSGI looks at whole seconds: the change has to be in another one than the file's first version.
      await ground.write(owner, '/var/www/touched_localhost_wsgi.py', versioned(2), new Date(Date.now() + 2000));
      await until(async () => (await ask(ground.context, site, '/')).body === 'version 2', 'the new code', 30_000, 100);
      expect((await programs.handlers['sites.statuses']({}))[0]).toMatchObject({ state: 'awake', failure: null });
    },
    SLOW,
  );
});
