import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority, type LocalAuthority } from './authority.ts';
import { CertificateStore, checkCustomCertificate } from './certificates.ts';
import { renderConfiguration } from './nginx-configuration.ts';
import type { GatewayPlan, GatewaySite } from './plan.ts';
import { PAGES, renderPage, type PageName } from './pages.ts';
import { checkedSpecs, passwordLine } from './plan.ts';
import { listenersIn } from './process-table.ts';
import { siteSpec } from './test-bench.ts';

const silent = pino({ level: 'silent' });
const refusal = (field: string): unknown => expect.objectContaining({ code: 'input-invalid', field });

describe('what goes into the configuration', () => {
  const plan = (sites: GatewaySite[]): GatewayPlan => ({
    gateway: '/h/gateway',
    logs: '/h/logs',
    run: '/r',
    controlSocket: '/r/control/control.sock',
    domain: 'holdfast.test',
    httpPort: 8080,
    httpsPort: 8443,
    ipv6: true,
    http2Directive: false,
    workers: 2,
    connectionsPerWorker: 1000,
    platformCertificate: 'p.pem',
    sites,
  });
  const site = (number: number): GatewaySite => ({
    id: number.toString(16).padStart(12, '0'),
    account: 'alice',
    domain: `s${number}-alice.holdfast.test`,
    volume: 'home1',
    enabled: true,
    streams: false,
    forceHttps: false,
    passwordLine: undefined,
    certificate: 'c.pem',
  });

  it('leaves out names that are none, and keeps the newer of two sites with one domain', () => {
    const good = siteSpec({ domain: 'Alice.holdfast.test.', revision: 2 });
    const specs = checkedSpecs(
      [
        siteSpec({ domain: 'alice.holdfast.test', revision: 1 }),
        good,
        siteSpec({ domain: 'holdfast.test' }),
        siteSpec({ domain: 'x.example.org";}' }),
        siteSpec({ domain: 'y.example.org', account: '../bob' }),
      ],
      'holdfast.test',
      silent,
    );
    expect(specs).toEqual([{ ...good, domain: 'alice.holdfast.test' }]);
  });

  it('lets nobody in rather than everybody when a password line cannot be written', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (username, passwordHash) => {
        const line = passwordLine({ username, passwordHash });
        expect(line === '' || (line.split(':').length === 2 && !line.includes('\n'))).toBe(true);
      }),
    );
    expect(passwordLine({ username: 'a', passwordHash: '$apr1$salt$hash' })).toBe('a:$apr1$salt$hash');
    expect(passwordLine({ username: 'a', passwordHash: 'plain' })).toBe('');
    expect(passwordLine({ username: 'a\nb', passwordHash: '$apr1$salt$hash' })).toBe('');
  });

  it('is named after its content: same plan, same generation', () => {
    const one = renderConfiguration(plan([site(1), site(2)]));
    expect(renderConfiguration(plan([site(1), site(2)])).generation).toBe(one.generation);
    expect(renderConfiguration(plan([site(1), { ...site(2), passwordLine: 'a:b' }])).generation).not.toBe(
      one.generation,
    );
    expect(one.files.get('nginx.conf')).toContain(one.generation);
    expect(one.files.get('nginx.conf')).not.toContain('@generation@');
  });

  it('sizes its tables for thousands of sites', () => {
    const text = renderConfiguration(plan(Array.from({ length: 5000 }, (_, index) => site(index)))).files.get(
      'nginx.conf',
    );
    expect(text).toContain('map_hash_max_size 32768;');
  });
});

describe('who listens on a port', () => {
  it('is read from the table of the kernel', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 777 1 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 888 1 0`;
    expect(listenersIn(table, 8080)).toEqual(['12345']);
    expect(listenersIn(table, 80)).toEqual(['888']);
    expect(listenersIn(table, 81)).toEqual([]);
  });
});

describe('certificates', () => {
  let directory: string;
  let authority: LocalAuthority;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-certificates-'));
    authority = await openAuthority(join(directory, 'authority'), 'test');
  });
  afterAll(async () => await rm(directory, { recursive: true, force: true }));

  it('come from an authority that is made once and that only root reads', async () => {
    const again = await openAuthority(join(directory, 'authority'), 'test');
    expect(again.certificatePem).toBe(authority.certificatePem);
    expect((await stat(join(directory, 'authority', 'authority.pem'))).mode & 0o777).toBe(0o600);
    const issued = new X509Certificate((await again.issue(['a.example.org', '127.0.0.1'])).certificatePem);
    const root = new X509Certificate(authority.certificatePem);
    expect(issued.checkIssued(root)).toBe(true);
    expect(issued.verify(root.publicKey)).toBe(true);
    expect(issued.checkHost('a.example.org')).toBe('a.example.org');
    expect(issued.checkIP('127.0.0.1')).toBe('127.0.0.1');
    const days = (issued.validToDate.getTime() - issued.validFromDate.getTime()) / 86_400_000;
    expect(days).toBeLessThanOrEqual(825);
  });

  it('of members are refused with the reason when they cannot be served', async () => {
    const good = await authority.issue(['shop.example.org']);
    const other = await authority.issue(['shop.example.org']);
    expect(checkCustomCertificate('shop.example.org', good).subject).toContain('shop.example.org');
    const check =
      (change: Partial<typeof good>, domain = 'shop.example.org', now?: Date) =>
      () =>
        checkCustomCertificate(domain, { ...good, ...change }, now);
    expect(check({ certificatePem: 'hello' })).toThrow(refusal('certificatePem') as Error);
    expect(check({ certificatePem: `${good.certificatePem.slice(0, 200)}\n-----END CERTIFICATE-----` })).toThrow(
      refusal('certificatePem') as Error,
    );
    expect(check({ privateKeyPem: other.privateKeyPem })).toThrow(refusal('privateKeyPem') as Error);
    expect(check({ privateKeyPem: 'hello' })).toThrow(refusal('privateKeyPem') as Error);
    expect(check({}, 'other.example.org')).toThrow(/It is for: shop\.example\.org/);
    expect(check({}, 'shop.example.org', new Date('2100-01-01'))).toThrow(/ended on/);
    expect(check({}, 'shop.example.org', new Date('2000-01-01'))).toThrow(/only valid from/);
    const locked = createPrivateKey(good.privateKeyPem).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    expect(check({ privateKeyPem: locked as string })).toThrow(/passphrase/);
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    expect(check({ privateKeyPem: short as string })).toThrow(/2048/);
  });

  it('are made once for a name, and removed when no site has it any more', async () => {
    let issued = 0;
    const counting = { issue: async (names: readonly string[]) => (issued++, await authority.issue(names)) };
    const files = join(directory, 'files');
    const store = new CertificateStore(files, process.getgid?.() ?? 0, counting);
    await store.prepare();
    const first = await store.ensure(['a.example.org']);
    expect(await new CertificateStore(files, process.getgid?.() ?? 0, counting).ensure(['a.example.org'])).toBe(first);
    expect(await store.ensure(['a.example.org'])).toBe(first);
    expect(issued).toBe(1);
    expect(store.facts('a.example.org')).toMatchObject({ custom: false, alternativeNames: ['a.example.org'] });
    const own = await store.install('b.example.org', await authority.issue(['b.example.org']));
    await store.keepOnly(new Set([own]), new Set(['b.example.org']));
    expect(await readdir(files)).toEqual([own]);
    expect(store.facts('a.example.org')).toBeUndefined();
  });
});

describe('the pages', () => {
  it.each(Object.keys(PAGES) as PageName[])(
    '%s needs nothing from elsewhere and says a status that is no success',
    (name) => {
      const page = renderPage(name);
      expect(PAGES[name].status).toBeGreaterThanOrEqual(400);
      expect(page).not.toMatch(/<script[^>]*\ssrc|<link|url\(|https?:\/\//);
      expect(page).toContain('name="viewport"');
      expect(page).toContain('prefers-color-scheme');
    },
  );
});
