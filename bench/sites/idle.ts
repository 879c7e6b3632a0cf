import { mustSend, type Target } from '../measure/http.ts';
import { descendants, pssOf, type ProcessFacts } from '../measure/memory.ts';
import type { OwnProcess } from '../measure/processes.ts';
import { sum } from '../measure/statistics.ts';
import type { Ground, Measurement } from './ground.ts';

const MiB = 1024 ** 2;
/** The first requests import what is imported late; an idle site has had some. */
const REQUESTS = 5;

function mebibytesOf(processes: readonly ProcessFacts[]): number {
  return sum(processes.map((entry) => pssOf(entry.pid) ?? 0)) / MiB;
}

/** Proportional memory by program name, in MiB for each site. */
function byName(processes: readonly ProcessFacts[], sites: number): Record<string, number> {
  const names = new Set(processes.map((entry) => entry.name));
  return Object.fromEntries(
    [...names].map((name) => [name, mebibytesOf(processes.filter((entry) => entry.name === name)) / sites]),
  );
}

async function askEach(targets: readonly Target[]): Promise<void> {
  for (const target of targets) for (let count = 0; count < REQUESTS; count += 1) await mustSend(target, '/');
}

/** Bare uWSGI, master and one worker for each site, on the same machine when the platform's sites are gone. */
async function bareSites(ground: Ground, count: number): Promise<{ mebibytes: number; names: Record<string, number> }> {
  const started: OwnProcess[] = [];
  try {
    const targets: Target[] = [];
    for (let number = 0; number < count; number += 1) {
      const name = `idle-${number}`;
      const { process, socket } = await ground.baseline.uwsgi(name, 'flask', 1, 'http-socket');
      started.push(process);
      const target: Target = { at: { socketPath: socket }, host: 'localhost' };
      await ground.baseline.answers(name, target);
      targets.push(target);
    }
    await askEach(targets);
    const processes = started.flatMap((process) => descendants(process.pid));
    return { mebibytes: mebibytesOf(processes) / count, names: byName(processes, count) };
  } finally {
    for (const process of started) await process[Symbol.asyncDispose]();
  }
}

export const idle: Measurement = {
  name: 'idle',
  title: 'Memory of an idle awake Flask site, and of one that sleeps',
  async run(ground) {
    const count = ground.quick ? 8 : 20;
    await ground.pairs(); // The bytecode of the hand-written side.
    const sites = await ground.flaskSites(count);
    const others = new Set(ground.members.siteProcesses().map((entry) => entry.pid));
    ground.say(`  ${count} idle sites side by side, then as many bare uWSGI`);
    await askEach(sites.map((site) => ground.members.site(site.domain)));
    const processes = ground.members.siteProcesses().filter((entry) => !others.has(entry.pid));
    const awake = mebibytesOf(processes) / count;
    const names = byName(processes, count);
    for (const site of sites) await ground.members.sleep(site);
    const left = ground.members.siteProcesses().filter((entry) => !others.has(entry.pid));
    const bare = await bareSites(ground, count);
    ground.raw['idle'] = { count, platform: { mebibytes: awake, names, processes: processes.length }, bare };
    const parts = Object.entries(names)
      .sort((a, b) => b[1] - a[1])
      .map(([name, mebibytes]) => `${name} ${mebibytes.toFixed(1)}`)
      .join(', ');
    return [
      {
        name: `idle awake Flask site, ${count} side by side (PSS of all its processes)`,
        unit: 'MiB',
        platform: awake,
        baseline: bare.mebibytes,
        goal: { of: 'platform', at: 'most', value: 30 },
        note: `${(processes.length / count).toFixed(1)} processes for each site: ${parts}`,
      },
      {
        name: `processes of ${count} sleeping sites`,
        unit: '',
        platform: left.length,
        goal: { of: 'platform', at: 'most', value: 0 },
      },
    ];
  },
};
