import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../src/runtime/deadline.ts';
import type { Figure } from '../measure/figures.ts';
import { mustSend, send, type Target } from '../measure/http.ts';
import { largest, percentile } from '../measure/statistics.ts';
import { SteadyLoad, type SteadyResult } from '../measure/steady-load.ts';
import type { Ground, Measurement, Pair } from './ground.ts';

/** Well below what either side can do: a reload needs a core for itself. */
const PER_SECOND = 200;
/** Between two reloads, so that each one's effect is seen by itself. Milliseconds. */
const BETWEEN = 1500;

async function underLoad(
  ground: Ground,
  target: Target,
  reloads: number,
  reload: () => Promise<void>,
): Promise<SteadyResult> {
  await ground.calm.wait();
  const load = new SteadyLoad(target, PER_SECOND);
  load.start();
  try {
    await pause(BETWEEN);
    for (let count = 0; count < reloads; count += 1) {
      await reload();
      await pause(BETWEEN);
    }
  } catch (error) {
    await load.stop();
    throw error;
  }
  return await load.stop();
}

async function bootOf(target: Target): Promise<string | undefined> {
  const answer = await send(target, '/boot', { deadlineMs: 20_000 }).catch(() => undefined);
  return answer?.status === 200 ? answer.text : undefined;
}

async function compare(ground: Ground, pair: Pair): Promise<Figure[]> {
  const reloads = ground.quick ? 3 : 8;
  const target = pair.platform(false);
  const bare = pair.baseline(false);
  await mustSend(target, '/');
  ground.say(`  ${pair.app}: ${reloads} reloads on each side under ${PER_SECOND} requests a second`);
  const quiet = await underLoad(ground, target, 2, async () => await Promise.resolve());
  let changed = 0;
  const platform = await underLoad(ground, target, reloads, async () => {
    const before = await bootOf(target);
    await ground.members.reload(pair.site);
    const after = await bootOf(target);
    if (after !== undefined && after !== before) changed += 1;
  });
  if (changed !== reloads)
    throw new Error(`Only ${changed} of ${reloads} reloads of ${pair.site.domain} brought a new program.`);
  const baseline = await underLoad(ground, bare, reloads, async () => {
    const before = await bootOf(bare);
    pair.bare.signal('SIGHUP');
    await until(
      async () => {
        const now = await bootOf(bare);
        return now !== undefined && now !== before;
      },
      'the reload of the hand-written side',
      60_000,
    );
  });
  ground.raw[`reload ${pair.app}`] = { quiet, platform, baseline };
  const kinds = [...new Set(platform.failures)].slice(0, 3).join('; ');
  const p99 = percentile(quiet.latencies, 0.99).toFixed(1);
  return [
    {
      name: `${pair.app}: requests dropped in ${reloads} reloads under load`,
      unit: '',
      platform: platform.failures.length,
      baseline: baseline.failures.length,
      goal: { of: 'platform', at: 'most', value: 0 },
      note: `of ${platform.sent}${kinds === '' ? '' : `: ${kinds}`}; baseline: uWSGI's own graceful reload`,
    },
    {
      name: `${pair.app}: worst latency while reloading`,
      unit: 'ms',
      platform: largest(platform.latencies),
      baseline: largest(baseline.latencies),
      goal: { of: 'platform', at: 'most', value: 150 },
      note: `without a reload: p99 ${p99} ms, worst ${largest(quiet.latencies).toFixed(1)} ms`,
    },
  ];
}

export const reload: Measurement = {
  name: 'reload',
  title: 'Reload under load',
  async run(ground) {
    const figures: Figure[] = [];
    for (const pair of await ground.pairs()) figures.push(...(await compare(ground, pair)));
    return figures;
  },
};
