import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../protocol/errors.ts';
import { until } from '../../runtime/deadline.ts';
import { openBench } from '../testing/bench.ts';
import { MemoryAgent, someTrouble, someVolume } from '../testing/memory-agent.ts';
import { createAccount } from '../accounts/create-account.ts';
import { createSite } from '../sites/create-site.ts';
import { findAccount } from '../store/accounts.ts';
import { findSiteByDomain } from '../store/sites.ts';
import { Compartments } from '../../runtime/compartments.ts';
import { followAgent } from './follow-agent.ts';
import { readPlatformStatus } from './platform-status.ts';
import { RetryingWork } from './retrying-work.ts';
import { mkdtemp, rm } from 'node:fs/promises';

const WAIT = 20_000;
const actor = { name: 'test', address: 'local' };
const log = pino({ level: 'silent' });

describe('compartments', () => {
  it('refuse at once when one volume is full, and leave the others alone', async () => {
    const compartments = new Compartments({ atOnce: 2, waiting: 1 });
    const leave = await compartments.enter('hung');
    await compartments.enter('hung');
    let entered = false;
    const waiting = compartments.enter('hung').then((free) => {
      entered = true;
      return free;
    });
    await expect(compartments.enter('hung')).rejects.toMatchObject({ code: 'storage-repair' });
    expect(await compartments.run('fine', () => Promise.resolve(1))).toBe(1);
    expect(entered).toBe(false);
    leave();
    leave();
    (await waiting)();
    expect(compartments.inside('hung')).toBe(1);
  });
});

describe('work that is tried again', () => {
  it('is done once more for whoever asks while it runs, and never twice at the same time', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const finish: (() => void)[] = [];
    const work = new RetryingWork(
      'x',
      async () => {
        running += 1;
        runs += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => finish.push(resolve));
        running -= 1;
      },
      log,
    );
    const first = work.now('k');
    const [second, third] = [work.now('k'), work.now('k')];
    finish.shift()?.();
    await first;
    await until(() => finish.length === 1, 'the second run', WAIT, 1);
    finish.shift()?.();
    await Promise.all([second, third]);
    expect([runs, most]).toEqual([2, 1]);
  });

  it('tells who asked how it failed, and succeeds later by itself', async () => {
    let tries = 0;
    const work = new RetryingWork(
      'x',
      () => {
        tries += 1;
        return tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
      },
      log,
    );
    await expect(work.now('k')).rejects.toThrow('not yet');
    await until(() => tries === 3, 'the third try', WAIT);
    work.stop();
  });
});

describe('desired state', () => {
  it('is told to the agent at each connection, with what it says in return', async () => {
    await using bench = await openBench();
    const { account } = await bench.member('alice');
    const site = await createSite(bench.context, actor, account, {
      domain: 'alice.holdfast.test',
      quickstart: 'flask',
    });
    bench.agent.accounts.clear();
    bench.agent.sites.clear();
    const stop = new AbortController();
    const following = followAgent(bench.context, stop.signal);
    await until(() => bench.context.world.synchronised, 'the first connection', WAIT);
    expect(bench.agent.accounts.get('alice')).toMatchObject({ uid: account.uid, volume: 'v1' });
    expect(bench.agent.sites.get(site.id)).toMatchObject({ domain: 'alice.holdfast.test', revision: 1 });
    bench.agent.sites.clear();
    bench.agent.breakConnections();
    await until(() => bench.agent.sites.has(site.id), 'the second connection', WAIT);
    await until(() => bench.context.world.synchronised, 'the second connection', WAIT);
    const status = { ...bench.context.world.statuses.get(site.id)!, state: 'awake' as const };
    await until(
      () => {
        bench.agent.emit({ type: 'site', site: status });
        return bench.context.world.statuses.get(site.id)?.state === 'awake';
      },
      'the event',
      WAIT,
    );
    stop.abort();
    await following;
  });

  it('notices soon that the gateway has become ready', async () => {
    const agent = new MemoryAgent();
    agent.gatewayReady = false;
    await using bench = await openBench({ agent });
    const stop = new AbortController();
    const following = followAgent(bench.context, stop.signal);
    await until(() => agent.callsOf('host.status').length > 3, 'more looks at the host', WAIT);
    expect((await readPlatformStatus(bench.context)).gateway).toBe('not-ready');
    const looks = agent.callsOf('volumes.list').length;
    agent.gatewayReady = true;
    await until(
      async () => (await readPlatformStatus(bench.context)).gateway === 'ready',
      'the gateway in the status',
      WAIT,
    );
    expect(agent.callsOf('volumes.list')).toHaveLength(looks); // Without looking at everything anew.
    agent.gatewayReady = false; // nginx died: there is no event for it, and yet nobody is told "ready".
    expect((await readPlatformStatus(bench.context)).gateway).toBe('not-ready');
    stop.abort();
    await following;
  });

  it('keeps what was known before, as old, until an agent that was started again has taken it up', async () => {
    await using bench = await openBench();
    const { agent, context } = bench;
    const { world } = context;
    const stop = new AbortController();
    const following = followAgent(context, stop.signal);
    await until(() => world.synchronised, 'the connection', WAIT);
    const told: (string | null)[] = [];
    world.listen((change) => {
      if (change.type === 'agent') told.push(world.agentSilentSince);
    });
    agent.startedAt = '2026-01-02T00:00:00.000Z';
    agent.gatewayReady = false;
    agent.volumes.set('v1', someVolume('v1', { state: 'closed', wantedOpen: true, readAt: new Date(0).toISOString() }));
    const looks = agent.callsOf('volumes.list').length;
    agent.breakConnections();
    await until(() => agent.callsOf('volumes.list').length > looks + 1, 'being asked again', WAIT);
    expect(world.volumes.get('v1')?.state).toBe('open');
    expect(world.host?.gatewayReady).toBe(true);
    agent.tellTrouble(someTrouble('t1')); // Heard all the same.
    await until(() => context.world.troubles.has('t1'), 'the trouble', WAIT);
    agent.gatewayReady = true;
    expect((await readPlatformStatus(context)).ready).toBe(false);
    expect(told).toEqual([expect.any(String)]);
    agent.volumes.set('v1', someVolume('v1', { wantedOpen: true, usedBytes: 99 }));
    await until(() => world.agentSilentSince === null, 'the end of the silence', WAIT);
    expect(world.volumes.get('v1')?.usedBytes).toBe(99);
    expect(told).toHaveLength(2);
    stop.abort();
    await following;
  });

  it('reads the figures of the volumes anew when there is trouble', async () => {
    await using bench = await openBench();
    const stop = new AbortController();
    const following = followAgent(bench.context, stop.signal);
    await until(() => bench.context.world.synchronised, 'the connection', WAIT);
    const [volume] = bench.agent.volumes.values();
    bench.agent.volumes.set(volume!.name, { ...volume!, usedBytes: 4242 }); // A figure: no event tells of it.
    await until(
      () => {
        bench.agent.emit({ type: 'trouble', trouble: someTrouble('t1') });
        return bench.context.world.volumes.get(volume!.name)?.usedBytes === 4242;
      },
      'the new figure',
      WAIT,
    );
    stop.abort();
    await following;
  });

  it('tells of one new or removed account only, never of everything', async () => {
    await using bench = await openBench();
    const told = bench.agent.callsOf('state.sync').length;
    await bench.member('alice');
    await bench.member('bob');
    await bench.operator('DELETE', '/api/holdfast/accounts/bob?confirm=bob');
    await until(async () => (await findAccount(bench.context.database, 'bob')) === undefined, 'the removal', WAIT);
    expect(bench.agent.callsOf('accounts.ensure')).toHaveLength(2);
    expect(bench.agent.callsOf('state.sync')).toHaveLength(told);
  });

  it('tells again of what was made while the whole state was on its way', async () => {
    await using bench = await openBench();
    const { agent } = bench;
    const { account } = await bench.member('alice');
    // The snapshot has been taken when this runs, and reaches the agent after it: it knows neither the site nor bob.
    const meanwhile = async (): Promise<void> => {
      agent.instead.delete('state.sync');
      await createSite(bench.context, actor, account, { domain: 'new.example.com', quickstart: 'manual' });
      await bench.member('bob');
    };
    agent.instead.set('state.sync', meanwhile as () => Promise<never>);
    await bench.context.desired.everything();
    await until(
      () => agent.accounts.has('bob') && [...agent.sites.values()].some((site) => site.domain === 'new.example.com'),
      'the account and the site on the agent',
      WAIT,
    );
  });

  it('finishes accounts and sites that a crash left unfinished', async () => {
    const home = await mkdtemp('/tmp/holdfast-resume-');
    const agent = new MemoryAgent();
    const down = (): Promise<never> => Promise.reject(new HoldfastError('agent-unreachable', 'down'));
    try {
      {
        await using bench = await openBench({ home, agent });
        const { account } = await bench.member('bob');
        const gone = await bench.member('carol');
        await createSite(bench.context, actor, gone.account, { domain: 'carol.holdfast.test', quickstart: 'manual' });
        agent.instead.set('accounts.ensure', down);
        agent.instead.set('accounts.remove', down);
        agent.instead.set('sites.put', down);
        const made = await createAccount(bench.context, actor, { username: 'alice', plan: 'starter' });
        expect(made.state).toBe('creating');
        await createSite(bench.context, actor, account, { domain: 'bob.holdfast.test', quickstart: 'flask' });
        await bench.operator('DELETE', '/api/holdfast/accounts/carol?confirm=carol');
        expect(await findAccount(bench.context.database, 'carol')).toMatchObject({ state: 'deleting' });
      }
      agent.instead.clear();
      agent.quickstarts.length = 0;
      await using bench = await openBench({ home, agent });
      await bench.context.desired.everything();
      const { database } = bench.context;
      await until(async () => (await findAccount(database, 'alice'))?.state === 'ready', 'the account', WAIT);
      await until(async () => (await findAccount(database, 'carol')) === undefined, 'the removal', WAIT);
      await until(
        async () => (await findSiteByDomain(database, 'bob.holdfast.test'))?.quickstart === null,
        'the starter',
        WAIT,
      );
      expect(agent.quickstarts).toHaveLength(1);
      expect([...agent.accounts.keys()].sort()).toEqual(['alice', 'bob']);
      expect([...agent.sites.values()].map((site) => site.domain)).toEqual(['bob.holdfast.test']);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it('lets a hung volume hold up nobody on another', async () => {
    const agent = new MemoryAgent();
    agent.volumes.set('v2', someVolume('v2'));
    await using bench = await openBench({ agent });
    const slow = await createAccount(bench.context, actor, { username: 'slow', plan: 'large', volume: 'v1' });
    const fast = await createAccount(bench.context, actor, { username: 'fast', plan: 'large', volume: 'v2' });
    let release: (error: Error) => void = () => undefined;
    const hung = new Promise<never>((_resolve, reject) => (release = reject));
    agent.instead.set('sites.put', () => hung);
    const stuck = Array.from({ length: 8 }, (_value, index) =>
      createSite(bench.context, actor, slow.account, { domain: `s${index}.example.com`, quickstart: 'manual' }),
    );
    await until(() => agent.callsOf('sites.put').length === 4, 'four calls, and no more', WAIT);
    agent.instead.clear();
    await createSite(bench.context, actor, fast.account, { domain: 'f.example.com', quickstart: 'manual' });
    expect([...agent.sites.values()].map((site) => site.domain)).toEqual(['f.example.com']);
    release(new HoldfastError('storage-repair', 'hung'));
    await Promise.all(stuck);
  });

  it('reports a starter project that can never be written, once, and keeps the site', async () => {
    await using bench = await openBench();
    const { account } = await bench.member('alice');
    bench.agent.instead.set('sites.quickstart', () =>
      Promise.reject(new HoldfastError('quota-exceeded', 'The home is full.')),
    );
    const making = createSite(bench.context, actor, account, { domain: 'alice.holdfast.test', quickstart: 'django' });
    await expect(making).rejects.toMatchObject({ code: 'quota-exceeded' });
    expect(await findSiteByDomain(bench.context.database, 'alice.holdfast.test')).toMatchObject({ quickstart: null });
  });
});
