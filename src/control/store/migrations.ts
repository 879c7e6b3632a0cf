import type { ColumnDefinitionBuilder, Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import { DEFAULT_PLANS } from '../../model/plans.ts';

type Any = Kysely<unknown>;

/**
 * Every change of the tables, in order. A published migration is never edited: a database remembers by name what it has.
 * All that a database lacks is one transaction: it has every change or none. On SQLite a table that others refer to must not be
 * dropped in it to be made anew, since that empties the others; add columns and tables instead.
 * `engine` is known because the two databases spell "a number that grows by itself" differently.
 */
export function migrationsFor(engine: 'sqlite' | 'postgres'): Record<string, Migration> {
  const identity = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    engine === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey().generatedAlwaysAsIdentity();
  return {
    '0001-ground': { up: (database: Any) => ground(database, identity) },
    '0002-incidents': { up: (database: Any) => incidents(database, identity) },
    '0003-tasks': { up: (database: Any) => tasks(database, identity) },
  };
}

async function ground(
  database: Any,
  identity: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder,
): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('plans')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('limits', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('accounts')
    .addColumn('id', 'integer', identity)
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('role', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('disabled', 'integer', (column) => column.notNull())
    .addColumn('plan', 'text', (column) => column.notNull().references('plans.name'))
    .addColumn('uid', 'integer', (column) => column.unique())
    .addColumn('volume', 'text')
    .addColumn('limits_told', 'integer', (column) => column.notNull())
    .addColumn('password_hash', 'text', (column) => column.notNull())
    .addColumn('must_change_password', 'integer', (column) => column.notNull())
    .addColumn('default_python', 'text')
    .addColumn('default_python3', 'text')
    .addColumn('default_save_and_run', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  const ofAccount = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    column.notNull().references('accounts.id').onDelete('cascade');
  await schema
    .createTable('sessions')
    .addColumn('id_hash', 'text', (column) => column.primaryKey())
    .addColumn('account_id', 'integer', ofAccount)
    .addColumn('csrf_token', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addColumn('last_seen_at', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('sessions_by_account').on('sessions').column('account_id').execute();
  await schema
    .createTable('tokens')
    .addColumn('account_id', 'integer', (column) => column.primaryKey().references('accounts.id').onDelete('cascade'))
    .addColumn('token_hash', 'text', (column) => column.notNull().unique())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('sites')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('number', 'integer', (column) => column.notNull().unique())
    // Not cascading: a site goes only after the agent has stopped it.
    .addColumn('account_id', 'integer', (column) => column.notNull().references('accounts.id'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('domain', 'text', (column) => column.notNull().unique())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .addColumn('python_version', 'text', (column) => column.notNull())
    .addColumn('virtualenv', 'text', (column) => column.notNull())
    .addColumn('source_directory', 'text', (column) => column.notNull())
    .addColumn('working_directory', 'text', (column) => column.notNull())
    .addColumn('command', 'text', (column) => column.notNull())
    .addColumn('force_https', 'integer', (column) => column.notNull())
    .addColumn('protection_enabled', 'integer', (column) => column.notNull())
    .addColumn('protection_username', 'text', (column) => column.notNull())
    .addColumn('protection_hash', 'text', (column) => column.notNull())
    .addColumn('stop_first', 'integer', (column) => column.notNull())
    .addColumn('workers', 'integer', (column) => column.notNull())
    .addColumn('certificate_pem', 'text')
    .addColumn('private_key_pem', 'text')
    .addColumn('revision', 'integer', (column) => column.notNull())
    .addColumn('told_revision', 'integer', (column) => column.notNull())
    .addColumn('quickstart', 'text')
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('sites_by_account').on('sites').column('account_id').execute();
  const ofSite = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    column.notNull().references('sites.id').onDelete('cascade');
  await schema
    .createTable('static_files')
    .addColumn('id', 'integer', identity)
    .addColumn('site_id', 'text', ofSite)
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('path', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('static_files_by_site').on('static_files').column('site_id').execute();
  await schema
    .createTable('static_headers')
    .addColumn('id', 'integer', identity)
    .addColumn('site_id', 'text', ofSite)
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('static_headers_by_site').on('static_headers').column('site_id').execute();
  await schema
    .createTable('shares')
    .addColumn('token', 'text', (column) => column.primaryKey())
    .addColumn('account_id', 'integer', ofAccount)
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .addUniqueConstraint('shares_once', ['account_id', 'path'])
    .execute();
  await schema
    .createTable('settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('counters')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'integer', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit')
    .addColumn('id', 'integer', identity)
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('detail', 'text', (column) => column.notNull())
    .execute();
  const plans = database as Kysely<{ plans: { name: string; limits: string } }>;
  await plans
    .insertInto('plans')
    .values(Object.entries(DEFAULT_PLANS).map(([name, limits]) => ({ name, limits: JSON.stringify(limits) })))
    .execute();
}

async function incidents(
  database: Any,
  identity: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder,
): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('incidents')
    .addColumn('id', 'integer', identity)
    .addColumn('trouble', 'text', (column) => column.notNull().unique())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('severity', 'text', (column) => column.notNull())
    .addColumn('worst', 'text', (column) => column.notNull())
    .addColumn('opened_at', 'text', (column) => column.notNull())
    .addColumn('resolved_at', 'text')
    .addColumn('record', 'text', (column) => column.notNull())
    .addColumn('accounts', 'text', (column) => column.notNull())
    .addColumn('sites', 'integer', (column) => column.notNull())
    .addColumn('requests', 'text')
    .addColumn('counted', 'integer', (column) => column.notNull())
    .addColumn('entries', 'text', (column) => column.notNull())
    .addColumn('told', 'text')
    .execute();
  await schema.createIndex('incidents_by_state').on('incidents').column('state').execute();
  const ofIncident = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
    column.notNull().references('incidents.id').onDelete('cascade');
  await schema
    .createTable('incident_notes')
    .addColumn('id', 'integer', identity)
    .addColumn('incident_id', 'integer', ofIncident)
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('by', 'text', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('public', 'integer', (column) => column.notNull())
    .execute();
  await schema.createIndex('incident_notes_by_incident').on('incident_notes').column('incident_id').execute();
  await schema
    .createTable('notifications')
    .addColumn('id', 'integer', identity)
    .addColumn('incident_id', 'integer', ofIncident)
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('channel', 'text', (column) => column.notNull())
    .addColumn('what', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('content', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('notifications_by_incident').on('notifications').column('incident_id').execute();
  await schema.createIndex('notifications_by_state').on('notifications').columns(['state', 'channel']).execute();
  await schema
    .createTable('drill_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('started_at', 'text', (column) => column.notNull())
    .addColumn('run', 'text', (column) => column.notNull())
    .execute();
}

async function tasks(
  database: Any,
  identity: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder,
): Promise<void> {
  const { schema } = database;
  for (const name of ['tasks_revision', 'tasks_told']) {
    await schema
      .alterTable('accounts')
      .addColumn(name, 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
  }
  await schema
    .createTable('tasks')
    .addColumn('id', 'integer', identity)
    .addColumn('account_id', 'integer', (column) => column.notNull().references('accounts.id').onDelete('cascade'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('command', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('enabled', 'integer', (column) => column.notNull())
    .addColumn('schedule', 'text')
    .addColumn('skip_late', 'integer', (column) => column.notNull())
    .addColumn('overlap', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('tasks_by_account').on('tasks').column('account_id').execute();
}
