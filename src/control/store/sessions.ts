import type { Selectable } from 'kysely';
import type { AccountRow } from './accounts.ts';
import type { Database, SessionTable } from './tables.ts';

export type SessionRow = Selectable<SessionTable>;

export async function insertSession(database: Database, session: SessionRow): Promise<void> {
  await database.insertInto('sessions').values(session).execute();
}

export async function findSession(
  database: Database,
  idHash: string,
): Promise<{ session: SessionRow; account: AccountRow } | undefined> {
  const session = await database.selectFrom('sessions').selectAll().where('id_hash', '=', idHash).executeTakeFirst();
  if (!session) return undefined;
  const account = await database
    .selectFrom('accounts')
    .selectAll()
    .where('id', '=', session.account_id)
    .executeTakeFirst();
  return account && { session, account };
}

export async function touchSession(database: Database, idHash: string, at: string): Promise<void> {
  await database.updateTable('sessions').set({ last_seen_at: at }).where('id_hash', '=', idHash).execute();
}

export async function deleteSession(database: Database, idHash: string): Promise<void> {
  await database.deleteFrom('sessions').where('id_hash', '=', idHash).execute();
}

export async function deleteSessionsOf(database: Database, accountId: number): Promise<void> {
  await database.deleteFrom('sessions').where('account_id', '=', accountId).execute();
}

/** Removes sessions that ended by age, or that nobody has used since `idleSince`. */
export async function deleteEndedSessions(database: Database, now: string, idleSince: string): Promise<void> {
  await database
    .deleteFrom('sessions')
    .where((where) => where.or([where('expires_at', '<=', now), where('last_seen_at', '<=', idleSince)]))
    .execute();
}

/** The account's one API token; an older one stops working. */
export async function putToken(database: Database, accountId: number, tokenHash: string, at: string): Promise<void> {
  await database
    .insertInto('tokens')
    .values({ account_id: accountId, token_hash: tokenHash, created_at: at })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ token_hash: tokenHash, created_at: at }))
    .execute();
}

export async function hasToken(database: Database, accountId: number): Promise<boolean> {
  const row = await database
    .selectFrom('tokens')
    .select('account_id')
    .where('account_id', '=', accountId)
    .executeTakeFirst();
  return row !== undefined;
}

export async function findAccountByToken(database: Database, tokenHash: string): Promise<AccountRow | undefined> {
  return await database
    .selectFrom('tokens')
    .innerJoin('accounts', 'accounts.id', 'tokens.account_id')
    .selectAll('accounts')
    .where('tokens.token_hash', '=', tokenHash)
    .executeTakeFirst();
}
