import { isDeepStrictEqual } from 'node:util';
import type { PlanLimits } from '../../model/plans.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentClient } from '../agent-client.ts';
import { siteSpec } from '../sites/site-spec.ts';
import {
  accountSpec,
  deleteAccountRow,
  findAccount,
  findPlan,
  listAccounts,
  listPlans,
  listUnfinishedAccounts,
  recordAccountUntold,
  type AccountRow,
} from '../store/accounts.ts';
import {
  deleteSiteRow,
  findSite,
  listSites,
  recordQuickstartDone,
  recordTold,
  recordUntold,
  type SiteRow,
} from '../store/sites.ts';
import {
  listAllTasks,
  listTasks,
  listUntoldTasks,
  recordTasksTold,
  recordTasksUntold,
  tasksSpec,
} from '../store/tasks.ts';
import type { Database } from '../store/tables.ts';
import { Compartments } from '../../runtime/compartments.ts';
import { RetryingWork } from './retrying-work.ts';
import type { World } from './world.ts';

/** /usr/bin/python3, whatever the host has. */
const NEWEST_PYTHON = '3';

interface Parts {
  database: Database;
  agent: AgentClient;
  world: World;
  log: Logger;
}

/**
 * Brings what the database says to the agent, for ever (law 3). The database remembers what the agent has confirmed, so a
 * crash at any point loses nothing: what is unfinished is found again at the next start.
 */
export class DesiredState {
  readonly #parts: Parts;
  readonly #accounts: RetryingWork;
  readonly #sites: RetryingWork;
  readonly #tasks: RetryingWork;
  readonly #whole: RetryingWork;
  /** Conversations with the agent about one volume; the others wait here, not in anybody's way. */
  readonly #perVolume = new Compartments({ atOnce: 4, waiting: Number.POSITIVE_INFINITY });

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#whole = new RetryingWork('Telling the agent the whole state', () => this.#sync(), parts.log);
    this.#accounts = new RetryingWork('Bringing an account to the agent', (name) => this.#doAccount(name), parts.log);
    this.#sites = new RetryingWork('Bringing a site to the agent', (id) => this.#doSite(id), parts.log);
    this.#tasks = new RetryingWork('Bringing tasks to the agent', (name) => this.#doTasks(name), parts.log);
  }

  /** Tells the agent of the account now. Throws how this try failed; it is tried again in the background. */
  async account(name: string): Promise<void> {
    await this.#accounts.now(name);
  }

  async site(id: string): Promise<void> {
    await this.#sites.now(id);
  }

  /** The tasks of an account. */
  async tasks(name: string): Promise<void> {
    await this.#tasks.now(name);
  }

  tasksSoon(name: string): void {
    this.#tasks.soon(name);
  }

  accountSoon(name: string): void {
    this.#accounts.soon(name);
  }

  siteSoon(id: string): void {
    this.#sites.soon(id);
  }

  /** Tells the agent everything, after a start or a new connection, then takes up what was left unfinished. */
  async everything(): Promise<void> {
    await this.#whole.now('state');
    await this.unfinished();
  }

  async #sync(): Promise<void> {
    const { database, agent } = this.#parts;
    const plans = await listPlans(database);
    const ready = (await listAccounts(database)).filter((account) => account.state === 'ready');
    const accounts = ready.flatMap((account) => accountSpec(account, limitsIn(plans, account.plan)) ?? []);
    const planOf = new Map(ready.map((account) => [account.id, limitsIn(plans, account.plan)]));
    const sites = await listSites(database, { state: 'present' });
    const specs = sites.flatMap((site) => {
      const limits = planOf.get(site.account_id);
      return limits ? [siteSpec(site, limits)] : [];
    });
    const allTasks = await listAllTasks(database);
    const known = new Set(accounts.map((account) => account.name));
    const tasks = ready.flatMap((account) => {
      const own = allTasks.get(account.id);
      if (own === undefined || !known.has(account.name)) return [];
      return [tasksSpec(account, own, account.default_python ?? NEWEST_PYTHON)];
    });
    await agent.call('state.sync', { accounts, sites: specs, tasks });
    for (const account of ready)
      if (account.tasks_told < account.tasks_revision)
        await recordTasksTold(database, account.id, account.tasks_revision);
    const told = new Map(specs.map((spec) => [spec.id, spec.revision]));
    for (const site of sites) {
      const revision = told.get(site.id);
      if (revision !== undefined && site.told_revision < revision) await recordTold(database, site.id, revision);
    }
    await this.#tellAgain(new Set(ready.map((account) => account.id)), new Set(sites.map((site) => site.id)));
  }

  /**
   * What became known to the agent while the snapshot was on its way was undone by it, because the agent drops what a
   * whole state does not have: it counts as not told, and `unfinished` tells of it again.
   */
  async #tellAgain(accountsTold: ReadonlySet<number>, sitesTold: ReadonlySet<string>): Promise<void> {
    const { database } = this.#parts;
    for (const account of await listAccounts(database)) {
      if (account.state !== 'ready' || accountsTold.has(account.id)) continue;
      await recordAccountUntold(database, account.id);
      await recordTasksUntold(database, account.id);
    }
    for (const site of await listSites(database, { state: 'present' })) {
      if (!sitesTold.has(site.id)) await recordUntold(database, site.id);
    }
  }

  /** Starts (again) whatever the agent has not confirmed. */
  async unfinished(): Promise<void> {
    for (const account of await listUnfinishedAccounts(this.#parts.database)) this.accountSoon(account.name);
    for (const site of await listSites(this.#parts.database, { unfinished: true })) this.siteSoon(site.id);
    for (const account of await listUntoldTasks(this.#parts.database)) this.tasksSoon(account.name);
  }

  stop(): void {
    this.#whole.stop();
    this.#accounts.stop();
    this.#sites.stop();
    this.#tasks.stop();
  }

  async #doTasks(name: string): Promise<void> {
    const { database, agent } = this.#parts;
    const account = await findAccount(database, name);
    // One that is still being made is told of at its end.
    if (!account || account.volume === null || account.state !== 'ready') return;
    if (account.tasks_told >= account.tasks_revision) return;
    const tasks = await listTasks(database, account.id);
    await agent.call('tasks.put', tasksSpec(account, tasks, account.default_python ?? NEWEST_PYTHON));
    await recordTasksTold(database, account.id, account.tasks_revision);
  }

  async #doAccount(name: string): Promise<void> {
    const account = await findAccount(this.#parts.database, name);
    if (!account || account.volume === null) return;
    await this.#perVolume.run(account.volume, async () => {
      if (account.state === 'deleting') await this.#removeAccount(account, account.volume ?? '');
      else await this.#ensureAccount(account);
    });
    this.#parts.world.apply({ type: 'account', name });
  }

  async #ensureAccount(account: AccountRow): Promise<void> {
    const { database, agent } = this.#parts;
    if (account.state === 'ready' && account.limits_told === 1) return;
    const limits = await planLimits(database, account.plan);
    const spec = accountSpec(account, limits);
    if (!spec) return;
    await agent.call('accounts.ensure', spec);
    const current = isDeepStrictEqual(await planLimits(database, account.plan), limits);
    // Somebody may have changed the plan or started the removal meanwhile: then this row no longer matches, and the work is asked for again.
    await database
      .updateTable('accounts')
      .set({ state: 'ready', limits_told: current ? 1 : 0 })
      .where('id', '=', account.id)
      .where('plan', '=', account.plan)
      .where('state', '!=', 'deleting')
      .execute();
    // The agent's programs know the account from here on. The whole state is not told again: with many accounts that took
    // longer than the home, and it removed the sites that others were making at that moment.
    if (!current) throw new HoldfastError('conflict', 'The plan changed while the agent was told of it.');
  }

  async #removeAccount(account: AccountRow, volume: string): Promise<void> {
    const { database, agent } = this.#parts;
    for (const site of await listSites(database, { accountId: account.id }))
      await this.#removeSite(site.id, account.name);
    await agent.call('accounts.remove', { name: account.name, volume });
    await deleteAccountRow(database, account.id);
  }

  async #removeSite(id: string, account: string): Promise<void> {
    await this.#parts.agent.call('sites.remove', { id });
    await deleteSiteRow(this.#parts.database, id);
    this.#parts.world.apply({ type: 'site-removed', id, account });
  }

  /** What can never succeed (a full home, say) is reported once and not tried again: the member can go on without it. */
  async #writeStarter(id: string, quickstart: NonNullable<SiteRow['quickstart']>): Promise<void> {
    const { database, agent } = this.#parts;
    try {
      await agent.call('sites.quickstart', { id, quickstart });
    } catch (error) {
      if (error instanceof HoldfastError && !ERRORS[error.code].retry) await recordQuickstartDone(database, id);
      throw error;
    }
    await recordQuickstartDone(database, id);
  }

  async #doSite(id: string): Promise<void> {
    const { database, agent, world } = this.#parts;
    const known = await findSite(database, id);
    const account = known && (await findAccount(database, known.account));
    if (!known || !account) return;
    await this.#perVolume.run(account.volume ?? '', async () => {
      // Read again: it may have waited here for a long time.
      const site = await findSite(database, id);
      if (!site) return;
      if (site.state === 'deleting') {
        await this.#removeSite(id, site.account);
        return;
      }
      if (site.told_revision < site.revision) {
        const status = await agent.call('sites.put', siteSpec(site, await planLimits(database, account.plan)));
        await recordTold(database, id, site.revision);
        world.apply({ type: 'site', site: status });
      }
      if (site.quickstart !== null) {
        await this.#writeStarter(id, site.quickstart);
      }
    });
  }
}

async function planLimits(database: Database, plan: string): Promise<PlanLimits> {
  const limits = await findPlan(database, plan);
  if (!limits) throw new HoldfastError('internal', `The plan "${plan}" does not exist.`);
  return limits;
}

function limitsIn(plans: ReadonlyMap<string, PlanLimits>, name: string): PlanLimits {
  const limits = plans.get(name);
  if (!limits) throw new HoldfastError('internal', `The plan "${name}" does not exist.`);
  return limits;
}
