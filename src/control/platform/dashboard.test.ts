import { afterEach, beforeEach, expect, it } from 'vitest';
import { dashboardSchema, type Dashboard } from '../../protocol/browser.ts';
import { openBench, type Bench } from '../testing/bench.ts';
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
