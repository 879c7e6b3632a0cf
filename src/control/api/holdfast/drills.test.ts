import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DRILLS } from '../../../model/drills.ts';
import { drillRunSchema, type DrillRun } from '../../../protocol/drills.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { openBench, tokenClient, type Bench } from '../../testing/bench.ts';
import { someDrillRun } from '../../testing/drill-run.ts';

let bench: Bench;
beforeEach(async () => (bench = await openBench()));
afterEach(() => bench[Symbol.asyncDispose]());

const API = '/api/holdfast/drills';

async function runs(): Promise<Pick<DrillRun, 'id' | 'state'>[]> {
  const { runs: list } = (await bench.operator('GET', API)).json<{ runs: DrillRun[] }>();
  return list.map(({ id, state }) => ({ id, state }));
}

async function put(run: DrillRun): Promise<number> {
  return (await bench.operator('PUT', `${API}/${run.id}`, run)).statusCode;
}

describe('drills', () => {
  it('are listed, started by the agent, watched while they run and kept when they are over', async () => {
    expect((await bench.operator('GET', API)).json()).toEqual({ drills: DRILLS, runs: [] });
    const started = await bench.operator('POST', API, { drill: 'disk-hang', where: 'scratch', reaction: false });
    expect([started.statusCode, started.json()]).toEqual([202, expect.objectContaining({ state: 'preparing' })]);
    const { id } = started.json<DrillRun>();
    expect(bench.agent.callsOf('drills.start')).toEqual([
      { id, drill: 'disk-hang', where: 'scratch', reaction: false },
    ]);
    expect(await put(someDrillRun(id, { step: 'One disk hangs now.' }))).toBe(204);
    const seen = drillRunSchema.parse((await bench.operator('GET', `${API}/${id}`)).json());
    expect(seen).toMatchObject({ state: 'running', step: 'One disk hangs now.' });
    expect(await put(someDrillRun(id, { state: 'passed' }))).toBe(204);
    expect(await runs()).toEqual([{ id, state: 'passed' }]);
    expect((await bench.operator('GET', `${API}/${id}`)).json<DrillRun>().finishedAt).not.toBeNull();
    expect(await put(someDrillRun(id, { state: 'passed' }))).toBe(204); // The runner did not get the answer and says it again.
    expect(await put(someDrillRun(id))).toBe(409);
  });

  it('on the running platform are asked for twice', async () => {
    const once = await bench.operator('POST', API, { drill: 'disk-hang', where: 'here', reaction: true });
    expect([once.statusCode, once.json<{ code: string }>().code]).toEqual([400, 'confirmation-needed']);
    const twice = { drill: 'disk-hang', where: 'here', reaction: true, confirm: 'disk-hang' };
    expect((await bench.operator('POST', API, twice)).statusCode).toBe(202);
    const other = await bench.operator('POST', API, { drill: 'disk-error' });
    expect([other.statusCode, other.json<{ code: string }>().code]).toEqual([409, 'conflict']);
  });

  it('that cannot be started leave nothing behind', async () => {
    expect((await bench.operator('POST', API, { drill: 'nonsense' })).statusCode).toBe(404);
    bench.agent.instead.set('drills.start', () => Promise.reject(new HoldfastError('no-room', 'No room.')));
    expect((await bench.operator('POST', API, { drill: 'disk-hang' })).statusCode).toBe(507);
    expect(await runs()).toEqual([]);
  });

  it('whose runner falls silent are given up, and are heard again when it comes back', async () => {
    await put(someDrillRun('quiet'));
    bench.clock.ahead += 59_000;
    expect(await runs()).toEqual([{ id: 'quiet', state: 'running' }]);
    bench.clock.ahead += 2_000;
    expect(await runs()).toEqual([{ id: 'quiet', state: 'aborted' }]);
    expect((await bench.operator('GET', `${API}/quiet`)).json<DrillRun>().error).toContain('60 seconds');
    await put(someDrillRun('quiet'));
    expect(await runs()).toEqual([{ id: 'quiet', state: 'running' }]);
  });

  it('are stopped by the agent, or by the terminal they were started from', async () => {
    const { id } = (await bench.operator('POST', API, { drill: 'disk-hang' })).json<DrillRun>();
    expect((await bench.operator('DELETE', `${API}/${id}`)).statusCode).toBe(204);
    expect(bench.agent.callsOf('drills.stop')).toEqual([{ id }]);
    await put(someDrillRun(id, { state: 'aborted' }));
    await put(someDrillRun('by-hand'));
    const refused = await bench.operator('DELETE', `${API}/by-hand`);
    expect([refused.statusCode, refused.json<{ message: string }>().message]).toEqual([
      409,
      expect.stringContaining('Ctrl-C'),
    ]);
    bench.clock.ahead += 20_000; // The runner was killed.
    expect((await bench.operator('DELETE', `${API}/by-hand`)).statusCode).toBe(204);
    expect((await runs()).map((run) => run.state)).toEqual(['aborted', 'aborted']);
  });

  it('keep the last fifty runs', async () => {
    for (let index = 0; index < 52; index += 1) {
      const startedAt = new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString();
      await put(someDrillRun(`run-${index}`, { state: 'passed', startedAt }));
    }
    const kept = await runs();
    expect([kept.length, kept[0]?.id, kept.at(-1)?.id]).toEqual([50, 'run-51', 'run-2']);
  });

  it('are reported by a runner on the host only', async () => {
    const { apiToken } = await bench.member('alice');
    const run = someDrillRun('mine');
    const member = await tokenClient(bench, apiToken)('PUT', `${API}/mine`, run);
    expect(member.statusCode).toBe(403);
    expect((await bench.operator('PUT', `${API}/mine`, { ...run, id: 'other' })).statusCode).toBe(400);
    expect((await bench.operator('PUT', `${API}/mine`, { ...run, state: 'great' })).statusCode).toBe(400);
    expect(await runs()).toEqual([]);
  });
});
