import { z } from 'zod';
import { settingsSchema, type Settings } from '../../protocol/browser.ts';
import type { Database } from './tables.ts';

/** What a new platform starts with. */
export const DEFAULT_SETTINGS: Settings = {
  signUpOpen: false,
  signUpPlan: 'starter',
  uploadLimitBytes: 512 * 1024 ** 2,
  // PythonAnywhere's own figure.
  apiRequestsPerMinute: 40,
};

export async function readJson(database: Database, name: string): Promise<unknown> {
  const row = await database.selectFrom('settings').select('value').where('name', '=', name).executeTakeFirst();
  return row === undefined ? undefined : JSON.parse(row.value);
}

export async function writeJson(database: Database, name: string, value: unknown): Promise<void> {
  const text = JSON.stringify(value);
  await database
    .insertInto('settings')
    .values({ name, value: text })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: text }))
    .execute();
}

export async function readSettings(database: Database): Promise<Settings> {
  const stored = await readJson(database, 'settings');
  return settingsSchema.parse({ ...DEFAULT_SETTINGS, ...(typeof stored === 'object' ? stored : {}) });
}

export async function writeSettings(database: Database, settings: Settings): Promise<void> {
  await writeJson(database, 'settings', settings);
}

const namesSchema = z.array(z.string());

/** Volumes that an operator closed on purpose; every other closed volume has yet to be opened. */
export async function readClosedVolumes(database: Database): Promise<Set<string>> {
  return new Set(namesSchema.catch([]).parse(await readJson(database, 'closed-volumes')));
}

export async function writeClosedVolumes(database: Database, names: ReadonlySet<string>): Promise<void> {
  await writeJson(database, 'closed-volumes', [...names].sort());
}
