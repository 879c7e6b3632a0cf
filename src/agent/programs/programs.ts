import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { normaliseDomain } from '../../model/names.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { AgentInput } from '../../protocol/agent.ts';
import type { AccountSpec, SiteSpec, SiteStatus } from '../../protocol/sites.ts';
import { Compartments, type CompartmentRule } from '../../runtime/compartments.ts';
import { within } from '../../runtime/deadline.ts';
import type { AgentContext, ProgramsPart, StoragePart } from '../context.ts';
import { findPythons } from '../pythons.ts';
import { createDesiredState } from './desired.ts';
import { endGeneration, type Checkpoint } from './generation.ts';
import { bootId, isAlive, processStat } from '../kernel/processes.ts';
import { writeQuickstart } from './quickstarts.ts';
import { createRunDirectory, type GenerationRecord } from './records.ts';
import { createSandboxes, type Sandboxes } from './sandbox.ts';
import { Site, type SiteGround } from './site.ts';

/** The sites' share of ProgramsPart; files and logs have a part of their own. */
export interface Programs extends Pick<
  ProgramsPart,
  'start' | 'stop' | 'sync' | 'wakeDomain' | 'specs' | 'onSpecsChange'
> {
  handlers: Pick<
    ProgramsPart['handlers'],
    | 'sites.put'
    | 'sites.remove'
    | 'sites.statuses'
    | 'sites.wake'
    | 'sites.sleep'
    | 'sites.reload'
    | 'sites.back'
    | 'sites.quickstart'
  >;
  cgroupVersion: 'v1' | 'v2';
  sandboxes: Sandboxes;
  /** What the agent knows of an account; undefined before the first sync. */
  accountOf(name: string): AccountSpec | undefined;
  /** Takes up one account, new or changed; its running programs keep their limits until their next start. */
  putAccount(account: AccountSpec): Promise<void>;
  /**
   * Programs that wait in the kernel for their volume: those that were so at the last call, too, a second or more ago. Only what a
   * process that is stuck gives away at once is read.
   */
  stuck(): Promise<{ volume: string; programs: number }[]>;
  /** Stops and forgets the account's sites, then the account. */
  removeAccount(name: string): Promise<void>;
}

export interface ProgramsOptions {
  /** Called at named points of every start. For tests that kill the agent there. */
  checkpoint?: (point: Checkpoint, site: string) => Promise<void>;
  /** Milliseconds between two looks at every site. */
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
const STOP_DRAIN_MS = 10_000;
/** A start, or a sync of everything, waits this long for the end of one program; the kernel may hold it with its volume. */
const SETTLE_MS = 3_000;
/** All programs together, at the end of the platform: what the kernel still holds then is dead already and ends with its disk. */
const STOP_MS = 25_000;
/** Ended programs of one volume that the kernel holds; more are not added to them. */
const HELD_PER_VOLUME = 32;

export function createPrograms(
  context: AgentContext,
  storage: Pick<StoragePart, 'homeOf' | 'onVolumeChange'>,
  options: ProgramsOptions = {},
): Programs {
  const { layout, log } = context;
  const desired = createDesiredState(join(layout.agent, 'programs'), log);
  const sandboxes = createSandboxes(context);
  const run = createRunDirectory(layout.sites);
  const sites = new Map<string, Site>();
  const listeners: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  let rounds = 0;
  let stopped = false;

  const ground: SiteGround = {
    context,
    sandboxes,
    run,
    storage,
    starts: new Compartments(STARTS, startsBusy),
    pluginVersion: options.pluginVersion ?? findPythons().find((python) => python.uwsgiPlugin)?.version ?? '',
    accountOf: (name) => desired.accounts.get(name),
    lingering: new Set(),
    assertRoom: (volume) => {
      const held = [...ground.lingering].filter((record) => desired.accounts.get(record.account)?.volume === volume);
      if (held.length < HELD_PER_VOLUME) return;
      throw new HoldfastError(
        'storage-repair',
        `${held.length} ended programs of this storage still wait for its disk. New ones start when it answers.`,
        { retryAfterSeconds: 5 },
      );
    },
    checkpoint: options.checkpoint ?? (async () => await Promise.resolve()),
  };

  /** Settled when what an earlier agent left is known. A call that came before would be forgotten by the loading. */
  const adopted = Promise.withResolvers<void>();
  const afterStart =
    <A extends unknown[], R>(work: (...input: A) => Promise<R>) =>
    async (...input: A): Promise<R> => {
      await adopted.promise;
      return await work(...input);
    };

  const changed = (): void => {
    for (const listener of listeners) listener();
  };

  const siteOf = (id: string): Site => {
    const site = sites.get(id);
    if (site === undefined) throw new HoldfastError('not-found', `There is no site ${id} on this host.`);
    return site;
  };

  /** Waits for work that a hung volume can hold up, but not for long: what is not done by then goes on behind. */
  const settle = async (work: Promise<unknown>, about: Record<string, unknown>): Promise<void> => {
    const done = work.catch((error: unknown) =>
      log.warn({ ...about, err: error }, 'a program could not be brought to its wanted state'),
    );
    const alarm = new AbortController();
    await Promise.race([done, pause(SETTLE_MS, undefined, { signal: alarm.signal }).catch(() => undefined)]);
    alarm.abort();
  };

  /** Takes a definition unless a newer one is known. Returns whether it is new. `wait` is for what follows from it. */
  const put = async (spec: SiteSpec, wait: 'all' | 'some' = 'all'): Promise<boolean> => {
    const known = sites.get(spec.id);
    if (known === undefined) {
      await desired.putSite(spec);
      sites.set(spec.id, new Site(ground, spec));
      return true;
    }
    if (spec.revision <= known.spec.revision) return false;
    await desired.putSite(spec);
    await (wait === 'all' ? known.put(spec) : settle(known.put(spec), { site: spec.id }));
    return true;
  };

  const remove = async (id: string): Promise<boolean> => {
    const site = sites.get(id);
    if (site === undefined) return false;
    await site.close(STOP_DRAIN_MS);
    sites.delete(id);
    await desired.removeSite(id);
    await run.removeSite(id);
    return true;
  };

  const alive = async (record: GenerationRecord, boot: string): Promise<boolean> =>
    record.boot === boot &&
    record.pid !== null &&
    record.startTime !== null &&
    (await isAlive({ pid: record.pid, startTime: record.startTime }));

  const adoptAll = async (): Promise<void> => {
    const boot = await bootId();
    const bySite = Map.groupBy(await run.readAll(), (record) => record.site);
    const looked = new Set<string>();
    await Promise.all(
      [...bySite].map(async ([id, records]) => {
        const site = sites.get(id);
        const living: GenerationRecord[] = [];
        for (const record of records) if (site !== undefined && (await alive(record, boot))) living.push(record);
        // The newest that has answered, whether the gateway was already pointed to it or not; older ones are drained.
        const chosen = living
          .filter((record) => record.phase === 'answering' && record.domain === site?.spec.domain)
          .toSorted((a, b) => b.generation - a.generation)[0];
        const leaving = living.filter(
          (record) => record !== chosen && ['answering', 'draining'].includes(record.phase),
        );
        const ended = records.filter((record) => record !== chosen && !leaving.includes(record));
        if (chosen === undefined) await run.point(id, undefined);
        for (const record of records) looked.add(`${record.account}/${record.program}`);
        await settle(Promise.all(ended.map(async (record) => await endGeneration(ground, record))), { site: id });
        if (site !== undefined) {
          const highest = Math.max(...records.map((record) => record.generation));
          await settle(site.adopt(chosen, leaving, highest), { site: id });
        }
        // What was starting when its agent died is started again, unless the whole machine went down with it.
        const cutShort = ended.some(
          (record) =>
            record.boot === boot &&
            ['intent', 'spawned'].includes(record.phase) &&
            record.generation > (chosen?.generation ?? 0),
        );
        if (site !== undefined && cutShort && site.spec.enabled) site.interrupted = true;
      }),
    );
    // Throw-away programs carry the agent's process id: those of this agent are at work.
    const strays = (await sandboxes.cgroups.list()).filter(
      ({ account, program }) => !looked.has(`${account}/${program}`) && program.split('-')[1] !== String(process.pid),
    );
    await Promise.all(
      strays.map(async ({ account, program }) => {
        log.info({ account, program }, 'ending what an earlier agent left half done');
        await settle(sandboxes.end(account, program), { account, program });
      }),
    );
    for (const id of await run.sites()) if (!sites.has(id)) await run.removeSite(id);
  };

  /** Takes up starts and reloads that were cut short. In the background: nobody is waiting for them. */
  const resume = (site: Site): void => {
    if (!site.interrupted || stopped) return;
    site.interrupted = false;
    const work = site.status.state === 'awake' ? site.reload() : site.wake('owner');
    work.catch((error: unknown) => {
      const later =
        error instanceof HoldfastError && ['storage-repair', 'volume-closed', 'not-found'].includes(error.code);
      site.interrupted = later;
      log.info({ err: error, site: site.spec.id }, 'an interrupted start was tried again and failed');
    });
  };

  /** In the background: what the kernel holds must not hold up the looks. */
  const sweep = (): void => {
    if (sweeping) return;
    sweeping = true;
    (async () => {
      for (const record of Array.from(ground.lingering)) await endGeneration(ground, record, 100);
      await sandboxes.sweep();
    })()
      .catch((error: unknown) => log.warn({ err: error }, 'the sweep failed'))
      .finally(() => (sweeping = false));
  };
  let sweeping = false;

  const look = async (): Promise<void> => {
    rounds += 1;
    const measure = rounds % MEASURE_EVERY === 0;
    if (rounds % (ground.lingering.size > 0 ? SWEEP_SOON : SWEEP_EVERY) === 0) sweep();
    await Promise.all(
      [...sites.values()].map(async (site) => {
        // Neither a start nor a drain of one site may hold up the looks at the others.
        if (busy.has(site)) return;
        busy.add(site);
        try {
          const work = site.look(await takeReloadRequest(site), measure);
          const settled = work.then(
            () => busy.delete(site),
            (error: unknown) => {
              busy.delete(site);
              log.warn({ err: error, site: site.spec.id }, 'a site could not be brought to its wanted state');
            },
          );
          void settled;
        } catch (error) {
          busy.delete(site);
          log.warn({ err: error, site: site.spec.id }, 'a site could not be looked at');
        }
        await Promise.resolve();
      }),
    );
  };
  const busy = new Set<Site>();
  /** Processes that waited for a disk at the last call of `stuck`, and since when. */
  let waiting = new Map<string, number>();

  /** Whether the site's own process has left a `reload` beside its socket (the run directory is the platform's). */
  const takeReloadRequest = async (site: Site): Promise<boolean> => {
    const { id, state, generation } = { ...site.status };
    if (state !== 'awake') return false;
    const file = join(run.directoryOf(id, generation), 'reload');
    try {
      await lstat(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
    await rm(file, { force: true, recursive: true });
    return true;
  };

  const schedule = (): void => {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => log.error({ err: error }, 'looking at the sites failed'))
        .finally(() => {
          if (!stopped) schedule();
        });
    }, options.lookEveryMs ?? 1000);
    timer.unref();
  };

  storage.onVolumeChange((volume, usable) => {
    if (usable) sweep();
    for (const site of sites.values()) {
      const account = desired.accounts.get(site.spec.account);
      if (account?.volume !== volume) continue;
      if (usable) {
        resume(site);
        continue;
      }
      try {
        storage.homeOf(account.name);
      } catch (error) {
        // Closed: what runs would keep the file system busy. In trouble: it waits with its volume, and goes on with it.
        if (!(error instanceof HoldfastError) || error.code !== 'volume-closed') continue;
        site.abandon().catch((reason: unknown) => log.warn({ err: reason, site: site.spec.id }, 'a site does not end'));
      }
    }
  });

  return {
    sandboxes,
    cgroupVersion: sandboxes.cgroups.version,
    accountOf: (name) => desired.accounts.get(name),
    specs: () => [...sites.values()].map((site) => site.spec),
    onSpecsChange: (listener) => {
      listeners.push(listener);
    },
    start: async () => {
      // A hole that would fail every start is said at the start of the agent.
      await sandboxes.cgroups.prepare();
      await desired.load();
      for (const spec of desired.sites.values()) sites.set(spec.id, new Site(ground, spec));
      await adoptAll();
      adopted.resolve();
      for (const site of sites.values()) resume(site);
      schedule();
    },
    stop: async (how) => {
      stopped = true;
      clearTimeout(timer);
      if (how === 'leave') {
        for (const site of sites.values()) site.leave();
        return;
      }
      const closing = Promise.all([...sites.values()].map(async (site) => await site.close(STOP_DRAIN_MS)));
      await within(STOP_MS, 'ending all programs', closing).catch(async (error: unknown) => {
        log.warn({ err: error }, 'the kernel holds programs; they are killed and end when their disk answers');
        const left = await sandboxes.cgroups.list();
        await Promise.allSettled(left.map(async (one) => await sandboxes.end(one.account, one.program, 1_000)));
      });
      await sandboxes.cgroups.leave();
    },
    stuck: async () => {
      const now = performance.now();
      const seen = new Map<string, number>();
      const counts = new Map<string, number>();
      for (const { account, program } of await sandboxes.cgroups.list()) {
        const volume = desired.accounts.get(account)?.volume;
        if (volume === undefined) continue;
        let waits = false;
        for (const pid of await sandboxes.cgroups.processes(account, program)) {
          const stat = await processStat(pid);
          if (stat?.state !== 'D') continue;
          const key = `${pid} ${stat.startTime}`;
          const since = waiting.get(key) ?? now;
          seen.set(key, since);
          waits ||= now - since >= 1_000;
        }
        if (waits) counts.set(volume, (counts.get(volume) ?? 0) + 1);
      }
      waiting = seen;
      return [...counts].map(([volume, programs]) => ({ volume, programs }));
    },
    putAccount: afterStart(async (account: AccountSpec) => await desired.putAccount(account)),
    removeAccount: afterStart(async (name: string) => {
      const own = [...sites.values()].filter((site) => site.spec.account === name);
      const removed = await Promise.all(own.map(async (site) => await remove(site.spec.id)));
      if (removed.includes(true)) changed();
      await desired.removeAccount(name);
    }),
    sync: afterStart(async (accounts: readonly AccountSpec[], specs: readonly SiteSpec[]) => {
      for (const account of accounts) await desired.putAccount(account);
      let count = 0;
      const wanted = new Set(specs.map((spec) => spec.id));
      await Promise.all(
        [...sites.keys()].map(async (id) => {
          if (wanted.has(id)) return;
          count += 1;
          await settle(remove(id).then(changed), { site: id });
        }),
      );
      await Promise.all(specs.map(async (spec) => ((await put(spec, 'some')) ? (count += 1) : count)));
      const names = new Set(accounts.map((account) => account.name));
      for (const name of Array.from(desired.accounts.keys())) if (!names.has(name)) await desired.removeAccount(name);
      if (count > 0) changed();
      return count;
    }),
    wakeDomain: afterStart(async (domain: string) => {
      const name = normaliseDomain(domain);
      for (const site of sites.values()) if (site.spec.domain === name) return await site.wake('visitor');
      throw new HoldfastError('not-found', `There is no site at ${name}.`);
    }),
    handlers: {
      'sites.put': afterStart(async (spec: SiteSpec) => {
        if (await put(spec)) changed();
        return siteOf(spec.id).status;
      }),
      'sites.remove': afterStart(async ({ id }: { id: string }) => {
        const removed = await remove(id);
        if (removed) changed();
        return { removed };
      }),
      'sites.statuses': afterStart(
        async (): Promise<SiteStatus[]> =>
          await Promise.all([...sites.values()].map(async (site) => await site.measuredStatus())),
      ),
      'sites.wake': afterStart(async ({ id }: { id: string }) => await siteOf(id).wake('owner')),
      'sites.sleep': afterStart(async ({ id }: { id: string }) => {
        const site = siteOf(id);
        await site.sleep();
        return site.status;
      }),
      'sites.reload': afterStart(async ({ id }: { id: string }) => await siteOf(id).reload()),
      'sites.back': afterStart(async ({ id }: { id: string }) => await siteOf(id).back()),
      'sites.quickstart': afterStart(async ({ id, quickstart }: AgentInput<'sites.quickstart'>) => {
        const { spec } = siteOf(id);
        const account = desired.accounts.get(spec.account);
        if (account === undefined)
          throw new HoldfastError('not-found', `The account ${spec.account} is not on this host.`);
        ground.assertRoom(account.volume);
        return await ground.starts.run(
          account.volume,
          async () =>
            await writeQuickstart(
              sandboxes,
              storage.homeOf(account.name),
              account,
              spec,
              quickstart,
              context.configuration.httpsPort,
            ),
        );
      }),
    },
  };
}
