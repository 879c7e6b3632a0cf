import { alwaysOnLogName, taskLogName } from '../../model/tasks.ts';
import type { AgentOutput } from '../../protocol/agent.ts';
import type { TaskView } from '../../protocol/api/tasks.ts';
import type { ControlContext } from '../context.ts';
import type { Task } from '../store/tasks.ts';

export type TaskStatuses = AgentOutput<'tasks.statuses'>;

/** What the agent says of an account's tasks; undefined when it does not answer: the definitions are shown all the same. */
export async function statusesOf(
  context: Pick<ControlContext, 'agent' | 'log'>,
  account: string,
): Promise<TaskStatuses | undefined> {
  try {
    return await context.agent.call('tasks.statuses', { account });
  } catch (error) {
    context.log.warn({ err: error, account }, 'what runs of the tasks is not known now');
    return undefined;
  }
}

/** What the pages and the command line are shown of a task. */
export function taskView(account: string, task: Task, statuses: TaskStatuses | undefined): TaskView {
  const { accountId: _accountId, ...values } = task;
  if (values.kind === 'always-on') {
    const status = statuses?.alwaysOn.find((one) => one.id === task.id) ?? null;
    return { ...values, account, log: `/var/log/${alwaysOnLogName(task.id)}`, status };
  }
  return {
    ...values,
    account,
    log: `/var/log/${taskLogName(task.id, values.schedule, task.command)}`,
    status: statuses?.tasks.find((one) => one.id === task.id) ?? null,
  };
}
