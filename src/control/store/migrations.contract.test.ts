import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { StatementSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { Client, Pool } from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../runtime/command.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { migrationsFor } from './migrations.ts';
import { openStore } from './open-store.ts';
import { nodeSqliteDialect } from './sqlite.ts';

const log = pino({ level: 'silent' });
/** More statements than all changes of the tables have together. */
const MANY = 1_000;

describe.each(['sqlite', 'postgres'] as const)('changing the tables on %s', (engine) => {
  let postgres: TestPostgres | undefined;
  let directory: string;
  let databaseUrl: string | undefined;

  beforeAll(async () => {
    if (engine === 'postgres') postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres?.stop();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-migrations-'));
    databaseUrl = await postgres?.freshDatabase();
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  /** The database without this version's changes being made. */
  async function look<T>(use: (database: Kysely<unknown>) => Promise<T>): Promise<T> {
    const database = new Kysely<unknown>({
      dialect:
        databaseUrl === undefined
          ? nodeSqliteDialect(join(directory, 'holdfast.sqlite'))
          : new PostgresDialect({ pool: new Pool({ connectionString: databaseUrl, max: 1 }) }),
    });
    try {
      return await use(database);
    } finally {
      await database.destroy();
    }
  }

  /** Everything that the database is made of, and how much is in it; what the migrator notes for itself only by its names. */
  async function content(): Promise<string[]> {
    return await look(async (database) => {
      const definitions =
        engine === 'sqlite'
          ? sql<{ text: string }>`select type || ' ' || name || ' ' || coalesce(sql, '') as text from sqlite_master`
          : sql<{ text: string }>`
              select table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable as text
                from information_schema.columns where table_schema = 'public'
              union all select indexname || ' ' || indexdef from pg_indexes where schemaname = 'public'
              union all select conname || ' ' || contype::text from pg_constraint`;
      const { rows } = await definitions.execute(database);
      const lines = rows.map((row) => row.text).filter((text) => !text.includes('kysely_migration'));
      const tables = (await database.introspection.getTables()).map((table) => table.name);
      for (const table of tables) {
        const counted = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(
          database,
        );
        lines.push(`${table}: ${counted.rows[0]?.count}`);
      }
      const all = await database.introspection.getTables({ withInternalKyselyTables: true });
      if (all.some((table) => table.name === 'kysely_migration')) {
        const done = await sql<{ name: string }>`select name from kysely_migration`.execute(database);
        lines.push(...done.rows.map((row) => `done: ${row.name}`));
      }
      return lines.sort();
    });
  }

  /** Brings an empty database to an older version, and writes something that must not be lost. */
  async function makeOld(name: string): Promise<void> {
    const provider = { getMigrations: () => Promise.resolve(migrationsFor(engine)) };
    await look(async (database) => {
      const { error } = await new Migrator({ db: database, provider }).migrateTo(name);
      expect(error).toBeUndefined();
      await sql`insert into settings (name, value) values ('kept', '1')`.execute(database);
    });
  }

  /** Calls `act` before each statement that reaches the database while `work` runs; how many there were. */
  async function beforeEachStatement(act: (at: number, client: unknown) => void, work: () => Promise<unknown>) {
    let at = 0;
    const targets: [object, string][] =
      engine === 'sqlite'
        ? [
            [StatementSync.prototype, 'run'],
            [StatementSync.prototype, 'all'],
          ]
        : [[Client.prototype, 'query']];
    const originals = targets.map(([target, name]) => {
      const original: unknown = Reflect.get(target, name);
      if (typeof original !== 'function') throw new Error(`There is no ${name} here.`);
      Reflect.set(target, name, function watched(this: unknown, ...input: unknown[]): unknown {
        at += 1;
        act(at, this);
        return Reflect.apply(original, this, input);
      });
      return original;
    });
    try {
      await work();
    } finally {
      for (const [index, [target, name]] of targets.entries()) Reflect.set(target, name, originals[index]);
    }
    return at;
  }

  const open = async (): Promise<void> => {
    await (await openStore({ directory, databaseUrl, log })).close();
  };

  /**
   * What each statement's end of the process would leave behind. SQLite: the files as they are at that moment, since what a killed
   * process has written stays. PostgreSQL: the connection breaks there.
   */
  async function leftAtEachStatement(): Promise<string[][]> {
    const left: string[][] = [];
    const original = directory;
    if (engine === 'sqlite') {
      const copies: string[] = [];
      await beforeEachStatement((at) => {
        copies.push(join(original, `at-${at}`));
        mkdirSync(join(original, `at-${at}`));
        for (const name of ['holdfast.sqlite', 'holdfast.sqlite-wal']) {
          if (existsSync(join(original, name))) copyFileSync(join(original, name), join(original, `at-${at}`, name));
        }
      }, open);
      for (const copy of copies) {
        directory = copy;
        left.push(await content());
      }
      directory = original;
      return left;
    }
    for (let stop = 1; stop < MANY; stop += 1) {
      const ended = await beforeEachStatement(
        (at, client) => {
          if (at === stop) (client as { connection: { stream: Socket } }).connection.stream.destroy();
        },
        () => open().catch(() => undefined),
      );
      if (ended < stop) return left;
      left.push(await content());
    }
    throw new Error('The changes of the tables have no end.');
  }

  const versions = Object.keys(migrationsFor(engine));
  it.each([undefined, ...versions.slice(0, -1)])(
    'leaves the database as it was when it is killed at any statement, from version %s',
    async (version) => {
      if (version !== undefined) await makeOld(version);
      const before = await content();
      const left = await leftAtEachStatement();
      const done = `done: ${versions.at(-1)}`;
      const committed = left.findIndex((lines) => lines.includes(done));
      const torn = committed === -1 ? left : left.slice(0, committed);
      for (const [at, lines] of torn.entries()) expect([at + 1, lines]).toEqual([at + 1, before]);
      // Each table is a statement: there were moments in the middle of it.
      expect(torn.length).toBeGreaterThan(10);
      await open();
      const whole = await content();
      expect(whole.filter((line) => line.startsWith('done: '))).toEqual(versions.map((name) => `done: ${name}`));
      if (version !== undefined) expect(whole).toContain('settings: 1');
    },
  );

  it('leaves the database as it was when its process is killed in the middle', async () => {
    await makeOld(versions[0] ?? '');
    const before = await content();
    const script = join(import.meta.dirname, '../testing/open-store-once.ts');
    const { stdout, signal } = await runCommand(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', script, directory, databaseUrl ?? '', '18'],
      { deadlineMs: 120_000 },
    );
    expect([stdout, signal]).toEqual(['', 'SIGKILL']);
    expect(await content()).toEqual(before);
    await open();
  });

  it('leaves the database as it was when a change fails half way', async () => {
    const first = versions[0] ?? '';
    await makeOld(first);
    // What the next change wants to make is there already, as its last table.
    await look(async (database) => {
      await sql`create table drill_runs (other text)`.execute(database);
    });
    const before = await content();
    await expect(openStore({ directory, databaseUrl, log })).rejects.toThrow(/drill_runs/);
    expect(await content()).toEqual(before);
    await look(async (database) => {
      await sql`drop table drill_runs`.execute(database);
    });
    await open();
  });
});
