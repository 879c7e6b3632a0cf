import { drillRunSchema, type DrillRun } from '../../protocol/drills.ts';
import type { Database } from './tables.ts';

/** Keeps a run, in place of what was known of it. */
export async function putDrillRun(database: Database, run: DrillRun): Promise<void> {
  const values = { started_at: run.startedAt, run: JSON.stringify(run) };
  await database
    .insertInto('drill_runs')
    .values({ id: run.id, ...values })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .execute();
}

export async function findDrillRun(database: Database, id: string): Promise<DrillRun | undefined> {
  const row = await database.selectFrom('drill_runs').select('run').where('id', '=', id).executeTakeFirst();
  return row && readRun(row.run);
}

/** Newest first. */
export async function listDrillRuns(database: Database): Promise<DrillRun[]> {
  const rows = await database.selectFrom('drill_runs').select('run').orderBy('started_at', 'desc').execute();
  return rows.flatMap((row) => readRun(row.run) ?? []);
}

export async function deleteDrillRun(database: Database, id: string): Promise<void> {
  await database.deleteFrom('drill_runs').where('id', '=', id).execute();
}

/** Keeps the newest `keep` runs. */
export async function trimDrillRuns(database: Database, keep: number): Promise<void> {
  const old = await database
    .selectFrom('drill_runs')
    .select('id')
    .orderBy('started_at', 'desc')
    .offset(keep)
    .limit(1000)
    .execute();
  const ids = old.map((row) => row.id);
  if (ids.length > 0) await database.deleteFrom('drill_runs').where('id', 'in', ids).execute();
}

/** Undefined for what another version of Holdfast kept in a shape of its own. */
function readRun(text: string): DrillRun | undefined {
  return drillRunSchema.safeParse(JSON.parse(text)).data;
}
