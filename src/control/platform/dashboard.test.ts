import { afterEach, beforeEach, expect, it } from 'vitest';
import { dashboardSchema, type Dashboard } from '../../protocol/browser.ts';
import { openBench, type Bench } from '../testing/bench.ts';
import { readPlatformStatus } from './platform-status.ts';
import { someTrouble, someVolume } from '../testing/memory-agent.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

async function notices(): Promise<NonNullable<Dashboard['platform']>['notices']> {
  const answer = await bench.operator('GET', '/api/holdfast/dashboard');
  return dashboardSchema.parse(answer.json()).platform?.notices ?? [];
}

it('tells of one hung disk once, as the incident it is', async () => {
  const trouble = 'A disk does not answer.';
  bench.context.world.apply({
    type: 'volume',
    volume: someVolume('v1', { state: 'trouble', trouble, redundancy: 'reduced' }),
  });
  expect((await notices()).filter(({ text }) => text.includes('v1')).length).toBeGreaterThan(0);
  await bench.context.incidents.takeAll([someTrouble('t1')], true);
  const told = (await notices()).filter(({ text }) => /v1|Incident/.test(text));
  expect(told).toHaveLength(1);
  expect(told[0]?.about).toBe('incident');
});

it('says nothing of the redundancy of a volume that is closed', async () => {
  bench.context.world.apply({ type: 'volume', volume: someVolume('v1', { state: 'closed', redundancy: 'reduced' }) });
  expect((await notices()).map(({ text }) => text).join(' ')).not.toContain('redundancy');
});

it('says since when the agent has not been heard', async () => {
  bench.agent.online = false;
  bench.context.world.agentIsSilent('2026-01-01T14:02:11.000Z');
  expect((await notices())[0]).toMatchObject({ level: 'problem', text: expect.stringContaining('since 14:02:11 UTC') });
});

const unseen = someVolume('v1', { state: 'closed', wantedOpen: true, readAt: '1970-01-01T00:00:00.000Z' });

it('says of a volume that the agent has not come to just that, not that it is closed or being repaired', async () => {
  bench.context.world.volumes.set('v1', unseen);
  const told = (await notices()).filter(({ text }) => text.includes('v1'));
  expect(told).toEqual([{ level: 'warning', text: expect.stringContaining('has not come to volume v1 yet') }]);
  const status = await readPlatformStatus(bench.context);
  expect(status.volumes[0]?.state).toBe('not looked at yet');
});

it('warns of nothing but old figures while an agent that was started again takes up what runs', async () => {
  bench.context.world.host = { ...bench.context.world.host!, gatewayReady: false };
  bench.context.world.agentIsSilent('2026-01-01T14:02:11.000Z');
  expect(await notices()).toEqual([{ level: 'warning', text: expect.stringContaining('as of 14:02:11 UTC') }]);
});

it('does not wait for a volume to open that is closed on purpose', async () => {
  const closed = someVolume('v1', { state: 'closed', wantedOpen: true });
  const { world } = bench.context;
  world.apply({ type: 'volume', volume: closed });
  expect((await notices()).map(({ text }) => text)).toContain('Volume v1 is not open yet.');
  // While it is being closed the agent says that it is closed before it says that it is meant to be.
  world.closing.add('v1');
  expect(await notices()).toEqual([]);
  world.closing.clear();
  world.apply({ type: 'volume', volume: { ...closed, wantedOpen: false } });
  expect(await notices()).toEqual([]);
});
