import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openBench, signedInBrowser } from '../testing/bench.ts';
import { MemoryAgent, someTrouble, someVolume } from '../testing/memory-agent.ts';
import { createSite } from '../sites/create-site.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Dashboard, Status } from '../../protocol/browser.ts';
import { until } from '../../runtime/deadline.ts';
import { Compartments, storageRepair } from '../../runtime/compartments.ts';
import { Breaker, FilePlaces } from './compartments.ts';

const WAIT = 20_000;
const API = '/api/holdfast';
const actor = { name: 'test', address: 'local' };

describe('a compartment', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('never holds more than its rule says, and loses no place, whoever comes, leaves or has waited too long', async () => {
    const steps = fc.array(fc.constantFrom('enter', 'leave', 'wait'), { maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const compartments = new Compartments({ atOnce: 2, waiting: 2, waitMs: 100 });
        const leaves: (() => void)[] = [];
        let refused = 0;
        let asked = 0;
        for (const step of list) {
          if (step === 'enter') {
            asked += 1;
            compartments.enter('v').then(
              (leave) => leaves.push(leave),
              () => (refused += 1),
            );
          }
          if (step === 'leave') leaves.shift()?.();
          await vi.advanceTimersByTimeAsync(step === 'wait' ? 150 : 0);
          expect(compartments.inside('v')).toBeLessThanOrEqual(2);
          expect(compartments.inside('v')).toBe(leaves.length);
          expect(asked - refused - leaves.length).toBeGreaterThanOrEqual(0);
        }
        await vi.advanceTimersByTimeAsync(200); // Nobody waits any more.
        while (leaves.length > 0) leaves.shift()?.();
        await vi.advanceTimersByTimeAsync(0);
        while (leaves.length > 0) leaves.shift()?.();
        expect(compartments.inside('v')).toBe(0);
      }),
    );
  });

  it('of one volume does not touch another, and hands its place to the next in line', async () => {
    const compartments = new Compartments({ atOnce: 1, waiting: 5, waitMs: 20 });
    const leave = await compartments.enter('hung');
    const late = compartments.run('hung', () => Promise.resolve(1)).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await late).toMatchObject({ code: 'storage-repair' });
    expect(await compartments.run('healthy', () => Promise.resolve(2))).toBe(2);
    const next = compartments.run('hung', () => Promise.resolve(3));
    leave();
    expect(await next).toBe(3);
    expect(await compartments.run('hung', () => Promise.resolve(4))).toBe(4);
  });

  it('lets nobody wait for ever', async () => {
    const compartments = new Compartments({ atOnce: 1, waiting: 5, waitMs: 1_000 });
    await compartments.enter('v1');
    const late = compartments.enter('v1').catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await late).toMatchObject({ code: 'storage-repair' });
    const leave = await compartments.enter('v2');
    leave();
  });
});

describe('places for files', () => {
  it('are refused at once while the volume is known to be of no use', async () => {
    const rule = { atOnce: 1, waiting: 1 };
    const places = new FilePlaces({ volume: rule, member: rule }, (volume) =>
      volume === 'bad' ? storageRepair() : undefined,
    );
    await expect(places.enter('bad', 'alice')).rejects.toMatchObject({ code: 'storage-repair' });
    (await places.enter('good', 'alice'))();
  });
});

describe('a breaker', () => {
  it('leaves a volume alone after a failure, lets one try now and then, and forgets with the first success', () => {
    let now = 0;
    const breaker = new Breaker(5_000, () => now);
    expect(breaker.resting('v1')).toBe(false);
    breaker.failed('v1');
    expect([breaker.resting('v1'), breaker.resting('v2')]).toEqual([true, false]);
    now += 5_000;
    expect([breaker.resting('v1'), breaker.resting('v1')]).toEqual([false, true]);
    breaker.succeeded('v1');
    expect(breaker.resting('v1')).toBe(false);
  });
});

describe('while a volume hangs', () => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const stalled = [
    'accounts.usage',
    'accounts.ensure',
    'sites.put',
    'sites.reload',
    'files.list',
    'files.stat',
  ] as const;

  it('pages are answered without asking it, its members are told so at once, and the others notice nothing', async () => {
    const agent = new MemoryAgent();
    agent.volumes.set('v2', someVolume('v2'));
    await using bench = await openBench({ agent });
    const { context } = bench;
    for (const [username, volume] of [['alice', 'v1'], ['bob', 'v2']] as const) {
      await bench.operator('POST', `${API}/accounts`, { username, password: `${username}'s long password`, volume });
    } // prettier-ignore
    const { findAccount } = await import('../store/accounts.ts');
    const alice = await findAccount(context.database, 'alice');
    if (!alice) throw new Error('no alice');
    const site = await createSite(context, actor, alice, { domain: 'a.example.com', quickstart: 'manual' });
    context.world.apply({ type: 'trouble', trouble: someTrouble('t1', { service: 'stopped' }) });
    for (const method of stalled) agent.instead.set(method, never);
    const before = agent.calls.length;
    const page = await signedInBrowser(bench, 'alice', "alice's long password");
    const dashboard = await page.send('GET', `${API}/dashboard`);
    expect([dashboard.statusCode, dashboard.json<Dashboard>().account?.disk]).toEqual([200, null]);
    for (const [method, path] of [
      ['GET', 'files?path=/home/alice'],
      ['POST', `sites/${site.id}/reload`],
    ] as const) {
      const answer = await page.send(method, `${API}/${path}`);
      expect([path, answer.statusCode, answer.json<{ code: string }>().code]).toEqual([path, 503, 'storage-repair']);
      expect(answer.headers['retry-after']).toBeDefined();
    }
    expect(agent.calls.slice(before).filter((call) => (stalled as readonly string[]).includes(call.method))).toEqual(
      [],
    );
    expect((await page.send('GET', `${API}/sites/${site.id}/logs/error`)).statusCode).toBe(200);
    expect((await bench.server.inject({ url: `${API}/status` })).json<Status>().volumes).toHaveLength(2);
    for (const method of stalled) agent.instead.delete(method);
    const bob = await signedInBrowser(bench, 'bob', "bob's long password");
    expect((await bob.send('GET', `${API}/dashboard`)).json<Dashboard>().account?.disk).not.toBeNull();
    expect((await bob.send('GET', `${API}/files?path=/home/bob`)).statusCode).toBe(200);
    const made = await bench.operator('POST', `${API}/accounts`, {
      username: 'carol',
      password: "carol's long password",
    });
    expect(made.statusCode).toBe(201);
    expect((await findAccount(context.database, 'carol'))?.volume).toBe('v2'); // Nobody moves in where members wait.
  });

  it('and nobody has said so yet, the second page does not wait for its figures', async () => {
    const agent = new MemoryAgent();
    await using bench = await openBench({ agent });
    await bench.member('alice');
    agent.instead.set('accounts.usage', never);
    const page = await signedInBrowser(bench, 'alice', "alice's long password");
    await page.send('GET', `${API}/dashboard`);
    for (let look = 0; look < 5; look += 1) await page.send('GET', `${API}/dashboard`);
    expect(agent.callsOf('accounts.usage')).toHaveLength(1);
  });

  it('a handful of calls are on their way to it, however many ask', async () => {
    const agent = new MemoryAgent();
    await using bench = await openBench({ agent });
    const { account } = await bench.member('alice');
    const site = await createSite(bench.context, actor, account, { domain: 'a.example.com', quickstart: 'manual' });
    let fail: (error: Error) => void = () => undefined;
    const hung = new Promise<never>((_resolve, reject) => (fail = reject));
    hung.catch(() => undefined);
    agent.instead.set('sites.reload', () => hung);
    const asked = Array.from({ length: 100 }, () => bench.operator('POST', `${API}/sites/${site.id}/reload`));
    await until(() => agent.callsOf('sites.reload').length === 16, 'the calls', WAIT);
    await until(
      async () => (await Promise.race([...asked, Promise.resolve(undefined)])) !== undefined,
      'refusals',
      WAIT,
    );
    expect(agent.callsOf('sites.reload')).toHaveLength(16);
    fail(new HoldfastError('storage-repair', 'hung'));
    expect((await Promise.all(asked)).map((answer) => answer.statusCode)).toEqual(
      Array.from({ length: 100 }, () => 503),
    );
  });
});
