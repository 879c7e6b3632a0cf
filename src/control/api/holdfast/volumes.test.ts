import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditEntrySchema, dashboardSchema, type SiteView } from '../../../protocol/browser.ts';

import { HoldfastError } from '../../../protocol/errors.ts';
import { readClosedVolumes } from '../../store/settings.ts';
import { openBench, signedInBrowser, type Bench, type Browser } from '../../testing/bench.ts';
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
    bench.agent.gatewayReady = false;
    expect(await ready()).toBe(false);
    bench.agent.gatewayReady = true;
    world.apply({ type: 'volume', volume: someVolume('v2', { state: 'closed' }) });
    expect(await ready()).toBe(false);
    world.apply({ type: 'volume', volume: someVolume('v2', { state: 'trouble', trouble: 'A disk is missing.' }) });
    expect(await ready()).toBe(true);
    bench.agent.volumes.set('v2', someVolume('v2'));
    await bench.operator('POST', `${API}/volumes/v2/close`);
    expect(await ready()).toBe(true);
  });

  it('a close that is refused is not remembered: the volume is as open as before', async () => {
    const refusal = new HoldfastError('volume-in-use', 'The volume v1 is still used by `sleep` (pid 12).');
    bench.agent.instead.set('volumes.close', () => Promise.reject(refusal));
    const answer = await bench.operator('POST', `${API}/volumes/v1/close`);
    expect([answer.statusCode, answer.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'volume-in-use', message: expect.stringContaining('pid 12') }),
    ]);
    expect([...(await readClosedVolumes(bench.context.database))]).toEqual([]);
    bench.agent.instead.delete('volumes.close');
    expect((await bench.operator('POST', `${API}/volumes/v1/close`)).statusCode).toBe(200);
    expect([...(await readClosedVolumes(bench.context.database))]).toEqual(['v1']);
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
    expect(platform).toMatchObject({ accounts: 1, sites: 1, sitesFailed: 0, sitesStopped: 1, agentReachable: true });
  });

  it('writes an audit log that parses and holds no secret', async () => {
    await alice.send('POST', `${API}/token`, {});
    const entries = auditEntrySchema.array().parse((await bench.operator('GET', `${API}/audit?limit=50`)).json());
    expect(entries.map((entry) => entry.action)).toContain('token.renew');
    expect(JSON.stringify(entries)).not.toMatch(/[0-9a-f]{40}/);
  });

  it('writes down who opens a part of the disk to visitors, and an operator at the files of a member', async () => {
    await alice.send('POST', `${API}/sites`, { domain: 'alice.holdfast.test', quickstart: 'manual' });
    const webapps = '/api/v0/user/alice/webapps/alice.holdfast.test';
    const mapping = { url: '/static/', path: '/home/alice/static' };
    expect((await alice.send('POST', `${webapps}/static_files/`, mapping)).statusCode).toBe(201);
    await bench.operator('GET', `${API}/files?path=/home/alice&account=alice`);
    await bench.operator('GET', '/api/v0/user/alice/files/path/home/alice/secret');
    await alice.send('GET', `${API}/files?path=/home/alice`);
    const entries = auditEntrySchema.array().parse((await bench.operator('GET', `${API}/audit?limit=50`)).json());
    const told = entries.map(({ actor, action, subject, detail }) => [actor, action, subject, detail].join(' | '));
    expect(told).toContain('alice | site.change | alice.holdfast.test | staticFiles');
    const operator = 'operator (command line)';
    expect(told).toContain(`${operator} | file.access | /home/alice | GET, account alice`);
    expect(told).toContain(
      `${operator} | account.act-for | alice | GET /api/v0/user/alice/files/path/home/alice/secret`,
    );
    expect(told.filter((line) => line.includes('file.access'))).toHaveLength(1);
  });
});
