import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../runtime/command.ts';
import { openBench, tokenClient, type Bench } from '../testing/bench.ts';
import { someReplicas, someTrouble, someVolume } from '../testing/memory-agent.ts';
import { exposition } from './exposition.ts';

const MONITORING = join(import.meta.dirname, '../../../docs/monitoring');
const visitor = { 'x-real-ip': '192.0.2.50' };
const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.e+-]+|NaN)$/;

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
  const zero = { write: 0, read: 0, flush: 0, corruption: 0, generation: 0 };
  const replicas = someReplicas().map((replica) => ({ ...replica, errors: zero }));
  const volume = someVolume('v1', { replicas, redundancy: 'rebuilding' });
  bench.agent.volumes.set('v1', volume);
  bench.context.world.apply({ type: 'volume', volume });
});
afterEach(() => bench[Symbol.asyncDispose]());

async function scrape(): Promise<string> {
  const answer = await bench.operator('GET', '/metrics');
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  return answer.body;
}

describe('/metrics', () => {
  it('is for who has its token: nothing is there before there is one, and another is refused', async () => {
    const ask = async (token: string | undefined): Promise<number> => {
      const headers = { ...visitor, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
      return (await bench.server.inject({ url: '/metrics', headers })).statusCode;
    };
    const { apiToken } = await bench.member('alice');
    expect([await ask(undefined), await ask('x')]).toEqual([404, 404]);
    expect((await bench.operator('GET', '/api/holdfast/metrics-token')).json()).toEqual({ token: null });
    const { token } = (await bench.operator('POST', '/api/holdfast/metrics-token')).json<{ token: string }>();
    expect((await bench.operator('GET', '/api/holdfast/metrics-token')).json()).toEqual({ token });
    expect([await ask(undefined), await ask('x'), await ask(apiToken), await ask(token)]).toEqual([401, 401, 401, 200]);
    // What the command line has is worth nothing at the door.
    expect(await ask(bench.server.operatorToken)).toBe(401);
    await bench.operator('POST', '/api/holdfast/metrics-token');
    expect(await ask(token)).toBe(401);
    const alice = tokenClient(bench, apiToken);
    expect((await alice('POST', '/api/holdfast/metrics-token')).statusCode).toBe(403);
    expect((await alice('GET', '/api/holdfast/metrics-token')).statusCode).toBe(403);
  });

  it('says how volumes, disks, incidents and the platform are', async () => {
    bench.agent.faults.set('v1/r2', 'hang');
    bench.agent.reaction = false;
    await bench.context.incidents.takeAll([someTrouble('t1', { mustAct: 'Name a disk.' })], true);
    const lines = (await scrape()).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'holdfast_volume_redundancy{volume="v1",state="rebuilding"} 1',
        'holdfast_volume_redundancy{volume="v1",state="full"} 0',
        'holdfast_replica_state{volume="v1",replica="r2",disk="/srv/images/r2.img",state="healthy"} 1',
        'holdfast_disk_condition{disk="/srv/images/r2.img",volume="v1",replica="r2",condition="hung"} 1',
        'holdfast_disk_in_flight{disk="/srv/images/r2.img",volume="v1",replica="r2"} 4',
        'holdfast_incidents_open{severity="major"} 1',
        'holdfast_incidents_need_person 1',
        'holdfast_reaction_enabled 0',
        'holdfast_agent_reachable 1',
      ]),
    );
    for (const line of lines.filter((text) => text !== '' && !text.startsWith('#'))) expect(line).toMatch(SAMPLE);
  });

  it('says that the watcher is blind when the host does not answer', async () => {
    bench.agent.online = false;
    expect(await scrape()).toContain('holdfast_host_condition{condition="blind"} 1');
  });

  it('has every metric that the alert rules and the dashboard speak of, and the labels they choose by', async () => {
    const known = new Set([...(await scrape()).matchAll(/^# TYPE (holdfast_[a-z_]+)/gm)].map((match) => match[1]));
    for (const file of ['alerts.yml', 'dashboard.json']) {
      const text = await readFile(join(MONITORING, file), 'utf8');
      const used = [...text.matchAll(/\bholdfast_[a-z_]+/g)].map((match) => match[0]);
      expect(used.length).toBeGreaterThan(10);
      expect([file, used.filter((name) => !known.has(name))]).toEqual([file, []]);
      const selectors = [...text.matchAll(/(holdfast_[a-z_]+)\{([a-z]+)(?:=~|!=|=)\\?"([a-z|]+)\\?"/g)];
      expect(selectors.length).toBeGreaterThan(0);
      const scraped = await scrape();
      for (const [, name, label, values] of selectors) {
        for (const value of values?.split('|') ?? []) {
          expect(scraped, `${name} by ${label}`).toMatch(new RegExp(`^${name}\\{.*${label}="${value}"`, 'm'));
        }
      }
    }
  });

  it('comes with rules and a dashboard that are well formed', async () => {
    const dashboard = JSON.parse(await readFile(join(MONITORING, 'dashboard.json'), 'utf8')) as {
      panels: { id: number; targets: { expr: string }[] }[];
    };
    expect(new Set(dashboard.panels.map((panel) => panel.id)).size).toBe(dashboard.panels.length);
    const rules = await readFile(join(MONITORING, 'alerts.yml'), 'utf8');
    expect(rules.match(/- alert: /g)?.length).toBe(rules.match(/^\s+summary: /gm)?.length);
    const promtool = await runCommand('promtool', ['check', 'rules', join(MONITORING, 'alerts.yml')], {
      deadlineMs: 20_000,
    }).catch(() => undefined);
    // Checked by Prometheus itself where it is installed.
    if (promtool) expect([promtool.code, promtool.stderr]).toEqual([0, '']);
  });
});

describe('the text format', () => {
  it('holds any label, and each sample in one line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.double(), (label, value) => {
        const text = exposition([
          { name: 'x', help: 'a\nb', type: 'gauge', samples: [{ labels: { l: label }, value }] },
        ]);
        const [help, type, ...samples] = text.trimEnd().split('\n');
        expect([help, type]).toEqual(['# HELP x a\\nb', '# TYPE x gauge']);
        const read = /^x\{l="(.*)"\} \S+$/su.exec(samples.join('\n'))?.[1];
        const plain = read?.replaceAll(/\\(.)/g, (_match, escape: string) => (escape === 'n' ? '\n' : escape));
        expect(plain).toBe(label);
      }),
    );
  });
});
