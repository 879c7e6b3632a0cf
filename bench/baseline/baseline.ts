import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../src/runtime/command.ts';
import { until } from '../../src/runtime/deadline.ts';
import { send, type Target } from '../measure/http.ts';
import { DEFAULT_PLANS } from '../../src/model/plans.ts';
import { OwnProcess } from '../measure/processes.ts';
import { ProcessorShare } from './share.ts';

/** Debian's user for web servers: nginx's workers and the applications run as it. */
const USER = 'www-data';
export const APPS = ['flask', 'django'] as const;
export type App = (typeof APPS)[number];
/** The plan of the members whose sites are compared with this side. */
export const PAIR_PLAN = 'standard';
const MODULES: Readonly<Record<App, string>> = { flask: 'flask_app:app', django: 'djangosite.wsgi:application' };
/** Directory with the sources of both applications. */
export const APPS_DIRECTORY = join(import.meta.dirname, '../apps');

function fill(template: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(join(import.meta.dirname, template), 'utf8').replaceAll(/@([A-Z_]+)@/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${template} wants ${name}, which nobody gave.`);
    return value;
  });
}

/** The applications and configuration files of the hand-written side, in a directory of their own. */
export class Baseline implements AsyncDisposable {
  readonly directory: string;
  readonly #stack = new AsyncDisposableStack();

  readonly #instance: string;
  #share: ProcessorShare | undefined;

  /** `instance` is the platform's: see ProcessorShare. */
  constructor(directory: string, instance: string) {
    this.directory = directory;
    this.#instance = instance;
    mkdirSync(join(directory, 'apps'), { recursive: true });
    mkdirSync(join(directory, 'run'), { recursive: true });
    cpSync(APPS_DIRECTORY, join(directory, 'apps'), { recursive: true });
    for (const path of [directory, join(directory, 'apps'), join(directory, 'run')]) chmodSync(path, 0o755);
  }

  /** Compiles the applications' bytecode once, as an installation does: www-data may not write it. */
  async prepare(): Promise<void> {
    await mustRun('/usr/bin/python3', ['-m', 'compileall', '-q', join(this.directory, 'apps')], { deadlineMs: 60_000 });
    await mustRun(
      'openssl',
      ['req', '-x509', '-nodes', '-days', '30', '-subj', '/CN=baseline', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
        '-keyout', join(this.directory, 'key.pem'), '-out', join(this.directory, 'certificate.pem')], // prettier-ignore
      { deadlineMs: 60_000 },
    );
  }

  /** uWSGI for one application. `listen` is uWSGI's word: `socket` behind nginx, `http-socket` to be asked directly. */
  async uwsgi(
    name: string,
    app: App,
    workers: number,
    listen: 'socket' | 'http-socket',
  ): Promise<{ process: OwnProcess; socket: string }> {
    const socket = join(this.directory, 'run', `${name}.sock`);
    const configuration = join(this.directory, `${name}.ini`);
    writeFileSync(
      configuration,
      fill('uwsgi.ini', {
        USER,
        WORKERS: String(workers),
        LISTEN: listen,
        SOCKET: socket,
        DIRECTORY: join(this.directory, 'apps'),
        MODULE: MODULES[app],
      }),
    );
    await mustRun('chown', [USER, join(this.directory, 'run')], { deadlineMs: 10_000 });
    rmSync(socket, { force: true });
    const logFile = join(this.directory, `${name}.log`);
    const process = await OwnProcess.start('/usr/bin/uwsgi', ['--ini', configuration], {
      logFile,
      stopSignal: 'SIGTERM',
    });
    this.#stack.use(process);
    this.#share ??= new ProcessorShare(this.#instance, DEFAULT_PLANS[PAIR_PLAN]?.cpuWeight ?? 300);
    this.#share.join(process.pid);
    return { process, socket };
  }

  /** Waits until a site answers 200; asks every `everyMs`. Throws with the end of its log when it does not. */
  async answers(name: string, target: Target, everyMs = 20): Promise<void> {
    const socketPath = 'socketPath' in target.at ? target.at.socketPath : undefined;
    const answering = async (): Promise<boolean> => {
      // A look at the directory is cheaper than a request that must fail, and asking often makes the figure exact.
      if (socketPath !== undefined && !existsSync(socketPath)) return false;
      const answer = await send(target, '/', { deadlineMs: 20_000 }).catch(() => undefined);
      return answer?.status === 200;
    };
    await until(answering, `an answer of the hand-written ${name}`, 60_000, everyMs).catch((error: unknown) => {
      const log = join(this.directory, `${name}.log`);
      throw new Error(`${String(error)}\n${existsSync(log) ? readFileSync(log, 'utf8').slice(-3000) : ''}`, {
        cause: error,
      });
    });
  }

  /** nginx in front of these sites, each on a uWSGI socket. */
  async nginx(
    ports: { http: number; https: number },
    sites: readonly { domain: string; socket: string }[],
  ): Promise<OwnProcess> {
    const configuration = join(this.directory, 'nginx.conf');
    const servers = sites
      .map((site) =>
        fill('server.conf', {
          HTTP_PORT: String(ports.http),
          HTTPS_PORT: String(ports.https),
          DOMAIN: site.domain,
          SOCKET: site.socket,
        }),
      )
      .join('');
    writeFileSync(configuration, fill('nginx.conf', { USER, DIRECTORY: this.directory, SERVERS: servers }));
    const logFile = join(this.directory, 'nginx.log');
    const nginx = await OwnProcess.start('/usr/sbin/nginx', ['-c', configuration], { logFile, stopSignal: 'SIGTERM' });
    return this.#stack.use(nginx);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#stack.disposeAsync();
      this.#share?.[Symbol.dispose]();
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}
