import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Incident, NotificationSettings } from '../../protocol/incidents.ts';
import { until } from '../../runtime/deadline.ts';
import { openBench, type Bench } from '../testing/bench.ts';
import { selfSignedCertificate } from '../testing/certificate.ts';
import { someTrouble } from '../testing/memory-agent.ts';
import { openSmtpServer, type SmtpServer } from '../testing/smtp-server.ts';
import type { AlertmanagerMessage } from './alert.ts';
import { addressProblem, checkWebhookUrl } from './destination.ts';
import { sendMail } from './mail.ts';
import { Notifier } from './notifier.ts';
import { readNotificationSettings } from './settings.ts';
import { sendWebhook } from './webhook.ts';

const API = '/api/holdfast';
const WAIT = 20_000;
const SECRET = 'webhook-secret-0123';
const PASSWORD = 'mail-password-4567';
const INCIDENT_TIMES = { settleMs: 20, countMs: 50, countSlowlyMs: 600, slowlyAfterMs: 3_000, lastCountMs: 50 };
const NOTIFIER_TIMES = { firstWaitMs: 20, longestWaitMs: 100, giveUpMs: 600_000 };

interface Receiver {
  url: string;
  messages: AlertmanagerMessage[];
  headers: IncomingHttpHeaders[];
  /** Statuses answered instead of 200, one each. */
  statuses: number[];
  server: Server;
}

async function openReceiver(): Promise<Receiver> {
  const receiver: Omit<Receiver, 'url' | 'server'> = { messages: [], headers: [], statuses: [] };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const status = receiver.statuses.shift() ?? 200;
      receiver.headers.push(request.headers);
      if (status === 200) receiver.messages.push(JSON.parse(text) as AlertmanagerMessage);
      response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { ...receiver, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?team=a` };
}

let bench: Bench;
let receiver: Receiver;
let smtp: SmtpServer;
beforeEach(async () => {
  bench = await openBench({ incidentTimes: INCIDENT_TIMES, notifierTimes: NOTIFIER_TIMES });
  receiver = await openReceiver();
  smtp = await openSmtpServer({ login: { user: 'holdfast', password: PASSWORD } });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await smtp[Symbol.asyncDispose]();
  receiver.server.closeAllConnections();
  await new Promise((resolve) => receiver.server.close(resolve));
});

function emailSettings(values: object = {}): NonNullable<NotificationSettings['email']> {
  return {
    host: '127.0.0.1',
    port: smtp.port,
    security: 'none',
    username: 'holdfast',
    password: PASSWORD,
    from: 'holdfast@example.com',
    to: ['ops@example.com', 'boss@example.com'],
    ...values,
  };
}

async function setUp(settings: Partial<NotificationSettings>): Promise<void> {
  const body = { webhook: null, email: null, ...settings };
  const answer = await bench.operator('PUT', `${API}/notifications`, body);
  if (answer.statusCode !== 200) throw new Error(answer.body);
}

async function outcomes(): Promise<string[]> {
  const { notifications } = (await bench.operator('GET', `${API}/incidents/1`)).json<Incident>();
  return notifications.map(({ channel, what, outcome }) => `${channel} ${what}: ${outcome}`);
}

async function tell(...troubles: ReturnType<typeof someTrouble>[]): Promise<void> {
  await bench.context.incidents.takeAll(troubles, false);
}

describe('a webhook', () => {
  it("is told in Alertmanager's words what opened, what changed and what is over, in this order", async () => {
    await setUp({ webhook: { url: receiver.url, secret: SECRET } });
    bench.context.incidents.start();
    const opened = someTrouble('t1');
    await tell(opened);
    await until(() => receiver.messages.length === 1, 'the first message', WAIT);
    const since = opened.since;
    await tell(someTrouble('t1', { since, mustAct: 'Name a disk.' }));
    await until(() => receiver.messages.length === 2, 'the second message', WAIT);
    const resolvedAt = new Date().toISOString();
    await tell(someTrouble('t1', { since, state: 'resolved', resolvedAt }));
    await until(() => receiver.messages.length === 3, 'the third message', WAIT);
    const labels = {
      alertname: 'HoldfastIncident',
      incident: '1',
      platform: 'holdfast.test',
      severity: 'minor',
      fault: 'hung',
      volume: 'v1',
      replica: 'r2',
      disk: '/srv/images/r2.img',
    };
    const [first, second, third] = receiver.messages;
    expect(first).toMatchObject({
      version: '4',
      status: 'firing',
      receiver: 'holdfast',
      groupLabels: { alertname: 'HoldfastIncident', incident: '1' },
      commonLabels: labels,
      commonAnnotations: { summary: 'Incident 1: v1: disk r2 hung' },
      externalURL: expect.stringMatching(/^https:\/\/holdfast\.test/) as string,
      alerts: [{ status: 'firing', labels, startsAt: since, endsAt: '0001-01-01T00:00:00Z' }],
    });
    expect(second?.alerts[0]).toMatchObject({
      labels: { severity: 'major' },
      annotations: { must_act: 'Name a disk.' },
    });
    expect(third).toMatchObject({ status: 'resolved', alerts: [{ status: 'resolved', endsAt: resolvedAt }] });
    expect(new Set(receiver.messages.map((message) => message.alerts[0]?.fingerprint)).size).toBe(1);
    expect(receiver.headers[0]).toMatchObject({
      authorization: `Bearer ${SECRET}`,
      'content-type': 'application/json',
    });
    const all = ['webhook opened: sent', 'webhook updated: sent', 'webhook resolved: sent'];
    // It is written down after the receiver has answered.
    await until(async () => isDeepStrictEqual(await outcomes(), all), 'the outcomes', WAIT);
  });

  it('that does not take a message is asked again, and nothing overtakes it', async () => {
    await setUp({ webhook: { url: receiver.url } });
    receiver.statuses.push(500, 503);
    bench.context.incidents.start();
    await tell(someTrouble('t1'));
    await tell(someTrouble('t2', { volume: null }));
    await until(() => receiver.messages.length === 2, 'both messages', WAIT);
    expect(receiver.messages.map((message) => message.groupLabels['incident'])).toEqual(['1', '2']);
    await until(async () => (await outcomes())[0] === 'webhook opened: sent, at try 3', 'the outcome', WAIT);
  });

  it('that is gone is given up in the end, and the incident says why', async () => {
    await setUp({ webhook: { url: 'http://127.0.0.1:1/' } });
    bench.context.incidents.start();
    await tell(someTrouble('t1'));
    await until(async () => (await outcomes())[0]?.includes('it is tried again') === true, 'a failed try', WAIT);
    bench.clock.ahead += 700_000;
    await until(async () => (await outcomes())[0]?.includes('given up') === true, 'the end of it', WAIT);
    expect((await outcomes())[0]).toContain('Nobody listens at the address of the webhook.');
  });

  it('is told after a restart what was to be told before it', async () => {
    await setUp({ webhook: { url: receiver.url } });
    await tell(someTrouble('t1'));
    await bench.context.notifier.stop();
    const record = (await bench.operator('GET', `${API}/incidents/1`)).json<Incident>();
    expect(record.notifications).toEqual([]);
    const { database } = bench.context;
    const { findIncident } = await import('../store/incidents.ts');
    const found = await findIncident(database, 1);
    if (found) await bench.context.notifier.queue(found, 'opened');
    expect(receiver.messages).toEqual([]);
    const { configuration, now, log } = bench.context;
    const next = new Notifier({ database, configuration, now, log });
    next.start();
    await until(() => receiver.messages.length === 1, 'the message', WAIT);
    await next.stop();
  });

  it('is not followed elsewhere', async () => {
    receiver.statuses.push(302);
    const sending = sendWebhook({ url: receiver.url, secret: undefined }, {}, bench.configuration);
    await expect(sending).rejects.toThrow('that is not followed');
  });
});

describe('where a webhook may lead', () => {
  const platform = { domain: 'holdfast.test', httpPort: 8080, httpsPort: 8443 };

  it('is http or https, elsewhere, and without a password in the address', () => {
    for (const url of [
      'unix:/run/holdfast/control.sock', 'file:///etc/passwd', 'ftp://example.com/', 'javascript:1', 'nonsense', '',
      'https://user:secret@example.com/', 'https://holdfast.test/', 'https://holdfast.test:8443/api/holdfast/settings',
      'https://alice.holdfast.test/', 'https://HOLDFAST.TEST./', 'http://127.0.0.1:8080/', 'https://[::1]:8443/', 'https://[::ffff:127.0.0.1]:8443/',
      'http://2130706433:8080/', 'http://0x7f.1:8080/', 'http://169.254.169.254/latest/meta-data', 'http://0.0.0.0:8080/', 'http://[fe80::1]/',
    ]) {
      expect(() => checkWebhookUrl(url, platform), url).toThrow(expect.objectContaining({ code: 'input-invalid' }));
    } // prettier-ignore
    for (const url of [
      'https://alerts.example.com/hook?x=1',
      'http://127.0.0.1:9093/api/v2/alerts',
      'https://192.0.2.7/',
    ]) {
      expect(checkWebhookUrl(url, platform).href).toBe(url);
    }
  });

  it("never is the platform's own door, whatever a name turns out to mean", () => {
    const loopback = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `127.${parts.join('.')}`);
    fc.assert(
      fc.property(loopback, fc.constantFrom(8080, 8443), (address, port) => {
        expect(addressProblem(address, port, platform)).toBeDefined();
        expect(addressProblem(`::ffff:${address}`, port, platform)).toBeDefined();
        expect(addressProblem(address, 9093, platform)).toBeUndefined();
      }),
    );
  });

  it('is looked at again when the name is looked up', async () => {
    const port = (receiver.server.address() as AddressInfo).port;
    const platformHere = { ...bench.configuration, httpPort: port };
    const sending = sendWebhook({ url: `http://localhost:${port}/`, secret: undefined }, {}, platformHere);
    await expect(sending).rejects.toThrow('outside of this platform');
    expect(receiver.headers).toEqual([]);
  });
});

describe('a mail', () => {
  it('says what, who, whether to act, and belongs to the thread of its incident', async () => {
    await setUp({ email: emailSettings() });
    bench.context.incidents.start();
    const opened = someTrouble('t1');
    await tell(opened);
    await until(() => smtp.mails.length === 1, 'the first mail', WAIT);
    await tell({ ...opened, state: 'resolved', resolvedAt: new Date().toISOString() });
    await until(() => smtp.mails.length === 2, 'the second mail', WAIT);
    const [first, second] = smtp.mails;
    expect(first?.from).toContain('<holdfast@example.com>');
    expect(first?.to.join(' ')).toMatch(/<ops@example\.com>.*<boss@example\.com>/);
    expect(first?.data).toMatch(/^Subject: \[holdfast\.test\] Incident 1 minor: v1: disk r2 hung$/m);
    expect(second?.data).toMatch(/^Subject: \[holdfast\.test\] Incident 1 resolved: v1: disk r2 hung$/m);
    expect(first?.data).toContain('You: nothing to do, the platform repairs it by itself.');
    expect(first?.data).toMatch(/^Auto-Submitted: auto-generated$/im);
    const thread = (text: string | undefined): string | undefined => /^References: (<.+>)$/m.exec(text ?? '')?.[1];
    expect(thread(first?.data)).toBeDefined();
    expect(thread(second?.data)).toBe(thread(first?.data));
    await until(async () => (await outcomes()).length === 2, 'the outcomes', WAIT);
  });

  it('goes through STARTTLS or TLS when that is set, and not at all when the server is not who it says', async () => {
    const certificate = await selfSignedCertificate();
    const mail = { subject: 's', text: 't', thread: '<x@y>' };
    for (const [security, from] of [['tls', 'start'], ['starttls', 'starttls']] as const) {
      await using server = await openSmtpServer({ tls: { ...certificate, from } });
      const settings = emailSettings({ port: server.port, security, username: null });
      await sendMail(settings, mail, certificate.cert);
      expect(server.mails).toMatchObject([{ encrypted: true }]);
      await expect(sendMail(settings, mail)).rejects.toThrow(/self.signed/);
      expect(server.mails).toHaveLength(1);
    } // prettier-ignore
    const plain = emailSettings({ security: 'starttls', username: null });
    await expect(sendMail(plain, mail)).rejects.toThrow(/STARTTLS/);
    expect(smtp.mails).toEqual([]);
  });

  it('is sent again when the server is busy', async () => {
    smtp.refusals.push('451 come back later');
    await setUp({ email: emailSettings() });
    bench.context.incidents.start();
    await tell(someTrouble('t1'));
    await until(async () => (await outcomes())[0] === 'email opened: sent, at try 2', 'the outcome', WAIT);
  });
});

describe('settings of notifications', () => {
  it('keep their secrets to themselves: never answered, never logged, never in the audit log', async () => {
    let log = '';
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString();
        done();
      },
    });
    await setUp({
      webhook: { url: receiver.url, secret: SECRET },
      email: emailSettings({ password: 'wrong-password-89' }),
    });
    const shown = await bench.operator('GET', `${API}/notifications`);
    expect(shown.json()).toMatchObject({
      webhook: { hasSecret: true },
      email: { hasPassword: true, username: 'holdfast' },
    });
    const { database, configuration, now } = bench.context;
    const notifier = new Notifier({
      database,
      configuration,
      now,
      log: pino({ level: 'trace' }, stream),
      times: NOTIFIER_TIMES,
    });
    await tell(someTrouble('t1'));
    const { findIncident } = await import('../store/incidents.ts');
    const record = await findIncident(database, 1);
    if (record) await notifier.queue(record, 'opened');
    await until(() => log.includes('could not be sent'), 'a failed try', WAIT);
    const tested = await notifier.test();
    expect(tested.webhook).toBe('sent');
    expect(tested.email).toMatch(/^failed: .*535 wrong password \*\*\*/);
    await notifier.stop();
    const audited = await bench.operator('GET', `${API}/audit`);
    const said = [log, shown.body, audited.body, JSON.stringify(tested), (await outcomes()).join(' ')].join('\n');
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain('wrong-password-89');
  });

  it('keep a secret that is left out, and ask for it again when it would go to another server', async () => {
    await setUp({ webhook: { url: receiver.url, secret: SECRET }, email: emailSettings() });
    const { password: _password, ...same } = emailSettings({ to: ['new@example.com'] });
    await setUp({ webhook: { url: `${receiver.url}&x=1` }, email: same });
    expect(await readNotificationSettings(bench.context.database)).toMatchObject({
      webhook: { secret: SECRET },
      email: { password: PASSWORD, to: ['new@example.com'] },
    });
    await expect(setUp({ webhook: { url: 'https://elsewhere.example.com/' } })).rejects.toThrow('again');
    await expect(setUp({ email: { ...same, host: 'elsewhere.example.com' } })).rejects.toThrow('again');
    await setUp({ webhook: { url: receiver.url, secret: '' } });
    expect(await readNotificationSettings(bench.context.database)).toEqual({
      webhook: { url: receiver.url },
      email: null,
    });
  });

  it('are checked', async () => {
    await expect(setUp({ webhook: { url: 'unix:/run/x' } })).rejects.toThrow('input-invalid');
    await expect(setUp({ email: emailSettings({ host: '/run/smtp.sock' }) })).rejects.toThrow('mail server');
    await expect(setUp({ email: emailSettings({ to: ['a@b.c\r\nBcc: d@e.f'] }) })).rejects.toThrow('e-mail address');
  });

  it('can be tried, and say when nothing is set up', async () => {
    const nothing = await bench.operator('POST', `${API}/notifications/test`);
    expect(nothing.json()).toEqual({ webhook: null, email: null });
    await setUp({ webhook: { url: receiver.url }, email: emailSettings() });
    expect((await bench.operator('POST', `${API}/notifications/test`)).json()).toEqual({
      webhook: 'sent',
      email: 'sent',
    });
    expect(receiver.messages[0]?.commonAnnotations['summary']).toContain('this is a test');
  });
});
