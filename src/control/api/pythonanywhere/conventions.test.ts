import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBench, signedInBrowser, tokenClient, type Bench, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Client;
let token: string;

beforeEach(async () => {
  bench = await openBench();
  token = (await bench.member('alice')).apiToken;
  alice = tokenClient(bench, token);
});
afterEach(() => bench[Symbol.asyncDispose]());

describe('who may ask', () => {
  it('takes tokens of 40 hexadecimal characters', () => {
    expect(token).toMatch(/^[0-9a-f]{40}$/);
  });

  it.each([
    [undefined, 'Authentication credentials were not provided.'],
    ['Token 0123456789012345678901234567890123456789', 'Invalid token.'],
    ['Token', 'Invalid token header. No credentials provided.'],
    ['Basic YWxpY2U6eA==', 'Invalid token header. No credentials provided.'],
  ])('answers 401 to the header %s', async (authorization, detail) => {
    const headers = { 'x-real-ip': '192.0.2.1', ...(authorization === undefined ? {} : { authorization }) };
    const answer = await bench.server.inject({ url: '/api/v0/user/alice/webapps/', headers });
    expect([answer.statusCode, answer.json()]).toEqual([401, { detail }]);
  });

  it('refuses a token that was replaced, and one of a disabled account', async () => {
    const renewed = await alice('POST', '/api/holdfast/token', {});
    const next = renewed.json<{ token: string }>().token;
    expect((await alice('GET', '/api/v0/user/alice/cpu/')).json()).toEqual({ detail: 'Invalid token.' });
    const again = tokenClient(bench, next);
    expect((await again('GET', '/api/v0/user/alice/cpu/')).statusCode).toBe(200);
    await bench.operator('PATCH', '/api/holdfast/accounts/alice', { disabled: true });
    const refused = await again('GET', '/api/v0/user/alice/cpu/');
    expect([refused.statusCode, refused.json()]).toEqual([401, { detail: 'User inactive or deleted.' }]);
  });

  it("answers 403 to somebody else's name, whether it exists or not", async () => {
    await bench.member('bob');
    for (const name of ['bob', 'nobody', 'operator']) {
      const answer = await alice('GET', `/api/v0/user/${name}/webapps/`);
      expect([answer.statusCode, answer.json()]).toEqual([
        403,
        { detail: 'You do not have permission to perform this action.' },
      ]);
    }
  });

  it('lets the operator act for any account', async () => {
    expect((await bench.operator('GET', '/api/v0/user/alice/cpu/')).statusCode).toBe(200);
    expect((await bench.operator('GET', '/api/v0/user/nobody/cpu/')).json()).toEqual({ detail: 'Not found.' });
  });

  it('does not take the command line token from outside', async () => {
    const headers = { authorization: `Token ${bench.server.operatorToken}`, 'x-real-ip': '192.0.2.1' };
    const answer = await bench.server.inject({ url: '/api/v0/user/alice/cpu/', headers });
    expect([answer.statusCode, answer.json()]).toEqual([401, { detail: 'Invalid token.' }]);
  });

  it('takes a browser session, for writes with its CSRF token only', async () => {
    const browser = await signedInBrowser(bench, 'alice', "alice's long password");
    const url = '/api/v0/user/alice/webapps/';
    const body = { domain_name: 'alice.holdfast.test' };
    expect((await browser.send('GET', url)).statusCode).toBe(200);
    const without = await browser.send('POST', url, body, { 'x-csrf-token': '' });
    expect([without.statusCode, without.json()]).toEqual([
      403,
      { detail: 'CSRF Failed: CSRF token missing or incorrect.' },
    ]);
    const django = await browser.send('POST', url, body, {
      'x-csrf-token': '',
      'x-csrftoken': browser.csrf,
    });
    expect(django.statusCode).toBe(201);
  });
});

describe('how often', () => {
  const url = '/api/v0/user/alice/cpu/';

  it('lets 40 requests a minute through to each endpoint', async () => {
    for (let count = 0; count < 40; count += 1) expect((await alice('GET', url)).statusCode).toBe(200);
    const answer = await alice('GET', url);
    expect(answer.statusCode).toBe(429);
    const seconds = Number(answer.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    expect(answer.json()).toEqual({ detail: `Request was throttled. Expected available in ${seconds} seconds.` });
    expect((await alice('GET', '/api/v0/user/alice/webapps/')).statusCode).toBe(200);
    expect((await alice('GET', '/api/holdfast/session')).statusCode).toBe(200);
    bench.clock.ahead += 60_000;
    expect((await alice('GET', url)).statusCode).toBe(200);
  });

  it('lets a project of thousands of files through, and counts Files apart from the rest', async () => {
    await bench.operator('PATCH', '/api/holdfast/settings', { apiRequestsPerMinute: 2 });
    const upload = async (name: number): Promise<number> => {
      const form = new FormData();
      form.set('content', new Blob(['x']), 'x');
      return (await alice('POST', `/api/v0/user/alice/files/path/home/alice/project/${name}`, form)).statusCode;
    };
    for (let name = 0; name < 150; name += 1) expect(await upload(name)).toBe(201);
    for (let count = 0; count < 50; count += 1) {
      expect((await alice('GET', '/api/v0/user/alice/files/tree/?path=/home/alice')).statusCode).toBe(200);
    }
    expect(await upload(1)).toBe(429);
    expect((await alice('GET', url)).statusCode).toBe(200);
  });

  it('can be switched off', async () => {
    await bench.operator('PATCH', '/api/holdfast/settings', { apiRequestsPerMinute: 0 });
    for (let count = 0; count < 50; count += 1) expect((await alice('GET', url)).statusCode).toBe(200);
  });
});

describe('what is sent', () => {
  const url = '/api/v0/user/alice/webapps/';

  it('answers broken JSON and unknown types in JSON', async () => {
    const broken = await alice('POST', url, '{"a":', { 'content-type': 'application/json' });
    expect([broken.statusCode, broken.json()]).toEqual([400, { detail: expect.stringContaining('JSON parse error') }]);
    const unknown = await alice('POST', url, 'x', { 'content-type': 'text/plain' });
    expect([unknown.statusCode, unknown.json()]).toEqual([
      415,
      { detail: 'Unsupported media type "text/plain" in request.' },
    ]);
  });

  it.each([['[]'], ['"text"'], ['null'], ['3']])('survives the JSON body %s', async (body) => {
    const answer = await alice('POST', url, body, { 'content-type': 'application/json' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toBeTypeOf('object');
  });

  it('answers a form that is cut off', async () => {
    const answer = await alice('POST', url, '--x\r\nContent-Disposition: form-data; name="domain_name"\r\n\r\nali', {
      'content-type': 'multipart/form-data; boundary=x',
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toBeTypeOf('object');
  });

  it('answers a body that is too large with 413', async () => {
    const answer = await alice('POST', url, `domain_name=${'a'.repeat(1_100_000)}`);
    expect(answer.statusCode).toBe(413);
  });

  it('answers an unknown path in JSON, to a browser with a page, and what comes later with JSON', async () => {
    const unknown = await alice('GET', '/api/v0/user/alice/nonsense/');
    expect([unknown.statusCode, unknown.json()]).toEqual([404, { detail: expect.any(String) }]);
    const page = await alice('GET', '/api/v0/user/alice/nonsense/', undefined, { accept: 'text/html,*/*' });
    expect([page.statusCode, page.headers['content-type']]).toEqual([404, 'text/html; charset=utf-8']);
    const later = await alice('POST', '/api/v0/user/alice/consoles/', { executable: 'bash' });
    expect([later.statusCode, later.json()]).toEqual([404, { detail: 'There are no consoles here yet.' }]);
    expect((await alice('GET', '/api/v0/user/alice/databases/mysql/')).json()).toEqual({ detail: 'Not found.' });
    expect((await alice('GET', '/api/v0/user/alice/consoles/1')).json()).toEqual({ detail: 'Not found.' });
  });

  it.each([['schedule'], ['always_on'], ['consoles'], ['consoles/shared_with_you']])(
    'answers an empty list for %s',
    async (name) => {
      for (const end of ['', '/']) {
        const answer = await alice('GET', `/api/v0/user/alice/${name}${end}`);
        expect([answer.statusCode, answer.json()]).toEqual([200, []]);
      }
    },
  );
});

describe('account endpoints', () => {
  it('answers students/ with nobody', async () => {
    expect((await alice('GET', '/api/v0/user/alice/students/')).json()).toEqual({ students: [] });
    expect((await alice('DELETE', '/api/v0/user/alice/students/bob')).json()).toEqual({ detail: 'Not found.' });
  });

  it.each([
    ['default_python_version', 'available_python_versions'],
    ['default_python3_version', 'available_python3_versions'],
    ['default_save_and_run_python_version', 'available_python_versions'],
  ])('reads and sets %s', async (name, available) => {
    const url = `/api/v0/user/alice/${name}/`;
    const versions = ['3.13', '3.11'];
    // What nobody has chosen is what a new site gets: the Python that uWSGI has a plugin for.
    expect((await alice('GET', url)).json()).toMatchObject({ [name]: '3.11', [available]: versions });
    const changed = await alice('PATCH', url, { [name]: '3.13' });
    expect([changed.statusCode, changed.json()]).toMatchObject([200, { [name]: '3.13', [available]: versions }]);
    expect((await alice('GET', url)).json()).toMatchObject({ [name]: '3.13', [available]: versions });
    expect((await alice('PATCH', url, { [name]: '2.7' })).json()).toMatchObject({
      [name]: ['"2.7" is not a valid choice.'],
    });
    expect((await alice('PATCH', url, { version: '3.11' })).json()).toMatchObject({
      [name]: ['This field is required.'],
    });
  });

  it('has one system image', async () => {
    const url = '/api/v0/user/alice/system_image/';
    const only = { system_image: 'holdfast', available_system_images: ['holdfast'] };
    expect((await alice('GET', url)).json()).toEqual(only);
    expect((await alice('PATCH', url, 'system_image=holdfast')).json()).toEqual(only);
    expect((await alice('PATCH', url, 'system_image=innit')).statusCode).toBe(400);
  });
});

describe('a method that an address does not have', () => {
  const allowedOf = (answer: { headers: Record<string, unknown> }): string[] =>
    String(answer.headers['allow']).split(', ').sort();

  it.each([
    ['PUT', '/api/v0/user/alice/webapps/', ['GET', 'HEAD', 'POST']],
    ['POST', '/api/v0/user/alice/cpu', ['GET', 'HEAD']],
    ['GET', '/api/v0/user/alice/webapps/alice.holdfast.test/reload/', ['POST']],
    ['PATCH', '/api/v0/user/alice/files/path/home/alice/x', ['DELETE', 'GET', 'HEAD', 'POST']],
    ['DELETE', '/api/v0/user/alice/files/tree/', ['GET', 'HEAD']],
    ['PUT', '/api/v1/user/alice/websites/', ['GET', 'HEAD', 'POST']],
    ['OPTIONS', '/api/v1/user/alice/websites/', ['GET', 'HEAD', 'POST']],
    ['PUT', '/api/v0/user/alice/schedule/', ['GET', 'HEAD', 'POST']],
  ])('is answered 405 with the others in Allow: %s %s', async (method, url, allowed) => {
    // A body of an unknown type is not what is wrong.
    const answer = await alice(method, url, 'x', { 'content-type': 'image/png' });
    expect([answer.statusCode, answer.json()]).toEqual([405, { detail: `Method "${method}" not allowed.` }]);
    expect(allowedOf(answer)).toEqual(allowed);
  });

  /** What these have beside what the description of the API lists: uploads, and what comes later. */
  const HIDDEN = /(files\/path|consoles|students)/;

  it('is answered so on every address of both APIs', async () => {
    const { paths } = (await alice('GET', '/api/openapi.json')).json<{ paths: Record<string, object> }>();
    let asked = 0;
    for (const [path, methods] of Object.entries(paths)) {
      const missing = ['post', 'put', 'patch', 'delete'].find((method) => !(method in methods));
      if (
        missing === undefined ||
        path.startsWith('/api/openapi') ||
        path.startsWith('/user/') ||
        path === '/metrics'
      ) {
        continue;
      }
      const url = path.replace('{username}', 'alice').replaceAll(/\{[^}]+\}/g, 'x');
      const answer = await bench.operator(missing.toUpperCase(), url);
      asked += 1;
      // Where addresses overlap, another one may have the method.
      if (answer.statusCode === 405) {
        expect(allowedOf(answer).length).toBeGreaterThan(0);
        expect(answer.json()).toMatchObject(path.startsWith('/api/holdfast') ? { code: 'method-not-allowed' } : {});
      } else if (!HIDDEN.test(path)) expect([missing, path, answer.statusCode]).toBe(405);
    }
    expect(asked).toBeGreaterThan(50);
  });

  it('is asked by nobody: who may not ask at all is told that first', async () => {
    const url = '/api/v0/user/alice/webapps/';
    const answer = await bench.server.inject({ method: 'PUT', url, headers: { 'x-real-ip': '192.0.2.1' } });
    expect(answer.statusCode).toBe(401);
  });
});

describe('every refusal', () => {
  const base = '/api/v0/user/alice';
  it.each<[string, string, unknown]>([
    ['POST', `${base}/webapps/`, {}],
    ['POST', `${base}/webapps/`, { domain_name: 'x y', python_version: '3.11' }],
    ['POST', `${base}/webapps/`, { domain_name: 'alice.holdfast.test', python_version: '2.7' }],
    ['GET', `${base}/webapps/none.holdfast.test/`, undefined],
    ['GET', `${base}/files/path/home/alice/none`, undefined],
    ['DELETE', `${base}/files/path/home/alice/none`, undefined],
    ['DELETE', `${base}/files/path/home/alice`, undefined],
    ['POST', `${base}/files/sharing/`, {}],
    ['GET', `${base}/files/sharing/?path=/home/alice/none`, undefined],
    ['GET', `${base}/files/tree/?path=/none`, undefined],
    ['PATCH', `${base}/default_python_version/`, { default_python_version: '2.7' }],
    ['POST', '/api/v1/user/alice/websites/', { domain_name: 'alice.holdfast.test' }],
    ['POST', '/api/v1/user/alice/websites/none/reload/', undefined],
    ['POST', `${base}/schedule/`, { command: 'x' }],
    ['PUT', `${base}/webapps/`, undefined],
    ['GET', `${base}/nonsense`, undefined],
  ])('says in detail what is wrong, whatever else clients know: %s %s %j', async (method, url, body) => {
    const answer = await alice(method, url, body);
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    expect(answer.json()).toMatchObject({ detail: expect.stringMatching(/\w+ \w+/) });
  });

  it('has the words of its other fields in its detail', async () => {
    expect((await alice('POST', `${base}/webapps/`, {})).json()).toEqual({
      domain_name: ['This field is required.'],
      detail: 'domain_name: This field is required.',
    });
    expect((await alice('DELETE', `${base}/files/path/home/alice/none`)).json()).toEqual({
      message: 'File does not exist',
      code: 'not_found',
      detail: 'File does not exist',
    });
  });
});

describe('what was read', () => {
  it('can be sent back whole, and with nulls where nothing is meant', async () => {
    const base = '/api/v0/user/alice';
    const webapps = `${base}/webapps`;
    const domain = 'alice.holdfast.test';
    expect((await alice('POST', `${webapps}/`, { domain_name: domain })).statusCode).toBe(201);
    const mapping = (await alice('POST', `${webapps}/${domain}/static_files/`, { url: '/s/', path: '~/s' })).json<{
      id: number;
      path: string;
    }>();
    expect(mapping.path).toBe('/home/alice/s');
    const header = (
      await alice('POST', `${webapps}/${domain}/static_headers/`, { url: '/s/', name: 'X', value: 'y' })
    ).json<{ id: number }>();
    const website = { domain_name: 'api-alice.holdfast.test', enabled: true, webapp: { command: 'x' } };
    expect((await alice('POST', '/api/v1/user/alice/websites/', website)).statusCode).toBe(201);
    const places = [
      `${webapps}/${domain}/`,
      `${webapps}/${domain}/static_files/${mapping.id}/`,
      `${webapps}/${domain}/static_headers/${header.id}/`,
      `${base}/default_python_version/`,
      `${base}/system_image/`,
      '/api/v1/user/alice/websites/api-alice.holdfast.test/',
    ];
    for (const url of places) {
      const read = (await alice('GET', url)).json<Record<string, unknown>>();
      const nulls = Object.fromEntries(Object.keys(read).map((key) => [key, null]));
      for (const method of ['PUT', 'PATCH']) {
        const answer = await alice(method, url, read);
        expect([url, method, answer.statusCode, answer.json()]).toEqual([url, method, 200, read]);
        const empty = await alice(method, url, nulls);
        expect([url, method, empty.statusCode, empty.json()]).toEqual([url, method, 200, read]);
      }
    }
  });
});

describe('openapi.json', () => {
  it('describes the routes from their schemas', async () => {
    const document = (await alice('GET', '/api/openapi.json')).json<{
      paths: Record<string, Record<string, unknown>>;
    }>();
    expect(document.paths['/api/v0/user/{username}/webapps/{domain}/']).toHaveProperty('patch.requestBody');
    expect(document.paths['/api/v0/user/{username}/webapps/{domain}/ssl/']).toHaveProperty('post.requestBody');
    expect(Object.keys(document.paths)).toContain('/api/holdfast/sites/{id}');
  });
});
