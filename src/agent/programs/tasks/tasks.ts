import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { TaskSpec, TaskStatus } from '../../../protocol/tasks.ts';
import { Compartments } from '../../../runtime/compartments.ts';
import type { ProgramsPart } from '../../context.ts';
import { isClosed } from '../closed.ts';
import type { ProgramGround, ProgramKind } from '../kind.ts';
import { settle } from '../settle.ts';
import { Task, type TaskCheckpoint, type TaskGround } from './task.ts';
import { createTaskStates } from './task-state.ts';

/** Scheduled tasks: programs that run at their times and end by themselves. */
export interface Tasks extends ProgramKind {
  handlers: Pick<ProgramsPart['handlers'], 'tasks.run' | 'tasks.stop' | 'tasks.output'>;
  /** Makes exactly these the tasks of an account. */
  put(account: string, specs: readonly TaskSpec[]): Promise<void>;
  /** Accounts that have a task here, or had one that is not forgotten yet. */
  accounts(): string[];
  statuses(account: string | undefined): TaskStatus[];
}

export interface TasksOptions {
  /** Called at named points of every run. For tests that kill the agent there. */
  checkpoint?: ((point: TaskCheckpoint) => Promise<void>) | undefined;
}

/** Starts of tasks on one volume at a time. Each takes a few milliseconds of processor; whoever waits is shown as waiting. */
const TURNS = { atOnce: 4, waiting: Number.POSITIVE_INFINITY };
const TICK_MS = 1_000;
/** A clock that went back so far since the last look was set. */
const SET_BACK_MS = 2_000;
const MOST_OUTPUT = 256 * 1024;

export function createTasks(shared: ProgramGround, options: TasksOptions): Tasks {
  const { context } = shared;
  const { log, layout } = context;
  const states = createTaskStates(join(layout.agent, 'programs', 'task-states'), log);
  const tasks = new Map<string, Task>();
  const ground: TaskGround = {
    ...shared,
    boot: '',
    ready: false,
    states,
    turns: new Compartments(TURNS),
    checkpoint: options.checkpoint ?? (async () => await Promise.resolve()),
  };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let lastTick = Date.now();

  const keyOf = (account: string, id: number): string => `${account}.${id}`;
  const taskOf = (account: string, id: number): Task => {
    const task = tasks.get(keyOf(account, id));
    if (task === undefined) throw new HoldfastError('not-found', `There is no task ${id} on this host.`);
    return task;
  };
  const graceOf = (account: string): number => (shared.accountOf(account)?.limits.stopGraceSeconds ?? 10) * 1000;

  /** What is deleted and has nothing that runs is forgotten. */
  const forgetEnded = async (): Promise<void> => {
    for (const [key, task] of tasks) {
      if (!task.over) continue;
      tasks.delete(key);
      await states.remove(task);
    }
  };

  const tick = (): void => {
    const now = Date.now();
    if (now < lastTick - SET_BACK_MS) for (const task of tasks.values()) task.schedule(now);
    lastTick = now;
    for (const task of tasks.values()) task.look(now);
    // On the second, so that a minute is seen as soon as it begins.
    if (!stopped) timer = setTimeout(tick, TICK_MS - (Date.now() % TICK_MS) + 2);
    timer?.unref();
  };

  return {
    load: async () => {
      for (const state of await states.load()) tasks.set(keyOf(state.account, state.id), new Task(ground, state));
    },
    adopt: async (boot) => {
      ground.boot = boot;
      const groups = new Set<string>();
      for (const task of tasks.values()) for (const group of task.groups()) groups.add(group);
      await Promise.all(
        [...tasks.values()].map(
          async (task) => await settle(log, task.adopt(), { account: task.account, task: task.id }),
        ),
      );
      return groups;
    },
    resume: () => {
      if (stopped) return;
      ground.ready = true;
      for (const task of tasks.values()) task.schedule();
      tick();
    },
    look: async () => await forgetEnded(),
    lingers: () => false,
    sweep: async () => await Promise.resolve(),
    volumeChanged: (volume, usable) => {
      for (const task of tasks.values()) {
        if (shared.accountOf(task.account)?.volume !== volume) continue;
        if (usable) task.hurry();
        else if (isClosed(shared, task.account)) {
          // What runs would keep the file system busy.
          task
            .stop('cut-off', 0)
            .catch((error: unknown) =>
              log.warn({ err: error, account: task.account, task: task.id }, 'a task does not end'),
            );
        }
      }
    },
    removeAccount: async (name) => {
      const own = [...tasks.values()].filter((task) => task.account === name);
      await Promise.all(own.map(async (task) => await task.close(0)));
      for (const task of own) {
        tasks.delete(keyOf(task.account, task.id));
        await states.remove(task);
      }
    },
    leave: () => {
      stopped = true;
      clearTimeout(timer);
      for (const task of tasks.values()) task.leave();
    },
    close: async () => {
      stopped = true;
      clearTimeout(timer);
      await Promise.all([...tasks.values()].map(async (task) => await task.close(graceOf(task.account))));
    },
    put: async (account, specs) => {
      const now = Date.now();
      const wanted = new Set(specs.map((spec) => spec.id));
      for (const task of tasks.values()) if (task.account === account && !wanted.has(task.id)) await task.drop();
      for (const spec of specs) {
        const key = keyOf(account, spec.id);
        let task = tasks.get(key);
        if (task === undefined) {
          task = new Task(ground, Task.fresh(account, spec, now));
          await task.begin();
          tasks.set(key, task);
        }
        await task.put(spec, now);
      }
    },
    accounts: () => [...new Set([...tasks.values()].map((task) => task.account))],
    statuses: (account) =>
      [...tasks.values()]
        .filter((task) => task.spec !== undefined && (account === undefined || task.account === account))
        // Of everybody's, the newest only: with thousands of tasks the answer stays small.
        .map((task) => task.status(account === undefined ? 1 : undefined)),
    handlers: {
      'tasks.run': async ({ account, id }) => await taskOf(account, id).runNow(),
      'tasks.stop': async ({ account, id }) => ({
        stopped: (await tasks.get(keyOf(account, id))?.stop('stopped', graceOf(account))) ?? 0,
      }),
      'tasks.output': async ({ account, id, number }) => {
        const where = taskOf(account, id).logOf(number);
        if (where === undefined) throw new HoldfastError('not-found', 'This run is not remembered any more.');
        return await readPart(join(layout.logs, account, where.file), where.from, where.to);
      },
    },
  };
}

/** A part of a log, its end when it is long. `complete`: nothing is missing, because of its length or because the log was rotated. */
async function readPart(path: string, from: number, to: number | null): Promise<{ text: string; complete: boolean }> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { text: '', complete: from === to };
    throw error;
  }
  try {
    const { size } = await file.stat();
    const end = to ?? size;
    if (size < end || size < from) return { text: '', complete: false };
    const start = Math.max(from, end - MOST_OUTPUT);
    const buffer = Buffer.alloc(Math.max(0, end - start));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    return { text: buffer.subarray(0, bytesRead).toString('utf8'), complete: start === from };
  } finally {
    await file.close();
  }
}
