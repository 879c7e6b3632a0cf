import { spawn } from 'node:child_process';
import { constants, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import { runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { writeRecord } from '../../runtime/process-record.ts';
import type { Logger } from '../../runtime/log.ts';
import { isAlive, listenersOn, processesOf, readProcess, type ProcessEntry } from './process-table.ts';

export interface NginxPlace {
  /** <home>/gateway, <home>/logs, the run directory: all that nginx sees beside the system's programs. */
  gateway: string;
  logs: string;
  run: string;
  uid: number;
  ports: () => readonly number[];
  log: Logger;
}

const WANTED_OPEN_FILES = 65_536;

/** Files and connections one nginx process may have open: what we want, or what this machine allows even root. */
export function openFileLimit(): number {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return Math.min(WANTED_OPEN_FILES, hard === undefined ? WANTED_OPEN_FILES : Number(hard));
}

/** Arguments that bind a path into the sandbox with parents everyone may pass: the real ones may be 0700 to others. */
function bind(kind: '--bind' | '--ro-bind', path: string): string[] {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== '/'; parent = dirname(parent)) parents.unshift(parent);
  return [...parents.flatMap((parent) => ['--perms', '0755', '--dir', parent]), kind, path, path];
}

/** /bin, /lib and so on as the system has them: links into /usr, or directories of their own. */
function systemDirectories(): string[] {
  return ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].flatMap((path) => {
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (!entry) return [];
    return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : ['--ro-bind', path, path];
  });
}

/**
 * The command that runs nginx: root prepares a mount namespace that holds only what nginx needs (no home, no volume), then
 * drops to the gateway's uid. CAP_NET_BIND_SERVICE is kept only when a port below 1024 is wanted.
 */
export function nginxCommand(place: NginxPlace, arguments_: readonly string[]): [string, string[]] {
  const keep = place.ports().some((port) => port < 1024) ? '-all,+net_bind_service' : '-all';
  return [
    'prlimit',
    [
      `--nofile=${openFileLimit()}:${openFileLimit()}`,
      '--core=0:0',
      'bwrap',
      '--ro-bind',
      '/usr',
      '/usr',
      ...systemDirectories(),
      '--ro-bind-try',
      '/etc/ld.so.cache',
      '/etc/ld.so.cache',
      '--ro-bind-try',
      '/etc/ssl/openssl.cnf',
      '/etc/ssl/openssl.cnf',
      '--dev',
      '/dev',
      ...bind('--bind', place.gateway),
      ...bind('--bind', place.logs),
      ...bind('--bind', place.run),
      '--unshare-ipc',
      '--unshare-uts',
      '--chdir',
      '/',
      'setpriv',
      '--reuid',
      String(place.uid),
      '--regid',
      String(place.uid),
      '--clear-groups',
      '--no-new-privs',
      `--inh-caps=${keep}`,
      `--ambient-caps=${keep}`,
      `--bounding-set=${keep}`,
      'nginx',
      ...arguments_,
    ],
  ];
}

const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' };

/** The version of the installed nginx as numbers, e.g. [1, 22, 1]. */
export async function nginxVersion(): Promise<number[]> {
  const result = await runCommand('nginx', ['-v'], { deadlineMs: 10_000 });
  return (/nginx\/(\d+)\.(\d+)\.(\d+)/.exec(result.stderr)?.slice(1) ?? []).map(Number);
}

/** Says who holds a port that nginx needs. */
export function portInUse(port: number, owners: readonly (ProcessEntry | undefined)[]): HoldfastError {
  const names = owners.map((owner) =>
    owner ? `${owner.name} (process ${owner.pid})` : 'a process that cannot be seen from here',
  );
  return new HoldfastError(
    'port-in-use',
    `Port ${port} is used by ${names.join(', ')}. Stop it, or choose other ports with HOLDFAST_HTTP_PORT and HOLDFAST_HTTPS_PORT.`,
  );
}

/** nginx's processes of this instance, found by their uid, which belongs to this instance alone. */
export class NginxProcess {
  readonly #place: NginxPlace;
  #master: ProcessEntry | undefined;

  constructor(place: NginxPlace) {
    this.#place = place;
  }

  get configurationFile(): string {
    return join(this.#place.gateway, 'nginx.conf');
  }

  /** The master process, once started or adopted. */
  get master(): ProcessEntry | undefined {
    return this.#master;
  }

  alive(): boolean {
    return this.#master !== undefined && isAlive(this.#master);
  }

  /** Takes over the master that an earlier agent started. Returns whether there was one. */
  adopt(): boolean {
    this.#master = this.processes().find((entry) => entry.title.startsWith('nginx: master process'));
    if (!this.#master) return false;
    // For whoever wants to know the process without looking for it, such as host.status.
    const { pid, startTime } = this.#master;
    try {
      writeRecord(join(this.#place.gateway, 'nginx.json'), { pid, startTime });
    } catch (error) {
      this.#place.log.warn({ error }, 'which process nginx is could not be written down');
    }
    return true;
  }

  processes(): ProcessEntry[] {
    return processesOf(this.#place.uid).filter((entry) => entry.name === 'nginx');
  }

  /** The master and its workers, read without looking at every process of the machine. */
  family(): ProcessEntry[] {
    if (!this.#master || !isAlive(this.#master)) return [];
    const { pid } = this.#master;
    let children = '';
    try {
      children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    } catch {
      return []; // It ended while we looked: its death is noticed elsewhere.
    }
    return [pid, ...children.split(' ').filter(Boolean).map(Number)].flatMap((each) => readProcess(each) ?? []);
  }

  /** Workers that take new requests: not those that finish old ones before they end. */
  activeWorkers(): ProcessEntry[] {
    return this.processes().filter((entry) => entry.title === 'nginx: worker process');
  }

  /** Checks a configuration as nginx itself will see it. Throws `command-failed` with nginx's own words. */
  async test(configurationFile: string): Promise<void> {
    const [program, arguments_] = nginxCommand(this.#place, ['-t', '-q', '-c', configurationFile]);
    const result = await runCommand(program, arguments_, { deadlineMs: 30_000, environment: ENVIRONMENT });
    if (result.code !== 0) {
      throw new HoldfastError('command-failed', 'nginx refuses the new configuration; the one before stays in force.', {
        details: result.stderr.trim().split('\n').slice(-8),
      });
    }
  }

  /**
   * Starts nginx detached, so that it outlives the agent, and waits until its master runs. Workers whose master was killed
   * go on serving and hold the ports: they are asked to finish first. Throws `port-in-use`, or `command-failed` with
   * nginx's words.
   */
  async start(): Promise<void> {
    await this.#endOrphans();
    for (const port of this.#place.ports()) {
      const owners = listenersOn(port);
      if (owners.length > 0) throw portInUse(port, owners);
    }
    await rm(join(this.#place.run, 'g', 'internal.sock'), { force: true });
    const [program, arguments_] = nginxCommand(this.#place, ['-c', this.configurationFile]);
    const output = join(this.#place.gateway, 'logs', 'start.log');
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await open(output, flags, 0o640);
    let ended: string | undefined;
    try {
      const child = spawn(program, arguments_, {
        detached: true,
        stdio: ['ignore', file.fd, file.fd],
        cwd: '/',
        env: ENVIRONMENT,
      });
      child.on('error', (error) => (ended = error.message));
      child.on('exit', (code, signal) => (ended = `it ended with ${signal ?? code}`));
      child.unref();
      await until(
        () => ended !== undefined || (this.adopt() && this.activeWorkers().length > 0),
        'The start of nginx',
        20_000,
      );
    } finally {
      await file.close();
    }
    if (ended === undefined) return;
    for (const port of this.#place.ports()) {
      const owners = listenersOn(port);
      if (owners.length > 0) throw portInUse(port, owners);
    }
    const said = (await readFile(output, 'utf8')).trim().split('\n').slice(-8);
    throw new HoldfastError('command-failed', `nginx did not start: ${ended}.`, { details: said });
  }

  signal(name: NodeJS.Signals): void {
    if (this.#master && isAlive(this.#master)) process.kill(this.#master.pid, name);
  }

  /** Ends nginx: lets running requests finish for a moment, then closes what never ends by itself (events, websockets). */
  async stop(): Promise<void> {
    this.signal('SIGQUIT');
    if (await this.#gone(() => this.processes(), 1_500)) return;
    this.signal('SIGTERM');
    if (await this.#gone(() => this.processes(), 2_000)) return;
    for (const entry of this.processes()) kill(entry, 'SIGKILL');
    await this.#gone(() => this.processes(), 5_000);
  }

  async #endOrphans(): Promise<void> {
    const serving = (): ProcessEntry[] => this.activeWorkers();
    if (serving().length === 0) return;
    this.#place.log.warn(
      { pids: serving().map((entry) => entry.pid) },
      'nginx workers without a master are asked to finish.',
    );
    for (const entry of serving()) kill(entry, 'SIGQUIT');
    if (await this.#gone(serving, 2_000)) return;
    for (const entry of serving()) kill(entry, 'SIGKILL');
    await this.#gone(serving, 5_000);
  }

  async #gone(list: () => ProcessEntry[], milliseconds: number): Promise<boolean> {
    try {
      await until(() => list().length === 0, 'The end of nginx', milliseconds);
      return true;
    } catch {
      return false;
    }
  }
}

/** Sends a signal to one of nginx's processes; that it has just ended is no error. */
export function kill(entry: ProcessEntry, signal: NodeJS.Signals): void {
  try {
    process.kill(entry.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
