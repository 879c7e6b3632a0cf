import { nextRun } from '../../src/model/schedule.ts';
import type { TaskView } from '../../src/protocol/api/tasks.ts';
import { fail, find, type Kit, me } from './kit.ts';
import type { World } from './scenarios.ts';
import type { Handlers } from './table-router.ts';
import { alwaysOnTask, scheduledTask, taskRun } from './task-scenarios.ts';

/** How long a run of the stand-in takes. */
const RUN_MS = 1200;

/** The part of the stand-in that keeps tasks. A run that is asked for ends by itself, and has written something. */
export function taskRoutes(kit: Kit): Handlers {
  const { world, emit } = kit;
  const taskOf = (id: number): TaskView => find(world().tasks, (task) => task.id === id);
  const put = (task: TaskView): TaskView => {
    const known = world().tasks.some((other) => other.id === task.id);
    world().tasks = known
      ? world().tasks.map((other) => (other.id === task.id ? task : other))
      : [...world().tasks, task];
    if (task.kind === 'scheduled' && task.status !== null)
      emit({ event: 'task', data: { ...task.status, runs: task.status.runs.slice(0, 5) } });
    if (task.kind === 'always-on' && task.status !== null) emit({ event: 'always-on', data: task.status });
    return task;
  };
  /** Ends the run that goes on; in a world that has been left meanwhile it ends nothing. */
  const end = (here: World, id: number, how: 'succeeded' | 'stopped'): number => {
    const task = here === world() ? world().tasks.find((other) => other.id === id) : undefined;
    if (task?.kind !== 'scheduled' || task.status === null) return 0;
    const running = task.status.runs.filter((run) => run.outcome === 'running');
    if (running.length === 0) return 0;
    const endedAt = new Date().toISOString();
    const over =
      how === 'succeeded'
        ? { code: 0, cpuSeconds: 0.4, peakMemoryBytes: 9_400_000 }
        : { signal: 'SIGTERM', cpuSeconds: 0.1, peakMemoryBytes: 9_400_000, message: 'It was stopped on request.' };
    put({
      ...task,
      status: {
        ...task.status,
        state: task.enabled ? 'idle' : 'disabled',
        runs: task.status.runs.map((run) =>
          run.outcome === 'running' ? { ...run, endedAt, outcome: how, ...over } : run,
        ),
      },
    });
    return running.length;
  };
  return {
    'tasks.list': () => ({
      tasks: world().tasks,
      most: world().mostTasks,
      longestSeconds: 43_200,
      cpu: world().cpu,
    }),
    'tasks.create': ({ body }) => {
      const { scheduled, alwaysOn } = world().mostTasks;
      const used = world().tasks.filter((task) => task.kind === body.kind).length;
      if (used >= (body.kind === 'scheduled' ? scheduled : alwaysOn))
        fail('limit-reached', `You have reached your maximum number of ${body.kind} tasks`);
      const id = Math.max(0, ...world().tasks.map((task) => task.id)) + 1;
      const common = { account: me(kit).name, createdAt: new Date().toISOString() };
      return put(
        body.kind === 'scheduled'
          ? scheduledTask(id, { ...body, ...common })
          : alwaysOnTask(id, body.enabled ? 'starting' : 'paused', { ...body, ...common }),
      );
    },
    'tasks.get': ({ params }) => taskOf(params.id),
    'tasks.update': ({ params, body }) => {
      const old = taskOf(params.id);
      const { enabled = old.enabled, command = old.command, description = old.description } = body;
      const common = { enabled, command, description };
      if (old.kind === 'always-on') {
        const state = enabled ? 'starting' : 'paused';
        const since = new Date().toISOString();
        return put({ ...old, ...common, status: old.status && { ...old.status, state, since } });
      }
      const { schedule = old.schedule, skipLate = old.skipLate, overlap = old.overlap } = body;
      const next = nextRun(schedule, Date.now());
      const runs = old.status?.state === 'running';
      return put({
        ...old,
        ...common,
        schedule,
        skipLate,
        overlap,
        status: old.status && {
          ...old.status,
          state: runs ? 'running' : enabled ? 'idle' : 'disabled',
          next: enabled && next !== undefined ? new Date(next).toISOString() : null,
        },
      });
    },
    'tasks.delete': ({ params }) => {
      const { id } = taskOf(params.id);
      world().tasks = world().tasks.filter((task) => task.id !== id);
    },
    'tasks.run': ({ params }) => {
      const task = taskOf(params.id);
      if (task.kind !== 'scheduled' || task.status === null) fail('input-invalid', 'An always-on task is restarted.');
      if (task.status.state === 'running' && !task.overlap)
        fail('conflict', 'This task is running. Wait for its end, or stop it first.');
      const number = Math.max(0, ...task.status.runs.map((run) => run.number)) + 1;
      const startedAt = new Date().toISOString();
      const run = taskRun(number, 0, { outcome: 'running', cause: 'asked', due: null, startedAt });
      const here = world();
      here.taskOutput[`${task.id}/${number}`] = `Hello from run ${number}\n`;
      setTimeout(() => end(here, task.id, 'succeeded'), RUN_MS).unref();
      return put({ ...task, status: { ...task.status, state: 'running', runs: [run, ...task.status.runs] } });
    },
    'tasks.stop': ({ params }) => ({ stopped: end(world(), taskOf(params.id).id, 'stopped') }),
    'tasks.restart': ({ params }) => {
      const task = taskOf(params.id);
      if (task.kind !== 'always-on' || task.status === null) fail('input-invalid', 'A scheduled task is run.');
      const since = new Date().toISOString();
      const lastEnd = 'It was restarted by its owner.';
      return put({ ...task, status: { ...task.status, state: 'starting', since, lastEnd, restartAt: null } });
    },
    'tasks.output': ({ params }) => {
      const task = taskOf(params.id);
      const runs = task.kind === 'scheduled' ? (task.status?.runs ?? []) : [];
      const { number } = params;
      const text = world().taskOutput[`${task.id}/${number}`];
      return {
        run: runs.find((run) => run.number === number) ?? null,
        text: text ?? '',
        complete: text !== undefined,
      };
    },
  };
}
