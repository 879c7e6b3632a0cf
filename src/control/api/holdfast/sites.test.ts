import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { siteViewSchema, type SiteView } from '../../../protocol/browser.ts';
import { until } from '../../../runtime/deadline.ts';
import { openBench, signedInBrowser, tokenClient, type Bench, type Browser, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Browser;

beforeEach(async () => {
  bench = await openBench();
  await bench.member('alice');
  alice = await signedInBrowser(bench, 'alice', "alice's long password");
});
afterEach(() => bench[Symbol.asyncDispose]());

const API = '/api/holdfast';

describe('sites', () => {
  let client: Client;
  beforeEach(() => {
    client = (method, url, body) => alice.send(method, `${API}/${url}`, body);
  });

  it("gives a second project a directory of its own, so that it does not take over the first one's", async () => {
    const first = await client('POST', 'sites', { domain: 'alice.holdfast.test', quickstart: 'flask' });
    const second = await client('POST', 'sites', { domain: 'shop-alice.holdfast.test', quickstart: 'django' });
    expect(first.json<SiteView>().sourceDirectory).toBe('/home/alice/mysite');
    expect(second.json<SiteView>().sourceDirectory).toBe('/home/alice/mysite_shop_alice_holdfast_test');
  });

  it.each([
    [
      'flask',
      { kind: 'wsgi', sourceDirectory: '/home/alice/mysite', wsgiFile: '/var/www/alice_holdfast_test_wsgi.py' },
    ],
    [
      'django',
      {
        kind: 'wsgi',
        sourceDirectory: '/home/alice/mysite',
        staticFiles: [expect.objectContaining({ url: '/static/', path: '/home/alice/mysite/static' })],
      },
    ],
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
