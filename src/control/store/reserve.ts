import { sql } from 'kysely';
import type { Database } from './tables.ts';

/** So much can be written while the disk has no room: some thousands of audit entries, sessions and incidents. */
export const RESERVE_BYTES = 4 * 1024 ** 2;

/**
 * Makes room inside of SQLite's files: pages that are free in the database, and a write-ahead log that was as long before, which is filled again from
 * its beginning (https://www.sqlite.org/walformat.html#wal_file_format). Both are used before either file has to grow. Throws when there is no room
 * for it now.
 */
export async function keepReserve(database: Database): Promise<void> {
  await database.connection().execute(async (one) => {
    await sql`create table if not exists reserve (filler blob)`.execute(one);
    await sql`insert into reserve values (zeroblob(${sql.lit(RESERVE_BYTES)}))`.execute(one);
    await sql`drop table reserve`.execute(one);
    await sql`pragma wal_checkpoint(passive)`.execute(one);
  });
}
