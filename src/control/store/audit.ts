import type { AuditEntry } from '../../protocol/browser.ts';
import type { Database } from './tables.ts';

export async function insertAudit(database: Database, entry: AuditEntry): Promise<void> {
  await database.insertInto('audit').values(entry).execute();
}

/** Newest first. */
export async function listAudit(database: Database, limit: number): Promise<AuditEntry[]> {
  return await database
    .selectFrom('audit')
    .select(['at', 'actor', 'address', 'action', 'subject', 'outcome', 'detail'])
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** Keeps the newest `keep` entries. */
export async function trimAudit(database: Database, keep: number): Promise<void> {
  const oldest = await database
    .selectFrom('audit')
    .select('id')
    .orderBy('id', 'desc')
    .offset(keep)
    .limit(1)
    .executeTakeFirst();
  if (oldest) await database.deleteFrom('audit').where('id', '<=', oldest.id).execute();
}
