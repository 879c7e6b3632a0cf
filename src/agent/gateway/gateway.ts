import { chmod, chown, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { normaliseDomain } from '../../model/names.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { siteSpecSchema, type SiteSpec } from '../../protocol/sites.ts';
import { until } from '../../runtime/deadline.ts';
import type { AgentContext, GatewayPart } from '../context.ts';
import { ensureAccessLog } from './access-logs.ts';
import { openAuthority, type LocalAuthority } from './authority.ts';
import { CertificateStore } from './certificates.ts';
import { HeldVolumes } from './held-volumes.ts';
import { countImpact, IMPACT_LOG } from './impact-log.ts';
import { runningConfiguration } from './internal.ts';
import { renderConfiguration, type GatewayConfiguration } from './nginx-configuration.ts';
import type { GatewaySite } from './plan.ts';
import { kill, NginxProcess, nginxVersion, openFileLimit } from './nginx-process.ts';
import { NGINX_TURN_MS, NginxWatch, processorTime, waitsForWork } from './nginx-watch.ts';
import { PAGES, renderPage, type PageName } from './pages.ts';
import { StatusWriter, type StatusSource } from './status-writer.ts';
import { checkedSpecs, passwordLine } from './plan.ts';
import { UnansweredLog } from './unanswered.ts';
import { WakerServer, type Waker } from './waker.ts';
import { ensureSharedMount } from '../kernel/shared-mount.ts';
import { writeIfChanged, writeWhole } from '../../runtime/whole-file.ts';

/** How often the death of nginx is looked for. One small read of /proc. */
const WATCH_MS = 250;
const RENEWAL_CHECK_MS = 6 * 3600 * 1000;
const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';

export type { Waker } from './waker.ts';

/** The gateway as the agent composes it: the part's interface and what other parts of the agent may use. */
export interface Gateway extends GatewayPart {
  /** Makes nginx open its own logs anew, after they were renamed. */
  reopenLogs(): void;
  /** nginx's processes: name, pid. For host.status. */
  processes(): { name: string; pid: number }[];
  /** Visitors of this volume's sites get the honest 503 at once, or their sites again. Nobody else notices. */
  hold(volume: string, held: boolean): void;
  /** Something that the public status page shows has changed. */
  statusChanged(): void;
}

export function createGateway(
  context: AgentContext,
  waker: Waker,
  status: Omit<StatusSource, 'gateway'> = {
    troubles: () => [],
    notes: () => [],
    volumes: () => [],
    watching: () => 'yes',
    supervisor: () => ({ silentSince: null, says: null }),
  },
): Gateway {
  return new NginxGateway(context, waker, status);
}

interface Publication {
  specs: readonly SiteSpec[];
  settle: { resolve: () => void; reject: (error: unknown) => void }[];
}

class NginxGateway implements Gateway {
  readonly #context: AgentContext;
  readonly #waker: Waker;
  readonly #unanswered: UnansweredLog;
  readonly #wakerServer: WakerServer;
  readonly #nginx: NginxProcess;
  readonly #hung: NginxWatch;
  readonly #held: HeldVolumes;
  readonly #status: StatusWriter;
  readonly #directory: string;
  readonly #socket: string;
  readonly #statusUrl: string;
  #authority: LocalAuthority | undefined;
  #certificates: CertificateStore | undefined;
  #version: number[] = [];
  #specs: SiteSpec[] = [];
  #accounts = new Map<string, string>();
  #wanted: GatewayConfiguration | undefined;
  #ready = false;
  #stopping = false;
  #next: Publication | undefined;
  #publishing: Promise<void> | undefined;
  #watch: NodeJS.Timeout | undefined;
  #hangWatch: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #reviving = false;

  constructor(context: AgentContext, waker: Waker, status: Omit<StatusSource, 'gateway'>) {
    const { layout, ids, configuration, log } = context;
    this.#context = context;
    this.#waker = waker;
    this.#directory = layout.gateway;
    this.#socket = join(configuration.runDirectory, 'g', 'internal.sock');
    this.#nginx = new NginxProcess({
      gateway: layout.gateway,
      logs: layout.logs,
      run: configuration.runDirectory,
      uid: ids.gateway,
      ports: () => [configuration.httpPort, configuration.httpsPort],
      log,
    });
    this.#hung = new NginxWatch({
      processes: () => this.#nginx.family(),
      // One late answer on a busy machine is an answer.
      answers: async () => (await runningConfiguration(this.#socket, 5_000)) !== undefined,
      signal: kill,
      idle: waitsForWork,
      usedMs: processorTime,
      log,
    });
    this.#held = new HeldVolumes(configuration.runDirectory);
    const statusUrl = `https://${configuration.domain}${configuration.httpsPort === 443 ? '' : `:${configuration.httpsPort}`}/status/`;
    this.#statusUrl = statusUrl;
    this.#status = new StatusWriter({
      directory: join(layout.gateway, 'status'),
      gid: ids.gateway,
      name: configuration.domain,
      url: statusUrl,
      controlSocket: layout.controlSocket,
      factsFile: layout.statusFacts,
      // It may be starting: only after that its absence is worth telling.
      source: { ...status, gateway: () => this.#wanted === undefined || (this.#nginx.alive() && !this.#hung.silent) },
      log,
    });
    this.#unanswered = new UnansweredLog({
      gatewayLogs: join(layout.gateway, 'logs'),
      logs: layout.logs,
      memory: join(layout.agent, 'gateway', 'unanswered.json'),
      siteOf: (id) => this.#specs.find((spec) => spec.id === id),
      log,
    });
    this.#wakerServer = new WakerServer({
      held: (volume) => this.#held.has(volume),
      statusUrl,
      directory: layout.wakeDirectory,
      gatewayGid: ids.gateway,
      waker,
      accountOf: (domain) => this.#accounts.get(domain),
      log,
    });
  }

  readonly handlers: GatewayPart['handlers'] = {
    'gateway.impact': async ({ domains, since, until: end }) => {
      const path = join(this.#context.layout.gateway, 'logs', IMPACT_LOG);
      const names = new Set(domains.map((domain) => normaliseDomain(domain)));
      return await countImpact(path, names, Date.parse(since), end === undefined ? Date.now() : Date.parse(end));
    },
    'gateway.authority': async () => ({ certificatePem: (await this.#ownAuthority()).certificatePem }),
    'sites.certificate': async ({ domain }) => {
      const name = normaliseDomain(domain);
      const facts = this.#certificates?.facts(name);
      if (!facts)
        throw new HoldfastError('not-found', `There is no certificate for ${name}, because no site has this domain.`);
      return await Promise.resolve(facts);
    },
  };

  async start(): Promise<void> {
    this.#stopping = false;
    await this.#prepare();
    await this.#status.start();
    this.#version = await nginxVersion();
    await this.#wakerServer.start();
    this.#nginx.adopt();
    this.#specs = await this.#remembered();
    await this.publish(this.#specs).catch((error: unknown) => {
      // What nginx serves stays in force; the control plane tells the wanted state again when it connects.
      if (!this.#nginx.alive()) throw error;
      this.#context.log.error({ err: error }, 'the configuration of nginx could not be written at the start');
    });
    this.#unanswered.start();
    this.#watch = setInterval(() => void this.#check(), WATCH_MS);
    this.#hangWatch = setInterval(() => {
      if (this.#stopping || !this.#wanted || !this.#nginx.alive()) return;
      if (this.#hung.turn(performance.now())) this.#status.changed();
    }, NGINX_TURN_MS);
    this.#renewal = setInterval(() => {
      if (this.#certificates?.renewalDue() !== true) return;
      this.publish(this.#specs).catch((error: unknown) =>
        this.#context.log.error({ err: error }, 'Certificates were not renewed.'),
      );
    }, RENEWAL_CHECK_MS);
  }

  async stop(how: 'stop' | 'leave'): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    clearInterval(this.#hangWatch);
    clearInterval(this.#renewal);
    await this.#publishing;
    if (how === 'stop') await this.#nginx.stop();
    await this.#wakerServer.stop();
    await this.#unanswered.stop();
    await this.#status.stop();
    this.#ready = false;
    if (how === 'stop') this.#held.clear();
  }

  ready(): boolean {
    return this.#ready && this.#nginx.alive() && !this.#hung.silent;
  }

  reopenLogs(): void {
    this.#nginx.signal('SIGUSR1');
  }

  hold(volume: string, held: boolean): void {
    // Volumes close one after the other when the platform stops; the next start must not find that.
    if (this.#stopping && held) return;
    this.#held.set(volume, held);
    this.#status.changed();
  }

  statusChanged(): void {
    this.#status.changed();
  }

  processes(): { name: string; pid: number }[] {
    return this.#nginx.processes().map((entry) => ({ name: entry.title, pid: entry.pid }));
  }

  /** Publications that come while one is under way become one: only the last state matters. */
  async publish(sites: readonly SiteSpec[]): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      const settle = [...(this.#next?.settle ?? []), { resolve, reject }];
      this.#next = { specs: [...sites], settle };
    });
    this.#publishing ??= this.#drain().finally(() => (this.#publishing = undefined));
    await done;
  }

  async #drain(): Promise<void> {
    while (this.#next) {
      // One turn of the event loop gathers what arrives together.
      await new Promise((resolve) => setImmediate(resolve));
      const publication = this.#next;
      this.#next = undefined;
      try {
        await this.#apply(publication.specs);
        for (const { resolve } of publication.settle) resolve();
      } catch (error) {
        for (const { reject } of publication.settle) reject(error);
      }
    }
  }

  async #apply(given: readonly SiteSpec[]): Promise<void> {
    const { configuration, layout, ids, log } = this.#context;
    const specs = checkedSpecs(given, configuration.domain, log);
    const certificates = await this.#ownCertificates();
    const platformNames = [configuration.domain, `www.${configuration.domain}`, '127.0.0.1', '::1'];
    const platformCertificate = await certificates.ensure(platformNames);
    const sites = await inTurns(specs, async (spec): Promise<GatewaySite> => {
      await ensureAccessLog(layout.logs, spec.account, spec.domain, ids.gateway).catch((error: unknown) =>
        log.error({ err: error, domain: spec.domain }, 'A site has no access log.'),
      );
      return {
        id: spec.id,
        account: spec.account,
        domain: spec.domain,
        volume: this.#waker.volumeOf?.(spec.account),
        enabled: spec.enabled,
        streams: spec.kind === 'command',
        forceHttps: spec.forceHttps,
        passwordLine: spec.protection === null ? undefined : passwordLine(spec.protection),
        certificate: await this.#certificateFor(spec),
      };
    });
    const wanted = renderConfiguration({
      gateway: layout.gateway,
      logs: layout.logs,
      run: configuration.runDirectory,
      controlSocket: layout.controlSocket,
      domain: configuration.domain,
      httpPort: configuration.httpPort,
      httpsPort: configuration.httpsPort,
      ipv6: hasIpv6(),
      http2Directive: compare(this.#version, [1, 25, 1]) >= 0,
      workers: Math.min(4, Math.max(2, availableParallelism())),
      // Some descriptors are for logs, pages and buffered bodies.
      connectionsPerWorker: Math.max(512, Math.min(16_384, openFileLimit() - 1_024)),
      platformCertificate,
      sites,
    });
    this.#specs = specs;
    this.#accounts = new Map(specs.map((spec) => [spec.domain, spec.account]));
    await this.#load(wanted);
    await writeIfChanged(this.#memory(), JSON.stringify(specs), { mode: 0o600 });
    const domains = new Set([configuration.domain, ...specs.map((spec) => spec.domain)]);
    await certificates.keepOnly(new Set([platformCertificate, ...sites.map((site) => site.certificate)]), domains);
  }

  /** A custom certificate that cannot be served (ended, say) must not take its site down: the platform's own steps in. */
  async #certificateFor(spec: SiteSpec): Promise<string> {
    const certificates = await this.#ownCertificates();
    if (spec.certificate !== null) {
      try {
        return await certificates.install(spec.domain, spec.certificate);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        this.#context.log.warn(
          { domain: spec.domain, problem: error.message },
          'The own certificate of a site is not served.',
        );
      }
    }
    return await certificates.ensure([spec.domain]);
  }

  /** Puts a configuration in force unless it is already, and returns when nginx answers with it and with no other. */
  async #load(wanted: GatewayConfiguration): Promise<void> {
    const { configuration, log } = this.#context;
    const running = this.#nginx.alive() ? await runningConfiguration(this.#socket) : undefined;
    if (running?.generation === wanted.generation) {
      this.#wanted = wanted;
      this.#ready = true;
      return;
    }
    const directory = join(this.#directory, 'conf', wanted.generation);
    await this.#write(directory, wanted);
    await this.#nginx.test(join(directory, 'nginx.conf'));
    const link = `${this.#nginx.configurationFile}.new`;
    await rm(link, { force: true });
    await symlink(`conf/${wanted.generation}/nginx.conf`, link);
    await rename(link, this.#nginx.configurationFile);
    this.#wanted = wanted;
    if (!this.#nginx.alive() && !this.#nginx.adopt()) {
      await this.#nginx.start();
    } else if (
      running &&
      (running.httpPort !== configuration.httpPort || running.httpsPort !== configuration.httpsPort)
    ) {
      log.info('The ports changed; nginx starts anew.');
      await this.#nginx.stop();
      await this.#nginx.start();
    } else {
      await this.#reload();
    }
    await until(
      async () => (await runningConfiguration(this.#socket))?.generation === wanted.generation,
      'nginx answering with its new configuration',
      20_000,
    );
    this.#ready = true;
    for (const name of await readdir(join(this.#directory, 'conf'))) {
      if (name !== wanted.generation) await rm(join(this.#directory, 'conf', name), { recursive: true, force: true });
    }
    log.info({ generation: wanted.generation, sites: this.#specs.length }, 'nginx serves a new configuration.');
  }

  /** Workers of before finish their requests; they have let go of the ports when their title says so. */
  async #reload(): Promise<void> {
    const before = new Set(this.#nginx.activeWorkers().map((entry) => entry.pid));
    this.#nginx.signal('SIGHUP');
    await until(
      () => {
        const now = this.#nginx.activeWorkers();
        return (now.length > 0 && !now.some((entry) => before.has(entry.pid))) || !this.#nginx.alive();
      },
      'The reload of nginx',
      20_000,
    );
  }

  async #write(directory: string, wanted: GatewayConfiguration): Promise<void> {
    const gid = this.#context.ids.gateway;
    await rm(directory, { recursive: true, force: true });
    await owned(directory, 0, gid, 0o750);
    await owned(join(directory, 'passwords'), 0, gid, 0o750);
    for (const [name, text] of wanted.files)
      await writeWhole(join(directory, name), text, { mode: 0o640, gid, durable: false });
  }

  /** Notices that nginx died and starts it again. A start that fails is tried again at the next look, a little later. */
  async #check(): Promise<void> {
    if (this.#stopping || this.#reviving || this.#publishing || !this.#wanted || this.#nginx.alive()) return;
    this.#reviving = true;
    this.#ready = false;
    const { log } = this.#context;
    try {
      log.error({ pid: this.#nginx.master?.pid }, 'nginx died and is started again.');
      await this.publish(this.#specs);
    } catch (error) {
      log.error({ err: error }, 'nginx did not start; it is tried again.');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    } finally {
      this.#reviving = false;
    }
  }

  #memory(): string {
    return join(this.#context.layout.agent, 'gateway', 'sites.json');
  }

  /** The sites served before, so that nginx answers right from its start and an adopted one is not emptied. */
  async #remembered(): Promise<SiteSpec[]> {
    try {
      return z.array(siteSpecSchema).parse(JSON.parse(await readFile(this.#memory(), 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#context.log.warn({ err: error }, 'The list of served sites cannot be read; it is made anew.');
      }
      return [];
    }
  }

  async #ownAuthority(): Promise<LocalAuthority> {
    const { layout, configuration } = this.#context;
    this.#authority ??= await openAuthority(join(layout.agent, 'authority'), configuration.instance);
    return this.#authority;
  }

  async #ownCertificates(): Promise<CertificateStore> {
    this.#certificates ??= new CertificateStore(
      join(this.#directory, 'certificates'),
      this.#context.ids.gateway,
      await this.#ownAuthority(),
    );
    return this.#certificates;
  }

  async #prepare(): Promise<void> {
    const { layout, ids, configuration } = this.#context;
    const gid = ids.gateway;
    await mkdir(join(layout.agent, 'gateway'), { recursive: true, mode: 0o700 });
    await mkdir(configuration.runDirectory, { recursive: true, mode: 0o755 });
    await owned(layout.gateway, 0, gid, 0o750);
    await owned(layout.logs, 0, gid, 0o710);
    this.#held.prepare();
    for (const name of ['conf', 'certificates', 'errors', 'acme', 'status'])
      await owned(join(layout.gateway, name), 0, gid, 0o750);
    for (const name of ['temp', 'logs']) await owned(join(layout.gateway, name), gid, gid, 0o750);
    await mkdir(join(layout.gateway, 'pages'), { recursive: true, mode: 0o755 });
    await ensureSharedMount(layout.sites);
    await owned(dirname(this.#socket), gid, gid, 0o700);
    for (const name of Object.keys(PAGES) as PageName[]) {
      await writeIfChanged(join(layout.gateway, 'errors', `${name}.html`), renderPage(name, this.#statusUrl), {
        mode: 0o640,
        gid,
      });
    }
    const authority = await this.#ownAuthority();
    await writeIfChanged(join(layout.gateway, 'authority.pem'), authority.certificatePem, { mode: 0o644 });
    const system = existsSync(SYSTEM_BUNDLE) ? readFileSync(SYSTEM_BUNDLE, 'utf8') : '';
    await writeIfChanged(join(layout.gateway, 'ca-bundle.pem'), `${system}\n${authority.certificatePem}`, {
      mode: 0o644,
    });
  }
}

/** Does the same for each of many, a handful at a time, and keeps their order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += 16) {
    results.push(...(await Promise.all(items.slice(at, at + 16).map(work))));
  }
  return results;
}

async function owned(directory: string, uid: number, gid: number, mode: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chown(directory, uid, gid);
  await chmod(directory, mode);
}

function hasIpv6(): boolean {
  try {
    return readFileSync('/proc/net/if_inet6', 'latin1').trim() !== '';
  } catch {
    return false;
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < b.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
