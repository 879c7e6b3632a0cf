import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../../protocol/browser.ts';
import type { HostHealth } from '../../../protocol/health.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { openBench, tokenClient, type Bench } from '../../testing/bench.ts';
import { someReplicas, someVolume } from '../../testing/memory-agent.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
  bench.agent.volumes.set('v1', someVolume('v1', { replicas: someReplicas() }));
});
afterEach(() => bench[Symbol.asyncDispose]());

const API = '/api/holdfast';

async function audited(): Promise<string[]> {
  const entries = (await bench.operator('GET', `${API}/audit`)).json<AuditEntry[]>();
  return entries.map(({ action, subject, outcome, detail }) => [action, subject, outcome, detail].join(' | '));
}

describe('recovery of a volume', () => {
  it('shows what it would do, does it, and says when there is nothing to do', async () => {
    const plan = await bench.operator('GET', `${API}/volumes/v1/recovery`);
    expect(plan.json()).toMatchObject({ volume: 'v1', problem: null });
    const idle = await bench.operator('POST', `${API}/volumes/v1/recover`);
    expect([idle.statusCode, idle.json()]).toEqual([202, { operation: null }]);
    bench.agent.volumes.set('v1', someVolume('v1', { redundancy: 'reduced' }));
    const walked = await bench.operator('POST', `${API}/volumes/v1/recover`);
    expect(walked.json()).toMatchObject({ operation: { kind: 'volume-recover', subject: 'v1' } });
    expect((await bench.operator('GET', `${API}/operations`)).json()).toHaveLength(1);
    expect(await audited()).toContain('volume.recover | v1 | ok | ');
  });

  it('replaces a disk, after showing how', async () => {
    const url = `${API}/volumes/v1/replace-disk`;
    const plan = await bench.operator('POST', url, { replica: 'r2', dryRun: true });
    expect([plan.statusCode, plan.json()]).toEqual([200, expect.objectContaining({ volume: 'v1' })]);
    expect(bench.agent.callsOf('volumes.replaceDisk')).toEqual([]);
    const done = await bench.operator('POST', url, { replica: 'r2', disk: '/dev/sdz' });
    expect([done.statusCode, done.json()]).toEqual([202, expect.objectContaining({ kind: 'volume-replace-disk' })]);
    expect(bench.agent.callsOf('volumes.replaceDisk')).toEqual([{ name: 'v1', replica: 'r2', disk: '/dev/sdz' }]);
    expect((await bench.operator('POST', url, { replica: 'r9' })).statusCode).toBe(404);
    expect((await bench.operator('POST', url, { replica: 'r2', disk: 'sdz' })).statusCode).toBe(400);
    const entries = await audited();
    expect(entries).toContain('volume.replace-disk | v1 | ok | r2 by /dev/sdz');
    expect(entries).toContain('volume.replace-disk | v1 | failed | r9: The volume "v1" has no replica "r9".');
  });

  it('causes a fault only where there is a valve, and writes down who did', async () => {
    const url = `${API}/volumes/v1/fault`;
    expect((await bench.operator('POST', url, { replica: 'r2', fault: 'hang' })).json()).toEqual({ active: 'hang' });
    const { host } = (await bench.operator('GET', `${API}/health`)).json<{ host: HostHealth }>();
    expect(host.disks.map((disk) => disk.condition)).toEqual(['healthy', 'hung']);
    expect((await bench.operator('POST', url, { replica: 'r2', fault: 'clear' })).json()).toEqual({ active: null });
    expect((await bench.operator('POST', url, { replica: 'r2', fault: 'explode' })).statusCode).toBe(400);
    bench.agent.volumes.set('v1', someVolume('v1', { replicas: someReplicas().map((r) => ({ ...r, valve: false })) }));
    expect((await bench.operator('POST', url, { replica: 'r1', fault: 'hang' })).json()).toMatchObject({
      code: 'disk-unusable',
    });
    expect((await audited()).filter((entry) => entry.startsWith('volume.fault'))).toEqual([
      'volume.fault | v1 | failed | r1: hang: /srv/images/r1.img has no valve.',
      'volume.fault | v1 | ok | r2: clear',
      'volume.fault | v1 | ok | r2: hang',
    ]);
  });

  it('is for operators only', async () => {
    const { apiToken } = await bench.member('alice');
    const alice = tokenClient(bench, apiToken);
    const routes: [string, string, object?][] = [
      ['GET', 'volumes/v1/recovery'],
      ['POST', 'volumes/v1/recover', {}],
      ['POST', 'volumes/v1/replace-disk', { replica: 'r1' }],
      ['POST', 'volumes/v1/fault', { replica: 'r1', fault: 'hang' }],
      ['GET', 'health'],
      ['PUT', 'health/reaction', { enabled: false }],
      ['GET', 'drills'],
      ['POST', 'drills', { drill: 'disk-hang' }],
    ];
    for (const [method, path, body] of routes) {
      expect([path, (await alice(method, `${API}/${path}`, body)).statusCode]).toEqual([path, 403]);
    }
    expect(bench.agent.callsOf('volumes.fault')).toEqual([]);
  });
});

describe('the health of the host', () => {
  it('is asked for once, however many pages look', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => bench.operator('GET', `${API}/health`)));
    expect(answers.map((answer) => answer.statusCode)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(bench.agent.callsOf('health.now')).toHaveLength(1);
  });

  it('is unknown, and nothing waits for it, while the host does not answer', async () => {
    bench.agent.instead.set('health.now', () => Promise.reject(new HoldfastError('agent-unreachable', 'down')));
    expect((await bench.operator('GET', `${API}/health`)).json()).toEqual({ host: null });
  });

  it('says whether the host repairs by itself, and lets an operator switch that', async () => {
    const off = await bench.operator('PUT', `${API}/health/reaction`, { enabled: false });
    expect([off.statusCode, off.json()]).toEqual([200, { enabled: false }]);
    expect((await bench.operator('GET', `${API}/health`)).json()).toMatchObject({ host: { reaction: false } });
    expect(await audited()).toContain('reaction.switch | platform | ok | off');
  });
});
