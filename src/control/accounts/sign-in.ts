import { count } from '../../model/words.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Actor, ControlContext } from '../context.ts';
import { audit } from '../platform/audit.ts';
import { checkPassword, hashPassword, passwordProblem } from '../security/passwords.ts';
import { digestOf, newApiToken, newSessionSecret } from '../security/secrets.ts';
import { findAccount, updateAccount, type AccountRow } from '../store/accounts.ts';
import {
  deleteSession, deleteSessionsOf, findSession, insertSession, putToken, touchSession, type SessionRow,
} from '../store/sessions.ts'; // prettier-ignore

const DAY_MS = 86_400_000;
/** A session ends after this, however much it is used. */
export const SESSION_LIFE_MS = 14 * DAY_MS;
/** A session ends when nobody has used it for this long. */
export const SESSION_IDLE_MS = 3 * DAY_MS;
/** How exactly the last use is remembered: a write for each request would be a waste. */
const TOUCH_EVERY_MS = 60_000;

export interface SignedIn {
  /** The cookie's value; only its hash is kept. */
  secret: string;
  session: SessionRow;
  account: AccountRow;
}

/** Throws `wrong-password` (the same for an unknown name), `too-many-requests` with the time to wait, `forbidden` for a disabled account. */
export async function signIn(
  context: ControlContext,
  address: string,
  username: string,
  password: string,
): Promise<SignedIn> {
  const actor: Actor = { name: username, address };
  await refuseGuessing(context, actor, username);
  const account = await findAccount(context.database, username);
  const usable = account && account.state !== 'deleting' ? account : undefined;
  const right = await checkPassword(usable?.password_hash, password);
  if (!usable || !right) {
    await audit(context, actor, 'session.sign-in', username, 'refused', 'wrong name or password');
    throw new HoldfastError('wrong-password', 'The name or the password is wrong.');
  }
  context.loginsByAccount.succeeded(username);
  context.loginsByAddress.takeBack(address);
  if (usable.disabled === 1) {
    await audit(context, actor, 'session.sign-in', username, 'refused', 'disabled');
    throw new HoldfastError('forbidden', 'This account is disabled. Please ask the operator of the platform.');
  }
  const signedIn = await openSession(context, usable);
  await audit(context, actor, 'session.sign-in', username);
  return signedIn;
}

/** Counts the try and throws when it comes too early. */
async function refuseGuessing(context: ControlContext, actor: Actor, username: string): Promise<void> {
  const now = context.elapsed();
  const wait = Math.max(
    context.loginsByAccount.waitSeconds(username, now),
    context.loginsByAddress.waitSeconds(actor.address, now),
  );
  if (wait > 0) {
    throw new HoldfastError(
      'too-many-requests',
      `Too many wrong passwords. Please try again in ${count(wait, 'second')}.`,
      {
        retryAfterSeconds: wait,
      },
    );
  }
  context.loginsByAccount.failed(username, now);
  context.loginsByAddress.failed(actor.address, now);
}

export async function openSession(context: ControlContext, account: AccountRow): Promise<SignedIn> {
  const now = context.now();
  const secret = newSessionSecret();
  const session: SessionRow = {
    id_hash: digestOf(secret),
    account_id: account.id,
    csrf_token: newSessionSecret(),
    created_at: now.toISOString(),
    last_seen_at: now.toISOString(),
    expires_at: new Date(now.getTime() + SESSION_LIFE_MS).toISOString(),
  };
  await insertSession(context.database, session);
  return { secret, session, account };
}

/** The session of a cookie, when it is still good. */
export async function useSession(
  context: ControlContext,
  secret: string,
): Promise<{ session: SessionRow; account: AccountRow } | undefined> {
  const found = await findSession(context.database, digestOf(secret));
  if (!found) return undefined;
  const now = context.now();
  const idle = now.getTime() - Date.parse(found.session.last_seen_at);
  const over = now.toISOString() >= found.session.expires_at || idle >= SESSION_IDLE_MS;
  if (over || found.account.disabled === 1 || found.account.state === 'deleting') {
    await deleteSession(context.database, found.session.id_hash);
    return undefined;
  }
  if (idle >= TOUCH_EVERY_MS) await touchSession(context.database, found.session.id_hash, now.toISOString());
  return found;
}

export async function signOut(context: ControlContext, actor: Actor, session: SessionRow): Promise<void> {
  await deleteSession(context.database, session.id_hash);
  await audit(context, actor, 'session.sign-out', actor.name);
}

/** Changes the own password; all other sessions end and this one goes on under a new secret. */
export async function changePassword(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  current: string,
  next: string,
): Promise<SignedIn> {
  await refuseGuessing(context, actor, account.name);
  if (!(await checkPassword(account.password_hash, current))) {
    await audit(context, actor, 'account.password.change', account.name, 'refused', 'wrong current password');
    throw new HoldfastError('wrong-password', 'The current password is wrong.', { field: 'current' });
  }
  context.loginsByAccount.succeeded(account.name);
  context.loginsByAddress.takeBack(actor.address);
  const problem =
    next === current ? 'The new password must differ from the current one.' : passwordProblem(next, account.name);
  if (problem !== undefined) throw new HoldfastError('input-invalid', problem, { field: 'next' });
  const passwordHash = await hashPassword(next);
  await context.database.transaction().execute(async (transaction) => {
    await updateAccount(transaction, account.id, { password_hash: passwordHash, must_change_password: 0 });
    await deleteSessionsOf(transaction, account.id);
  });
  await audit(context, actor, 'account.password.change', account.name);
  return await openSession(context, { ...account, password_hash: passwordHash, must_change_password: 0 });
}

/** A new API token, shown this once; the one before stops working. */
export async function renewToken(context: ControlContext, actor: Actor, account: AccountRow): Promise<string> {
  const token = newApiToken();
  await putToken(context.database, account.id, digestOf(token), context.now().toISOString());
  await audit(context, actor, 'token.renew', account.name);
  return token;
}
