import { useMutation, type UseMutationResult, useQuery, useQueryClient } from '@tanstack/react-query';
import type { TaskView } from '../../../../src/protocol/api/tasks.ts';
import { call } from '../../api/client.ts';
import { dashboardQuery, taskQuery } from '../../api/queries.ts';
import { count } from '../../format/format.ts';
import { useLostAt } from '../../frame/connection.ts';
import { storageNotice } from '../../health/notices.ts';
import { somethingRuns, type Surroundings, taskName } from '../../health/task-state.ts';
import { useNow } from '../../ui/hooks.ts';
import { showProblem, showToast } from '../../ui/toast.tsx';

export type TaskAction = 'run' | 'stop' | 'restart' | 'enable' | 'disable';

/** What is said of a task depends on more than the task. */
export function useSurroundings(): Surroundings {
  const now = useNow();
  const old = useLostAt() !== null;
  const dashboard = useQuery(dashboardQuery);
  const storageTrouble = storageNotice(dashboard.data?.account?.notices ?? []) !== undefined;
  return { now, old, storageTrouble };
}

interface Done {
  said: string;
  fresh?: TaskView;
}

async function act(task: TaskView, action: TaskAction): Promise<Done> {
  const params = { id: task.id };
  const name = taskName(task);
  switch (action) {
    case 'run': {
      const fresh = await call('tasks.run', { params });
      const waits = fresh.kind === 'scheduled' && fresh.status?.state === 'waiting';
      return { fresh, said: waits ? `A run of "${name}" waits for its turn.` : `A run of "${name}" was started.` };
    }
    case 'stop': {
      const { stopped } = await call('tasks.stop', { params });
      return {
        said: stopped === 0 ? `Nothing of "${name}" was running.` : `${count(stopped, 'run')} of "${name}" ended.`,
      };
    }
    case 'restart':
      return { fresh: await call('tasks.restart', { params }), said: `"${name}" was restarted.` };
    case 'enable':
      return {
        fresh: await call('tasks.update', { params, body: { enabled: true } }),
        said: task.kind === 'scheduled' ? `"${name}" is enabled.` : `"${name}" is to run again.`,
      };
    case 'disable': {
      const fresh = await call('tasks.update', { params, body: { enabled: false } });
      const goesOn = somethingRuns(fresh) === true;
      if (task.kind === 'always-on')
        return { fresh, said: goesOn ? `"${name}" was asked to end.` : `"${name}" is paused.` };
      return { fresh, said: goesOn ? `"${name}" is disabled. What runs of it goes on.` : `"${name}" is disabled.` };
    }
    default:
      return action satisfies never;
  }
}

/** Something done to a task; what came of it is said, and every list of tasks is fetched again. */
export function useTaskAction(task: TaskView): UseMutationResult<Done, Error, TaskAction> {
  const client = useQueryClient();
  const { queryKey } = taskQuery(String(task.id));
  return useMutation({
    mutationFn: (action: TaskAction) => act(task, action),
    scope: { id: `task-${task.id}` },
    onSuccess: ({ said, fresh }) => {
      if (fresh !== undefined) client.setQueryData(queryKey, fresh);
      showToast(said);
    },
    onError: (error: Error) => showProblem(error),
    onSettled: () => {
      void client.invalidateQueries({ queryKey });
      void client.invalidateQueries({ queryKey: ['tasks'] });
    },
  });
}
