import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBench, tokenClient, type Bench, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Client;

beforeEach(async () => {
  bench = await openBench();
  alice = tokenClient(bench, (await bench.member('alice')).apiToken);
});
afterEach(() => bench[Symbol.asyncDispose]());

const BASE = '/api/v1/user/alice/websites';
const D = 'alice.holdfast.test';
const COMMAND = '/home/alice/.virtualenvs/v/bin/uvicorn --uds ${DOMAIN_SOCKET} main:app';

function object(domain: string, enabled: boolean, id = 1): Record<string, unknown> {
  const cname = domain === D ? {} : { cname: D };
  return {
    id,
    user: 'alice',
    domain_name: domain,
    enabled,
    webapp: { id, command: COMMAND, domains: [{ domain_name: domain, enabled, ...cname }] },
    logfiles: {
      access: `/var/log/${domain}.access.log`,
      server: `/var/log/${domain}.server.log`,
      error: `/var/log/${domain}.error.log`,
    },
  };
}

describe('v1 websites/', () => {
  it('creates, lists, reads, switches and deletes', async () => {
    expect((await alice('GET', `${BASE}/`)).json()).toEqual([]);
    const made = await alice('POST', `${BASE}/`, { domain_name: D, enabled: true, webapp: { command: COMMAND } });
    expect([made.statusCode, made.json()]).toEqual([201, object(D, true)]);
    expect([...bench.agent.sites.values()][0]).toMatchObject({ kind: 'command', command: COMMAND });
    expect(bench.agent.quickstarts).toEqual([]);
    const custom = await alice('POST', BASE, {
      domain_name: 'www.example.com',
      enabled: false,
      webapp: { command: COMMAND },
    });
    expect(custom.json()).toEqual(object('www.example.com', false, 2));
    expect((await alice('GET', BASE)).json()).toEqual([object(D, true), object('www.example.com', false, 2)]);
    const patched = await alice('PATCH', `${BASE}/${D}/`, { enabled: false, webapp: { command: 'ignored' } });
    expect([patched.statusCode, patched.json()]).toEqual([200, object(D, false)]);
    expect((await alice('GET', `${BASE}/${D}`)).json()).toEqual(object(D, false));
    expect((await alice('DELETE', `${BASE}/${D}/`)).statusCode).toBe(204);
    const gone = await alice('GET', `${BASE}/${D}/`);
    expect([gone.statusCode, gone.json()]).toEqual([404, { detail: 'Not found.' }]);
  });

  it('refuses a domain that exists, in either kind', async () => {
    await alice('POST', '/api/v0/user/alice/webapps/', { domain_name: D });
    const answer = await alice('POST', `${BASE}/`, { domain_name: D, webapp: { command: COMMAND } });
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      { domain_name: ['domain with this domain name already exists.'] },
    ]);
    expect((await alice('GET', `${BASE}/`)).json()).toMatchObject([]);
  });

  it('names what is missing', async () => {
    expect((await alice('POST', `${BASE}/`, {})).json()).toMatchObject({
      domain_name: ['This field is required.'],
      webapp: ['This field is required.'],
    });
    expect((await alice('POST', `${BASE}/`, { domain_name: D, webapp: {} })).json()).toMatchObject({
      webapp: ['This field is required.'],
    });
    expect((await alice('POST', `${BASE}/`, { domain_name: 'x', webapp: { command: 'y' } })).json()).toMatchObject({
      domain_name: [expect.stringContaining('not a domain')],
    });
  });

  it('reloads with and without a slash, and always answers JSON', async () => {
    await alice('POST', `${BASE}/`, { domain_name: D, webapp: { command: COMMAND } });
    for (const url of [`${BASE}/${D}/reload/`, `${BASE}/${D}/reload`]) {
      const answer = await alice('POST', url);
      expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'OK' }]);
    }
    expect((await alice('POST', `${BASE}/none.example.com/reload/`)).json()).toEqual({ detail: 'Not found.' });
  });
});

describe('certificates', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-certificate-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function makeCertificate(domain: string): { cert: string; private_key: string } {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const subject = ['-subj', `/CN=${domain}`, '-addext', `subjectAltName=DNS:${domain}`, '-days', '30'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' }); // prettier-ignore
    return { cert: readFileSync(cert, 'utf8'), private_key: readFileSync(key, 'utf8') };
  }

  it.each([
    ['v0 webapps', '/api/v0/user/alice/webapps/www.example.com/ssl/', '/api/v0/user/alice/webapps/'],
    ['v1 domains', '/api/v1/user/alice/domains/www.example.com/ssl/', `${BASE}/`],
  ])('%s: installs, tells and removes a certificate', async (_name, ssl, create) => {
    await alice('POST', create, { domain_name: 'www.example.com', webapp: { command: COMMAND } });
    const platform = await alice('GET', ssl);
    expect([platform.statusCode, platform.json()]).toEqual([
      200,
      expect.objectContaining({ cert_type: 'letsencrypt-auto-renew', not_after: '20270101T000000Z' }),
    ]);
    const own = makeCertificate('www.example.com');
    const installed = await alice('POST', ssl, own);
    expect([installed.statusCode, installed.json()]).toEqual([200, { status: 'OK' }]);
    expect([...bench.agent.sites.values()][0]?.certificate?.certificatePem.trim()).toBe(own.cert.trim());
    expect((await alice('GET', ssl)).json()).toEqual({
      not_after: expect.stringMatching(/^\d{8}T\d{6}Z$/),
      issuer_name: 'www.example.com',
      subject_name: 'www.example.com',
      subject_alternate_names: ['www.example.com'],
    });
    const renewing = await alice('POST', ssl, { cert_type: 'letsencrypt-auto-renew' });
    expect([renewing.statusCode, renewing.json()]).toEqual([200, { status: 'OK' }]);
    expect([...bench.agent.sites.values()][0]?.certificate).toBeNull();
    await alice('POST', ssl, own);
    const removed = await alice('DELETE', ssl);
    expect([removed.statusCode, removed.json()]).toEqual([200, { status: 'OK' }]);
    expect([...bench.agent.sites.values()][0]?.certificate).toBeNull();
  });

  it('says pythonanywhere-subdomain for names under the platform', async () => {
    await alice('POST', '/api/v0/user/alice/webapps/', { domain_name: D });
    expect((await alice('GET', `/api/v0/user/alice/webapps/${D}/ssl/`)).json()).toMatchObject({
      cert_type: 'pythonanywhere-subdomain',
    });
  });

  it('refuses what would not work', async () => {
    await alice('POST', '/api/v0/user/alice/webapps/', { domain_name: 'www.example.com' });
    const ssl = '/api/v0/user/alice/webapps/www.example.com/ssl/';
    const other = makeCertificate('other.example.com');
    expect((await alice('POST', ssl, other)).json()).toMatchObject({
      cert: ['The certificate is not for www.example.com.'],
    });
    const own = makeCertificate('www.example.com');
    expect((await alice('POST', ssl, { ...own, private_key: other.private_key })).json()).toMatchObject({
      cert: ['The private key does not belong to this certificate.'],
    });
    expect((await alice('POST', ssl, { cert: own.cert })).json()).toMatchObject({
      private_key: ['This field is required.'],
    });
    expect((await alice('POST', ssl, { cert: 'x', private_key: 'y' })).statusCode).toBe(400);
    expect((await alice('POST', ssl, {})).statusCode).toBe(400);
    expect((await alice('POST', ssl, { cert_type: 'nonsense' })).json()).toMatchObject({
      cert_type: ['"nonsense" is not a valid choice.'],
    });
  });
});
