import type { Figure } from '../measure/figures.ts';
import type { Target } from '../measure/http.ts';
import { mustSend } from '../measure/http.ts';
import { processorMs } from '../measure/processor.ts';
import { interleaved, median } from '../measure/statistics.ts';
import { runWrk, type WrkResult } from '../measure/wrk.ts';
import type { Ground, Measurement, Pair } from './ground.ts';

/** Enough to keep both cores busy, few enough that latency is not only the length of the queue. */
const BUSY_CONNECTIONS = 16;
/** Fewer than there are workers: what a request costs when nobody else is there. */
const CALM_CONNECTIONS = 1;

function urlOf(target: Target): string {
  if ('socketPath' in target.at) throw new Error('wrk asks ports only.');
  return `${target.at.secure ? 'https' : 'http'}://127.0.0.1:${target.at.port}/`;
}

async function measure(target: Target, connections: number, seconds: number): Promise<WrkResult> {
  const result = await runWrk({ url: urlOf(target), host: target.host, connections, seconds });
  const wrong = result.badAnswers + result.socketErrors;
  if (wrong > 0)
    throw new Error(`${wrong} of ${result.requests} requests to ${target.host} (${urlOf(target)}) failed.`);
  return result;
}

/** A round with the processor time that the side's own processes used: that ratio holds with neighbours at work, too. */
interface Round extends WrkResult {
  processorMsPerThousand: number;
}

async function round(
  ground: Ground,
  pair: Pair,
  side: 'platform' | 'baseline',
  secure: boolean,
  connections: number,
  seconds: number,
): Promise<Round> {
  await ground.calm.wait();
  const pids = pair.serving(side);
  const before = processorMs(pids);
  const result = await measure(pair[side](secure), connections, seconds);
  return { ...result, processorMsPerThousand: ((processorMs(pids) - before) * 1000) / result.requests };
}

async function compare(ground: Ground, pair: Pair, secure: boolean, connections: number): Promise<Figure[]> {
  const seconds = ground.quick ? 2 : 5;
  const rounds = ground.quick ? 2 : 6;
  const runs: Record<'platform' | 'baseline', Round[]> = { platform: [], baseline: [] };
  const transport = secure ? 'HTTPS' : 'HTTP';
  const name = `${pair.app}, ${transport}, ${connections} connection${connections === 1 ? '' : 's'}`;
  ground.say(`  ${name}: ${rounds} rounds of ${seconds} s on each side`);
  for (const side of ['platform', 'baseline'] as const) {
    await mustSend(pair[side](secure), '/');
    await measure(pair[side](secure), connections, 1);
  }
  for (const side of interleaved('platform' as const, 'baseline' as const, rounds)) {
    runs[side].push(await round(ground, pair, side, secure, connections, seconds));
  }
  ground.raw[`serve ${name}`] = runs;
  const figure = (label: string, unit: string, key: keyof Round, goal?: Figure['goal']): Figure => ({
    name: `${name}: ${label}`,
    unit,
    platform: median(runs.platform.map((run) => run[key])),
    baseline: median(runs.baseline.map((run) => run[key])),
    ...(goal === undefined ? {} : { goal }),
  });
  // 0.95 of the throughput, and by the same measure at most 1/0.95 of the time.
  return [
    figure('throughput', '/s', 'requestsPerSecond', { of: 'ratio', at: 'least', value: 0.95 }),
    figure('processor time for 1,000 requests', 'ms', 'processorMsPerThousand'),
    figure('p50', 'ms', 'p50'),
    figure('p99', 'ms', 'p99', { of: 'ratio', at: 'most', value: 1 / 0.95 }),
  ];
}

export const serve: Measurement = {
  name: 'serve',
  title: 'Throughput and latency beside hand-written nginx + uWSGI',
  async run(ground) {
    const figures: Figure[] = [];
    for (const pair of await ground.pairs()) {
      for (const secure of [false, true]) {
        figures.push(...(await compare(ground, pair, secure, BUSY_CONNECTIONS)));
      }
      figures.push(...(await compare(ground, pair, false, CALM_CONNECTIONS)));
    }
    return figures;
  },
};
