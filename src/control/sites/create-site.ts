import { accountHome } from '../../model/paths.ts';
import type { Quickstart } from '../../model/sites.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { Actor, ControlContext } from '../context.ts';
import { audit } from '../platform/audit.ts';
import { newSiteId } from '../security/secrets.ts';
import { findAccount, findPlan, nextNumber, type AccountRow } from '../store/accounts.ts';
import {
  countSites,
  findSite,
  findSiteByDomain,
  insertSite,
  insertStaticFile,
  listSites,
  type Site,
} from '../store/sites.ts';
import type { Database } from '../store/tables.ts';
import { checkDomain, checkPython, limitReached } from './site-rules.ts';

/** How long a change waits for the agent: on a volume in trouble it is answered all the same, and takes effect later. */
const WAIT_MS = 15_000;
const IN_TROUBLE_WAIT_MS = 1_000;
/** A starter project may have a database to make; whoever asked for it wants to open the site next. */
const QUICKSTART_WAIT_MS = 75_000;

export interface NewSite {
  domain: string;
  quickstart: Quickstart;
  pythonVersion?: string;
  /** For the quickstart `command`. */
  command?: string;
  enabled?: boolean;
  workers?: number;
}

/** What a quickstart makes of the fields of a site. The directories are those that the agent's starter projects write. */
function shapeOf(
  wanted: NewSite,
  account: string,
  usedDirectories: ReadonlySet<string>,
): Pick<Site, 'kind' | 'command' | 'source_directory' | 'working_directory' | 'quickstart'> {
  const home = accountHome(account);
  // Who brings a command has a program: no starter project then.
  const own = wanted.command?.trim() ? wanted.command : undefined;
  // The first site gets the short name that every tutorial uses; a further one must not take over its project.
  const project = (name: string): string => {
    const first = `${home}/${name}`;
    return usedDirectories.has(first)
      ? `${first}_${wanted.domain.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}`
      : first;
  };
  const api = project('myapi');
  const server = project('mysite');
  const shapes = {
    flask: { kind: 'wsgi', command: '', source_directory: project('mysite') },
    django: { kind: 'wsgi', command: '', source_directory: project('mysite') },
    manual: { kind: 'wsgi', command: '', source_directory: home },
    static: { kind: 'static', command: '', source_directory: project('public') },
    fastapi: {
      kind: 'command',
      command: own ?? `python3 -m uvicorn --app-dir ${api} --uds \${DOMAIN_SOCKET} main:app`,
      source_directory: api,
    },
    command: {
      kind: 'command',
      command: own ?? `python3 ${server}/server.py`,
      source_directory: own === undefined ? server : home,
    },
  } as const;
  const none = wanted.quickstart === 'command' && own !== undefined;
  return {
    ...shapes[wanted.quickstart],
    working_directory: `${home}/`,
    quickstart: none ? null : wanted.quickstart,
  };
}

/**
 * Defines a site: its row first, then the agent is told, and writes the starter project. When the agent does not answer the
 * site exists and the rest follows by itself.
 * Throws `input-invalid`, `limit-reached`, `domain-taken`.
 */
export async function createSite(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  wanted: NewSite,
): Promise<Site> {
  if (account.volume === null)
    throw new HoldfastError('forbidden', 'The operator has no home, so it can have no site. Create an account for it.');
  const domain = checkDomain(context, wanted.domain, account.name);
  const pythonVersion = checkPython(context, wanted.pythonVersion);
  const id = newSiteId();
  await context.database.transaction().execute(async (transaction) => {
    await lockAccount(transaction, account.id);
    const limits = await findPlan(transaction, account.plan);
    if (!limits) throw new HoldfastError('internal', `The plan "${account.plan}" does not exist.`);
    const present = await countSites(transaction, account.id);
    const others = await listSites(transaction, { accountId: account.id });
    const shape = shapeOf({ ...wanted, domain }, account.name, new Set(others.map((other) => other.source_directory)));
    await refuseTakenDomain(transaction, domain, account.id);
    if (present >= limits.sites) throw limitReached(limits.sites);
    const inserted = await insertSite(transaction, {
      id,
      number: await nextNumber(transaction, 'site', 1),
      account_id: account.id,
      state: 'present',
      domain,
      ...shape,
      enabled: wanted.enabled === false ? 0 : 1,
      python_version: pythonVersion,
      virtualenv: '',
      force_https: 0,
      protection_enabled: 0,
      protection_username: '',
      protection_hash: '',
      stop_first: 0,
      workers: Math.min(wanted.workers ?? limits.workers, limits.workers),
      revision: 1,
      told_revision: 0,
      created_at: context.now().toISOString(),
    });
    if (!inserted) throw domainTaken(domain, false);
    if (shape.kind === 'static')
      await insertStaticFile(transaction, { site_id: id, url: '/', path: shape.source_directory });
    // Django's own pages (the admin) want their style sheets; the quickstart collects them there.
    if (shape.quickstart === 'django')
      await insertStaticFile(transaction, { site_id: id, url: '/static/', path: `${shape.source_directory}/static` });
  });
  await audit(context, actor, 'site.create', domain, 'ok', `account ${account.name}, ${wanted.quickstart}`);
  await tellAgent(context, id, QUICKSTART_WAIT_MS);
  context.world.apply({ type: 'site-changed', id, account: account.name });
  const site = await findSite(context.database, id);
  if (!site) throw new HoldfastError('conflict', 'The site was removed while it was being made.');
  return site;
}

/** Makes changes to one account's sites wait for each other, in both databases. */
export async function lockAccount(transaction: Database, accountId: number): Promise<void> {
  await transaction
    .updateTable('accounts')
    .set((set) => ({ disabled: set.ref('disabled') }))
    .where('id', '=', accountId)
    .execute();
}

export async function refuseTakenDomain(database: Database, domain: string, accountId: number): Promise<void> {
  const holder = await findSiteByDomain(database, domain);
  if (holder) throw domainTaken(domain, holder.account_id === accountId);
}

export function domainTaken(domain: string, own: boolean): HoldfastError {
  const message = own ? `You already have a site at ${domain}.` : `The domain ${domain} is taken by another account.`;
  return new HoldfastError('domain-taken', message, { field: 'domain' });
}

/** How long it makes sense to wait for what needs a volume: hardly, when the volume is known to be in trouble. */
export function patience(context: ControlContext, volume: string | null, waitMs: number): number {
  const serving = volume === null || context.world.serviceOf(volume) === 'serving';
  return serving ? waitMs : Math.min(waitMs, IN_TROUBLE_WAIT_MS);
}

/**
 * Tells the agent now; a failure that time heals is left to the background, because the change itself is safe in the
 * database. What no waiting heals (the home is full, say) is thrown.
 */
export async function tellAgent(context: ControlContext, id: string, waitMs = WAIT_MS): Promise<void> {
  try {
    const site = await findSite(context.database, id);
    const account = site && (await findAccount(context.database, site.account));
    const patient = patience(context, account?.volume ?? null, waitMs);
    await within(patient, 'Telling the agent of the site', context.desired.site(id));
  } catch (error) {
    if (error instanceof HoldfastError && !ERRORS[error.code].retry) throw error;
    context.log.warn({ site: id, err: error }, 'the agent is told of the site later');
  }
}
