import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  CompiledQuery, SqliteAdapter, SqliteDialect, SqliteDriver, type DatabaseConnection, type SqliteDatabase,
  type SqliteStatement,
} from 'kysely'; // prettier-ignore

/** How many prepared statements are kept; the queries of the control plane are fewer. */
const STATEMENTS_KEPT = 256;

/**
 * Kysely's SQLite dialect over Node's own SQLite. WAL lets readers and the one writer pass each other; synchronous=FULL
 * keeps every committed change through a power loss (https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode
 * NORMAL may lose the last transactions).
 */
export function nodeSqliteDialect(file: string): SqliteDialect {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 5000 });
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000;',
  );
  return new NodeSqliteDialect(adapt(database));
}

class NodeSqliteDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    super({ database });
    this.#database = database;
  }

  override createDriver(): SqliteDriver {
    return new WritingDriver({ database: this.#database });
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalAdapter();
  }
}

/**
 * SQLite takes definitions of tables back like everything else in a transaction; Kysely leaves that to whoever knows that nobody
 * switches it off. With it, all changes of an upgrade are one transaction, as they are on PostgreSQL.
 */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Every transaction here writes, so it takes the one writer's place at once and waits for it. One that has read first can only
 * fail when another process wrote meanwhile (https://www.sqlite.org/rescode.html#busy_snapshot).
 */
class WritingDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}

function adapt(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close() {
      statements.clear();
      database.close();
    },
    prepare(text: string): SqliteStatement {
      const known = statements.get(text);
      if (known) return known;
      const prepared = database.prepare(text);
      const input = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
      const statement: SqliteStatement = {
        reader: prepared.columns().length > 0,
        all: (parameters) => prepared.all(...input(parameters)),
        run: (parameters) => prepared.run(...input(parameters)),
        iterate: (parameters) => prepared.iterate(...input(parameters)),
      };
      // Definitions change what a statement means; they are rare and are not kept.
      if (/^\s*(select|insert|update|delete)\b/i.test(text)) {
        if (statements.size >= STATEMENTS_KEPT) statements.clear();
        statements.set(text, statement);
      }
      return statement;
    },
  };
}
