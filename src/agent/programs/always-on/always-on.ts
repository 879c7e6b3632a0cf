import { join } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AlwaysOnSpec, AlwaysOnStatus } from '../../../protocol/tasks.ts';
import type { ProgramsPart } from '../../context.ts';
import { createDefinitions } from '../definitions.ts';
import { isClosed } from '../closed.ts';
import type { ProgramGround, ProgramKind } from '../kind.ts';
import { settle } from '../settle.ts';
import { alwaysOnStateSchema, freshState, type AlwaysOnState } from './always-on-state.ts';
import { AlwaysOnTask, type AlwaysOnGround } from './always-on-task.ts';

/** Always-on tasks: programs that are started again whenever they end. */
export interface AlwaysOn extends ProgramKind {
  handlers: Pick<ProgramsPart['handlers'], 'always-on.restart'>;
  /** Makes exactly these the always-on tasks of an account. */
  put(account: string, specs: readonly AlwaysOnSpec[]): Promise<void>;
  /** Accounts that have one here. */
  accounts(): string[];
  statuses(account: string | undefined): AlwaysOnStatus[];
}

export function createAlwaysOn(shared: ProgramGround): AlwaysOn {
  const { context } = shared;
  const { log } = context;
  const keyOf = (one: { account: string; id: number }): string => `${one.account}.${one.id}`;
  const states = createDefinitions<AlwaysOnState>(
    join(context.layout.agent, 'programs', 'always-on-states'),
    alwaysOnStateSchema,
    keyOf,
    log,
  );
  const tasks = new Map<string, AlwaysOnTask>();
  const ground: AlwaysOnGround = {
    ...shared,
    boot: '',
    ready: false,
    write: async (state) => await states.put({ ...state }),
  };
  let stopped = false;

  const forget = async (task: AlwaysOnTask): Promise<void> => {
    tasks.delete(keyOf(task));
    await states.remove(keyOf(task));
  };
  const drop = async (task: AlwaysOnTask): Promise<void> => {
    await task.drop();
    await forget(task);
  };

  return {
    load: async () => {
      await states.load();
      for (const state of states.all.values()) tasks.set(keyOf(state), new AlwaysOnTask(ground, { ...state }));
    },
    adopt: async (boot) => {
      ground.boot = boot;
      const groups = new Set([...tasks.values()].flatMap((task) => task.group ?? []));
      await Promise.all(
        [...tasks.values()].map(
          async (task) => await settle(log, task.adopt(), { account: task.account, task: task.id }),
        ),
      );
      return groups;
    },
    resume: () => {
      ground.ready = true;
      if (!stopped) for (const task of tasks.values()) task.look();
    },
    look: async (measure) => {
      if (stopped) return;
      for (const task of tasks.values()) {
        task.look();
        if (measure) await task.measure();
      }
    },
    lingers: () => false,
    sweep: async () => await Promise.resolve(),
    volumeChanged: (volume, usable) => {
      for (const task of tasks.values()) {
        if (shared.accountOf(task.account)?.volume !== volume) continue;
        if (usable) task.hurry();
        else if (isClosed(shared, task.account))
          task
            .abandon()
            .catch((error: unknown) =>
              log.warn({ err: error, account: task.account, task: task.id }, 'a task does not end'),
            );
      }
    },
    removeAccount: async (name) => {
      const own = [...tasks.values()].filter((task) => task.account === name);
      await Promise.all(own.map(drop));
    },
    leave: () => {
      stopped = true;
      for (const task of tasks.values()) task.leave();
    },
    close: async () => {
      stopped = true;
      await Promise.all([...tasks.values()].map(async (task) => await task.close()));
    },
    put: async (account, specs) => {
      const wanted = new Set(specs.map((spec) => spec.id));
      const gone = [...tasks.values()].filter((task) => task.account === account && !wanted.has(task.id));
      await Promise.all(gone.map(async (task) => await settle(log, drop(task), { account, task: task.id })));
      await Promise.all(
        specs.map(async (spec) => {
          const key = keyOf({ account, id: spec.id });
          const task = tasks.get(key) ?? new AlwaysOnTask(ground, freshState(account, spec.id));
          tasks.set(key, task);
          await settle(log, task.put(spec), { account, task: spec.id });
        }),
      );
    },
    accounts: () => [...new Set([...tasks.values()].map((task) => task.account))],
    statuses: (account) =>
      [...tasks.values()]
        .filter((task) => task.spec !== undefined && (account === undefined || task.account === account))
        .map((task) => task.status),
    handlers: {
      'always-on.restart': async ({ account, id }) => {
        const task = tasks.get(keyOf({ account, id }));
        if (task === undefined) throw new HoldfastError('not-found', `There is no always-on task ${id} on this host.`);
        return await task.restart();
      },
    },
  };
}
