import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import type { Pool } from 'pg';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import { migrationsFor } from './migrations.ts';
import { keepReserve } from './reserve.ts';
import { nodeSqliteDialect } from './sqlite.ts';
import type { Database, Tables } from './tables.ts';

export interface Store {
  database: Database;
  engine: 'sqlite' | 'postgres';
  /** Answers within two seconds or throws: is the database there? */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** Directory of the SQLite file; made when missing. */
  directory: string;
  /** PostgreSQL instead of SQLite when set. */
  databaseUrl: string | undefined;
  log: Logger;
}

/**
 * Opens the database and brings its tables up to this version.
 * Throws `state-too-new` when a newer Holdfast has already changed it: going on would damage what that one wrote.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const engine = options.databaseUrl === undefined ? 'sqlite' : 'postgres';
  const database = new Kysely<Tables>({
    dialect:
      options.databaseUrl === undefined
        ? nodeSqliteDialect(sqliteFile(options.directory))
        : new PostgresDialect({ pool: await openPool(options.databaseUrl, options.log) }),
  });
  try {
    await migrate(database, engine, options.log);
    if (engine === 'sqlite')
      await keepReserve(database).catch((error: unknown) => {
        options.log.warn({ err: error }, 'no room could be kept in the database');
      });
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return {
    database,
    engine,
    check: async () => {
      await within(2000, 'The database', sql`select 1`.execute(database));
    },
    close: () => within(5000, 'Closing the database', database.destroy()),
  };
}

function sqliteFile(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return join(directory, 'holdfast.sqlite');
}

async function openPool(connectionString: string, log: Logger): Promise<Pool> {
  // Loaded only where it is used: it costs memory, and one machine has SQLite.
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString,
    max: 5,
    connectionTimeoutMillis: 5000,
    // The server gives a statement up; should the server be gone, the client does.
    statement_timeout: 10_000,
    query_timeout: 15_000,
  });
  // Without listeners a connection that breaks would end the process: the pool has one of its own on idle connections only, so one
  // that the server ends in the midst of a transaction (a restart, a fail-over) needs ours. What waited for an answer gets the error.
  pool.on('connect', (client) => {
    client.on('error', (error) => log.warn({ err: error }, 'a connection to PostgreSQL broke'));
  });
  pool.on('error', () => undefined);
  return pool;
}

async function migrate(database: Database, engine: Store['engine'], log: Logger): Promise<void> {
  const migrations = migrationsFor(engine);
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some((table) => table.name === 'kysely_migration')) {
    const done = await sql<{ name: string }>`select name from kysely_migration`.execute(database);
    const unknown = done.rows.map((row) => row.name).filter((name) => !(name in migrations));
    if (unknown.length > 0) {
      throw new HoldfastError(
        'state-too-new',
        'The database was written by a newer version of Holdfast. Start that version, or restore a copy from before the upgrade.',
        { details: unknown.map((name) => `unknown change: ${name}`) },
      );
    }
  }
  const migrator = new Migrator({ db: database, provider: { getMigrations: () => Promise.resolve(migrations) } });
  const { error, results } = await migrator.migrateToLatest();
  for (const result of results ?? []) log.info({ migration: result.migrationName, status: result.status }, 'migration');
  if (error) throw error;
}
