import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  auditEntrySchema,
  dashboardSchema,
  sessionSchema,
  siteViewSchema,
  type AuditEntry,
  type SiteView,
} from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { until } from '../../../runtime/deadline.ts';
import { ensureOperator } from '../../accounts/ensure-operator.ts';
import {
  cookieOf,
  openBench,
  signedInBrowser,
  tokenClient,
  type Bench,
  type Browser,
  type Client,
} from '../../testing/bench.ts';
import { someVolume } from '../../testing/memory-agent.ts';

let bench: Bench;
let alice: Browser;

beforeEach(async () => {
  bench = await openBench();
  await bench.member('alice');
  alice = await signedInBrowser(bench, 'alice', "alice's long password");
});
afterEach(() => bench[Symbol.asyncDispose]());

const API = '/api/holdfast';
const visitor = { 'x-real-ip': '192.0.2.50' };

async function auditActions(): Promise<string[]> {
  const entries = (await bench.operator('GET', `${API}/audit`)).json<AuditEntry[]>();
  return entries.map((entry) => `${entry.actor} ${entry.action} ${entry.subject} ${entry.outcome}`);
}

describe('session', () => {
  const signIn = (username: string, password: string, headers: Record<string, string> = visitor) =>
    bench.server.inject({ method: 'POST', url: `${API}/session`, headers, payload: { username, password } });

  it('answers also to somebody who is not signed in', async () => {
    const answer = await bench.server.inject({ url: `${API}/session`, headers: visitor });
    expect(answer.statusCode).toBe(200);
    expect(sessionSchema.parse(answer.json())).toMatchObject({ account: null, csrfToken: null, signUpOpen: false });
  });

  it('signs in with a cookie that scripts cannot read and other sites cannot send', async () => {
    const answer = await signIn('alice', "alice's long password");
    expect(answer.cookies).toEqual([
      expect.objectContaining({
        name: expect.stringMatching(/^__Host-/),
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
        path: '/',
      }),
    ]);
    expect(sessionSchema.parse(answer.json())).toMatchObject({
      account: { name: 'alice', role: 'member', hasToken: true },
    });
    expect(await auditActions()).toContain('alice session.sign-in alice ok');
  });

  it('answers the same to a wrong password and to an unknown name', async () => {
    const [wrong, unknown] = [await signIn('alice', 'wrong'), await signIn('nobody', 'wrong')];
    expect(wrong.statusCode).toBe(401);
    expect(wrong.json()).toEqual(unknown.json());
    expect(wrong.json()).toMatchObject({ code: 'wrong-password' });
    expect(await auditActions()).toContain('alice session.sign-in alice refused');
  });

  it('slows down guessing on one account and says how long to wait', async () => {
    for (let count = 0; count < 6; count += 1) expect((await signIn('alice', 'wrong')).statusCode).toBe(401);
    const answer = await signIn('alice', "alice's long password");
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '2']);
    expect(answer.json()).toMatchObject({ code: 'too-many-requests', retryAfterSeconds: 2 });
    bench.clock.ahead += 3_000;
    expect((await signIn('alice', "alice's long password")).statusCode).toBe(200);
  });

  it('slows down guessing on many accounts from one address, and not others', async () => {
    for (let count = 0; count < 21; count += 1) await signIn(`name${count}`, 'wrong');
    expect((await signIn('alice', "alice's long password")).statusCode).toBe(429);
    expect((await signIn('alice', "alice's long password", { 'x-real-ip': '192.0.2.51' })).statusCode).toBe(200);
  });

  it('refuses a sign-in that another website sends', async () => {
    expect(
      (await signIn('alice', "alice's long password", { ...visitor, 'sec-fetch-site': 'cross-site' })).statusCode,
    ).toBe(403);
    const form = await bench.server.inject({
      method: 'POST',
      url: `${API}/session`,
      headers: { ...visitor, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'username=alice&password=x',
    });
    expect(form.statusCode).toBe(400);
  });

  it('ends by signing out, by age, and when nobody uses it', async () => {
    expect((await alice.send('DELETE', `${API}/session`)).statusCode).toBe(204);
    expect((await alice.send('GET', `${API}/dashboard`)).json()).toMatchObject({ code: 'not-signed-in' });
    const day = 86_400_000;
    const used = await signedInBrowser(bench, 'alice', "alice's long password");
    const idle = await signedInBrowser(bench, 'alice', "alice's long password");
    for (let days = 0; days < 13; days += 1) {
      bench.clock.ahead += day;
      expect((await used.send('GET', `${API}/sites`)).statusCode).toBe(200);
    }
    expect((await idle.send('GET', `${API}/sites`)).statusCode).toBe(401);
    bench.clock.ahead += day;
    expect((await used.send('GET', `${API}/sites`)).statusCode).toBe(401);
  });

  it('needs the CSRF token for every write', async () => {
    const body = { domain: 'alice.holdfast.test', quickstart: 'flask' };
    for (const token of ['', 'x'.repeat(43)]) {
      const answer = await alice.send('POST', `${API}/sites`, body, { 'x-csrf-token': token });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([403, 'csrf-missing']);
    }
    expect((await alice.send('DELETE', `${API}/session`, undefined, { 'x-csrf-token': '' })).statusCode).toBe(403);
  });

  it('changes the password, which ends the other sessions', async () => {
    const other = await signedInBrowser(bench, 'alice', "alice's long password");
    const change = (current: string, next: string) => alice.send('POST', `${API}/session/password`, { current, next });
    expect((await change('wrong', 'another long one')).json()).toMatchObject({
      code: 'wrong-password',
      field: 'current',
    });
    expect((await change("alice's long password", 'short')).json()).toMatchObject({
      code: 'input-invalid',
      field: 'next',
    });
    const answer = await change("alice's long password", 'another long one');
    expect(answer.statusCode).toBe(200);
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(401);
    expect((await other.send('GET', `${API}/sites`)).statusCode).toBe(401);
    alice.cookie = cookieOf(answer);
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(200);
    expect((await signIn('alice', 'another long one')).statusCode).toBe(200);
  });
});

describe('the operator', () => {
  it('gets a new one-time password at each start until it has been changed', async () => {
    const file = join(bench.configuration.home, 'control/first-password.json');
    const first = JSON.parse(await readFile(file, 'utf8')) as { name: string; oneTimePassword: string };
    expect(first.name).toBe('operator');
    const second = (await ensureOperator(bench.context)).oneTimePassword ?? '';
    expect(second).not.toBe(first.oneTimePassword);
    const operator = await signedInBrowser(bench, 'operator', second);
    const early = await operator.send('GET', `${API}/accounts`);
    expect([early.statusCode, early.json<{ code: string }>().code]).toEqual([403, 'password-change-needed']);
    const body = { current: second, next: 'my own long password' };
    expect((await operator.send('POST', `${API}/session/password`, body)).statusCode).toBe(200);
    await expect(readFile(file)).rejects.toThrow();
    expect(await ensureOperator(bench.context)).toEqual({ name: 'operator', oneTimePassword: null });
  });

  it('is the only one who may use its routes', async () => {
    const routes: [string, string, unknown?][] = [
      ['GET', 'accounts'],
      ['POST', 'accounts', { username: 'eve1' }],
      ['PATCH', 'accounts/alice', { plan: 'large' }],
      ['DELETE', 'accounts/alice?confirm=alice'],
      ['POST', 'accounts/alice/password'],
      ['GET', 'volumes'],
      ['POST', 'volumes', { name: 'x', disks: [] }],
      ['POST', 'volumes/v1/close'],
      ['DELETE', 'volumes/v1?confirm=v1'],
      ['GET', 'operations'],
      ['GET', 'audit'],
      ['GET', 'settings'],
      ['PATCH', 'settings', { signUpOpen: true }],
      ['GET', 'plans'],
      ['GET', 'sites?account=bob'],
      ['GET', 'files?path=/home/bob&account=bob'],
    ];
    await bench.member('bob');
    for (const [method, path, body] of routes) {
      const answer = await alice.send(method, `${API}/${path}`, body);
      expect([path, answer.statusCode, answer.json<{ code: string }>().code]).toEqual([path, 403, 'forbidden']);
      const nobody = await bench.server.inject({
        method: method as 'GET',
        url: `${API}/${path}`,
        headers: visitor,
        ...(body ? { payload: body } : {}),
      });
      expect([path, nobody.statusCode]).toEqual([path, 401]);
    }
  });
});

describe('accounts', () => {
  it('are created with a one-time password and a token, and listed', async () => {
    const made = await bench.operator('POST', `${API}/accounts`, { username: 'bob' });
    expect(made.statusCode).toBe(201);
    const { password, api_token: token } = made.json<{ password: string; api_token: string }>();
    expect(made.json()).toEqual({ username: 'bob', password, api_token: token, state: 'ready' });
    const bob = await signedInBrowser(bench, 'bob', password);
    expect((await bob.send('GET', `${API}/sites`)).json()).toMatchObject({ code: 'password-change-needed' });
    const list = (await bench.operator('GET', `${API}/accounts`)).json<unknown[]>();
    expect(list).toContainEqual(
      expect.objectContaining({ name: 'bob', plan: 'starter', volume: 'v1', state: 'ready', sites: 0 }),
    );
    expect(await auditActions()).toContain('operator (command line) account.create bob ok');
  });

  it.each([
    [{ username: 'alice' }, 409, 'name-taken'],
    [{ username: 'Bad Name' }, 400, 'input-invalid'],
    [{ username: 'operator' }, 400, 'input-invalid'],
    [{ username: 'bob', password: 'short' }, 400, 'input-invalid'],
    [{ username: 'bob', plan: 'none' }, 404, 'not-found'],
    [{ username: 'bob', volume: 'none' }, 404, 'not-found'],
    [{}, 400, 'input-invalid'],
  ])('refuses %j', async (body, status, code) => {
    const answer = await bench.operator('POST', `${API}/accounts`, body);
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([status, code]);
  });

  it('go to the volume with most room, and nowhere when none is open', async () => {
    for (const name of ['v2', 'v3']) bench.agent.volumes.set(name, someVolume(name));
    bench.context.world.apply({ type: 'volume', volume: someVolume('v2') });
    bench.context.world.apply({ type: 'volume', volume: someVolume('v3', { redundancy: 'reduced' }) });
    expect((await bench.member('bob')).account.volume).toBe('v2');
    for (const name of ['v1', 'v2', 'v3'])
      bench.context.world.apply({ type: 'volume', volume: someVolume(name, { state: 'closed' }) });
    await expect(bench.member('carol')).rejects.toMatchObject({ code: 'no-room' });
  });

  it('leave nothing behind when the home can never be made', async () => {
    bench.agent.instead.set('accounts.ensure', () => Promise.reject(new HoldfastError('command-failed', 'broken')));
    await expect(bench.member('bob')).rejects.toMatchObject({ code: 'command-failed' });
    bench.agent.instead.clear();
    await until(
      async () =>
        (await bench.operator('GET', `${API}/accounts`)).json<{ name: string }[]>().every(({ name }) => name !== 'bob'),
      'the removal',
      20_000,
    );
    await bench.member('bob');
  });

  it('are removed with everything they had, after the name was typed again', async () => {
    const { apiToken } = await bench.member('bob');
    const client = tokenClient(bench, apiToken);
    await client('POST', `${API}/sites`, { domain: 'bob.holdfast.test', quickstart: 'flask' });
    const url = `${API}/accounts/bob`;
    for (const confirm of ['', '?confirm=bo']) {
      expect((await bench.operator('DELETE', url + confirm)).json()).toMatchObject({ code: 'confirmation-needed' });
    }
    expect((await bench.operator('DELETE', `${url}?confirm=bob`)).statusCode).toBe(204);
    expect(bench.agent.accounts.has('bob')).toBe(false);
    expect(bench.agent.files.has('/home/bob')).toBe(false);
    expect(bench.agent.sites.size).toBe(0);
    expect((await client('GET', `${API}/sites`)).statusCode).toBe(401);
    expect((await bench.operator('DELETE', `${url}?confirm=bob`)).statusCode).toBe(404);
    expect((await bench.operator('DELETE', `${API}/accounts/operator?confirm=operator`)).statusCode).toBe(403);
  });

  it('can be disabled: no sign-in, no token, sites off', async () => {
    await alice.send('POST', `${API}/sites`, { domain: 'alice.holdfast.test', quickstart: 'flask' });
    expect((await bench.operator('PATCH', `${API}/accounts/alice`, { disabled: true })).json()).toMatchObject({
      disabled: true,
    });
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(401);
    const refused = await bench.server.inject({
      method: 'POST',
      url: `${API}/session`,
      headers: visitor,
      payload: { username: 'alice', password: "alice's long password" },
    });
    expect(refused.json()).toMatchObject({ code: 'forbidden' });
    await until(() => [...bench.agent.sites.values()].every((site) => !site.enabled), 'the site going off', 20_000);
    await bench.operator('PATCH', `${API}/accounts/alice`, { disabled: false });
    await until(() => [...bench.agent.sites.values()].every((site) => site.enabled), 'the site coming back', 20_000);
  });

  it('get the limits of another plan, and of a plan that changes', async () => {
    await bench.operator('PATCH', `${API}/accounts/alice`, { plan: 'large' });
    await until(() => bench.agent.accounts.get('alice')?.limits.sites === 20, 'the plan', 20_000);
    const plans = (await bench.operator('GET', `${API}/plans`)).json<{ name: string; limits: object }[]>();
    const large = plans.find((plan) => plan.name === 'large');
    await bench.operator('PUT', `${API}/plans/large`, { ...large?.limits, sites: 21 });
    await until(() => bench.agent.accounts.get('alice')?.limits.sites === 21, 'the limits', 20_000);
  });

  it('can be made by visitors when the operator opens sign-up', async () => {
    const signUp = () =>
      bench.server.inject({
        method: 'POST',
        url: `${API}/sign-up`,
        headers: visitor,
        payload: { username: 'newcomer', password: 'a long password' },
      });
    expect((await signUp()).json()).toMatchObject({ code: 'forbidden' });
    expect((await bench.operator('PATCH', `${API}/settings`, { signUpOpen: true })).json()).toMatchObject({
      signUpOpen: true,
    });
    const answer = await signUp();
    expect([answer.statusCode, answer.cookies.length]).toEqual([200, 1]);
    expect(answer.json()).toMatchObject({ account: { name: 'newcomer', plan: 'starter', mustChangePassword: false } });
  });

  it('get a new one-time password from the operator', async () => {
    const { password } = (await bench.operator('POST', `${API}/accounts/alice/password`)).json<{ password: string }>();
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(401);
    await signedInBrowser(bench, 'alice', password);
  });
});

describe('sites', () => {
  let client: Client;
  beforeEach(() => {
    client = (method, url, body) => alice.send(method, `${API}/${url}`, body);
  });

  it.each([
    [
      'flask',
      { kind: 'wsgi', sourceDirectory: '/home/alice/mysite', wsgiFile: '/var/www/alice_holdfast_test_wsgi.py' },
    ],
    ['django', { kind: 'wsgi', sourceDirectory: '/home/alice/mysite' }],
    [
      'fastapi',
      { kind: 'command', command: 'python3 -m uvicorn --app-dir /home/alice/myapi --uds ${DOMAIN_SOCKET} main:app' },
    ],
    ['static', { kind: 'static', staticFiles: [expect.objectContaining({ url: '/', path: '/home/alice/public' })] }],
    ['manual', { kind: 'wsgi', sourceDirectory: '/home/alice' }],
    ['command', { kind: 'command', command: 'python3 /home/alice/mysite/server.py' }],
  ])('starts from the quickstart %s', async (quickstart, expected) => {
    const answer = await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart });
    expect(answer.statusCode).toBe(201);
    expect(siteViewSchema.parse(answer.json())).toMatchObject({
      ...expected,
      domain: 'alice.holdfast.test',
      url: 'https://alice.holdfast.test:8443/',
      pythonVersion: '3.11',
      status: { state: 'asleep' },
    });
    expect(bench.agent.quickstarts).toHaveLength(1);
  });

  it('changes, switches, reloads, tails and deletes', async () => {
    const site = (
      await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    const url = `sites/${site.id}`;
    const changed = await client('PATCH', url, {
      virtualenv: 'v',
      sourceDirectory: '~/other',
      forceHttps: true,
      protection: { username: 'guest', password: 'let me in' },
      staticFiles: [{ url: '/s/', path: '/home/alice/s' }],
      staticHeaders: [{ url: '/', name: 'X-A', value: 'b' }],
      stopFirst: true,
      workers: 2,
      domain: 'www.example.com',
    });
    expect(changed.json()).toMatchObject({
      virtualenv: '/home/alice/.virtualenvs/v',
      sourceDirectory: '/home/alice/other',
      forceHttps: true,
      protection: { username: 'guest' },
      staticFiles: [{ url: '/s/', path: '/home/alice/s' }],
      stopFirst: true,
      domain: 'www.example.com',
    });
    expect(changed.body).not.toContain('$6$');
    expect(bench.agent.sites.get(site.id)).toMatchObject({ domain: 'www.example.com', revision: 2, workers: 2 });
    expect((await client('POST', `${url}/reload`)).json()).toMatchObject({ status: { state: 'awake', generation: 1 } });
    expect((await client('POST', `${url}/disable`)).json()).toMatchObject({ enabled: false });
    expect((await client('POST', `${url}/reload`)).json()).toMatchObject({ code: 'site-disabled' });
    expect((await client('POST', `${url}/enable`)).json()).toMatchObject({ enabled: true });
    expect((await client('GET', `${url}/logs/error?lines=5`)).json()).toEqual({
      lines: ['a line of error'],
      sizeBytes: 20,
    });
    expect((await client('GET', `${url}/logs/other`)).statusCode).toBe(400);
    expect((await client('PATCH', url, { protection: null })).json()).toMatchObject({ protection: null });
    expect((await client('DELETE', url)).statusCode).toBe(204);
    expect((await client('GET', url)).statusCode).toBe(404);
    expect((await client('GET', 'sites')).json()).toEqual([]);
  });

  it.each([
    [{ workers: 3 }, 'limit-reached'],
    [{ domain: 'bob.holdfast.test' }, 'input-invalid'],
    [{ domain: 'holdfast.test' }, 'input-invalid'],
    [{ domain: 'taken.example.com' }, 'domain-taken'],
    [{ pythonVersion: '2.7' }, 'input-invalid'],
    [{ sourceDirectory: '/home/alice/../x' }, 'input-invalid'],
    [{ staticHeaders: [{ url: '/', name: 'X', value: 'a\nb' }] }, 'input-invalid'],
    [{ staticFiles: [{ url: 'no-slash', path: '/x' }] }, 'input-invalid'],
    [{ certificate: { certificatePem: 'x', privateKeyPem: 'y' } }, 'input-invalid'],
    [{ protection: { username: 'a:b', password: 'x' } }, 'input-invalid'],
  ])('refuses the change %j and changes nothing', async (change, code) => {
    const { apiToken } = await bench.member('bob');
    await tokenClient(bench, apiToken)('POST', `${API}/sites`, { domain: 'taken.example.com', quickstart: 'manual' });
    const site = (
      await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    const answer = await client('PATCH', `sites/${site.id}`, change);
    expect(answer.json()).toMatchObject({ code });
    expect((await client('GET', `sites/${site.id}`)).json()).toEqual(site);
  });

  it("does not show or touch another account's site", async () => {
    const { apiToken } = await bench.member('bob');
    const bob = tokenClient(bench, apiToken);
    const site = (
      await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    const url = `${API}/sites/${site.id}`;
    const tries: [string, string, unknown?][] = [
      ['GET', url],
      ['PATCH', url, { forceHttps: true }],
      ['DELETE', url],
      ['POST', `${url}/reload`],
      ['POST', `${url}/disable`],
      ['GET', `${url}/logs/error`],
    ];
    for (const [method, path, body] of tries)
      expect([path, (await bob(method, path, body)).statusCode]).toEqual([path, 404]);
    expect((await bob('GET', `${API}/sites`)).json()).toEqual([]);
    expect((await bench.operator('GET', `${API}/sites`)).json()).toHaveLength(1);
    expect((await bench.operator('GET', url)).statusCode).toBe(200);
  });

  it('never exceeds the limit of the plan, also when many are made at once', async () => {
    const domains = Array.from({ length: 9 }, (_value, index) => `d${index}.example.com`);
    const answers = await Promise.all(
      domains.map((domain) => client('POST', 'sites', { domain, quickstart: 'manual' })),
    );
    expect(answers.filter((answer) => answer.statusCode === 201)).toHaveLength(5);
    expect(answers.filter((answer) => answer.statusCode === 403)).toHaveLength(4);
  });

  it('keeps the change when the agent is away, and tells it later', async () => {
    const site = (
      await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    bench.agent.online = false;
    expect((await client('PATCH', `sites/${site.id}`, { forceHttps: true })).json()).toMatchObject({
      forceHttps: true,
    });
    expect((await client('POST', `sites/${site.id}/reload`)).json()).toMatchObject({ code: 'agent-unreachable' });
    bench.agent.online = true;
    await until(() => bench.agent.sites.get(site.id)?.forceHttps === true, 'the agent being told', 20_000);
  });
});

describe('files', () => {
  it('lists, writes, reads, renames, makes and removes', async () => {
    const put = await bench.server.inject({
      method: 'PUT',
      url: `${API}/files/content?path=/home/alice/new/a.html`,
      headers: { cookie: alice.cookie, 'x-csrf-token': alice.csrf, ...visitor, 'content-type': 'text/html' },
      payload: Buffer.from([0, 255, 1]),
    });
    expect([put.statusCode, put.json()]).toEqual([200, { created: true }]);
    const read = await alice.send('GET', `${API}/files/content?path=/home/alice/new/a.html&download=1`);
    expect([...read.rawPayload]).toEqual([0, 255, 1]);
    expect(read.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': "attachment; filename*=UTF-8''a.html",
      'x-content-type-options': 'nosniff',
    });
    const listed = await alice.send('GET', `${API}/files?path=/home/alice/new/`);
    expect(listed.json()).toMatchObject({
      path: '/home/alice/new',
      entries: [{ name: 'a.html', size: 3 }],
      writable: true,
    });
    expect(
      (await alice.send('POST', `${API}/files/rename`, { from: '/home/alice/new/a.html', to: '/home/alice/b' }))
        .statusCode,
    ).toBe(200);
    expect((await alice.send('POST', `${API}/files/directory`, { path: '/home/alice/x/y' })).json()).toEqual({
      created: true,
    });
    expect((await alice.send('POST', `${API}/files/directory`, { path: '/home/alice/x/y' })).json()).toEqual({
      created: false,
    });
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice/x`)).statusCode).toBe(204);
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice/x`)).json()).toMatchObject({ code: 'not-found' });
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice`)).json()).toMatchObject({ code: 'forbidden' });
    expect((await alice.send('GET', `${API}/files?path=/etc`)).json()).toMatchObject({ code: 'not-found' });
    expect((await alice.send('GET', `${API}/files?path=/home/alice/../bob`)).json()).toMatchObject({
      code: 'input-invalid',
    });
  });

  it('takes an empty file and one without a content type', async () => {
    const headers = { cookie: alice.cookie, 'x-csrf-token': alice.csrf, ...visitor };
    for (const payload of [undefined, Buffer.from('')]) {
      const put = await bench.server.inject({
        method: 'PUT',
        url: `${API}/files/content?path=/tmp/empty`,
        headers,
        ...(payload ? { payload } : {}),
      });
      expect(put.statusCode).toBe(200);
    }
    expect(bench.agent.files.get('alice:/tmp/empty')).toEqual(Buffer.alloc(0));
  });

  it('refuses more than the limit, and an upload without a CSRF token', async () => {
    await bench.operator('PATCH', `${API}/settings`, { uploadLimitBytes: 10 });
    const url = `${API}/files/content?path=/home/alice/a`;
    const headers = { cookie: alice.cookie, ...visitor, 'content-type': 'application/octet-stream' };
    expect((await bench.server.inject({ method: 'PUT', url, headers, payload: Buffer.alloc(3) })).statusCode).toBe(403);
    const large = await bench.server.inject({
      method: 'PUT',
      url,
      headers: { ...headers, 'x-csrf-token': alice.csrf },
      payload: Buffer.alloc(11),
    });
    expect([large.statusCode, large.json<{ code: string }>().code]).toEqual([413, 'too-large']);
    expect(bench.agent.files.has('/home/alice/a')).toBe(false);
  });
});

describe('volumes, status, dashboard', () => {
  it('shows volumes with who lives there, and acts on them', async () => {
    expect((await bench.operator('GET', `${API}/volumes`)).json()).toMatchObject([
      { name: 'v1', accounts: 1, promisedBytes: 2 * 1024 ** 3 },
    ]);
    const made = await bench.operator('POST', `${API}/volumes`, { name: 'v2', disks: ['/dev/sdb', '/dev/sdc'] });
    expect([made.statusCode, made.json()]).toEqual([
      202,
      expect.objectContaining({ kind: 'volume-create', subject: 'v2' }),
    ]);
    expect((await bench.operator('POST', `${API}/volumes/v1/scrub`)).json()).toMatchObject({ kind: 'volume-scrub' });
    expect((await bench.operator('POST', `${API}/volumes/v1/set-aside`, {})).json()).toMatchObject({
      code: 'input-invalid',
    });
    expect((await bench.operator('POST', `${API}/volumes/v1/set-aside`, { replica: 'r1' })).json()).toMatchObject({
      redundancy: 'reduced',
    });
    expect((await bench.operator('POST', `${API}/volumes/v1/explode`)).statusCode).toBe(400);
    expect((await bench.operator('DELETE', `${API}/volumes/v1?confirm=v1`)).json()).toMatchObject({
      code: 'volume-in-use',
    });
    expect((await bench.operator('DELETE', `${API}/volumes/v2`)).json()).toMatchObject({ code: 'confirmation-needed' });
    expect((await bench.operator('DELETE', `${API}/volumes/v2?confirm=v2`)).statusCode).toBe(202);
    expect((await bench.operator('GET', `${API}/operations`)).json()).toHaveLength(3);
  });

  it('is ready only when everything answers and every volume has been tried', async () => {
    const ready = async (): Promise<boolean> =>
      (await bench.server.inject({ url: `${API}/status`, headers: visitor })).json<{ ready: boolean }>().ready;
    const { world } = bench.context;
    expect(await ready()).toBe(false);
    world.synchronised = true;
    expect(await ready()).toBe(true);
    bench.agent.online = false;
    expect(await ready()).toBe(false);
    bench.agent.online = true;
    world.host = { ...world.host!, gatewayReady: false };
    expect(await ready()).toBe(false);
    world.host = { ...world.host, gatewayReady: true };
    world.apply({ type: 'volume', volume: someVolume('v2', { state: 'closed' }) });
    expect(await ready()).toBe(false);
    world.apply({ type: 'volume', volume: someVolume('v2', { state: 'trouble', trouble: 'A disk is missing.' }) });
    expect(await ready()).toBe(true);
    bench.agent.volumes.set('v2', someVolume('v2'));
    await bench.operator('POST', `${API}/volumes/v2/close`);
    expect(await ready()).toBe(true);
  });

  it('tells members what is wrong in plain words', async () => {
    const site = (
      await alice.send('POST', `${API}/sites`, { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    const before = dashboardSchema.parse((await alice.send('GET', `${API}/dashboard`)).json());
    expect(before).toMatchObject({ platform: null, account: { disk: { usedBytes: 1234 }, notices: [] } });
    bench.context.world.apply({
      type: 'site',
      site: {
        ...site.status!,
        state: 'failed',
        failure: { step: 'import', message: 'Line 3 is wrong.', output: [], at: site.createdAt },
      },
    });
    bench.context.world.apply({ type: 'volume', volume: someVolume('v1', { state: 'trouble', trouble: 'x' }) });
    bench.agent.instead.set('accounts.usage', () => new Promise(() => undefined));
    const after = dashboardSchema.parse((await alice.send('GET', `${API}/dashboard`)).json());
    expect(after.account?.disk).toBeNull();
    const texts = after.account?.notices.map((notice) => notice.text).join(' ');
    expect(texts).toContain('being repaired');
    expect(texts).toContain('Line 3 is wrong.');
    const platform = dashboardSchema.parse((await bench.operator('GET', `${API}/dashboard`)).json()).platform;
    expect(platform).toMatchObject({ accounts: 1, sites: 1, sitesFailed: 1, agentReachable: true });
  });

  it('writes an audit log that parses and holds no secret', async () => {
    await alice.send('POST', `${API}/token`, {});
    const entries = auditEntrySchema.array().parse((await bench.operator('GET', `${API}/audit?limit=50`)).json());
    expect(entries.map((entry) => entry.action)).toContain('token.renew');
    expect(JSON.stringify(entries)).not.toMatch(/[0-9a-f]{40}/);
  });
});

describe('events', () => {
  const open: IncomingMessage[] = [];
  afterEach(() => {
    for (const response of open.splice(0)) response.destroy();
  });

  async function listen(headers: Record<string, string>): Promise<() => string> {
    if (!bench.server.server.listening) await bench.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = bench.server.server.address() as AddressInfo;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = httpRequest({ port, host: '127.0.0.1', path: `${API}/events`, headers }, resolve);
      sent.on('error', reject);
      sent.end();
    });
    open.push(response);
    response.on('error', () => undefined);
    expect(response.headers['content-type']).toBe('text/event-stream');
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => (text += chunk));
    return () => text;
  }

  it('tell each member of its own things only, and the operator of everything', async () => {
    const { apiToken } = await bench.member('bob');
    const bobs = await listen({ authorization: `Token ${apiToken}`, ...visitor });
    const alices = await listen({ cookie: alice.cookie, ...visitor });
    const all = await listen({ authorization: `Token ${bench.server.operatorToken}` });
    const site = (
      await alice.send('POST', `${API}/sites`, { domain: 'alice.holdfast.test', quickstart: 'flask' })
    ).json<SiteView>();
    bench.context.world.apply({ type: 'site', site: { ...site.status!, state: 'awake' } });
    bench.context.world.apply({ type: 'volume', volume: someVolume('v1', { usedBytes: 77 }) });
    await tokenClient(bench, apiToken)('POST', `${API}/sites`, { domain: 'bob.holdfast.test', quickstart: 'flask' });
    await until(() => bobs().includes('bob.holdfast.test'), "bob's event", 20_000);
    await until(() => all().includes('bob.holdfast.test'), "the operator's event", 20_000);
    expect(bobs()).not.toContain('alice.holdfast.test');
    expect(alices()).toContain('"state":"awake"');
    expect(alices()).not.toContain('bob.holdfast.test');
    expect(alices()).not.toContain('event: volume');
    expect(all()).toContain('event: volume');
  });

  it('need a sign-in', async () => {
    expect((await bench.server.inject({ url: `${API}/events`, headers: visitor })).statusCode).toBe(401);
  });
});
