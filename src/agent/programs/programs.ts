import { join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import { accountSpecSchema, type AccountSpec, type SiteSpec } from '../../protocol/sites.ts';
import { Compartments, type CompartmentRule } from '../../runtime/compartments.ts';
import { within } from '../../runtime/deadline.ts';
import type { AgentContext, ProgramsPart, StoragePart } from '../context.ts';
import { bootId } from '../kernel/processes.ts';
import { accountTasksSchema, type AccountTasks } from '../../protocol/tasks.ts';
import { Allowance } from './allowance.ts';
import { createAlwaysOn, type AlwaysOn } from './always-on/always-on.ts';
import { createDefinitions } from './definitions.ts';
import type { ProgramGround, ProgramKind } from './kind.ts';
import { forgetOthers } from './run.ts';
import { createSandboxes, type Sandboxes } from './sandbox.ts';
import { settle } from './settle.ts';
import type { Checkpoint } from './sites/generation.ts';
import { createSites, type Sites } from './sites/sites.ts';
import { mimeTypes } from './sites/static-types.ts';
import { createStuckCount } from './stuck.ts';
import type { TaskCheckpoint } from './tasks/task.ts';
import { createTasks, type Tasks } from './tasks/tasks.ts';

/** The programs' share of ProgramsPart; files and logs have a part of their own. */
export interface Programs extends Pick<
  ProgramsPart,
  'start' | 'stop' | 'sync' | 'wakeDomain' | 'specs' | 'onSpecsChange'
> {
  handlers: Sites['handlers'] &
    Tasks['handlers'] &
    AlwaysOn['handlers'] &
    Pick<ProgramsPart['handlers'], 'tasks.put' | 'tasks.statuses' | 'cpu.use'>;
  cgroupVersion: 'v1' | 'v2';
  sandboxes: Sandboxes;
  /** What the agent knows of an account; undefined before the first sync. */
  accountOf(name: string): AccountSpec | undefined;
  /** Takes up one account, new or changed; its running programs keep their limits until their next start. */
  putAccount(account: AccountSpec): Promise<void>;
  /** See createStuckCount. */
  stuck(): Promise<{ volume: string; programs: number }[]>;
  /** Stops and forgets the account's programs, then the account. */
  removeAccount(name: string): Promise<void>;
}

export interface ProgramsOptions {
  /** Called at named points of every start of a site. For tests that kill the agent there. */
  checkpoint?: (point: Checkpoint, site: string) => Promise<void>;
  /** The same for every run of a task. */
  taskCheckpoint?: (point: TaskCheckpoint) => Promise<void>;
  /** Milliseconds between two looks at every program. */
  lookEveryMs?: number;
  /** The Python uWSGI has a plugin for; found on the machine when not given. */
  pluginVersion?: string;
}

/** Starts of one volume at a time, and how long one waits for its turn: those that hang take no turn of another volume's. */
const STARTS: CompartmentRule = { atOnce: 4, waiting: Number.POSITIVE_INFINITY, waitMs: 30_000 };

function startsBusy(): HoldfastError {
  return new HoldfastError('not-ready', 'Many programs of this volume are starting right now. Please try again soon.', {
    retryAfterSeconds: 5,
  });
}
/** Memory, last request and idleness are looked at every so many rounds. */
const MEASURE_EVERY = 5;
const SWEEP_EVERY = 30;
/** The same while the kernel holds something back. */
const SWEEP_SOON = 3;
/** All programs together, at the end of the platform: what the kernel still holds then is dead already and ends with its disk. */
const STOP_MS = 25_000;
/** Ended programs of one volume that the kernel holds; more are not added to them. */
const HELD_PER_VOLUME = 32;

/** The supervisor: what all kinds of program have in common, and the turns in which each is asked. */
export function createPrograms(
  context: AgentContext,
  storage: Pick<StoragePart, 'homeOf' | 'onVolumeChange'>,
  options: ProgramsOptions = {},
): Programs {
  const { layout, log } = context;
  const accounts = createDefinitions(
    join(layout.agent, 'programs', 'accounts'),
    accountSpecSchema,
    (account: AccountSpec) => account.name,
    log,
  );
  const sandboxes = createSandboxes(context, { files: mimeTypes });
  const listeners: (() => void)[] = [];
  const accountOf = (name: string): AccountSpec | undefined => accounts.all.get(name);
  let timer: NodeJS.Timeout | undefined;
  let rounds = 0;
  let stopped = false;

  const ground: ProgramGround = {
    context,
    sandboxes,
    storage,
    starts: new Compartments(STARTS, startsBusy),
    accountOf,
    assertRoom: (volume) => {
      const held = sandboxes.lingering().filter((program) => accountOf(program.account)?.volume === volume);
      if (held.length < HELD_PER_VOLUME) return;
      throw new HoldfastError(
        'storage-repair',
        `${held.length} ended programs of this storage still wait for its disk. New ones start when it answers.`,
        { retryAfterSeconds: 5 },
      );
    },
  };

  const sites = createSites(ground, {
    checkpoint: options.checkpoint,
    pluginVersion: options.pluginVersion,
    changed: () => {
      for (const listener of listeners) listener();
    },
  });
  const tasks = createTasks(ground, { checkpoint: options.taskCheckpoint });
  const alwaysOn = createAlwaysOn(ground);
  const kinds: readonly ProgramKind[] = [sites, tasks, alwaysOn];
  const accountTasks = createDefinitions(
    join(layout.agent, 'programs', 'tasks'),
    accountTasksSchema,
    (one: AccountTasks) => one.account,
    log,
  );
  const allowance = new Allowance(sandboxes.cgroups, join(layout.agent, 'programs', 'cpu.json'), accountOf, log);

  /** Takes the tasks of an account unless newer ones are known. Returns whether they are new. */
  const putTasks = async (wanted: AccountTasks): Promise<boolean> => {
    const known = accountTasks.all.get(wanted.account);
    if (known !== undefined && known.revision >= wanted.revision) return false;
    // Written down last: what failed half way is done again when it is told again.
    await tasks.put(wanted.account, wanted.tasks);
    await alwaysOn.put(wanted.account, wanted.alwaysOn);
    await accountTasks.put(wanted);
    return true;
  };
  const removeTasks = async (account: string): Promise<void> => {
    await tasks.put(account, []);
    await alwaysOn.put(account, []);
    await accountTasks.remove(account);
  };

  /** Settled when what an earlier agent left is known. A call that came before would be forgotten by the loading. */
  const adopted = Promise.withResolvers<void>();
  const afterStart =
    <A extends unknown[], R>(work: (...input: A) => Promise<R>) =>
    async (...input: A): Promise<R> => {
      await adopted.promise;
      return await work(...input);
    };

  const gated = <H extends object>(handlers: H): H =>
    Object.fromEntries(
      Object.entries(handlers).map(([name, handler]: [string, (input: unknown) => Promise<unknown>]) => [
        name,
        afterStart(handler),
      ]),
    ) as H;

  const adoptAll = async (): Promise<void> => {
    const boot = await bootId();
    const known = new Set<string>();
    for (const kind of kinds) for (const group of await kind.adopt(boot)) known.add(group);
    await forgetOthers(context, known);
    // Throw-away programs carry the agent's process id: those of this agent are at work.
    const own = `job-${process.pid}-`;
    const strays = (await sandboxes.cgroups.list()).filter(
      ({ account, program }) => !known.has(`${account}/${program}`) && !program.startsWith(own),
    );
    await Promise.all(
      strays.map(async ({ account, program }) => {
        log.info({ account, program }, 'ending what an earlier agent left half done');
        await settle(log, sandboxes.end(account, program), { account, program });
      }),
    );
  };

  let sweeping = false;
  /** In the background: what the kernel holds must not hold up the looks. */
  const sweep = (): void => {
    if (sweeping) return;
    sweeping = true;
    (async () => {
      for (const kind of kinds) await kind.sweep();
      await sandboxes.sweep();
    })()
      .catch((error: unknown) => log.warn({ err: error }, 'the sweep failed'))
      .finally(() => (sweeping = false));
  };

  const look = async (): Promise<void> => {
    rounds += 1;
    const every = kinds.some((kind) => kind.lingers()) ? SWEEP_SOON : SWEEP_EVERY;
    if (rounds % every === 0) sweep();
    const measure = rounds % MEASURE_EVERY === 0;
    if (measure) {
      // A count that cannot be written down (a full disk) holds up nothing else.
      await allowance
        .measure()
        .catch((error: unknown) => log.warn({ err: error }, 'processor time is counted, and not written down'));
    }
    await Promise.all(kinds.map(async (kind) => await kind.look(measure)));
  };

  const schedule = (): void => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => log.error({ err: error }, 'looking at the programs failed'))
        .finally(() => {
          if (!stopped) schedule();
        });
    }, options.lookEveryMs ?? 1000);
    timer.unref();
  };

  storage.onVolumeChange((volume, usable) => {
    if (usable) sweep();
    for (const kind of kinds) kind.volumeChanged(volume, usable);
  });

  return {
    sandboxes,
    cgroupVersion: sandboxes.cgroups.version,
    accountOf,
    specs: sites.specs,
    onSpecsChange: (listener) => {
      listeners.push(listener);
    },
    start: async () => {
      // A hole that would fail every start is said at the start of the agent.
      await sandboxes.cgroups.prepare();
      await accounts.load();
      await accountTasks.load();
      await allowance.load();
      for (const kind of kinds) await kind.load();
      for (const one of accountTasks.all.values()) {
        await tasks.put(one.account, one.tasks);
        await alwaysOn.put(one.account, one.alwaysOn);
      }
      await adoptAll();
      adopted.resolve();
      for (const kind of kinds) kind.resume();
      schedule();
    },
    stop: async (how) => {
      stopped = true;
      clearTimeout(timer);
      if (how === 'leave') {
        for (const kind of kinds) kind.leave();
        return;
      }
      const closing = Promise.all(kinds.map(async (kind) => await kind.close()));
      await within(STOP_MS, 'ending all programs', closing).catch(async (error: unknown) => {
        log.warn({ err: error }, 'the kernel holds programs; they are killed and end when their disk answers');
        const left = await sandboxes.cgroups.list();
        await Promise.allSettled(left.map(async (one) => await sandboxes.end(one.account, one.program, 1_000)));
      });
      await allowance
        .measure()
        .catch((error: unknown) => log.warn({ err: error }, 'the last processor time is not written down'));
      await sandboxes.cgroups.leave();
    },
    stuck: createStuckCount(sandboxes.cgroups, (account) => accountOf(account)?.volume),
    putAccount: afterStart(async (account: AccountSpec) => await accounts.put(account)),
    removeAccount: afterStart(async (name: string) => {
      await Promise.all(kinds.map(async (kind) => await kind.removeAccount(name)));
      await accountTasks.remove(name);
      await sandboxes.cgroups.forget(name);
      allowance.forget(name);
      await accounts.remove(name);
    }),
    sync: afterStart(
      async (wanted: readonly AccountSpec[], specs: readonly SiteSpec[], every: readonly AccountTasks[] = []) => {
        for (const account of wanted) await accounts.put(account);
        let count = await sites.sync(specs);
        const told = new Set(every.map((one) => one.account));
        const held = new Set([...accountTasks.all.keys(), ...tasks.accounts(), ...alwaysOn.accounts()]);
        for (const name of held) if (!told.has(name)) await removeTasks(name);
        await Promise.all(every.map(async (one) => ((await putTasks(one)) ? (count += 1) : count)));
        const names = new Set(wanted.map((account) => account.name));
        for (const name of Array.from(accounts.all.keys())) if (!names.has(name)) await accounts.remove(name);
        return count;
      },
    ),
    wakeDomain: afterStart(sites.wakeDomain),
    handlers: gated({
      ...sites.handlers,
      ...tasks.handlers,
      ...alwaysOn.handlers,
      'tasks.put': async (wanted: AccountTasks) => {
        if (!accounts.all.has(wanted.account))
          throw new HoldfastError('not-found', `The account ${wanted.account} is not on this host.`);
        await putTasks(wanted);
        return {};
      },
      'tasks.statuses': async ({ account }: { account?: string | undefined }) =>
        await Promise.resolve({ tasks: tasks.statuses(account), alwaysOn: alwaysOn.statuses(account) }),
      'cpu.use': async ({ account }: { account?: string | undefined }) => {
        const asked = account === undefined ? undefined : accountOf(account);
        return await Promise.resolve(allowance.uses(asked === undefined ? [...accounts.all.values()] : [asked]));
      },
    }),
  };
}
