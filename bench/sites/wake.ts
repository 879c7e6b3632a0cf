import type { Figure } from '../measure/figures.ts';
import { mustSend } from '../measure/http.ts';
import { interleaved, median, percentile } from '../measure/statistics.ts';
import type { Ground, Measurement, Pair } from './ground.ts';

/** From the spawn of a bare uWSGI to its first 200, asked directly on its socket. */
async function bareStart(ground: Ground, pair: Pair, round: number): Promise<number> {
  const name = `bare-${pair.app}-${round}`;
  const begin = performance.now();
  const { process, socket } = await ground.baseline.uwsgi(name, pair.app, pair.site.workers, 'http-socket');
  await ground.baseline.answers(name, { at: { socketPath: socket }, host: pair.site.domain }, 1);
  const milliseconds = performance.now() - begin;
  await process[Symbol.asyncDispose]();
  return milliseconds;
}

/** The first request to a sleeping site, over a new connection through the gateway. */
async function wakeUp(ground: Ground, pair: Pair): Promise<number> {
  await ground.members.sleep(pair.site);
  return (await mustSend(pair.platform(false), '/')).milliseconds;
}

async function compare(ground: Ground, pair: Pair): Promise<Figure[]> {
  const rounds = ground.quick ? 4 : 12;
  ground.say(`  ${pair.app}: ${rounds} wakes beside ${rounds} starts of a bare uWSGI`);
  const times: Record<'platform' | 'bare', number[]> = { platform: [], bare: [] };
  // Once each to fill the page cache and write the bytecode: neither side pays for the very first start of its life.
  await wakeUp(ground, pair);
  await bareStart(ground, pair, -1);
  let round = 0;
  for (const side of interleaved('platform' as const, 'bare' as const, rounds)) {
    await ground.calm.wait();
    times[side].push(side === 'platform' ? await wakeUp(ground, pair) : await bareStart(ground, pair, round++));
  }
  ground.raw[`wake ${pair.app}`] = times;
  return [
    {
      name: `${pair.app}: wake from sleep, median of ${rounds}`,
      unit: 'ms',
      platform: median(times.platform),
      baseline: median(times.bare),
      goal: { of: 'difference', at: 'most', value: 50 },
      note: 'baseline: spawn of a bare uWSGI to its first 200',
    },
    {
      name: `${pair.app}: wake from sleep, worst of ${rounds}`,
      unit: 'ms',
      platform: percentile(times.platform, 1),
      baseline: percentile(times.bare, 1),
    },
  ];
}

export const wake: Measurement = {
  name: 'wake',
  title: 'Wake from sleep beside the start of a bare uWSGI',
  async run(ground) {
    const figures: Figure[] = [];
    for (const pair of await ground.pairs()) figures.push(...(await compare(ground, pair)));
    return figures;
  },
};
