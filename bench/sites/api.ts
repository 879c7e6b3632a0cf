import { apiRequest } from '../../src/protocol/api/request.ts';
import type { Figure } from '../measure/figures.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Ground, Measurement } from './ground.ts';
import { inParallel, type Member, type MemberSite } from './members.ts';
import { ownMemory } from './own.ts';
import { restarts } from './start.ts';

const GOAL_MS = 50;
/** Clients at the same time, each waiting for its answer before it asks again. */
const CLIENTS = 4;
/** Requests of one account to one endpoint: far below the rate limit, as real clients are. */
const EACH = 4;

async function times(ground: Ground, calls: readonly { member: Member; path: string }[]): Promise<number[]> {
  return await inParallel(calls, CLIENTS, async ({ member, path }) => ground.members.timedGet(member, path));
}

/** Spread over the accounts in turn, so that no account asks twice in a row. */
function spread(sites: readonly MemberSite[], path: (site: MemberSite) => string): { member: Member; path: string }[] {
  return Array.from({ length: EACH }, () => sites.map((site) => ({ member: site.member, path: path(site) }))).flat();
}

export const api: Measurement = {
  name: 'api',
  title: 'The API with many accounts and sleeping sites',
  async run(ground) {
    const accounts = ground.quick ? 60 : 1000;
    const sites = ground.quick ? 20 : 300;
    const figures: Figure[] = [];
    const defined = await ground.flaskSites(sites);
    const present = (await ground.members.operator('accounts.list')).filter((entry) => entry.role === 'member').length;
    const missing = Math.max(0, accounts - present);
    if (missing > 0) {
      ground.say(`  making ${missing} more accounts, 4 at a time`);
      const begin = performance.now();
      await inParallel(
        Array.from({ length: missing }, (_, index) => `plain${index}`),
        4,
        async (name) => await ground.members.create(name, 'starter'),
      );
      figures.push({
        name: 'accounts made, 4 at a time',
        unit: '/s',
        platform: (missing * 1000) / (performance.now() - begin),
      });
    }
    const path = {
      'GET webapps/': (site: MemberSite) => `/api/v0/user/${site.member.username}/webapps/`,
      'GET webapps/{d}/': (site: MemberSite) => `/api/v0/user/${site.member.username}/webapps/${site.domain}/`,
      'GET dashboard': () => apiRequest('dashboard.get').path,
    };
    for (const [name, of] of Object.entries(path)) {
      const calls = spread(defined, of);
      await times(ground, spread(defined.slice(0, 10), of)); // Connections, prepared statements, compiled code.
      ground.say(`  ${name}: ${calls.length} requests of ${defined.length} accounts, ${CLIENTS} at a time`);
      await ground.calm.wait();
      const taken = await times(ground, calls);
      ground.raw[`api ${name}`] = taken;
      figures.push({
        name: `${name}, p99 with ${accounts.toLocaleString('en-US')} accounts and ${sites} sleeping sites`,
        unit: 'ms',
        platform: percentile(taken, 0.99),
        goal: { of: 'platform', at: 'most', value: GOAL_MS },
        note: `p50 ${median(taken).toFixed(1)} ms, worst ${percentile(taken, 1).toFixed(1)} ms`,
      });
    }
    const operator: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const begin = performance.now();
      await ground.members.operator('dashboard.get');
      operator.push(performance.now() - begin);
    }
    figures.push({ name: "  the operator's dashboard, p50", unit: 'ms', platform: median(operator) });
    const own = ownMemory(ground.platform);
    ground.raw['own memory with many accounts'] = Object.fromEntries(own);
    figures.push({
      name: "  the platform's own processes then (PSS)",
      unit: 'MiB',
      platform: [...own.values()].reduce((total, part) => total + part.mebibytes, 0),
    });
    const [again] = await restarts(ground, 1);
    ground.raw['start with many accounts'] = again;
    if (again) figures.push({ name: '  npm start to ready then', unit: 's', platform: again.total / 1000 });
    return figures;
  },
};
