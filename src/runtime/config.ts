import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { HoldfastError } from '../protocol/errors.ts';

/** Where everything of one instance lives, and on which ports it answers. Read once, from the environment. */
export interface Configuration {
  /** HOLDFAST_HOME, absolute and without symbolic links. Holds all state that must survive a reboot. */
  home: string;
  /** 8 hexadecimal characters that tell instances on one machine apart; derived from home. */
  instance: string;
  /** Sockets and pid records; a tmpfs on most machines, made anew after a reboot. Short, because socket paths are. */
  runDirectory: string;
  httpPort: number;
  httpsPort: number;
  /** Suffix of the members' own domains, and the platform's own address. */
  domain: string;
  /** PostgreSQL instead of SQLite when set. */
  databaseUrl: string | undefined;
  /** How fast a volume is copied onto a new disk, bytes a second; 0: as fast as its disks can; auto: as fast as others do not feel. */
  rebuildLimit: number | 'auto';
  /** The repository this program runs from. */
  source: string;
  version: string;
}

const DEFAULT_HOME = '/var/lib/holdfast';

function portFrom(environment: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new HoldfastError('input-invalid', `${name}=${text} is not a port. Use a number from 1 to 65535.`);
  }
  return port;
}

/** HOLDFAST_REBUILD_LIMIT: auto, none, or MiB a second. */
function rebuildLimitFrom(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  if (text === 'none') return 0;
  const mebibytes = Number(text);
  if (!Number.isInteger(mebibytes) || mebibytes < 1 || mebibytes > 1024 * 1024)
    throw new HoldfastError(
      'input-invalid',
      `HOLDFAST_REBUILD_LIMIT=${text} is not a limit. Use auto, none, or whole MiB a second, such as 50.`,
    );
  return mebibytes * 1024 ** 2;
}

/** The setting that is read as this limit. */
export function rebuildSetting({ rebuildLimit }: Pick<Configuration, 'rebuildLimit'>): string {
  if (rebuildLimit === 'auto') return 'auto';
  return rebuildLimit === 0 ? 'none' : String(rebuildLimit / 1024 ** 2);
}

export const SOURCE_DIRECTORY = resolve(import.meta.dirname, '../..');

/** A path without symbolic links, as the kernel names what is mounted there; what of it does not exist yet stays as it is. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const above = dirname(path);
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP')
      throw new HoldfastError('input-invalid', `${path} cannot be reached: its symbolic links lead in a circle.`);
    if (code !== 'ENOENT' || above === path) return path;
    return join(withoutLinks(above), basename(path));
  }
}

/** Reads the configuration. Throws `input-invalid` with a sentence for a person when a value cannot be used. */
export function readConfiguration(environment: NodeJS.ProcessEnv = process.env): Configuration {
  const home = withoutLinks(resolve(environment['HOLDFAST_HOME'] || DEFAULT_HOME));
  const domain = (environment['HOLDFAST_DOMAIN'] || 'localhost').toLowerCase();
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain))
    throw new HoldfastError('input-invalid', `HOLDFAST_DOMAIN=${domain} is not a domain name.`);
  const instance = createHash('sha256').update(home).digest('hex').slice(0, 8);
  const manifest = JSON.parse(readFileSync(join(SOURCE_DIRECTORY, 'package.json'), 'utf8')) as { version: string };
  return {
    home,
    instance,
    runDirectory: join('/run/holdfast', instance),
    httpPort: portFrom(environment, 'HOLDFAST_HTTP_PORT', 8080),
    httpsPort: portFrom(environment, 'HOLDFAST_HTTPS_PORT', 8443),
    domain,
    databaseUrl: environment['HOLDFAST_DATABASE_URL'] || undefined,
    rebuildLimit: rebuildLimitFrom(environment['HOLDFAST_REBUILD_LIMIT'] || 'auto'),
    source: SOURCE_DIRECTORY,
    version: manifest.version,
  };
}

/**
 * The layout. One place, so that "who may read this" can be answered from it.
 *
 *   <home>/version.json          format of the state; a newer one is refused
 *   <home>/control/              0700 control uid: SQLite, the control plane's TLS key, secrets
 *   <home>/agent/                0700 root: desired state, journals, the agent's TLS key, authority keys
 *   <home>/gateway/              0750 root:gateway gid: nginx.conf, certificates, pages/ (built web pages), logs
 *   <home>/logs/                 0710 root:gateway gid: nginx passes through, others cannot come near
 *   <home>/logs/<account>/       0751 root:account gid: <domain>.access.log ... seen as /var/log inside the sandbox
 *   <home>/volumes/<name>/       0700 root: disks/*.img, valve/, mnt/ (the mount; nothing shared looks inside)
 *   <run>/supervisor-pulse.json  0644 root: the supervisor's heartbeat, and who does not answer it
 *   <run>/agent.sock             0660 root:control gid: the agent's RPC (mutual TLS)
 *   <run>/control/control.sock   0660 control:gateway gid: the control plane's HTTP, nginx in front
 *   <run>/wake/wake.sock         gateway asks the agent to wake a site
 *   <run>/s/<site>/<generation>/ 2770 account:gateway gid: app.sock; `current` is a symlink to a generation
 */
export interface Layout {
  versionFile: string;
  control: string;
  agent: string;
  gateway: string;
  logs: string;
  volumes: string;
  agentSocket: string;
  controlSocket: string;
  wakeDirectory: string;
  sites: string;
  /** What the public status page was last made from. */
  statusFacts: string;
}

export function layoutOf(configuration: Pick<Configuration, 'home' | 'runDirectory'>): Layout {
  const { home, runDirectory } = configuration;
  return {
    versionFile: join(home, 'version.json'),
    control: join(home, 'control'),
    agent: join(home, 'agent'),
    gateway: join(home, 'gateway'),
    logs: join(home, 'logs'),
    volumes: join(home, 'volumes'),
    agentSocket: join(runDirectory, 'agent.sock'),
    controlSocket: join(runDirectory, 'control', 'control.sock'),
    wakeDirectory: join(runDirectory, 'wake'),
    sites: join(runDirectory, 's'),
    statusFacts: join(home, 'agent', 'gateway', 'status-facts.json'),
  };
}

/**
 * Unix ids of one instance: a block of 16,384 made from its name, so that two instances on one machine share none and no
 * entry in /etc/passwd is needed. Offsets: 0 control, 1 gateway, 2 spare ..., accounts from 100.
 */
export interface InstanceIds {
  base: number;
  control: number;
  gateway: number;
  firstAccount: number;
  lastAccount: number;
}

export function idsOf(instance: string): InstanceIds {
  // Above 0x6FFFFFFF, the end of the ranges systemd and container managers hand out (systemd's UIDS-GIDS), and below 2^31.
  const slot = Number.parseInt(instance.slice(0, 4), 16) % 16000;
  const base = 0x70010000 + slot * 16384;
  return { base, control: base, gateway: base + 1, firstAccount: base + 100, lastAccount: base + 16383 };
}
