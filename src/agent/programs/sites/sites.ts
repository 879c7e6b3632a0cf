import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { normaliseDomain } from '../../../model/names.ts';
import type { AgentInput } from '../../../protocol/agent.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { siteSpecSchema, type SiteSpec, type SiteStatus } from '../../../protocol/sites.ts';
import type { ProgramsPart } from '../../context.ts';
import { isAlive } from '../../kernel/processes.ts';
import { findPythons } from '../../pythons.ts';
import { isClosed } from '../closed.ts';
import { createDefinitions } from '../definitions.ts';
import type { ProgramGround, ProgramKind } from '../kind.ts';
import { settle } from '../settle.ts';
import { endGeneration, type Checkpoint } from './generation.ts';
import { writeQuickstart } from './quickstarts.ts';
import { createRunDirectory, type GenerationRecord } from './records.ts';
import { Site, type SiteGround } from './site.ts';

/** Websites: programs that sleep, wake for a visitor, and are reloaded without a gap. */
export interface Sites extends ProgramKind, Pick<ProgramsPart, 'wakeDomain' | 'specs'> {
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
  /** Makes exactly these the sites of this host. Answers how many changed. */
  sync(specs: readonly SiteSpec[]): Promise<number>;
}

export interface SitesOptions {
  /** Called at named points of every start. For tests that kill the agent there. */
  checkpoint?: ((point: Checkpoint, site: string) => Promise<void>) | undefined;
  /** The Python uWSGI has a plugin for; found on the machine when not given. */
  pluginVersion?: string | undefined;
  /** The set of specs (domains, protection, certificates ...) changed. */
  changed(): void;
}

const STOP_DRAIN_MS = 10_000;

export function createSites(shared: ProgramGround, options: SitesOptions): Sites {
  const { context, storage } = shared;
  const { layout, log } = context;
  const definitions = createDefinitions(
    join(layout.agent, 'programs', 'sites'),
    siteSpecSchema,
    (site: SiteSpec) => site.id,
    log,
  );
  const run = createRunDirectory(layout.sites);
  const sites = new Map<string, Site>();
  const busy = new Set<Site>();
  let stopped = false;

  const ground: SiteGround = {
    ...shared,
    run,
    pluginVersion: options.pluginVersion ?? findPythons().find((python) => python.uwsgiPlugin)?.version ?? '',
    lingering: new Set(),
    checkpoint: options.checkpoint ?? (async () => await Promise.resolve()),
  };

  const siteOf = (id: string): Site => {
    const site = sites.get(id);
    if (site === undefined) throw new HoldfastError('not-found', `There is no site ${id} on this host.`);
    return site;
  };

  /** Takes a definition unless a newer one is known. Returns whether it is new. `wait` is for what follows from it. */
  const put = async (spec: SiteSpec, wait: 'all' | 'some' = 'all'): Promise<boolean> => {
    const known = sites.get(spec.id);
    if (known === undefined) {
      await definitions.put(spec);
      sites.set(spec.id, new Site(ground, spec));
      return true;
    }
    if (spec.revision <= known.spec.revision) return false;
    await definitions.put(spec);
    await (wait === 'all' ? known.put(spec) : settle(log, known.put(spec), { site: spec.id }));
    return true;
  };

  const remove = async (id: string): Promise<boolean> => {
    const site = sites.get(id);
    if (site === undefined) return false;
    await site.close(STOP_DRAIN_MS);
    sites.delete(id);
    await definitions.remove(id);
    await run.removeSite(id);
    return true;
  };

  const alive = async (record: GenerationRecord, boot: string): Promise<boolean> =>
    record.boot === boot &&
    record.pid !== null &&
    record.startTime !== null &&
    (await isAlive({ pid: record.pid, startTime: record.startTime }));

  const adoptOne = async (id: string, records: readonly GenerationRecord[], boot: string): Promise<void> => {
    const site = sites.get(id);
    const living: GenerationRecord[] = [];
    for (const record of records) if (site !== undefined && (await alive(record, boot))) living.push(record);
    // The newest that has answered, whether the gateway was already pointed to it or not; older ones are drained.
    const chosen = living
      .filter((record) => record.phase === 'answering' && record.domain === site?.spec.domain)
      .toSorted((a, b) => b.generation - a.generation)[0];
    const leaving = living.filter((record) => record !== chosen && ['answering', 'draining'].includes(record.phase));
    const ended = records.filter((record) => record !== chosen && !leaving.includes(record));
    if (chosen === undefined) await run.point(id, undefined);
    await settle(log, Promise.all(ended.map(async (record) => await endGeneration(ground, record))), { site: id });
    if (site === undefined) return;
    const highest = Math.max(...records.map((record) => record.generation));
    await settle(log, site.adopt(chosen, leaving, highest), { site: id });
    // What was starting when its agent died is started again, unless the whole machine went down with it.
    const cutShort = ended.some(
      (record) =>
        record.boot === boot &&
        ['intent', 'spawned'].includes(record.phase) &&
        record.generation > (chosen?.generation ?? 0),
    );
    if (cutShort && site.spec.enabled) site.interrupted = true;
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

  const lookAt = async (site: Site, measure: boolean): Promise<void> => {
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
  };

  return {
    specs: () => [...sites.values()].map((site) => site.spec),
    load: async () => {
      await definitions.load();
      for (const spec of definitions.all.values()) sites.set(spec.id, new Site(ground, spec));
    },
    adopt: async (boot) => {
      const bySite = Map.groupBy(await run.readAll(), (record) => record.site);
      const known = new Set([...bySite.values()].flat().map((record) => `${record.account}/${record.program}`));
      await Promise.all([...bySite].map(async ([id, records]) => await adoptOne(id, records, boot)));
      for (const id of await run.sites()) if (!sites.has(id)) await run.removeSite(id);
      return known;
    },
    resume: () => {
      for (const site of sites.values()) resume(site);
    },
    look: async (measure) => {
      await Promise.all([...sites.values()].map(async (site) => await lookAt(site, measure)));
    },
    lingers: () => ground.lingering.size > 0,
    sweep: async () => {
      for (const record of Array.from(ground.lingering)) await endGeneration(ground, record, 100);
    },
    volumeChanged: (volume, usable) => {
      for (const site of sites.values()) {
        const account = shared.accountOf(site.spec.account);
        if (account?.volume !== volume) continue;
        if (usable) {
          resume(site);
          continue;
        }
        // In trouble only: it waits with its volume, and goes on with it.
        if (!isClosed(shared, account.name)) continue;
        site.abandon().catch((reason: unknown) => log.warn({ err: reason, site: site.spec.id }, 'a site does not end'));
      }
    },
    removeAccount: async (name) => {
      const own = [...sites.values()].filter((site) => site.spec.account === name);
      const removed = await Promise.all(own.map(async (site) => await remove(site.spec.id)));
      if (removed.includes(true)) options.changed();
    },
    leave: () => {
      stopped = true;
      for (const site of sites.values()) site.leave();
    },
    close: async () => {
      stopped = true;
      await Promise.all([...sites.values()].map(async (site) => await site.close(STOP_DRAIN_MS)));
    },
    sync: async (specs) => {
      let count = 0;
      const wanted = new Set(specs.map((spec) => spec.id));
      await Promise.all(
        [...sites.keys()].map(async (id) => {
          if (wanted.has(id)) return;
          count += 1;
          await settle(
            log,
            remove(id).then(() => options.changed()),
            { site: id },
          );
        }),
      );
      await Promise.all(specs.map(async (spec) => ((await put(spec, 'some')) ? (count += 1) : count)));
      if (count > 0) options.changed();
      return count;
    },
    wakeDomain: async (domain) => {
      const name = normaliseDomain(domain);
      for (const site of sites.values()) if (site.spec.domain === name) return await site.wake('visitor');
      throw new HoldfastError('not-found', `There is no site at ${name}.`);
    },
    handlers: {
      'sites.put': async (spec) => {
        if (await put(spec)) options.changed();
        return siteOf(spec.id).status;
      },
      'sites.remove': async ({ id }) => {
        const removed = await remove(id);
        if (removed) options.changed();
        return { removed };
      },
      'sites.statuses': async (): Promise<SiteStatus[]> =>
        await Promise.all([...sites.values()].map(async (site) => await site.measuredStatus())),
      'sites.wake': async ({ id }) => await siteOf(id).wake('owner'),
      'sites.sleep': async ({ id }) => {
        const site = siteOf(id);
        await site.sleep();
        return site.status;
      },
      'sites.reload': async ({ id }) => await siteOf(id).reload(),
      'sites.back': async ({ id }) => await siteOf(id).back(),
      'sites.quickstart': async ({ id, quickstart }: AgentInput<'sites.quickstart'>) => {
        const { spec } = siteOf(id);
        const account = shared.accountOf(spec.account);
        if (account === undefined)
          throw new HoldfastError('not-found', `The account ${spec.account} is not on this host.`);
        shared.assertRoom(account.volume);
        const { httpsPort } = context.configuration;
        return await shared.starts.run(
          account.volume,
          async () =>
            await writeQuickstart(shared.sandboxes, storage.homeOf(account.name), account, spec, quickstart, httpsPort),
        );
      },
    },
  };
}
