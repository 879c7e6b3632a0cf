import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TaskView } from '../../../protocol/api/tasks.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { findAccountById, findPlan, type AccountRow } from '../../store/accounts.ts';
import { findTaskById, listTasks, type Task, type TaskValues } from '../../store/tasks.ts';
import { changeTask, makeTask, removeTask } from '../../tasks/change-task.ts';
import { statusesOf, taskView } from '../../tasks/task-view.ts';
import { accountInQuestion, actorOf, isOperator, requireAccount } from '../identity.ts';
import { serve } from './serve.ts';

function gone(): HoldfastError {
  return new HoldfastError('not-found', 'This task does not exist (any more).');
}

/** The task and its account. A task of somebody else does not exist, as far as a member can tell. */
async function ownTask(
  context: ControlContext,
  request: FastifyRequest,
  id: number,
): Promise<{ task: Task; account: AccountRow }> {
  const task = await findTaskById(context.database, id);
  if (!task || (!isOperator(request.identity) && task.accountId !== requireAccount(request).id)) throw gone();
  const owner = await findAccountById(context.database, task.accountId);
  if (!owner) throw gone();
  return { task, account: await accountInQuestion(context, request, owner.name) };
}

async function viewOf(context: ControlContext, account: AccountRow, task: Task): Promise<TaskView> {
  return taskView(account.name, task, await statusesOf(context, account.name));
}

/** A task with what is given instead of what it has. Throws `input-invalid` for what its kind does not have. */
function changed(task: Task, change: Partial<Omit<Extract<TaskValues, { kind: 'scheduled' }>, 'kind'>>): TaskValues {
  const common = {
    command: change.command ?? task.command,
    description: change.description ?? task.description,
    enabled: change.enabled ?? task.enabled,
  };
  if (task.kind === 'always-on') {
    if (change.schedule !== undefined)
      throw new HoldfastError('input-invalid', 'An always-on task has no schedule.', { field: 'schedule' });
    return { kind: 'always-on', ...common };
  }
  return {
    kind: 'scheduled',
    ...common,
    schedule: change.schedule ?? task.schedule,
    skipLate: change.skipLate ?? task.skipLate,
    overlap: change.overlap ?? task.overlap,
  };
}

function mustBe(task: Task, kind: Task['kind']): void {
  if (task.kind === kind) return;
  throw new HoldfastError(
    'input-invalid',
    kind === 'scheduled'
      ? 'An always-on task is paused and switched on, or restarted.'
      : 'A scheduled task is run or stopped, not restarted.',
  );
}

export function registerTasks(server: FastifyInstance, context: ControlContext): void {
  serve<'tasks'>(server, {
    'tasks.list': async ({ query, request }) => {
      const account = await accountInQuestion(context, request, query.account);
      const limits = await findPlan(context.database, account.plan);
      const [tasks, statuses, cpu] = await Promise.all([
        listTasks(context.database, account.id),
        statusesOf(context, account.name),
        context.agent.call('cpu.use', { account: account.name }).catch((error: unknown) => {
          context.log.warn({ err: error, account: account.name }, 'the processor time of today is not known now');
          return [];
        }),
      ]);
      return {
        tasks: tasks.map((task) => taskView(account.name, task, statuses)),
        most: { scheduled: limits?.tasks ?? 0, alwaysOn: limits?.alwaysOnTasks ?? 0 },
        longestSeconds: limits?.taskSeconds ?? 0,
        cpu: cpu.find((one) => one.account === account.name) ?? null,
      };
    },
    'tasks.create': async ({ query, body, request }) => {
      const account = await accountInQuestion(context, request, query.account);
      return await viewOf(context, account, await makeTask(context, actorOf(request), account, body));
    },
    'tasks.get': async ({ params, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      return await viewOf(context, account, task);
    },
    'tasks.update': async ({ params, body, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      const values = changed(task, definedOf(body));
      return await viewOf(context, account, await changeTask(context, actorOf(request), account, task, values));
    },
    'tasks.delete': async ({ params, query, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      await removeTask(context, actorOf(request), account, task, query.running);
    },
    'tasks.run': async ({ params, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      mustBe(task, 'scheduled');
      await context.agent.call('tasks.run', { account: account.name, id: task.id });
      return await viewOf(context, account, task);
    },
    'tasks.stop': async ({ params, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      mustBe(task, 'scheduled');
      return await context.agent.call('tasks.stop', { account: account.name, id: task.id });
    },
    'tasks.restart': async ({ params, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      mustBe(task, 'always-on');
      await context.agent.call('always-on.restart', { account: account.name, id: task.id });
      return await viewOf(context, account, task);
    },
    'tasks.output': async ({ params, request }) => {
      const { account, task } = await ownTask(context, request, params.id);
      const { number } = params;
      const output = await context.agent.call('tasks.output', { account: account.name, id: task.id, number });
      const statuses = await statusesOf(context, account.name);
      const status = statuses?.tasks.find((one) => one.id === task.id);
      return { ...output, run: status?.runs.find((run) => run.number === number) ?? null };
    },
  });
}

/** Without the keys that have no value. */
function definedOf<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
