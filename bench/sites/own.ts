import { setTimeout as pause } from 'node:timers/promises';
import type { Platform } from '../../e2e/platform.ts';
import { factsOf, pssOf, type ProcessFacts } from '../measure/memory.ts';
import { median, sum } from '../measure/statistics.ts';
import type { Measurement } from './ground.ts';

const MiB = 1024 ** 2;
const GOAL_MIB = 350;
/** One sample a second: a garbage collector's swing must not decide. */
const SAMPLES = 7;

/** What a process of the platform is for. */
export function partOf(process: Pick<ProcessFacts, 'name' | 'arguments'>): string {
  const line = process.arguments.join(' ');
  // A sandbox's outer process carries the whole command line of what runs inside, so it is named by its own program.
  if (process.name === 'bwrap') return line.includes('src/control/main.ts') ? 'bwrap of the control plane' : 'bwrap';
  if (line.includes('src/agent/main.ts')) return 'agent';
  if (line.includes('src/control/main.ts')) return 'control plane';
  if (line.includes('src/cli/main.ts') && !process.name.startsWith('npm')) return 'supervisor (npm start)';
  if (line.startsWith('npm ') || process.name.startsWith('npm')) return 'npm itself';
  if (line.startsWith('nginx: ')) return 'nginx';
  return process.name;
}

/** Proportional memory of everything that belongs to the platform and to no site, by part, in MiB. */
export function ownMemory(platform: Platform): Map<string, { processes: number; mebibytes: number }> {
  const parts = new Map<string, { processes: number; mebibytes: number }>();
  for (const pid of platform.processes()) {
    const facts = factsOf(pid);
    if (facts === undefined || /\/site-[0-9a-f]{12}-\d+$/m.test(facts.cgroup)) continue;
    if (facts.arguments.some((argument) => argument.includes(`${platform.home}/baseline`))) continue;
    const part = parts.get(partOf(facts)) ?? { processes: 0, mebibytes: 0 };
    parts.set(partOf(facts), { processes: part.processes + 1, mebibytes: part.mebibytes + (pssOf(pid) ?? 0) / MiB });
  }
  return parts;
}

export const own: Measurement = {
  name: 'own',
  title: "Memory of the platform's own processes",
  async run(ground) {
    const sites = await ground.flaskSites(ground.quick ? 10 : 50);
    ground.say(`  the platform's own memory with ${sites.length} sites, ${SAMPLES} samples`);
    const samples: Map<string, { processes: number; mebibytes: number }>[] = [];
    for (let count = 0; count < SAMPLES; count += 1) {
      await pause(1000);
      samples.push(ownMemory(ground.platform));
    }
    const total = median(samples.map((sample) => sum([...sample.values()].map((part) => part.mebibytes))));
    const names = new Set(samples.flatMap((sample) => [...sample.keys()]));
    const parts = [...names]
      .map((name) => ({
        name,
        processes: median(samples.map((sample) => sample.get(name)?.processes ?? 0)),
        mebibytes: median(samples.map((sample) => sample.get(name)?.mebibytes ?? 0)),
      }))
      .sort((a, b) => b.mebibytes - a.mebibytes);
    ground.raw['own memory'] = parts;
    return [
      {
        name: `the platform's own processes with ${sites.length} sites (PSS)`,
        unit: 'MiB',
        platform: total,
        goal: { of: 'platform', at: 'most', value: GOAL_MIB },
      },
      ...parts.map((part) => ({
        name: `  ${part.name} (${part.processes} process${part.processes === 1 ? '' : 'es'})`,
        unit: 'MiB',
        platform: part.mebibytes,
      })),
    ];
  },
};
