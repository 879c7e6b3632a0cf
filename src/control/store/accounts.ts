import type { Insertable, Selectable, Updateable } from 'kysely';
import { LATER_LIMITS, type PlanLimits } from '../../model/plans.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import type { AccountTable, Database } from './tables.ts';

export type AccountRow = Selectable<AccountTable>;

export async function findAccount(database: Database, name: string): Promise<AccountRow | undefined> {
  return await database.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirst();
}

export async function findAccountById(database: Database, id: number): Promise<AccountRow | undefined> {
  return await database.selectFrom('accounts').selectAll().where('id', '=', id).executeTakeFirst();
}

export async function listAccounts(database: Database): Promise<AccountRow[]> {
  return await database.selectFrom('accounts').selectAll().orderBy('name').execute();
}

/** How many members there are, and how many accounts are being made or removed. */
export async function countAccounts(database: Database): Promise<{ members: number; unfinished: number }> {
  const rows = await database
    .selectFrom('accounts')
    .select(({ fn }) => ['role', 'state', fn.countAll<number | string>().as('count')])
    .groupBy(['role', 'state'])
    .execute();
  const sum = (keep: (row: (typeof rows)[number]) => boolean): number =>
    rows.filter(keep).reduce((total, row) => total + Number(row.count), 0);
  return { members: sum((row) => row.role === 'member'), unfinished: sum((row) => row.state !== 'ready') };
}

export async function listUnfinishedAccounts(database: Database): Promise<AccountRow[]> {
  return await database
    .selectFrom('accounts')
    .selectAll()
    .where('volume', 'is not', null)
    .where((where) => where.or([where('state', '!=', 'ready'), where('limits_told', '=', 0)]))
    .orderBy('id')
    .execute();
}

/** Undefined when the name is taken already. */
export async function insertAccount(
  database: Database,
  values: Insertable<AccountTable>,
): Promise<AccountRow | undefined> {
  return await database
    .insertInto('accounts')
    .values(values)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returningAll()
    .executeTakeFirst();
}

export async function updateAccount(database: Database, id: number, values: Updateable<AccountTable>): Promise<void> {
  await database.updateTable('accounts').set(values).where('id', '=', id).execute();
}

/** The row and everything that hangs on it: sessions, token, shares. Its sites must be gone. */
export async function deleteAccountRow(database: Database, id: number): Promise<void> {
  await database.deleteFrom('accounts').where('id', '=', id).execute();
}

/** The next number of a counter: above `atLeast`, and above every number given out before. */
export async function nextNumber(database: Database, name: 'uid' | 'site', atLeast: number): Promise<number> {
  const grown = await database
    .updateTable('counters')
    .set((set) => ({ value: set('value', '+', 1) }))
    .where('name', '=', name)
    .returning('value')
    .executeTakeFirst();
  if (grown) return grown.value;
  await database
    .insertInto('counters')
    .values({ name, value: atLeast - 1 })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return await nextNumber(database, name, atLeast);
}

export async function findPlan(database: Database, name: string): Promise<PlanLimits | undefined> {
  const row = await database.selectFrom('plans').selectAll().where('name', '=', name).executeTakeFirst();
  return row && limitsOf(row.limits);
}

/** Limits as they were stored, with what plans did not have then. */
function limitsOf(text: string): PlanLimits {
  return { ...LATER_LIMITS, ...(JSON.parse(text) as PlanLimits) };
}

export async function listPlans(database: Database): Promise<Map<string, PlanLimits>> {
  const rows = await database.selectFrom('plans').selectAll().orderBy('name').execute();
  return new Map(rows.map((row) => [row.name, limitsOf(row.limits)]));
}

export async function putPlan(database: Database, name: string, limits: PlanLimits): Promise<void> {
  const text = JSON.stringify(limits);
  await database
    .insertInto('plans')
    .values({ name, limits: text })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ limits: text }))
    .execute();
}

/** Makes the agent be told again of the limits of all accounts of a plan. */
export async function forgetLimitsTold(database: Database, plan: string): Promise<void> {
  await database.updateTable('accounts').set({ limits_told: 0 }).where('plan', '=', plan).execute();
}

/** How many accounts live on each volume and the sum of their disk limits in bytes. */
export async function volumeOccupancy(
  database: Database,
): Promise<Map<string, { accounts: number; promisedBytes: number }>> {
  const plans = await listPlans(database);
  const rows = await database
    .selectFrom('accounts')
    .select(({ fn }) => ['volume', 'plan', fn.countAll<number | string>().as('count')])
    .where('volume', 'is not', null)
    .groupBy(['volume', 'plan'])
    .execute();
  const occupancy = new Map<string, { accounts: number; promisedBytes: number }>();
  for (const row of rows) {
    if (row.volume === null) continue;
    const entry = occupancy.get(row.volume) ?? { accounts: 0, promisedBytes: 0 };
    const count = Number(row.count);
    entry.accounts += count;
    entry.promisedBytes += count * (plans.get(row.plan)?.diskBytes ?? 0);
    occupancy.set(row.volume, entry);
  }
  return occupancy;
}

/** What the agent is told of an account, or undefined for one without a home. */
export function accountSpec(row: AccountRow, limits: PlanLimits): AccountSpec | undefined {
  if (row.uid === null || row.volume === null) return undefined;
  return { name: row.name, uid: row.uid, volume: row.volume, limits };
}

/** The agent may have lost this account's limits again. */
export async function recordAccountUntold(database: Database, id: number): Promise<void> {
  await database.updateTable('accounts').set({ limits_told: 0 }).where('id', '=', id).execute();
}
