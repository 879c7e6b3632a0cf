import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SiteView } from '../../../protocol/browser.ts';
import { until } from '../../../runtime/deadline.ts';
import { openBench, signedInBrowser, tokenClient, type Bench, type Browser } from '../../testing/bench.ts';
import { someTrouble, someVolume } from '../../testing/memory-agent.ts';

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

  it("carry the host's health while an operator looks, and to operators only", async () => {
    const alices = await listen({ cookie: alice.cookie, ...visitor });
    expect(bench.agent.callsOf('health.now')).toEqual([]);
    const all = await listen({ authorization: `Token ${bench.server.operatorToken}` });
    await until(() => all().includes('event: health'), 'the health', 20_000);
    expect(all()).toMatch(/event: health\ndata: \{"host":\{"at":/);
    await bench.context.incidents.takeAll([someTrouble('t1')], true);
    await until(() => all().includes('event: incident'), 'the incident', 20_000);
    expect(alices()).not.toMatch(/event: (?:health|incident)/);
  });

  it('tell a member at once what the storage under them does, and nobody on other storage', async () => {
    const { apiToken } = await bench.member('bob');
    const bobs = await listen({ authorization: `Token ${apiToken}`, ...visitor });
    const alices = await listen({ cookie: alice.cookie, ...visitor });
    const volume =
      (
        await bench.context.database
          .selectFrom('accounts')
          .select('volume')
          .where('name', '=', 'alice')
          .executeTakeFirstOrThrow()
      ).volume ?? '';
    await bench.context.database
      .updateTable('accounts')
      .set({ volume: 'elsewhere' })
      .where('name', '=', 'bob')
      .execute();
    bench.context.world.apply({ type: 'account', name: 'bob' });
    await until(() => bobs().includes('event: account'), "bob's move", 20_000);
    bench.context.world.apply({ type: 'volume', volume: someVolume(volume, { state: 'trouble' }) });
    await until(() => alices().includes('event: storage\ndata: {"service":"stopped"}'), 'being told', 20_000);
    const stopped = await alice.send('GET', `${API}/sites`);
    expect(stopped.json<SiteView[]>().every((site) => site.storage === 'stopped')).toBe(true);
    bench.context.world.apply({ type: 'volume', volume: someVolume(volume) });
    await until(
      () => alices().includes('event: storage\ndata: {"service":"serving"}'),
      'being told of the end',
      20_000,
    );
    expect(bobs()).not.toContain('event: storage');
  });

  it('begin with a heartbeat, go on with it, and say since when the agent has not been heard', async () => {
    const alices = await listen({ cookie: alice.cookie, ...visitor });
    const beats = (): number => alices().split('event: heartbeat').length - 1;
    await until(() => beats() >= 2, 'the second beat', 20_000);
    expect(alices()).toContain('"agentSilentSince":null');
    bench.context.world.agentIsSilent('2026-01-01T00:00:00.000Z');
    await until(() => alices().includes('"agentSilentSince":"2026-01-01T00:00:00.000Z"'), 'being told', 20_000);
  });

  it('have the dashboard of an operator read again when the supervisor falls silent', async () => {
    const alices = await listen({ cookie: alice.cookie, ...visitor });
    const all = await listen({ authorization: `Token ${bench.server.operatorToken}` });
    for (let turn = 0; turn < 10; turn += 1)
      await bench.context.supervisor.look(turn * 1_000, '2026-01-01T00:00:00.000Z');
    await until(() => all().includes('event: storage\ndata: {"service":null}'), 'being told', 20_000);
    expect(all().split('event: storage')).toHaveLength(2); // Once, not at every turn.
    expect(alices()).not.toContain('event: storage');
  });

  it('end for an account that is disabled, and for no other', async () => {
    const { apiToken } = await bench.member('bob');
    await listen({ authorization: `Token ${apiToken}`, ...visitor });
    await listen({ cookie: alice.cookie, ...visitor });
    const ended = open.map((response) => {
      const seen = { over: false };
      response.on('end', () => (seen.over = true));
      return seen;
    });
    await bench.operator('PATCH', `${API}/accounts/bob`, { disabled: true });
    await until(() => ended[0]?.over === true, "the end of bob's events", 20_000);
    expect(ended[1]?.over).toBe(false);
  });

  it('need a sign-in', async () => {
    expect((await bench.server.inject({ url: `${API}/events`, headers: visitor })).statusCode).toBe(401);
  });
});
