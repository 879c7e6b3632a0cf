import type { Insertable, Selectable, Updateable } from 'kysely';
import type { Database, ShareTable, SiteTable, StaticFileTable, StaticHeaderTable } from './tables.ts';

export type SiteRow = Selectable<SiteTable>;
export type StaticFileRow = Selectable<StaticFileTable>;
export type StaticHeaderRow = Selectable<StaticHeaderTable>;

/** A site with what belongs to it. */
export interface Site extends SiteRow {
  /** Name of its account. */
  account: string;
  accountDisabled: boolean;
  /** Where its account lives; null while that is not decided. */
  volume: string | null;
  staticFiles: StaticFileRow[];
  staticHeaders: StaticHeaderRow[];
}

/** Which sites: all given conditions hold. */
export interface SiteFilter {
  id?: string;
  domain?: string;
  accountId?: number;
  state?: SiteRow['state'];
  /** Only those of which the agent has not confirmed the newest revision, or that still need something done. */
  unfinished?: boolean;
}

/** In the order they were made, with mappings in the order they were made. Three queries however many sites there are. */
export async function listSites(database: Database, filter: SiteFilter = {}): Promise<Site[]> {
  let query = database
    .selectFrom('sites')
    .innerJoin('accounts', 'accounts.id', 'sites.account_id')
    .selectAll('sites')
    .select(['accounts.name as account', 'accounts.disabled as account_disabled', 'accounts.volume as volume'])
    .orderBy('sites.number');
  if (filter.id !== undefined) query = query.where('sites.id', '=', filter.id);
  if (filter.domain !== undefined) query = query.where('sites.domain', '=', filter.domain);
  if (filter.accountId !== undefined) query = query.where('sites.account_id', '=', filter.accountId);
  if (filter.state !== undefined) query = query.where('sites.state', '=', filter.state);
  if (filter.unfinished) {
    query = query.where((where) =>
      where.or([
        where('sites.state', '=', 'deleting'),
        where('sites.quickstart', 'is not', null),
        where('sites.told_revision', '<', where.ref('sites.revision')),
      ]),
    );
  }
  const rows = await query.execute();
  if (rows.length === 0) return [];
  // One narrow site is the common case; otherwise everything is read, since a list of ids would be longer.
  const only = rows.length === 1 ? rows[0]?.id : undefined;
  let files = database.selectFrom('static_files').selectAll().orderBy('id');
  let headers = database.selectFrom('static_headers').selectAll().orderBy('id');
  if (only !== undefined) {
    files = files.where('site_id', '=', only);
    headers = headers.where('site_id', '=', only);
  } else if (filter.accountId !== undefined) {
    const own = database.selectFrom('sites').select('id').where('account_id', '=', filter.accountId);
    files = files.where('site_id', 'in', own);
    headers = headers.where('site_id', 'in', own);
  }
  const filesBySite = Map.groupBy(await files.execute(), (row) => row.site_id);
  const headersBySite = Map.groupBy(await headers.execute(), (row) => row.site_id);
  return rows.map(({ account_disabled, ...row }) => ({
    ...row,
    accountDisabled: account_disabled === 1,
    staticFiles: filesBySite.get(row.id) ?? [],
    staticHeaders: headersBySite.get(row.id) ?? [],
  }));
}

export async function findSite(database: Database, id: string): Promise<Site | undefined> {
  return (await listSites(database, { id }))[0];
}

export async function findSiteByDomain(database: Database, domain: string): Promise<Site | undefined> {
  return (await listSites(database, { domain }))[0];
}

export async function countSites(database: Database, accountId: number): Promise<number> {
  const row = await database
    .selectFrom('sites')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .where('account_id', '=', accountId)
    .where('state', '=', 'present')
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** The ids of all sites. */
export async function listSiteIds(database: Database): Promise<string[]> {
  const rows = await database.selectFrom('sites').select('id').where('state', '=', 'present').execute();
  return rows.map((row) => row.id);
}

/** Every site and the volume its account lives on. */
export async function listSitePlaces(database: Database): Promise<{ id: string; volume: string | null }[]> {
  return await database
    .selectFrom('sites')
    .innerJoin('accounts', 'accounts.id', 'sites.account_id')
    .select(['sites.id as id', 'accounts.volume as volume'])
    .where('sites.state', '=', 'present')
    .execute();
}

/** How many sites each account has, by account id. */
export async function countSitesByAccount(database: Database): Promise<Map<number, number>> {
  const rows = await database
    .selectFrom('sites')
    .select(({ fn }) => ['account_id', fn.countAll<number | string>().as('count')])
    .where('state', '=', 'present')
    .groupBy('account_id')
    .execute();
  return new Map(rows.map((row) => [row.account_id, Number(row.count)]));
}

/** False when the domain is taken. */
export async function insertSite(database: Database, values: Insertable<SiteTable>): Promise<boolean> {
  const row = await database
    .insertInto('sites')
    .values(values)
    .onConflict((conflict) => conflict.column('domain').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Changes a site and lets its revision grow. */
export async function changeSite(
  database: Database,
  id: string,
  values: Omit<Updateable<SiteTable>, 'revision'> = {},
): Promise<void> {
  await database
    .updateTable('sites')
    .set((set) => ({ ...values, revision: set('revision', '+', 1) }))
    .where('id', '=', id)
    .execute();
}

/** Lets the revision of all sites of an account grow, because something of the account changed that they depend on. */
export async function changeSitesOf(database: Database, accountId: number): Promise<void> {
  await database
    .updateTable('sites')
    .set((set) => ({ revision: set('revision', '+', 1) }))
    .where('account_id', '=', accountId)
    .execute();
}

export async function recordTold(database: Database, id: string, revision: number): Promise<void> {
  await database
    .updateTable('sites')
    .set({ told_revision: revision })
    .where('id', '=', id)
    .where('told_revision', '<', revision)
    .execute();
}

/** The agent may have lost this site again. */
export async function recordUntold(database: Database, id: string): Promise<void> {
  await database.updateTable('sites').set({ told_revision: 0 }).where('id', '=', id).execute();
}

/** The starter project is written, or never will be. */
export async function recordQuickstartDone(database: Database, id: string): Promise<void> {
  await database.updateTable('sites').set({ quickstart: null }).where('id', '=', id).execute();
}

export async function deleteSiteRow(database: Database, id: string): Promise<void> {
  await database.deleteFrom('sites').where('id', '=', id).execute();
}

export async function insertStaticFile(
  database: Database,
  values: { site_id: string; url: string; path: string },
): Promise<StaticFileRow> {
  return await database.insertInto('static_files').values(values).returningAll().executeTakeFirstOrThrow();
}

export async function insertStaticHeader(
  database: Database,
  values: { site_id: string; url: string; name: string; value: string },
): Promise<StaticHeaderRow> {
  return await database.insertInto('static_headers').values(values).returningAll().executeTakeFirstOrThrow();
}

export async function updateStaticFile(
  database: Database,
  id: number,
  values: { url?: string; path?: string },
): Promise<void> {
  await database.updateTable('static_files').set(values).where('id', '=', id).execute();
}

export async function updateStaticHeader(
  database: Database,
  id: number,
  values: { url?: string; name?: string; value?: string },
): Promise<void> {
  await database.updateTable('static_headers').set(values).where('id', '=', id).execute();
}

export async function deleteStaticFile(database: Database, id: number): Promise<void> {
  await database.deleteFrom('static_files').where('id', '=', id).execute();
}

export async function deleteStaticHeader(database: Database, id: number): Promise<void> {
  await database.deleteFrom('static_headers').where('id', '=', id).execute();
}

/** Makes the mappings exactly these, in this order. */
export async function replaceStaticFiles(
  database: Database,
  siteId: string,
  mappings: readonly { url: string; path: string }[],
): Promise<void> {
  await database.deleteFrom('static_files').where('site_id', '=', siteId).execute();
  if (mappings.length === 0) return;
  const rows = mappings.map(({ url, path }) => ({ site_id: siteId, url, path }));
  await database.insertInto('static_files').values(rows).execute();
}

export async function replaceStaticHeaders(
  database: Database,
  siteId: string,
  headers: readonly { url: string; name: string; value: string }[],
): Promise<void> {
  await database.deleteFrom('static_headers').where('site_id', '=', siteId).execute();
  if (headers.length === 0) return;
  const rows = headers.map(({ url, name, value }) => ({ site_id: siteId, url, name, value }));
  await database.insertInto('static_headers').values(rows).execute();
}

export type ShareRow = Selectable<ShareTable>;

export async function findShare(database: Database, token: string): Promise<ShareRow | undefined> {
  return await database.selectFrom('shares').selectAll().where('token', '=', token).executeTakeFirst();
}

export async function findShareOf(database: Database, accountId: number, path: string): Promise<ShareRow | undefined> {
  return await database
    .selectFrom('shares')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('path', '=', path)
    .executeTakeFirst();
}

/** The share of this path; `created` is false when there was one already (which then keeps its token). */
export async function ensureShare(database: Database, share: ShareRow): Promise<{ token: string; created: boolean }> {
  const made = await database
    .insertInto('shares')
    .values(share)
    .onConflict((conflict) => conflict.columns(['account_id', 'path']).doNothing())
    .returning('token')
    .executeTakeFirst();
  if (made) return { token: made.token, created: true };
  const known = await findShareOf(database, share.account_id, share.path);
  return { token: known?.token ?? share.token, created: false };
}

export async function deleteShare(database: Database, accountId: number, path: string): Promise<boolean> {
  const row = await database
    .deleteFrom('shares')
    .where('account_id', '=', accountId)
    .where('path', '=', path)
    .returning('token')
    .executeTakeFirst();
  return row !== undefined;
}
