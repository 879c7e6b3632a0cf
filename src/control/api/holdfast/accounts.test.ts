import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { until } from '../../../runtime/deadline.ts';
import { openBench, signedInBrowser, tokenClient, type Bench, type Browser } from '../../testing/bench.ts';
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

describe('accounts', () => {
  const signInAs = (username: string) =>
    bench.server.inject({
      method: 'POST',
      url: `${API}/session`,
      headers: visitor,
      payload: { username, password: `${username}'s long password` },
    });

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

  it('of a large plan go where there is room for them, whatever is promised there', async () => {
    const GiB = 1024 ** 3;
    const known = [
      someVolume('v1', { sizeBytes: 2 * GiB, usedBytes: 0, freeBytes: 1.9 * GiB }),
      someVolume('v2', { sizeBytes: 8 * GiB, usedBytes: GiB, freeBytes: 7 * GiB }),
    ];
    for (const volume of known) {
      bench.agent.volumes.set(volume.name, volume);
      bench.context.world.apply({ type: 'volume', volume });
    }
    for (const username of ['bob', 'carol']) {
      const made = await bench.operator('POST', `${API}/accounts`, { username, plan: 'large' });
      expect(made.statusCode).toBe(201);
    }
    const list = (await bench.operator('GET', `${API}/accounts`)).json<{ name: string; volume: string }[]>();
    const homes = Object.fromEntries(list.map(({ name, volume }) => [name, volume]));
    expect([homes['bob'], homes['carol']]).toEqual(['v2', 'v2']);
  });

  it('leave nothing behind when the home can never be made', async () => {
    bench.agent.instead.set('accounts.ensure', () => Promise.reject(new HoldfastError('command-failed', 'broken')));
    await expect(bench.member('bob')).rejects.toMatchObject({ code: 'command-failed' });
    bench.agent.instead.clear();
    expect((await signInAs('bob')).statusCode).toBe(401);
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
    expect(bench.agent.accounts.get('alice')?.limits).toEqual({ ...large?.limits, sites: 21 });
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
    expect(answer.json()).toMatchObject({
      account: { name: 'newcomer', plan: 'starter', mustChangePassword: false, hasToken: false },
    });
  });

  it('get a new one-time password from the operator', async () => {
    const { password } = (await bench.operator('POST', `${API}/accounts/alice/password`)).json<{ password: string }>();
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(401);
    const again = await signedInBrowser(bench, 'alice', password);
    expect((await again.send('GET', `${API}/session`)).json()).toMatchObject({ account: { mustChangePassword: true } });
  });
});
