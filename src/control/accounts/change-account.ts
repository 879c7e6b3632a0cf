import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { Actor, ControlContext } from '../context.ts';
import { audit } from '../platform/audit.ts';
import { hashPassword } from '../security/passwords.ts';
import { newOneTimePassword } from '../security/secrets.ts';
import { findAccount, findPlan, updateAccount, type AccountRow } from '../store/accounts.ts';
import { deleteSessionsOf } from '../store/sessions.ts';
import { changeSitesOf, listSites } from '../store/sites.ts';
import { growTasksRevision } from '../store/tasks.ts';

/** Throws `not-found`. */
export async function mustFindAccount(context: Pick<ControlContext, 'database'>, name: string): Promise<AccountRow> {
  const account = await findAccount(context.database, name);
  if (!account) throw new HoldfastError('not-found', `There is no account "${name}".`);
  return account;
}

/** Another plan, or switched off and on. A disabled account cannot sign in, its token is refused, its sites are off and its tasks rest. */
export async function changeAccount(
  context: ControlContext,
  actor: Actor,
  name: string,
  change: { plan?: string; disabled?: boolean },
): Promise<void> {
  const account = await mustFindAccount(context, name);
  if (account.role === 'operator')
    throw new HoldfastError('forbidden', 'The operator has no plan and cannot be disabled.');
  if (change.plan !== undefined && !(await findPlan(context.database, change.plan))) {
    throw new HoldfastError('not-found', `There is no plan "${change.plan}".`, { field: 'plan' });
  }
  await context.database.transaction().execute(async (transaction) => {
    if (change.plan !== undefined) await updateAccount(transaction, account.id, { plan: change.plan, limits_told: 0 });
    if (change.disabled !== undefined)
      await updateAccount(transaction, account.id, { disabled: change.disabled ? 1 : 0 });
    if (change.disabled) await deleteSessionsOf(transaction, account.id);
    await changeSitesOf(transaction, account.id);
    if (change.disabled !== undefined) await growTasksRevision(transaction, account.id);
  });
  if (change.plan !== undefined) await audit(context, actor, 'account.plan', name, 'ok', change.plan);
  if (change.disabled !== undefined)
    await audit(context, actor, change.disabled ? 'account.disable' : 'account.enable', name);
  context.desired.accountSoon(name);
  context.desired.tasksSoon(name);
  for (const site of await listSites(context.database, { accountId: account.id })) context.desired.siteSoon(site.id);
  context.world.apply({ type: 'account', name });
}

/** A new one-time password; every session of the account ends. */
export async function resetPassword(context: ControlContext, actor: Actor, name: string): Promise<string> {
  const account = await mustFindAccount(context, name);
  const password = newOneTimePassword();
  const passwordHash = await hashPassword(password);
  await context.database.transaction().execute(async (transaction) => {
    await updateAccount(transaction, account.id, { password_hash: passwordHash, must_change_password: 1 });
    await deleteSessionsOf(transaction, account.id);
  });
  await audit(context, actor, 'account.password.reset', name);
  return password;
}

/** How long the caller waits for the removal; after that it is finished in the background. */
const WAIT_MS = 30_000;

/**
 * Removes the account and everything it had: sites, home, token, sessions, logs. `confirmation` is the name, typed again.
 * When the storage does not answer the removal goes on by itself as soon as it does; the account cannot be used meanwhile.
 */
export async function deleteAccount(
  context: ControlContext,
  actor: Actor,
  name: string,
  confirmation: string | undefined,
): Promise<void> {
  const account = await mustFindAccount(context, name);
  if (account.role === 'operator') throw new HoldfastError('forbidden', 'The operator cannot be deleted.');
  if (confirmation !== name) {
    throw new HoldfastError(
      'confirmation-needed',
      `Deleting "${name}" removes its files and sites for good. Confirm it by giving the name again.`,
      {
        field: 'confirm',
      },
    );
  }
  await context.database.transaction().execute(async (transaction) => {
    await updateAccount(transaction, account.id, { state: 'deleting' });
    await deleteSessionsOf(transaction, account.id);
    await transaction.deleteFrom('tokens').where('account_id', '=', account.id).execute();
    await transaction.updateTable('sites').set({ state: 'deleting' }).where('account_id', '=', account.id).execute();
  });
  await audit(context, actor, 'account.delete', name);
  try {
    await within(WAIT_MS, 'Removing the account', context.desired.account(name));
  } catch (error) {
    context.log.warn({ account: name, err: error }, 'the removal goes on in the background');
  }
}
