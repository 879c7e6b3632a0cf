import { count } from '../../model/words.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import type { UpdateSite } from '../../protocol/browser.ts';
import type { Actor, ControlContext } from '../context.ts';
import { within } from '../../runtime/deadline.ts';
import { audit } from '../platform/audit.ts';
import { storageRepair } from '../../runtime/compartments.ts';
import { hashVisitorPassword } from '../security/passwords.ts';
import { findAccount, findPlan, type AccountRow } from '../store/accounts.ts';
import {
  changeSite,
  listSites,
  findSite,
  replaceStaticFiles,
  replaceStaticHeaders,
  type Site,
  type SiteRow,
} from '../store/sites.ts';
import { isUniqueViolation } from '../store/unique-violation.ts';
import { checkCertificate } from './certificate.ts';
import { domainTaken, lockAccount, patience, refuseTakenDomain, tellAgent } from './create-site.ts';
import {
  checkDirectory, checkDomain, checkHeader, checkMapping, checkPython, checkVirtualenv, limitReached,
} from './site-rules.ts'; // prettier-ignore

/** How long one waits for the agent to have taken over a site. */
const TOLD_MS = 30_000;

/** What can be changed: the pages' own fields, and PythonAnywhere's three separate fields of the protection. */
export interface SiteChange extends UpdateSite {
  protectionEnabled?: boolean;
  protectionUsername?: string;
  protectionPassword?: string;
}

/** Throws `not-found`. */
export async function mustFindSite(context: Pick<ControlContext, 'database'>, id: string): Promise<Site> {
  const site = await findSite(context.database, id);
  if (!site || site.state === 'deleting') throw new HoldfastError('not-found', 'This site does not exist (any more).');
  return site;
}

/** Throws `input-invalid`, `domain-taken`. Takes effect at the next reload, except protection, HTTPS and domain: at once. */
export async function updateSite(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  site: Site,
  change: SiteChange,
): Promise<Site> {
  const values: Partial<SiteRow> = {};
  if (change.domain !== undefined) values.domain = checkDomain(context, change.domain, account.name);
  const domain = values.domain ?? site.domain;
  if (change.pythonVersion !== undefined) values.python_version = checkPython(context, change.pythonVersion);
  if (change.virtualenv !== undefined) values.virtualenv = checkVirtualenv(change.virtualenv, account.name);
  if (change.sourceDirectory !== undefined) {
    values.source_directory = checkDirectory(change.sourceDirectory, account.name, 'sourceDirectory');
  }
  if (change.workingDirectory !== undefined) {
    values.working_directory =
      checkDirectory(change.workingDirectory, account.name, 'workingDirectory') || `/home/${account.name}/`;
  }
  if (change.command !== undefined) values.command = checkCommand(site, change.command);
  if (change.forceHttps !== undefined) values.force_https = change.forceHttps ? 1 : 0;
  if (change.stopFirst !== undefined) values.stop_first = change.stopFirst ? 1 : 0;
  if (change.workers !== undefined) values.workers = await checkWorkers(context, account, change.workers);
  if (change.certificate !== undefined) {
    const checked = change.certificate && checkCertificate(change.certificate, domain, context.now());
    values.certificate_pem = checked?.certificatePem ?? null;
    values.private_key_pem = checked?.privateKeyPem ?? null;
  } else if (values.domain !== undefined && values.domain !== site.domain) {
    // A member's certificate is for the old name.
    values.certificate_pem = null;
    values.private_key_pem = null;
  }
  Object.assign(values, await protectionValues(change));
  const staticFiles = change.staticFiles?.map((mapping) => checkMapping(mapping, account.name));
  change.staticHeaders?.forEach(checkHeader);
  await context.database.transaction().execute(async (transaction) => {
    if (values.domain !== undefined && values.domain !== site.domain) {
      await lockAccount(transaction, account.id);
      await refuseTakenDomain(transaction, values.domain, account.id);
    }
    if (staticFiles) await replaceStaticFiles(transaction, site.id, staticFiles);
    if (change.staticHeaders) await replaceStaticHeaders(transaction, site.id, change.staticHeaders);
    try {
      await changeSite(transaction, site.id, values);
    } catch (error) {
      // Another account took the domain between the question and the change.
      if (values.domain !== undefined && isUniqueViolation(error)) throw domainTaken(values.domain, false);
      throw error;
    }
  });
  await audit(context, actor, 'site.change', domain, 'ok', Object.keys(change).join(', '));
  return await afterChange(context, site.id, account.name);
}

async function afterChange(context: ControlContext, id: string, account: string): Promise<Site> {
  await tellAgent(context, id);
  context.world.apply({ type: 'site-changed', id, account });
  return await mustFindSite(context, id);
}

function checkCommand(site: Site, command: string): string {
  if (site.kind === 'command' && command.trim() === '') {
    throw new HoldfastError(
      'input-invalid',
      'Say which command starts the site. It has to listen on ${DOMAIN_SOCKET}.',
      { field: 'command' },
    );
  }
  if (command.includes('\0'))
    throw new HoldfastError('input-invalid', 'The command must not contain NUL.', { field: 'command' });
  return command;
}

async function checkWorkers(context: ControlContext, account: AccountRow, workers: number): Promise<number> {
  const limits = await findPlan(context.database, account.plan);
  if (limits && workers > limits.workers) {
    throw new HoldfastError('limit-reached', `Your plan allows ${count(limits.workers, 'worker')} for a site.`, {
      field: 'workers',
    });
  }
  return workers;
}

async function protectionValues(change: SiteChange): Promise<Partial<SiteRow>> {
  const values: Partial<SiteRow> = {};
  if (change.protection === null) {
    return { protection_enabled: 0, protection_username: '', protection_hash: '' };
  }
  const username = change.protection?.username ?? change.protectionUsername;
  const password = change.protection?.password ?? change.protectionPassword;
  if (change.protection) values.protection_enabled = 1;
  if (change.protectionEnabled !== undefined) values.protection_enabled = change.protectionEnabled ? 1 : 0;
  if (username !== undefined) {
    // A colon ends the name in HTTP's basic authentication (RFC 7617).
    // eslint-disable-next-line no-control-regex
    if (username.includes(':') || /[\u0000-\u001f\u007f]/.test(username) || username.length > 64) {
      throw new HoldfastError('input-invalid', 'The name for a protected site has up to 64 characters and no colon.', {
        field: 'protection',
      });
    }
    values.protection_username = username;
  }
  if (password !== undefined && password !== '') values.protection_hash = await hashVisitorPassword(password);
  return values;
}

/** Lets a site's revision grow after its mappings were changed one by one, and tells the agent. `what` is for the audit log. */
export async function touchSite(context: ControlContext, actor: Actor, site: Site, what: string): Promise<void> {
  await changeSite(context.database, site.id);
  await audit(context, actor, 'site.change', site.domain, 'ok', what);
  await afterChange(context, site.id, site.account);
}

/** Throws `limit-reached` when switching on would be one more site than the plan allows. */
export async function switchSite(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  site: Site,
  enabled: boolean,
): Promise<Site> {
  if (enabled) {
    const limits = await findPlan(context.database, account.plan);
    const sites = await listSites(context.database, { accountId: account.id, state: 'present' });
    const others = sites.filter((other) => other.id !== site.id && other.enabled === 1).length;
    if (limits && others >= limits.sites) throw limitReached(limits.sites);
  }
  await changeSite(context.database, site.id, { enabled: enabled ? 1 : 0 });
  await audit(context, actor, enabled ? 'site.enable' : 'site.disable', site.domain);
  return await afterChange(context, site.id, account.name);
}

/** Starts the new generation and answers when it answers. Throws `site-disabled`, `site-start-failed` with the failing step. */
export async function reloadSite(context: ControlContext, actor: Actor, site: Site): Promise<void> {
  if (site.enabled === 0 || site.accountDisabled) {
    throw new HoldfastError('site-disabled', `The site ${site.domain} is disabled. Enable it first.`);
  }
  const volume = (await findAccount(context.database, site.account))?.volume ?? '';
  if (context.world.serviceOf(volume) === 'stopped') throw storageRepair();
  const status = await context.reloads.run(volume, async () => {
    // The agent must know the newest revision, or it would start the old one again.
    await within(TOLD_MS, 'Telling the agent of the site', context.desired.site(site.id));
    return await context.agent.call('sites.reload', { id: site.id });
  });
  context.world.apply({ type: 'site', site: status });
  await audit(
    context,
    actor,
    'site.reload',
    site.domain,
    status.failure ? 'failed' : 'ok',
    status.failure?.message ?? status.remark?.message ?? '',
  );
  if (status.failure && status.state === 'failed') {
    throw new HoldfastError('site-start-failed', status.failure.message, { details: status.failure.output });
  }
}

/** Back to what ran before the last reload, while the agent keeps it. Throws `conflict` when it is not there any more. */
export async function goBack(context: ControlContext, actor: Actor, site: Site): Promise<void> {
  const status = await context.agent.call('sites.back', { id: site.id });
  context.world.apply({ type: 'site', site: status });
  await audit(context, actor, 'site.back', site.domain, 'ok', `generation ${status.generation}`);
}

/** The site is gone for visitors and from every list at once; its files stay. */
export async function deleteSite(context: ControlContext, actor: Actor, site: Site): Promise<void> {
  await changeSite(context.database, site.id, { state: 'deleting' });
  await audit(context, actor, 'site.delete', site.domain, 'ok', `account ${site.account}`);
  context.world.apply({ type: 'site-removed', id: site.id, account: site.account });
  try {
    const { volume } = (await findAccount(context.database, site.account)) ?? { volume: null };
    await within(patience(context, volume, TOLD_MS), 'Removing the site', context.desired.site(site.id));
  } catch (error) {
    const passing = error instanceof HoldfastError && ERRORS[error.code].retry;
    context.log[passing ? 'warn' : 'error']({ site: site.id, err: error }, 'the removal goes on in the background');
  }
}
