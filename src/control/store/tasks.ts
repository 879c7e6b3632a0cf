import type { Selectable } from 'kysely';
import { alwaysOnLogName, taskLogName } from '../../model/tasks.ts';
import type { Schedule } from '../../model/schedule.ts';
import { scheduleSchema, type AccountTasks } from '../../protocol/tasks.ts';
import type { AccountRow } from './accounts.ts';
import type { Database, TaskTable } from './tables.ts';

interface Common {
  id: number;
  accountId: number;
  command: string;
  description: string;
  enabled: boolean;
  createdAt: string;
}
export interface ScheduledTask extends Common {
  kind: 'scheduled';
  schedule: Schedule;
  skipLate: boolean;
  overlap: boolean;
}
export interface AlwaysOnTask extends Common {
  kind: 'always-on';
}
export type Task = ScheduledTask | AlwaysOnTask;
export type TaskKind = Task['kind'];
type WithoutKeys<T> = T extends unknown ? Omit<T, 'id' | 'accountId' | 'createdAt'> : never;
/** A task that is to be made, or what it becomes. */
export type TaskValues = WithoutKeys<Task>;

function nounOf(row: Selectable<TaskTable>): Task {
  const common = {
    id: row.id,
    accountId: row.account_id,
    command: row.command,
    description: row.description,
    enabled: row.enabled === 1,
    createdAt: row.created_at,
  };
  if (row.schedule === null) return { ...common, kind: 'always-on' };
  return {
    ...common,
    kind: 'scheduled',
    schedule: scheduleSchema.parse(JSON.parse(row.schedule)),
    skipLate: row.skip_late === 1,
    overlap: row.overlap === 1,
  };
}

function rowOf(values: TaskValues): Omit<Selectable<TaskTable>, 'id' | 'account_id' | 'created_at'> {
  const scheduled = values.kind === 'scheduled' ? values : undefined;
  return {
    kind: values.kind,
    command: values.command,
    description: values.description,
    enabled: values.enabled ? 1 : 0,
    schedule: scheduled === undefined ? null : JSON.stringify(scheduled.schedule),
    skip_late: scheduled?.skipLate === true ? 1 : 0,
    overlap: scheduled?.overlap === true ? 1 : 0,
  };
}

/** In the order they were made. */
export async function listTasks(database: Database, accountId: number): Promise<Task[]> {
  const rows = await database
    .selectFrom('tasks')
    .selectAll()
    .where('account_id', '=', accountId)
    .orderBy('id')
    .execute();
  return rows.map(nounOf);
}

export async function findTask(
  database: Database,
  accountId: number,
  kind: TaskKind,
  id: number,
): Promise<Task | undefined> {
  const row = await database
    .selectFrom('tasks')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirst();
  return row && nounOf(row);
}

export async function findTaskById(database: Database, id: number): Promise<Task | undefined> {
  const row = await database.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
  return row && nounOf(row);
}

/** Undefined when the account has `most` of that kind already. */
export async function insertTask(
  database: Database,
  accountId: number,
  values: TaskValues,
  most: number,
  now: Date,
): Promise<Task | undefined> {
  return await database.transaction().execute(async (transaction) => {
    // First of all: whoever else makes one for this account waits here.
    await grow(transaction, accountId);
    const { count } = await transaction
      .selectFrom('tasks')
      .select(({ fn }) => fn.countAll<number | string>().as('count'))
      .where('account_id', '=', accountId)
      .where('kind', '=', values.kind)
      .executeTakeFirstOrThrow();
    if (Number(count) >= most) return undefined;
    const row = await transaction
      .insertInto('tasks')
      .values({ ...rowOf(values), account_id: accountId, created_at: now.toISOString() })
      .returningAll()
      .executeTakeFirstOrThrow();
    return nounOf(row);
  });
}

export async function updateTask(database: Database, task: Task, values: TaskValues): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await grow(transaction, task.accountId);
    await transaction.updateTable('tasks').set(rowOf(values)).where('id', '=', task.id).execute();
  });
}

export async function deleteTask(database: Database, task: Task): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await grow(transaction, task.accountId);
    await transaction.deleteFrom('tasks').where('id', '=', task.id).execute();
  });
}

/** The agent has to be told of the account's tasks anew, for another reason than a change of one. */
export async function growTasksRevision(database: Database, accountId: number): Promise<void> {
  await grow(database, accountId);
}

async function grow(database: Database, accountId: number): Promise<void> {
  await database
    .updateTable('accounts')
    .set((set) => ({ tasks_revision: set('tasks_revision', '+', 1) }))
    .where('id', '=', accountId)
    .execute();
}

export async function recordTasksTold(database: Database, accountId: number, revision: number): Promise<void> {
  await database
    .updateTable('accounts')
    .set({ tasks_told: revision })
    .where('id', '=', accountId)
    .where('tasks_told', '<', revision)
    .execute();
}

/** The agent may have lost them again. */
export async function recordTasksUntold(database: Database, accountId: number): Promise<void> {
  await database.updateTable('accounts').set({ tasks_told: -1 }).where('id', '=', accountId).execute();
}

/** Accounts whose tasks the agent has not confirmed as they are. */
export async function listUntoldTasks(database: Database): Promise<AccountRow[]> {
  return await database
    .selectFrom('accounts')
    .selectAll()
    .where('state', '=', 'ready')
    .where('volume', 'is not', null)
    .where((where) => where('tasks_told', '<', where.ref('tasks_revision')))
    .orderBy('id')
    .execute();
}

/** What the agent is told of one account's tasks. `python`: for a command that is only the path of a script. */
export function tasksSpec(account: AccountRow, tasks: readonly Task[], python: string): AccountTasks {
  const resting = account.disabled === 1;
  return {
    account: account.name,
    revision: account.tasks_revision,
    tasks: tasks.flatMap((task) =>
      task.kind === 'always-on'
        ? []
        : [
            {
              id: task.id,
              command: task.command,
              enabled: task.enabled && !resting,
              schedule: task.schedule,
              pythonVersion: python,
              log: taskLogName(task.id, task.schedule, task.command),
              skipLate: task.skipLate,
              overlap: task.overlap,
            },
          ],
    ),
    alwaysOn: tasks.flatMap((task) =>
      task.kind === 'scheduled'
        ? []
        : [
            {
              id: task.id,
              command: task.command,
              enabled: task.enabled && !resting,
              pythonVersion: python,
              log: alwaysOnLogName(task.id),
            },
          ],
    ),
  };
}

/** Every task of every account that is ready: one query, for the whole state. */
export async function listAllTasks(database: Database): Promise<Map<number, Task[]>> {
  const rows = await database.selectFrom('tasks').selectAll().orderBy('id').execute();
  return Map.groupBy(rows.map(nounOf), (task) => task.accountId);
}
