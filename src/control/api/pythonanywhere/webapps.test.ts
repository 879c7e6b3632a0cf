import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBench, tokenClient, type Bench, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Client;

beforeEach(async () => {
  bench = await openBench();
  alice = tokenClient(bench, (await bench.member('alice', 'standard')).apiToken);
});
afterEach(() => bench[Symbol.asyncDispose]());

const BASE = '/api/v0/user/alice/webapps';
const D = 'alice.holdfast.test';
const NO_PERMISSION = { detail: 'You do not have permission to perform this action.' };

async function create(domain = D): Promise<void> {
  const answer = await alice('POST', `${BASE}/`, `domain_name=${domain}&python_version=python311`);
  expect(answer.statusCode).toBe(201);
}

const OBJECT = {
  id: 1,
  user: 'alice',
  domain_name: D,
  enabled: true,
  python_version: '3.11',
  source_directory: '/home/alice',
  working_directory: '/home/alice/',
  virtualenv_path: '',
  expiry: null,
  force_https: false,
  password_protection_enabled: false,
  password_protection_username: '',
  password_protection_password: '',
};

describe('webapps/', () => {
  it('is an empty list at first', async () => {
    const answer = await alice('GET', `${BASE}/`);
    expect([answer.statusCode, answer.json()]).toEqual([200, []]);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
  });

  it('creates a manual-configuration app whose WSGI file the agent writes', async () => {
    const answer = await alice('POST', `${BASE}/`, `domain_name=${D}&python_version=python311`);
    expect([answer.statusCode, answer.json()]).toEqual([201, { status: 'OK' }]);
    expect((await alice('GET', `${BASE}/`)).json()).toEqual([OBJECT]);
    expect(bench.agent.quickstarts).toEqual([expect.stringMatching(/^[0-9a-f]{12} manual$/)]);
    expect([...bench.agent.sites.values()]).toEqual([
      expect.objectContaining({ domain: D, enabled: true, kind: 'wsgi' }),
    ]);
  });

  it.each([['3.11'], ['python3.11'], ['PYTHON311']])('takes the Python version %s', async (version) => {
    const answer = await alice('POST', `${BASE}/`, { domain_name: D, python_version: version });
    expect(answer.statusCode).toBe(201);
  });

  it('takes multipart bodies, too', async () => {
    const form = new FormData();
    form.set('domain_name', D);
    form.set('python_version', 'python311');
    expect((await alice('POST', `${BASE}/`, form)).statusCode).toBe(201);
  });

  it.each([
    ['a missing domain', {}, 400, { domain_name: ['This field is required.'] }],
    ['a blank domain', { domain_name: '' }, 400, { domain_name: ['This field may not be blank.'] }],
    [
      'a Python that is not there',
      { domain_name: D, python_version: 'python399' },
      400,
      { python_version: ['"python399" is not a valid choice.'] },
    ],
    [
      "somebody else's platform domain",
      { domain_name: 'bob.holdfast.test' },
      400,
      {
        status: 'ERROR',
        error_type: 'domain_name_error',
        error_message: expect.stringContaining('alice.holdfast.test'),
      },
    ],
    [
      'a domain that is none',
      { domain_name: 'nonsense' },
      400,
      { status: 'ERROR', error_type: 'domain_name_error', error_message: expect.any(String) },
    ],
  ])('refuses %s', async (_name, body, status, expected) => {
    const answer = await alice('POST', `${BASE}/`, body);
    expect([answer.statusCode, answer.json()]).toMatchObject([status, expected]);
  });

  it('refuses a domain that is in use', async () => {
    await create();
    const again = await alice('POST', `${BASE}/`, { domain_name: D });
    expect([again.statusCode, again.json()]).toMatchObject([
      400,
      { status: 'ERROR', error_type: 'domain_name_error', error_message: `You already have a site at ${D}.` },
    ]);
    const bob = tokenClient(bench, (await bench.member('bob')).apiToken);
    await create('www.example.com');
    const taken = await bob('POST', '/api/v0/user/bob/webapps/', { domain_name: 'www.example.com' });
    expect(taken.json()).toMatchObject({ error_message: 'The domain www.example.com is taken by another account.' });
  });

  it('refuses more sites than the plan has', async () => {
    const carol = tokenClient(bench, (await bench.member('carol', 'starter')).apiToken);
    expect(
      (await carol('POST', '/api/v0/user/carol/webapps/', { domain_name: 'carol.holdfast.test' })).statusCode,
    ).toBe(201);
    const answer = await carol('POST', '/api/v0/user/carol/webapps/', { domain_name: 'www.carol.org' });
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      {
        status: 'ERROR',
        error_type: 'limit_error',
        error_message: 'You cannot create any more webapps - your account only allows 1',
      },
    ]);
  });

  it('answers 403 when a website of v1 holds the domain', async () => {
    await alice('POST', '/api/v1/user/alice/websites/', { domain_name: D, webapp: { command: 'run' } });
    expect((await alice('POST', `${BASE}/`, { domain_name: D })).statusCode).toBe(403);
    expect((await alice('GET', `${BASE}/`)).json()).toEqual([]);
    expect((await alice('GET', `${BASE}/${D}/`)).statusCode).toBe(403);
  });
});

describe('webapps/{domain}/', () => {
  it('answers the object, with and without a slash at the end, in any case', async () => {
    await create();
    for (const url of [`${BASE}/${D}/`, `${BASE}/${D}`, `${BASE}//${D}/`, `${BASE}/${D.toUpperCase()}/`]) {
      const answer = await alice('GET', url);
      expect([answer.statusCode, answer.json()]).toEqual([200, OBJECT]);
    }
  });

  it.each([
    ['GET', ''],
    ['PATCH', ''],
    ['PUT', ''],
    ['DELETE', ''],
    ['POST', 'reload/'],
    ['POST', 'enable/'],
    ['POST', 'disable/'],
    ['GET', 'ssl/'],
    ['GET', 'static_files/'],
    ['POST', 'static_headers/'],
  ])('answers 403 to %s %s of an app that does not exist', async (method, rest) => {
    const body =
      rest === 'static_headers/'
        ? { url: '/', name: 'a', value: 'b' }
        : method === 'GET' || method === 'DELETE'
          ? undefined
          : {};
    const answer = await alice(method, `${BASE}/none.holdfast.test/${rest}`, body);
    expect([answer.statusCode, answer.json()]).toEqual([403, NO_PERMISSION]);
  });

  it("answers 403 to another account's app", async () => {
    await create();
    const bob = tokenClient(bench, (await bench.member('bob')).apiToken);
    expect((await bob('GET', `${BASE}/${D}/`)).json()).toEqual(NO_PERMISSION);
    expect((await bob('GET', `/api/v0/user/bob/webapps/${D}/`)).json()).toEqual(NO_PERMISSION);
  });

  it('changes what a form of the official client names', async () => {
    await create();
    const form =
      'virtualenv_path=%2Fhome%2Falice%2F.virtualenvs%2Fv&source_directory=%2Fhome%2Falice%2Fmysite&force_https=True';
    const answer = await alice('PATCH', `${BASE}/${D}/`, form);
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      {
        ...OBJECT,
        virtualenv_path: '/home/alice/.virtualenvs/v',
        source_directory: '/home/alice/mysite',
        force_https: true,
      },
    ]);
    expect([...bench.agent.sites.values()][0]).toMatchObject({
      forceHttps: true,
      virtualenv: '/home/alice/.virtualenvs/v',
    });
  });

  it.each([
    ['force_https=False', { force_https: false }],
    ['force_https=1', { force_https: true }],
    ['force_https=', {}],
    ['python_version=3.13', { python_version: '3.13' }],
    ['python_version=', {}],
    ['virtualenv_path=v', { virtualenv_path: '/home/alice/.virtualenvs/v' }],
    ['unknown_field=1', {}],
    ['working_directory=%2Fhome%2Falice%2Fx', { working_directory: '/home/alice/x' }],
  ])('PUT %s changes only that', async (form, changed) => {
    await create();
    const answer = await alice('PUT', `${BASE}/${D}/`, form);
    expect([answer.statusCode, answer.json()]).toEqual([200, { ...OBJECT, ...changed }]);
  });

  it("takes Python's spelling of an empty path for none", async () => {
    await create();
    await alice('PATCH', `${BASE}/${D}/`, 'virtualenv_path=v');
    const answer = await alice('PATCH', `${BASE}/${D}/`, 'virtualenv_path=.&source_directory=.');
    expect([answer.statusCode, answer.json()]).toEqual([200, OBJECT]);
  });

  it('takes a number as Python version', async () => {
    await create();
    expect((await alice('PATCH', `${BASE}/${D}/`, { python_version: 3.13 })).json()).toMatchObject({
      python_version: '3.13',
    });
  });

  it('changes nothing when the whole object is sent back', async () => {
    await create();
    const before = (await alice('GET', `${BASE}/${D}/`)).json<Record<string, unknown>>();
    expect((await alice('PUT', `${BASE}/${D}/`, before)).json()).toEqual(before);
  });

  it('refuses wrong values field by field', async () => {
    await create();
    const answer = await alice('PATCH', `${BASE}/${D}/`, { python_version: '9.9' });
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      { python_version: ['"9.9" is not a valid choice.'] },
    ]);
    expect((await alice('PATCH', `${BASE}/${D}/`, 'force_https=perhaps')).json()).toMatchObject({
      force_https: ['Must be a valid boolean.'],
    });
    expect((await alice('PATCH', `${BASE}/${D}/`, { source_directory: '/home/alice/../bob' })).statusCode).toBe(400);
  });

  it('never tells the password of a protected site, and lets nobody in without one', async () => {
    await create();
    const on = await alice('PATCH', `${BASE}/${D}/`, 'password_protection_enabled=true');
    expect(on.json()).toMatchObject({ password_protection_enabled: true, password_protection_password: '' });
    expect([...bench.agent.sites.values()][0]?.protection).toEqual({ username: 'alice', passwordHash: '!' });
    await alice('PATCH', `${BASE}/${D}/`, 'password_protection_username=foo&password_protection_password=bar');
    const spec = [...bench.agent.sites.values()][0];
    expect(spec?.protection).toEqual({ username: 'foo', passwordHash: expect.stringMatching(/^\$5\$/) });
    const object = (await alice('GET', `${BASE}/${D}/`)).json<Record<string, unknown>>();
    expect(object).toMatchObject({ password_protection_username: 'foo', password_protection_password: '' });
    await alice('PUT', `${BASE}/${D}/`, object);
    expect([...bench.agent.sites.values()][0]?.protection).toEqual(spec?.protection);
  });

  it('deletes with 204 and an empty body', async () => {
    await create();
    const answer = await alice('DELETE', `${BASE}/${D}/`);
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    expect((await alice('GET', `${BASE}/`)).json()).toEqual([]);
    expect(bench.agent.sites.size).toBe(0);
    await create();
  });
});

describe('reload, enable, disable', () => {
  it('answers {"status":"OK"}, with or without a body', async () => {
    await create();
    for (const action of ['reload/', 'reload', 'disable/', 'enable/']) {
      for (const body of [undefined, '', {}]) {
        const answer = await alice('POST', `${BASE}/${D}/${action}`, body);
        expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'OK' }]);
      }
    }
    expect(bench.agent.callsOf('sites.reload')).toHaveLength(6);
  });

  it('answers 500 with JSON to the reload of a disabled app', async () => {
    await create();
    await alice('POST', `${BASE}/${D}/disable/`);
    expect((await alice('GET', `${BASE}/${D}/`)).json()).toMatchObject({ enabled: false });
    const answer = await alice('POST', `${BASE}/${D}/reload/`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      500,
      { status: 'error', error: expect.stringContaining('disabled') },
    ]);
  });

  it('says in JSON why a start failed', async () => {
    await create();
    const { HoldfastError } = await import('../../../protocol/errors.ts');
    bench.agent.instead.set('sites.reload', () =>
      Promise.reject(new HoldfastError('site-start-failed', 'Line 3 is wrong.', { details: ['SyntaxError'] })),
    );
    const answer = await alice('POST', `${BASE}/${D}/reload/`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      502,
      { status: 'error', error: 'Line 3 is wrong.', details: ['SyntaxError'] },
    ]);
  });

  it('refuses to enable more than the plan allows', async () => {
    await create();
    await create('www.example.com');
    await alice('POST', `${BASE}/${D}/disable/`);
    await bench.operator('PATCH', '/api/holdfast/accounts/alice', { plan: 'starter' });
    const answer = await alice('POST', `${BASE}/${D}/enable/`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      { error: 'You cannot create any more webapps - your account only allows 1' },
    ]);
  });
});

describe('static_files/ and static_headers/', () => {
  it('goes through the life of a static mapping', async () => {
    await create();
    const url = `${BASE}/${D}/static_files`;
    expect((await alice('GET', `${url}/`)).json()).toEqual([]);
    const made = await alice('POST', `${url}/`, { url: '/static/', path: '/home/alice/static' });
    expect([made.statusCode, made.json()]).toEqual([201, { id: 1, url: '/static/', path: '/home/alice/static' }]);
    const second = await alice('POST', url, 'url=%2Fmedia%2F&path=%2Fhome%2Falice%2Fmedia');
    expect(second.json()).toEqual({ id: 2, url: '/media/', path: '/home/alice/media' });
    expect([...bench.agent.sites.values()][0]?.staticFiles).toHaveLength(2);
    expect((await alice('GET', `${url}/2/`)).json()).toEqual(second.json());
    const patched = await alice('PATCH', `${url}/2/`, { path: '/home/alice/other' });
    expect([patched.statusCode, patched.json()]).toEqual([200, { id: 2, url: '/media/', path: '/home/alice/other' }]);
    expect((await alice('PUT', `${url}/2`, { url: '/m/', path: '/home/alice/other' })).json()).toMatchObject({
      url: '/m/',
    });
    const gone = await alice('DELETE', `${url}/1/`);
    expect([gone.statusCode, gone.body]).toEqual([204, '']);
    expect((await alice('GET', `${url}/1/`)).json()).toEqual({ detail: 'Not found.' });
    expect((await alice('DELETE', `${url}/1/`)).statusCode).toBe(404);
    expect((await alice('GET', `${url}/`)).json()).toHaveLength(1);
  });

  it('names the fields that are missing', async () => {
    await create();
    const answer = await alice('POST', `${BASE}/${D}/static_files/`, {});
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      { url: ['This field is required.'], path: ['This field is required.'] },
    ]);
  });

  it('goes through the life of a static header', async () => {
    await create();
    const url = `${BASE}/${D}/static_headers`;
    const made = await alice('POST', `${url}/`, { url: '/', name: 'X-One', value: { a: 1 } });
    expect([made.statusCode, made.json()]).toEqual([201, { id: 1, url: '/', name: 'X-One', value: '{"a":1}' }]);
    expect((await alice('PATCH', `${url}/1/`, 'value=two')).json()).toMatchObject({ value: 'two', name: 'X-One' });
    expect((await alice('GET', `${url}/`)).json()).toEqual([{ id: 1, url: '/', name: 'X-One', value: 'two' }]);
    expect((await alice('POST', `${url}/`, { url: '/', name: 'X: Two', value: 'x' })).statusCode).toBe(400);
    expect((await alice('POST', `${url}/`, { url: '/', name: 'X-Two', value: 'x\r\nSet-Cookie: y' })).statusCode).toBe(
      400,
    );
    expect((await alice('DELETE', `${url}/1/`)).statusCode).toBe(204);
    expect((await alice('GET', `${url}/1/`)).statusCode).toBe(404);
  });
});
