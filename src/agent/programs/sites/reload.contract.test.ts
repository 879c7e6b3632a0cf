import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec, SiteStatus } from '../../../protocol/sites.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

/** What a start and a reload promise: imported and listening is started, and what the first answer was is told. */
const SLOW = 120_000;

let ground: TestGround;
let programs: Programs;
let owner: AccountSpec;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
  owner = await ground.account('again');
  await programs.sync([owner], []);
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

const file = (site: SiteSpec): string => `/var/www/${site.domain.replaceAll('.', '_')}_wsgi.py`;

async function wsgi(name: string, source: string): Promise<SiteSpec> {
  const site = siteSpec(owner, `${name}.localhost`);
  await ground.write(owner, file(site), source);
  await programs.handlers['sites.put'](site);
  return site;
}

const reload = async (site: SiteSpec): Promise<SiteStatus> => await programs.handlers['sites.reload']({ id: site.id });

const answering = (text: string): string =>
  `def application(environ, start_response):\n    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [b"${text}"]\n`;

/** Answers / once the file /tmp/go is there, everything else at once. */
const SLOW_HOME = `
import os, time
def application(environ, start_response):
    while environ["PATH_INFO"] == "/" and not os.path.exists("/tmp/go"):
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
`;

const RAISES = `
def view():
    return {}["gone"]
def application(environ, start_response):
    view()
`;

describe('a site whose home page is slow', () => {
  test('starts for a visitor of another page, who does not wait for the home page', async () => {
    const site = await wsgi('slowhome', SLOW_HOME);
    expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake', remark: null });
    expect((await ask(ground.context, site, '/other')).body).toBe('here');
    await programs.handlers['sites.sleep']({ id: site.id });
  });

  test('starts for its owner, too, who is told', async () => {
    const site = await wsgi('slowtold', SLOW_HOME);
    const status = await programs.handlers['sites.wake']({ id: site.id });
    expect(status).toMatchObject({ state: 'awake', failure: null, remark: { kind: 'slow' } });
    expect(status.remark?.message).toContain('had not answered the first request for / after 5 s');
    await ground.write(owner, '/tmp/go', '');
    expect((await ask(ground.context, site, '/')).body).toBe('here');
  });
});

describe('a reload whose first answer is an error', () => {
  test('is told with the line of the member, and what ran before can come back', async () => {
    const site = await wsgi('errors', answering('one'));
    const before = await programs.handlers['sites.wake']({ id: site.id });
    expect(before).toMatchObject({ remark: null, kept: null });
    await ground.write(owner, file(site), RAISES);
    const status = await reload(site);
    expect(status).toMatchObject({ state: 'awake', failure: null, kept: { generation: before.generation } });
    const left = Date.parse(status.kept?.until ?? '') - Date.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(10 * 60_000);
    expect(status.remark).toMatchObject({ kind: 'error' });
    expect(status.remark?.message).toMatch(
      /500 Internal Server Error: KeyError: 'gone' \(\/var\/www\/errors_localhost_wsgi\.py, line 3\)/,
    );
    expect((await ask(ground.context, site, '/')).status).toBe(500);
    expect(await livingGenerations(ground.context, site)).toEqual([before.generation, status.generation]);

    const back = await programs.handlers['sites.back']({ id: site.id });
    expect(back).toMatchObject({ state: 'awake', generation: before.generation, remark: null, kept: null });
    expect((await ask(ground.context, site, '/')).body).toBe('one');
    await until(
      async () => (await livingGenerations(ground.context, site)).length === 1,
      'the end of the new generation',
      30_000,
    );
    await expect(programs.handlers['sites.back']({ id: site.id })).rejects.toMatchObject({ code: 'conflict' });

    await ground.write(owner, file(site), answering('two'));
    expect(await reload(site)).toMatchObject({ state: 'awake', remark: null, kept: null });
    expect((await ask(ground.context, site, '/')).body).toBe('two');
  });

  test('keeps what answered well through more reloads of broken code, no longer than it said first', async () => {
    const site = await wsgi('stubborn', answering('one'));
    const { generation } = await programs.handlers['sites.wake']({ id: site.id });
    await ground.write(owner, file(site), RAISES);
    const { kept } = await reload(site);
    expect(kept).toMatchObject({ generation });
    expect(await reload(site)).toMatchObject({ remark: { kind: 'error' }, kept });
    // Nor does one that does not start at all take it away.
    await ground.write(owner, file(site), 'raise Exception("not today")\n');
    await expect(reload(site)).rejects.toMatchObject({ code: 'site-start-failed' });
    await ground.write(owner, file(site), RAISES);
    const last = await reload(site);
    expect(last).toMatchObject({ remark: { kind: 'error' }, kept });
    await until(
      async () => (await livingGenerations(ground.context, site)).length === 2,
      'the end of the broken ones between',
      30_000,
    );

    expect(await programs.handlers['sites.back']({ id: site.id })).toMatchObject({ generation, remark: null });
    expect((await ask(ground.context, site, '/')).body).toBe('one');
  });

  test('lets what was kept go when the code answers again', async () => {
    const site = await wsgi('mended', answering('one'));
    await programs.handlers['sites.wake']({ id: site.id });
    await ground.write(owner, file(site), RAISES);
    expect(await reload(site)).toMatchObject({ kept: { generation: 1 } });
    await ground.write(owner, file(site), answering('two'));
    expect(await reload(site)).toMatchObject({ remark: null, kept: null });
    await until(
      async () => (await livingGenerations(ground.context, site)).length === 1,
      'the end of the older ones',
      30_000,
    );
  });

  test('keeps nothing that answered with an error itself', async () => {
    const site = await wsgi('neverwell', RAISES);
    expect(await programs.handlers['sites.wake']({ id: site.id })).toMatchObject({ remark: { kind: 'error' } });
    expect(await reload(site)).toMatchObject({ remark: { kind: 'error' }, kept: null });
    await expect(programs.handlers['sites.back']({ id: site.id })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('keeps nothing after a good reload, nor when the site is switched off', async () => {
    const site = await wsgi('letgo', answering('one'));
    await programs.handlers['sites.wake']({ id: site.id });
    await ground.write(owner, file(site), RAISES);
    expect(await reload(site)).toMatchObject({ kept: { generation: 1 } });
    await programs.handlers['sites.put']({ ...site, enabled: false, revision: 2 });
    expect(await livingGenerations(ground.context, site)).toEqual([]);
    await programs.handlers['sites.put']({ ...site, revision: 3 });
    await ground.write(owner, file(site), answering('two'));
    expect(await reload(site)).toMatchObject({ remark: null, kept: null });
    expect(await livingGenerations(ground.context, site)).toHaveLength(1);
  });
});

test('an ASGI application in a WSGI site is told as one', async () => {
  const site = await wsgi('asgi', 'async def application(scope, receive, send):\n    pass\n');
  const { remark } = await programs.handlers['sites.wake']({ id: site.id });
  expect(remark?.message).toContain("TypeError: application() missing 1 required positional argument: 'send'");
  expect(remark?.message).toContain('looks like an ASGI application');
});

test('a request that takes longer than a server waits for when it is asked to end is finished after a reload', async () => {
  const source = `
import os, time
def application(environ, start_response):
    if environ["PATH_INFO"] == "/long":
        open("/tmp/begun", "w").close()
        while not os.path.exists("/tmp/finish"):
            time.sleep(0.05)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"done"]
`;
  await ground.write(owner, '/home/again/long.py', source);
  // One second stands for the thirty that gunicorn gives by itself.
  const command = 'gunicorn --graceful-timeout 1 --chdir /home/again -b unix:$DOMAIN_SOCKET long:application';
  const site = siteSpec(owner, 'long.localhost', { kind: 'command', command });
  await programs.handlers['sites.put'](site);
  await programs.wakeDomain(site.domain);
  const long = ask(ground.context, site, '/long');
  await until(
    async () => {
      const seen = await programs.sandboxes.run(
        { account: owner, home: ground.storage.homeOf(owner.name), command: ['/usr/bin/test', '-e', '/tmp/begun'] },
        { deadlineMs: 10_000 },
      );
      return seen.code === 0;
    },
    'the request',
    30_000,
    100,
  );
  await reload(site);
  // The reload's own requests to the old server are over; it has had its SIGTERM by now if it gets one before its request is done.
  for (let round = 0; round < 30; round++) expect((await ask(ground.context, site, '/')).body).toBe('done');
  let answered = 0;
  await until(
    async () => (await ask(ground.context, site, '/')).status === 200 && ++answered > 40,
    'more answers than a server that was asked to end has time for',
    30_000,
    50,
  );
  await ground.write(owner, '/tmp/finish', '');
  expect((await long).body).toBe('done');
});

test('a command that puts its server into the background is told so, at a start and at a reload', async () => {
  await ground.write(owner, '/home/again/app.py', answering('hello'));
  const good = 'gunicorn --chdir /home/again -b unix:$DOMAIN_SOCKET app:application';
  const site = siteSpec(owner, 'daemon.localhost', { kind: 'command', command: good });
  await programs.handlers['sites.put'](site);
  await programs.wakeDomain(site.domain);
  const daemon = { ...site, command: good.replace('gunicorn', 'gunicorn --daemon'), revision: 2 };
  await programs.handlers['sites.put'](daemon);
  const status = await reload(site).catch((error: unknown) => error);
  const told = status instanceof Error ? status.message : (status as SiteStatus).failure?.message;
  expect(told).toContain('into the background');
  expect((await ask(ground.context, site, '/')).body).toBe('hello');
});

/** Answers /NAME when the file /tmp/end-NAME is there, and leaves /tmp/begun-NAME; everything else at once. */
const HOLDS = (memoryMiB = 0): string => `
import os, time
held = bytearray(${memoryMiB} * 1024 * 1024)
def application(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name:
        open("/tmp/begun-" + name, "w").close()
        while not os.path.exists("/tmp/end-" + name):
            time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done " + name.encode()]
`;

describe('reloads in quick succession', () => {
  /** A request that the generation of this moment holds until /tmp/end-NAME is there; what comes of it. */
  async function hold(site: SiteSpec, name: string): Promise<{ answer: Promise<string> }> {
    const answer = ask(ground.context, site, `/${name}`).then(
      ({ body }) => body,
      (error: unknown) => String(error),
    );
    const { tmp } = ground.pathsOf(site.account);
    await until(() => existsSync(join(tmp, `begun-${name}`)), 'the request', 30_000);
    return { answer };
  }

  async function statusOf(site: SiteSpec): Promise<SiteStatus | undefined> {
    return (await programs.handlers['sites.statuses']({})).find((one) => one.id === site.id);
  }

  test('let every request under way be answered', async () => {
    const site = await wsgi('quick', HOLDS());
    await programs.wakeDomain(site.domain);
    const held: { answer: Promise<string> }[] = [];
    for (const name of ['q1', 'q2', 'q3', 'q4']) {
      held.push(await hold(site, name));
      await reload(site);
    }
    // Reloads without requests between them: their generations are the ones to go.
    for (let round = 0; round < 4; round++) await reload(site);
    // A generation that is hurried has five seconds.
    let answered = 0;
    await until(
      async () => (await ask(ground.context, site, '/')).status === 200 && ++answered > 90,
      'more answers than a generation that is hurried has time for',
      60_000,
      100,
    );
    for (const name of ['q1', 'q2', 'q3', 'q4']) await ground.write(owner, `/tmp/end-${name}`, '');
    expect(await Promise.all(held.map(async ({ answer }) => await answer))).toEqual(
      ['q1', 'q2', 'q3', 'q4'].map((name) => `done ${name}`),
    );
    await until(
      async () => (await livingGenerations(ground.context, site)).length === 1,
      'the end of the older ones',
      30_000,
    );
  });

  test('wait when as many generations as may be carry requests, and follow by themselves', async () => {
    const site = await wsgi('crowd', HOLDS());
    await programs.wakeDomain(site.domain);
    const names = Array.from({ length: 9 }, (_, index) => `c${index}`);
    const held: { answer: Promise<string> }[] = [];
    for (const name of names) {
      if (held.length > 0) await reload(site);
      held.push(await hold(site, name));
    }
    const before = (await statusOf(site))?.generation ?? 0;
    await expect(reload(site)).rejects.toMatchObject({
      code: 'too-many-requests',
      message: expect.stringMatching(/8 earlier reloads of crowd\.localhost still.*done by itself.*300 s/) as string,
    });
    expect(await statusOf(site)).toMatchObject({ state: 'awake', generation: before, failure: null });
    expect(await logOf(ground.context, site, 'server')).toMatch(/ reload: The code of 8 earlier reloads/);
    // The newest one's only worker is held as well: the oldest that goes makes room.
    await ground.write(owner, '/tmp/end-c0', '');
    expect(await held[0]?.answer).toBe('done c0');
    await until(async () => ((await statusOf(site))?.generation ?? 0) > before, 'the reload', 60_000);
    for (const name of names) await ground.write(owner, `/tmp/end-${name}`, '');
    expect(await Promise.all(held.map(async ({ answer }) => await answer))).toEqual(
      names.map((name) => `done ${name}`),
    );
  });

  test('leave nothing behind when a site that failed since then is switched off', async () => {
    const site = await wsgi('failedsince', HOLDS());
    await programs.wakeDomain(site.domain);
    await hold(site, 'f1');
    const { generation } = await reload(site);
    await ground.write(owner, file(site), 'raise Exception("not today")\n');
    for (const pid of await ground.processesOf(site)) {
      // The newest one's: the older has a request.
      const group = await readFile(`/proc/${pid}/cgroup`, 'utf8');
      if (group.includes(`site-${site.id}-${generation}`)) process.kill(pid, 'SIGKILL');
    }
    await until(async () => (await statusOf(site))?.state === 'failed', 'the failure', 30_000);
    expect(await livingGenerations(ground.context, site)).toHaveLength(1);
    await programs.handlers['sites.put']({ ...site, enabled: false, revision: 2 });
    expect(await livingGenerations(ground.context, site)).toEqual([]);
  });

  test('wait when what carries requests has the memory of two plans, and a site that is switched off waits for none', async () => {
    const small = await ground.account('small', { memoryBytes: 96 * 1024 ** 2 });
    await programs.sync([owner, small], programs.specs());
    const site = siteSpec(small, 'small.localhost');
    await ground.write(small, file(site), HOLDS(65));
    await programs.handlers['sites.put'](site);
    await programs.wakeDomain(site.domain);
    for (const name of ['m1', 'm2', 'm3']) {
      await hold(site, name);
      await reload(site);
    }
    await expect(reload(site)).rejects.toMatchObject({ code: 'too-many-requests' });
    await programs.handlers['sites.put']({ ...site, enabled: false, revision: 2 });
    expect(await livingGenerations(ground.context, site)).toEqual([]);
  });
});
