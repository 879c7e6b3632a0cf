import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, lchown, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import type { AgentEventBody } from '../../protocol/agent.ts';
import type { AccountSpec, SiteSpec } from '../../protocol/sites.ts';
import { idsOf, layoutOf, SOURCE_DIRECTORY, type Configuration } from '../../runtime/config.ts';
import type { AccountHome, AgentContext, StoragePart } from '../context.ts';
import { MemberPath } from '../member-path.ts';
import { createCgroups } from './cgroups.ts';
import { leadersOf } from './leaders.ts';
import { createRunDirectory } from './sites/records.ts';

/**
 * The ground of this part's contract tests: a home in a temporary directory, accounts whose directories are plain ones
 * there (the storage part has a suite of its own), everything else real. Used by tests only.
 */
export interface TestGround {
  context: AgentContext;
  storage: Pick<StoragePart, 'homeOf' | 'onVolumeChange'>;
  /** Where an account's directories are in the test's own home, which no disk is behind. */
  pathsOf(account: string): AccountPaths;
  events: AgentEventBody[];
  account(name: string, limits?: Partial<AccountSpec['limits']>): Promise<AccountSpec>;
  /** Writes a file of an account; `path` as the member sees it. */
  write(account: AccountSpec, path: string, content: string, modified?: Date): Promise<void>;
  /** Host ids of a site's processes inside its sandboxes, bwrap left out. */
  processesOf(site: SiteSpec): Promise<number[]>;
  /** Ends every process of this ground and removes its files. */
  close(): Promise<void>;
}

export function contextFor(home: string, events: AgentEventBody[] = []): AgentContext {
  const instance = createHash('sha256').update(home).digest('hex').slice(0, 8);
  const configuration: Configuration = {
    home,
    instance,
    runDirectory: join('/run/holdfast', instance),
    httpPort: 8080,
    httpsPort: 8443,
    domain: 'localhost',
    databaseUrl: undefined,
    rebuildLimit: 0,
    source: SOURCE_DIRECTORY,
    version: '0.0.0',
  };
  return {
    configuration,
    layout: layoutOf(configuration),
    ids: idsOf(instance),
    log: pino({ level: process.env['HOLDFAST_LOG_LEVEL'] ?? 'silent' }),
    emit: (event) => {
      events.push(event);
    },
  };
}

export function storageFor(home: string): Pick<StoragePart, 'homeOf' | 'onVolumeChange'> {
  return { homeOf: (account) => homeOf(home, account), onVolumeChange: () => undefined };
}

type AccountPaths = Record<'root' | 'home' | 'tmp' | 'www', string>;

function pathsOf(home: string, account: string): AccountPaths {
  const root = join(home, 'volumes', 'v1', account);
  return { root, home: join(root, 'home'), tmp: join(root, 'tmp'), www: join(root, 'www') };
}

function homeOf(home: string, account: string): AccountHome {
  const root = new MemberPath(pathsOf(home, account).root);
  return { volume: 'v1', root, home: root.below('home'), tmp: root.below('tmp'), www: root.below('www') };
}

export async function openTestGround(): Promise<TestGround> {
  const home = await mkdtemp('/var/tmp/holdfast-programs-');
  await chmod(home, 0o755);
  const events: AgentEventBody[] = [];
  const context = contextFor(home, events);
  let next = context.ids.firstAccount;
  await mkdir(context.layout.agent, { recursive: true, mode: 0o700 });

  const hostPath = (account: AccountSpec, path: string): string => {
    const its = pathsOf(home, account.name);
    const roots: [string, string][] = [
      [`/home/${account.name}`, its.home],
      ['/tmp', its.tmp],
      ['/var/www', its.www],
    ];
    const [inside, outside] = roots.find(([prefix]) => path.startsWith(`${prefix}/`)) ?? ['', its.root];
    return join(outside, path.slice(inside.length));
  };

  return {
    context,
    events,
    storage: storageFor(home),
    pathsOf: (account) => pathsOf(home, account),
    account: async (name, limits = {}) => {
      const account: AccountSpec = {
        name,
        uid: next++,
        volume: 'v1',
        limits: {
          diskBytes: 512 * 1024 ** 2,
          memoryBytes: 512 * 1024 ** 2,
          sites: 5,
          workers: 2,
          cpuSecondsPerDay: 100,
          consoles: 2,
          tasks: 2,
          alwaysOnTasks: 2,
          taskSeconds: 3600,
          stopGraceSeconds: 2,
          processes: 64,
          requestTimeoutSeconds: 300,
          idleSleepSeconds: 0,
          cpuWeight: 150,
          ...limits,
        },
      };
      const its = pathsOf(home, name);
      for (const directory of [its.home, its.tmp, its.www]) {
        await mkdir(directory, { recursive: true });
        await chown(directory, account.uid, account.uid);
        await chmod(directory, 0o700);
      }
      return account;
    },
    write: async (account, path, content, modified) => {
      const file = hostPath(account, path);
      const made: string[] = [file];
      for (let parent = dirname(file); !existsSync(parent); parent = dirname(parent)) made.push(parent);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
      for (const one of made) await lchown(one, account.uid, account.uid);
      if (modified !== undefined) await utimes(file, modified, modified);
    },
    processesOf: async (site) => {
      const cgroups = createCgroups(context.configuration.instance);
      const found: number[] = [];
      for (const { account, program } of await cgroups.list()) {
        if (program.startsWith(`site-${site.id}-`))
          found.push(...(await leadersOf(await cgroups.processes(account, program))));
      }
      return found;
    },
    close: async () => {
      const cgroups = createCgroups(context.configuration.instance);
      for (const { account, program } of await cgroups.list()) await cgroups.kill(account, program, 10_000);
      await cgroups.leave();
      const run = createRunDirectory(context.layout.sites);
      for (const site of await run.sites()) await run.removeSite(site);
      await rm(home, { recursive: true, force: true });
      await rm(context.configuration.runDirectory, { recursive: true, force: true });
    },
  };
}

let sites = 0;

export function siteSpec(account: AccountSpec, domain: string, change: Partial<SiteSpec> = {}): SiteSpec {
  sites += 1;
  return {
    id: createHash('sha256').update(`${domain}/${sites}`).digest('hex').slice(0, 12),
    account: account.name,
    domain,
    kind: 'wsgi',
    enabled: true,
    pythonVersion: '3.11',
    virtualenv: '',
    sourceDirectory: '',
    workingDirectory: '',
    command: '',
    forceHttps: false,
    protection: null,
    staticFiles: [],
    staticHeaders: [],
    stopFirst: false,
    workers: 1,
    certificate: null,
    revision: 1,
    ...change,
  };
}

export interface TestAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** One request over a site's current socket, as the gateway makes it: resolved through the symlink for each connection. */
export async function ask(
  context: AgentContext,
  site: SiteSpec,
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<TestAnswer> {
  const socketPath = join(context.layout.sites, site.id, 'current', 'app.sock');
  return await new Promise((resolve, reject) => {
    const outgoing = request(
      {
        socketPath,
        path,
        method: options.method ?? 'GET',
        agent: false,
        headers: { host: site.domain, connection: 'close', ...options.headers },
        timeout: 30_000,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${site.domain}${path} within 30 s`)));
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

/** What a site's log says, from the host. */
export async function logOf(context: AgentContext, site: SiteSpec, kind: 'error' | 'server'): Promise<string> {
  return await readFile(join(context.layout.logs, site.account, `${site.domain}.${kind}.log`), 'utf8');
}

/** Ids of the generations that have a process, from their cgroups. */
export async function livingGenerations(context: AgentContext, site: SiteSpec): Promise<number[]> {
  const cgroups = createCgroups(context.configuration.instance);
  const found: number[] = [];
  for (const { account, program } of await cgroups.list()) {
    if (!program.startsWith(`site-${site.id}-`)) continue;
    if ((await cgroups.processes(account, program)).length > 0) found.push(Number(program.split('-')[2]));
  }
  return found.sort((a, b) => a - b);
}

export const runDirectoryOf = (context: AgentContext): ReturnType<typeof createRunDirectory> =>
  createRunDirectory(context.layout.sites);
