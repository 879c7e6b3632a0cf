import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Dashboard } from '../../protocol/browser.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Incident, IncidentSummary } from '../../protocol/incidents.ts';
import { until } from '../../runtime/deadline.ts';
import { followAgent } from '../platform/follow-agent.ts';
import { listUnsettledIncidents } from '../store/incidents.ts';
import { createSite } from '../sites/create-site.ts';
import { openBench, signedInBrowser, type Bench } from '../testing/bench.ts';
import { MemoryAgent, someTrouble, someVolume } from '../testing/memory-agent.ts';

const API = '/api/holdfast';
const WAIT = 20_000;
const actor = { name: 'test', address: 'local' };
/** As the real ones, a hundred times faster. */
const TIMES = { settleMs: 20, countMs: 50, countSlowlyMs: 600, slowlyAfterMs: 3_000, lastCountMs: 50 };

let bench: Bench;
beforeEach(async () => (bench = await openBench({ incidentTimes: TIMES })));
afterEach(() => bench[Symbol.asyncDispose]());

async function list(query = ''): Promise<IncidentSummary[]> {
  return (await bench.operator('GET', `${API}/incidents${query}`)).json<IncidentSummary[]>();
}

async function incident(id: number): Promise<Incident> {
  return (await bench.operator('GET', `${API}/incidents/${id}`)).json<Incident>();
}

/** As it comes over the stream. */
function tell(trouble: ReturnType<typeof someTrouble>): void {
  bench.agent.troubles.set(trouble.id, trouble);
  bench.context.world.apply({ type: 'trouble', trouble });
}

async function aliceWithSites(): Promise<void> {
  const { account } = await bench.member('alice');
  await bench.member('bob');
  for (const domain of ['a.example.com', 'b.example.com']) {
    await createSite(bench.context, actor, account, { domain, quickstart: 'manual' });
  }
}

describe('an incident', () => {
  it('is made of a trouble with who is hit, follows it, and closes with it', async () => {
    await aliceWithSites();
    bench.agent.volumes.set('v2', someVolume('v2'));
    bench.context.incidents.start();
    bench.agent.impact = { delayed: 3, failed: 0, longestMs: 1_200 };
    tell(someTrouble('t1', { service: 'waiting' }));
    await until(async () => (await list()).length === 1, 'the incident', WAIT);
    await until(async () => (await incident(1)).impact.requests !== null, 'the count', WAIT);
    expect(await incident(1)).toMatchObject({
      id: 1,
      title: 'v1: disk r2 hung',
      state: 'open',
      severity: 'minor',
      volume: 'v1',
      service: 'waiting',
      accounts: ['alice', 'bob'],
      impact: { accounts: 2, sites: 2, requests: { delayed: 3, failed: 0, longestMs: 1_200 } },
    });
    expect(bench.agent.callsOf('gateway.impact')[0]).toMatchObject({ domains: ['a.example.com', 'b.example.com'] });
    bench.agent.impact = { delayed: 5, failed: 0, longestMs: 1_400 };
    const resolvedAt = new Date().toISOString();
    const timeline = [...someTrouble('t1').timeline, { at: resolvedAt, kind: 'result' as const, text: 'Whole again.' }];
    tell(someTrouble('t1', { state: 'resolved', resolvedAt, timeline }));
    await until(async () => (await list('?state=resolved')).length === 1, 'the resolution', WAIT);
    await until(async () => (await incident(1)).timeline.at(-1)?.kind === 'impact', 'the last count', WAIT);
    const over = await incident(1);
    expect(over).toMatchObject({ state: 'resolved', resolvedAt, impact: { requests: { delayed: 5 } } });
    expect(over.timeline.map((entry) => entry.text)).toEqual([
      'Requests wait in /srv/images/r2.img.',
      '2 accounts with 2 sites live on volume v1.',
      'Whole again.',
      'Of their requests, counted to the end: 5 requests took longer than a second (the longest 1.4 s), none failed.',
    ]);
    expect(bench.agent.callsOf('gateway.impact').at(-1)).toMatchObject({ until: resolvedAt });
    expect(await list('?state=open')).toEqual([]);
  });

  it('is one, however often the trouble is told, also by an older word that comes late', async () => {
    const first = someTrouble('t1');
    const later = someTrouble('t1', {
      since: first.since,
      doing: 'It is copied.',
      timeline: [...first.timeline, { at: first.since, kind: 'action', text: 'Cut.' }],
    });
    for (const trouble of [first, later, first, later, first]) tell(trouble);
    await bench.context.incidents.takeAll([later], false);
    expect(await list()).toMatchObject([{ id: 1, doing: 'It is copied.' }]);
    expect((await incident(1)).timeline.map((entry) => entry.text)).toContain('Cut.');
  });

  it('is made also of what came and went while the control plane was down, in the order of what happened', async () => {
    const old = new Date(Date.now() - 7_200_000).toISOString();
    const agent = bench.agent;
    agent.troubles.set('t1', someTrouble('t1', { since: old, state: 'resolved', resolvedAt: old }));
    agent.troubles.set('t2', someTrouble('t2'));
    const stop = new AbortController();
    const following = followAgent(bench.context, stop.signal);
    await until(() => bench.context.world.synchronised, 'the connection', WAIT);
    expect((await list()).map(({ id, state, resolvedAt }) => [id, state, resolvedAt])).toEqual([
      [2, 'open', null],
      [1, 'resolved', old],
    ]);
    agent.breakConnections();
    await until(() => agent.callsOf('troubles.list').length >= 2, 'the second connection', WAIT);
    await until(() => bench.context.world.synchronised, 'the second connection', WAIT);
    expect(await list()).toHaveLength(2);
    agent.tellTrouble(someTrouble('t3', { volume: null }));
    await until(
      async () => {
        agent.tellTrouble(someTrouble('t3', { volume: null }));
        return (await list()).length === 3;
      },
      'the event',
      WAIT,
    );
    stop.abort();
    await following;
  });

  it('is over when the agent does not know of it any more, and open again when it does', async () => {
    await bench.context.incidents.takeAll([someTrouble('t1')], true);
    await bench.context.incidents.takeAll([], false);
    expect((await list())[0]?.state).toBe('open');
    await bench.context.incidents.takeAll([], true);
    expect((await list())[0]?.state).toBe('resolved');
    expect((await incident(1)).timeline.at(-1)?.text).toContain('does not know of this trouble any more');
    await bench.context.incidents.takeAll([someTrouble('t1')], true);
    expect((await list())[0]?.state).toBe('open');
  });

  it('becomes critical when the wait of members does not end, and says how bad it was afterwards', async () => {
    bench.context.incidents.start();
    tell(someTrouble('t1', { service: 'waiting', since: bench.context.now().toISOString() }));
    await until(async () => (await list())[0]?.severity === 'minor', 'the incident', WAIT);
    bench.clock.ahead += 10_000;
    await until(async () => (await list())[0]?.severity === 'critical', 'the judgement', WAIT);
    tell(someTrouble('t1', { service: 'serving' }));
    await until(async () => (await list())[0]?.severity === 'minor', 'the relief', WAIT);
    tell(someTrouble('t1', { state: 'resolved', resolvedAt: bench.context.now().toISOString() }));
    await until(async () => (await list())[0]?.state === 'resolved', 'the end', WAIT);
    expect((await list())[0]?.severity).toBe('critical');
  });

  it('is counted to the end also when the gateway or the control plane was gone at its end', async () => {
    const home = await mkdtemp(join(tmpdir(), 'holdfast-incidents-'));
    const agent = new MemoryAgent();
    agent.instead.set('gateway.impact', () => Promise.reject(new HoldfastError('agent-unreachable', 'down')));
    try {
      const resolvedAt = new Date().toISOString();
      {
        await using before = await openBench({ home, agent, incidentTimes: TIMES });
        const { account } = await before.member('alice');
        await createSite(before.context, actor, account, { domain: 'a.example.com', quickstart: 'manual' });
        before.context.incidents.start();
        await before.context.incidents.takeAll([someTrouble('t1', { state: 'resolved', resolvedAt })], true);
        await until(() => agent.callsOf('gateway.impact').length > 1, 'tries to count', WAIT);
      }
      agent.instead.clear();
      agent.impact = { delayed: 9, failed: 1, longestMs: 5_000 };
      await using after = await openBench({ home, agent, incidentTimes: TIMES });
      after.context.incidents.start();
      const counted = async (): Promise<boolean> =>
        (await after.operator('GET', `${API}/incidents/1`)).json<Incident>().impact.requests?.delayed === 9;
      await until(counted, 'the count', WAIT);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it('of the whole host has nobody to count, and is settled when it is over', async () => {
    const agent = bench.agent;
    const diagnosis = {
      ...someTrouble('t1').diagnosis,
      culprit: { kind: 'host' as const, volume: null, replica: null, disk: null },
    };
    const first = someTrouble('t1', { volume: null, diagnosis });
    const later = {
      ...first,
      timeline: [...first.timeline, { at: first.since, kind: 'note' as const, text: 'Still.' }],
    };
    const over = { ...later, state: 'resolved' as const, resolvedAt: new Date().toISOString() };
    bench.context.incidents.start();
    for (const trouble of [first, later, over]) tell(trouble);
    await until(async () => (await list('?state=resolved')).length === 1, 'the end', WAIT);
    await until(
      async () => (await listUnsettledIncidents(bench.context.database)).length === 0,
      'nothing being left to do for it',
      WAIT,
    );
    expect(agent.callsOf('gateway.impact')).toEqual([]);
  });

  it('takes notes, of which the public ones reach the status page', async () => {
    await bench.context.incidents.takeAll([someTrouble('t1')], true);
    const url = `${API}/incidents/1/notes`;
    const noted = await bench.operator('POST', url, { text: 'Looking at the cable.', public: false });
    expect(noted.json()).toMatchObject({ notes: [{ by: 'operator (command line)', public: false }] });
    await bench.operator('POST', url, { text: 'A disk is replaced; nobody has to do anything.', public: true });
    await until(() => bench.agent.publicNotes.length === 1, 'the public note', WAIT);
    expect(bench.agent.publicNotes).toMatchObject([
      { trouble: 't1', text: 'A disk is replaced; nobody has to do anything.' },
    ]);
    expect((await incident(1)).timeline.filter((entry) => entry.kind === 'note')).toHaveLength(2);
    expect((await bench.operator('POST', url, { text: '  ', public: false })).statusCode).toBe(400);
    expect((await bench.operator('POST', `${API}/incidents/99/notes`, { text: 'x' })).statusCode).toBe(404);
    bench.agent.publicNotes = [];
    await bench.context.incidents.takeAll([someTrouble('t1')], true); // The agent was installed anew.
    await until(() => bench.agent.publicNotes.length === 1, 'the public note again', WAIT);
  });

  it('is told to the operator and to the members on its volume, each in their words, and to nobody else', async () => {
    await aliceWithSites();
    bench.agent.volumes.set('v2', someVolume('v2'));
    bench.context.world.volumes.set('v2', someVolume('v2'));
    await bench.operator('POST', `${API}/accounts`, {
      username: 'carol',
      password: "carol's long password",
      volume: 'v2',
    });
    await bench.context.incidents.takeAll([someTrouble('t1', { mustAct: 'Name a disk with holdfast recover.' })], true);
    await bench.operator('POST', `${API}/incidents/1/notes`, { text: 'Done by noon.', public: true });
    const noticesOf = async (name: string): Promise<{ text: string; about?: string }[]> => {
      const browser = await signedInBrowser(bench, name, `${name}'s long password`);
      return (await browser.send('GET', `${API}/dashboard`)).json<Dashboard>().account?.notices ?? [];
    };
    expect(await noticesOf('alice')).toEqual([
      {
        level: 'info',
        about: 'storage',
        text: 'A disk under your storage is being replaced. Your files and sites go on as usual, and there is nothing you have to do. From the operator: Done by noon.',
      },
    ]);
    expect(await noticesOf('carol')).toEqual([]);
    const { platform } = (await bench.operator('GET', `${API}/dashboard`)).json<Dashboard>();
    expect(platform?.notices[0]?.text).toBe(
      'Incident 1, v1: disk r2 hung: A fresh disk is being taken in. Name a disk with holdfast recover.',
    );
    await bench.context.incidents.takeAll([someTrouble('t1', { service: 'stopped' })], false);
    expect((await noticesOf('alice'))[0]).toMatchObject({ level: 'problem', about: 'storage' });
    await bench.context.incidents.takeAll([someTrouble('t1', { state: 'resolved' })], false);
    expect(await noticesOf('alice')).toEqual([]);
  });

  it('exists for operators only', async () => {
    await bench.context.incidents.takeAll([someTrouble('t1')], true);
    await bench.member('alice');
    const alice = await signedInBrowser(bench, 'alice', "alice's long password");
    for (const path of ['incidents', 'incidents/1', 'incidents/1/post-mortem', 'notifications']) {
      expect([path, (await alice.send('GET', `${API}/${path}`)).statusCode]).toEqual([path, 403]);
    }
    expect((await alice.send('POST', `${API}/incidents/1/notes`, { text: 'x' })).statusCode).toBe(403);
    expect((await alice.send('PUT', `${API}/notifications`, { webhook: null, email: null })).statusCode).toBe(403);
    expect((await bench.operator('GET', `${API}/incidents/7`)).statusCode).toBe(404);
  });
});
