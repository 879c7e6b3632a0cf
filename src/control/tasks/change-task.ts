import { scheduleProblem, type Schedule } from '../../model/schedule.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import { commandSchema } from '../../protocol/tasks.ts';
import { within } from '../../runtime/deadline.ts';
import type { Actor, ControlContext } from '../context.ts';
import { audit } from '../platform/audit.ts';
import { patience } from '../sites/create-site.ts';
import { findPlan, type AccountRow } from '../store/accounts.ts';
import {
  deleteTask,
  findTask,
  insertTask,
  updateTask,
  type Task,
  type TaskKind,
  type TaskValues,
} from '../store/tasks.ts';

const WAIT_MS = 10_000;
const LONGEST_DESCRIPTION = 500;

/** Throws `not-found`. */
export async function mustFindTask(
  context: Pick<ControlContext, 'database'>,
  account: AccountRow,
  kind: TaskKind,
  id: number,
): Promise<Task> {
  const task = Number.isSafeInteger(id) ? await findTask(context.database, account.id, kind, id) : undefined;
  if (!task) throw new HoldfastError('not-found', 'This task does not exist (any more).');
  return task;
}

/** Throws `input-invalid` (with the field), `limit-reached`. Returns when the agent knows it, or will soon. */
export async function makeTask(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  values: TaskValues,
): Promise<Task> {
  checkValues(values);
  const limits = await findPlan(context.database, account.plan);
  const most = (values.kind === 'scheduled' ? limits?.tasks : limits?.alwaysOnTasks) ?? 0;
  const task = await insertTask(context.database, account.id, values, most, context.now());
  // PythonAnywhere's words: clients print them.
  const what = values.kind === 'scheduled' ? 'scheduled' : 'always-on';
  if (!task) throw new HoldfastError('limit-reached', `You have reached your maximum number of ${what} tasks`);
  await audit(context, actor, `${what}-task.make`, `${account.name}/${task.id}`, 'ok', task.command);
  await tellAgent(context, account);
  return task;
}

/** What is running is let be; the change holds from the next run. Throws `input-invalid`. */
export async function changeTask(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  task: Task,
  values: TaskValues,
): Promise<Task> {
  checkValues(values);
  await updateTask(context.database, task, values);
  await audit(context, actor, `${task.kind}-task.change`, `${account.name}/${task.id}`, 'ok', values.command);
  await tellAgent(context, account);
  return await mustFindTask(context, account, task.kind, task.id);
}

/** `running`: what becomes of a run that is under way. Its log and its files stay. */
export async function removeTask(
  context: ControlContext,
  actor: Actor,
  account: AccountRow,
  task: Task,
  running: 'end' | 'leave',
): Promise<void> {
  await deleteTask(context.database, task);
  await audit(context, actor, `${task.kind}-task.delete`, `${account.name}/${task.id}`);
  await tellAgent(context, account);
  if (running === 'leave' || task.kind === 'always-on') return;
  try {
    await context.agent.call('tasks.stop', { account: account.name, id: task.id });
  } catch (error) {
    context.log.warn({ account: account.name, task: task.id, err: error }, 'a run of a deleted task goes on');
  }
}

function checkValues(values: TaskValues): void {
  const command = commandSchema.safeParse(values.command);
  if (values.command.trim() === '' || !command.success) {
    const why =
      values.command.trim() === ''
        ? 'Type the command that is to run.'
        : values.command.includes('\0')
          ? 'A command cannot hold a NUL character.'
          : 'A command may have 65,536 characters. Put a longer one into a script, and run that.';
    throw new HoldfastError('input-invalid', why, { field: 'command' });
  }
  if (values.description.length > LONGEST_DESCRIPTION || values.description.includes('\0')) {
    throw new HoldfastError('input-invalid', `A description may have ${LONGEST_DESCRIPTION} characters.`, {
      field: 'description',
    });
  }
  if (values.kind === 'scheduled') checkSchedule(values.schedule);
}

function checkSchedule(schedule: Schedule): void {
  const problem = scheduleProblem(schedule);
  if (problem !== undefined) throw new HoldfastError('input-invalid', problem, { field: 'schedule' });
}

/** The change is safe in the database: a failure that time heals is left to the background. */
async function tellAgent(context: ControlContext, account: AccountRow): Promise<void> {
  try {
    const patient = patience(context, account.volume, WAIT_MS);
    await within(patient, 'Telling the agent of the tasks', context.desired.tasks(account.name));
  } catch (error) {
    if (error instanceof HoldfastError && !ERRORS[error.code].retry) throw error;
    context.log.warn({ account: account.name, err: error }, 'the agent is told of the tasks later');
  }
}
