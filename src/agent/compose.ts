import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { notLookedAt } from '../model/volumes.ts';
import type { AgentHandlers } from '../protocol/agent.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { within } from '../runtime/deadline.ts';
import { PulseWatch } from '../runtime/pulse.ts';
import { readRecord } from '../runtime/process-record.ts';
import type { AgentContext, ProgramsPart, StoragePart } from './context.ts';
import { limitDirtyPages } from './btrfs/dirty-pages.ts';
import { createDrills } from './drills/drills.ts';
import { createFiles } from './files/files.ts';
import { createGateway } from './gateway/gateway.ts';
import { createHealth } from './health/health.ts';
import { createPrograms } from './programs/programs.ts';
import { findPythons } from './pythons.ts';
import { ensureSharedMount, releaseSharedMount } from './kernel/shared-mount.ts';
import { createStorage } from './volumes/storage.ts';

/** A reload of nginx takes well under a second, with hundreds of new certificates to sign a few. */
const PUBLISH_WAIT_MS = 10_000;

/** Counting programs that are stuck reads a few lines of /proc for each. */
const COUNT_STUCK_MS = 2_000;

export interface ComposedAgent {
  handlers: AgentHandlers;
  readFile: ProgramsPart['readFile'];
  writeFile: ProgramsPart['writeFile'];
  start(): Promise<void>;
  stop(how: 'stop' | 'leave'): Promise<void>;
}

/** Resident bytes of a process, from /proc/<pid>/statm; 0 when it has just ended. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  } catch {
    return 0; // It ended while we looked.
  }
}

/** Puts the agent's parts together. The order matters: what members feel first comes up first. */
export function composeAgent(context: AgentContext): ComposedAgent {
  const { configuration, log, ids } = context;
  const startedAt = new Date().toISOString();
  const storage: StoragePart = createStorage(context);
  const health = createHealth(context, { storage });
  const programs = createPrograms(context, storage);
  const supervisor = new PulseWatch(configuration.runDirectory);
  const gateway = createGateway(
    context,
    {
      wakeDomain: (domain) => programs.wakeDomain(domain),
      volumeOf: (account) => programs.accountOf(account)?.volume,
    },
    {
      troubles: () => health.troubles(),
      notes: () => health.notes(),
      volumes: () => storage.statuses().map((volume) => ({ ...volume, unseen: notLookedAt(volume) })),
      watching: () => health.watching(),
      supervisor: () => supervisor.view(),
    },
  );
  supervisor.onChange(({ silentSince }) => {
    if (silentSince !== null)
      log.error({ silentSince }, 'the supervisor does not answer; whatever ends or hangs now is not started again');
    gateway.statusChanged();
  });
  storage.onVolumeChange((volume, usable) => {
    // A volume that is deleted has nobody left to be told.
    gateway.hold(volume, !usable && storage.statuses().some((one) => one.name === volume));
    gateway.statusChanged();
  });
  storage.onVolumeChange((volume, usable) => {
    if (!usable) return;
    limitDirtyPages(join(context.layout.volumes, volume, 'mnt')).then(
      (limited) => log.info({ volume, limited }, 'the share of dirty pages a volume may have'),
      (error: unknown) => log.warn({ error, volume }, 'the dirty pages of a volume are not limited'),
    );
  });
  storage.onDisksChange(() => gateway.statusChanged());
  health.onTroubles(() => gateway.statusChanged());
  const files = createFiles(context, {
    storage,
    sandboxes: programs.sandboxes,
    accountOf: (name) => programs.accountOf(name),
    gateway,
  });

  let published = Promise.resolve();
  programs.onSpecsChange(() => {
    published = gateway.publish(programs.specs()).catch((error: unknown) => {
      log.error({ error }, 'the gateway did not take the new configuration; it goes on with the old one');
    });
  });
  /**
   * Who made or changed a site and is told so may visit it at once: the answer waits for the gateway, though not for ever.
   * What is not served by then follows by itself.
   */
  const served = async (domain: string): Promise<void> => {
    await within(PUBLISH_WAIT_MS, `serving ${domain}`, published).catch((error: unknown) => {
      log.warn({ error, domain }, 'answering before the gateway serves the change');
    });
  };

  const handlers: AgentHandlers = {
    ...storage.handlers,
    ...programs.handlers,
    ...files.handlers,
    ...gateway.handlers,
    ...health.handlers,
    'health.now': async (input) => {
      const [now, stuck] = await Promise.all([
        health.handlers['health.now'](input),
        within(COUNT_STUCK_MS, 'counting the programs that wait', programs.stuck()).catch((error: unknown) => {
          log.warn({ error }, 'the programs that wait are not counted; what the watcher counted is told');
          return undefined;
        }),
      ]);
      return stuck === undefined ? now : { ...now, stuck };
    },
    ...createDrills(context),
    'host.status': async () => {
      const nginx = readRecord(join(context.layout.gateway, 'nginx.json'));
      const processes = [{ name: 'agent', pid: process.pid, memoryBytes: residentBytes(process.pid) }];
      if (nginx) processes.push({ name: 'nginx', pid: nginx.pid, memoryBytes: residentBytes(nginx.pid) });
      return await Promise.resolve({
        version: configuration.version,
        startedAt,
        uidBase: ids.base,
        cgroup: programs.cgroupVersion,
        // Looked up each time: what is installed or removed while the agent runs is offered, or no longer.
        pythons: findPythons(),
        gatewayReady: gateway.ready(),
        processes,
      });
    },
    'sites.put': async (site) => {
      const status = await programs.handlers['sites.put'](site);
      await served(site.domain);
      return status;
    },
    'sites.remove': async (site) => {
      const answer = await programs.handlers['sites.remove'](site);
      await served(site.id);
      return answer;
    },
    // The programs need the account's limits before its first site; its home must not be in use when it goes.
    'accounts.ensure': async (account) => {
      const answer = await storage.handlers['accounts.ensure'](account);
      await programs.putAccount(account);
      return answer;
    },
    'accounts.remove': async (account) => {
      await programs.removeAccount(account.name);
      await files.release(account.name);
      return await storage.handlers['accounts.remove'](account);
    },
    'state.sync': async ({ accounts, sites, tasks }) => ({ changed: await programs.sync(accounts, sites, tasks) }),
  };

  return {
    handlers,
    readFile: files.readFile,
    writeFile: files.writeFile,
    async start() {
      supervisor.start();
      // Before any program: nginx sees only those socket directories that are mounted below a shared mount.
      await ensureSharedMount(context.layout.sites);
      // Each on its own: a volume that is slow to open holds up neither the gateway nor programs on other volumes.
      await Promise.all([
        storage.start(),
        health.start(),
        (async () => {
          await programs.start();
          await gateway.start();
          await gateway.publish(programs.specs()).catch((error: unknown) => {
            // Told again with the next wanted state; a start that fails would leave the volumes closed as well.
            context.log.error({ error }, 'nginx goes on with the configuration that it has');
          });
          await files.start();
        })(),
      ]);
    },
    async stop(how) {
      supervisor.stop();
      const steps: [string, () => Promise<void>][] = [
        ['health', () => health.stop()],
        ['files', () => files.stop()],
        ['gateway', () => gateway.stop(how)],
        ['programs', () => programs.stop(how)],
      ];
      if (how === 'stop') {
        steps.push(['volumes', () => storage.stop()]);
        steps.push([
          'socket directories',
          async () => {
            if (!(await releaseSharedMount(context.layout.sites))) throw new Error('something is still mounted there');
          },
        ]);
      }
      const failed: string[] = [];
      for (const [name, step] of steps) {
        try {
          await step();
        } catch (error) {
          log.error({ error, part: name }, 'could not be stopped cleanly; going on with the rest');
          failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        }
      }
      if (how === 'stop' && failed.length > 0) throw new HoldfastError('internal', failed.join(' '));
    },
  };
}
