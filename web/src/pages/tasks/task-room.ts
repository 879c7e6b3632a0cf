import type { TaskList } from '../../api/queries.ts';
import type { TaskView } from '../../../../src/protocol/api/tasks.ts';

/** What the plan allows of a kind of task, in words. `full`: why no further one can be made; undefined while one can. */
export function roomWords(
  { tasks, most }: Pick<TaskList, 'tasks' | 'most'>,
  kind: TaskView['kind'],
): { count: string; full: string | undefined } {
  const used = tasks.filter((task) => task.kind === kind).length;
  const limit = kind === 'scheduled' ? most.scheduled : most.alwaysOn;
  const one = kind === 'scheduled' ? 'scheduled task' : 'always-on task';
  return {
    count: `${used} of ${limit} ${limit === 1 ? 'task' : 'tasks'}`,
    full:
      limit === 0
        ? `Your plan does not include ${one}s. The operator can give you a plan that does.`
        : used >= limit
          ? `Your plan has room for ${limit === 1 ? `one ${one}` : `${limit} ${one}s`}. Delete one to make another, or ask the operator for a larger plan.`
          : undefined,
  };
}
