import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../e2e/platform.ts';
import { startTimeOf } from '../../src/runtime/process-record.ts';
import type { Figure } from '../measure/figures.ts';
import { median } from '../measure/statistics.ts';
import type { Ground, Measurement } from './ground.ts';

const GOAL_SECONDS = 8;
/** Linux counts a process's start in hundredths of a second on every architecture Debian knows (sysconf _SC_CLK_TCK). */
const TICK_MS = 10;

/** Milliseconds since boot. */
function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
}

export interface StartTimes {
  total: number;
  /** npm and the launcher, until the supervisor's process exists. */
  npm: number;
  /** The supervisor's checks and set-up, until the agent's process exists. */
  setUp: number;
  /** Agent, volumes, gateway and control plane, until everything answers. */
  parts: number;
  /** What the processes logged meanwhile, milliseconds after the start. */
  log: { at: number; process: string; message: string }[];
}

/** Lines of a structured log since `since`, as milliseconds after it. */
function logSince(file: string, since: number): StartTimes['log'] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      const entry = JSON.parse(line) as { time: string; process: string; msg?: string };
      const at = new Date(entry.time).getTime() - since;
      return at < 0 ? [] : [{ at, process: entry.process, message: entry.msg ?? '' }];
    });
}

/** One start as a person makes it, `npm start` to its line "ready". */
export async function timedStart(platform: Platform): Promise<StartTimes> {
  const since = Date.now();
  const begin = uptime();
  const clock = performance.now();
  await platform.start();
  const total = performance.now() - clock;
  const startOf = (name: 'supervisor' | 'agent'): number =>
    Number(startTimeOf(platform.pidOf(name)) ?? 0) * TICK_MS - begin;
  const supervisor = startOf('supervisor');
  const agent = startOf('agent');
  const log = ['agent', 'control'].flatMap((name) => logSince(join(platform.home, 'log', `${name}.log`), since));
  return {
    total,
    npm: supervisor,
    setUp: agent - supervisor,
    parts: total - agent,
    log: log.sort((a, b) => a.at - b.at),
  };
}

export async function restarts(ground: Ground, count: number): Promise<StartTimes[]> {
  const times: StartTimes[] = [];
  for (let number = 0; number < count; number += 1) {
    await ground.platform.stop();
    ground.members.forgetConnections();
    await ground.calm.wait();
    times.push(await timedStart(ground.platform));
  }
  return times;
}

export const start: Measurement = {
  name: 'start',
  title: 'From npm start to ready on a prepared machine',
  async run(ground): Promise<Figure[]> {
    const count = ground.quick ? 2 : 5;
    ground.say(`  ${count} starts`);
    const times = await restarts(ground, count);
    ground.raw['start'] = times;
    const seconds = (key: 'total' | 'npm' | 'setUp' | 'parts'): number => median(times.map((time) => time[key])) / 1000;
    return [
      {
        name: `npm start to ready, median of ${count}`,
        unit: 's',
        platform: seconds('total'),
        goal: { of: 'platform', at: 'most', value: GOAL_SECONDS },
        note: `worst ${(Math.max(...times.map((time) => time.total)) / 1000).toFixed(2)} s`,
      },
      { name: '  npm and launcher', unit: 's', platform: seconds('npm') },
      { name: '  checks and set-up', unit: 's', platform: seconds('setUp') },
      { name: '  agent, volumes, gateway, control plane', unit: 's', platform: seconds('parts') },
    ];
  },
};
