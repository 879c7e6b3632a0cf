import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { idsOf, layoutOf, readConfiguration, type Configuration } from '../src/runtime/config.ts';
import { runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';
import { readRecord } from '../src/runtime/process-record.ts';

const ROOT = resolve(import.meta.dirname, '..');

/** A free TCP port; taken from the kernel, so two tests never ask for the same one. */
export async function freePort(): Promise<number> {
  return await new Promise((done, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? done(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface CallOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  deadlineMs?: number;
}

/** One platform in a directory of its own, started as a newcomer starts it: with `npm start`. */
export class Platform {
  readonly home: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly configuration: Configuration;
  readonly environment: NodeJS.ProcessEnv;
  output = '';
  #child: ChildProcess | undefined;

  private constructor(home: string, httpPort: number, httpsPort: number) {
    this.home = home;
    this.httpPort = httpPort;
    this.httpsPort = httpsPort;
    this.environment = {
      ...process.env,
      HOLDFAST_HOME: home,
      HOLDFAST_HTTP_PORT: String(httpPort),
      HOLDFAST_HTTPS_PORT: String(httpsPort),
      HOLDFAST_DOMAIN: 'localhost',
    };
    delete this.environment['HOLDFAST_DATABASE_URL'];
    this.configuration = readConfiguration(this.environment);
  }

  /** A platform that has not been started. Its home lies on a real disk unless a test asks for another: /tmp may be a small tmpfs. */
  static async make(prefix = '/var/tmp/holdfast-e2e-'): Promise<Platform> {
    return new Platform(mkdtempSync(prefix), await freePort(), await freePort());
  }

  get layout(): ReturnType<typeof layoutOf> {
    return layoutOf(this.configuration);
  }

  /** Starts it and waits for the line that begins with `ready `. */
  async start(): Promise<void> {
    this.output = '';
    const log = join(this.home, 'start.out');
    const file = openSync(log, 'w');
    const child = spawn('npm', ['start', '--silent'], {
      cwd: ROOT,
      env: this.environment,
      stdio: ['ignore', file, file],
      detached: true,
    });
    closeSync(file);
    this.#child = child;
    let ended: string | undefined;
    child.on('exit', (code, signal) => {
      ended = `npm start ended (${signal ?? String(code)})`;
    });
    const read = (): string => readFileSync(log, 'utf8');
    await until(() => ended !== undefined || /^ready /m.test(read()), 'the line "ready"', 240_000, 50).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${read()}\n${this.logs()}`, { cause: error });
      },
    );
    this.output = read();
    if (ended !== undefined && !/^ready /m.test(this.output))
      throw new Error(`${ended}:\n${this.output}\n${this.logs()}`);
  }

  /** The end of the platform's own logs, for a failure message. */
  logs(): string {
    const tail = (path: string): string => {
      try {
        return `--- ${path}\n${readFileSync(path, 'utf8').split('\n').slice(-25).join('\n')}`;
      } catch {
        return `--- ${path}: none`;
      }
    };
    return [join(this.home, 'log/agent.log'), join(this.home, 'log/control.log')].map(tail).join('\n');
  }

  /** The one-time password that the first start printed. */
  get oneTimePassword(): string {
    const match = /^One-time password\s+(\S+)/m.exec(this.output);
    if (match?.[1] === undefined) throw new Error(`no one-time password was printed:\n${this.output}`);
    return match[1];
  }

  /** Everything that `npm start` has said since it was started. */
  read(): string {
    return readFileSync(join(this.home, 'start.out'), 'utf8');
  }

  /** Ctrl-C, and waits for the end. Its exit code; 0 when it did not run. */
  async stop(): Promise<number | null> {
    const record = readRecord(join(this.configuration.runDirectory, 'supervisor.json'));
    if (record) process.kill(record.pid, 'SIGINT');
    const child = this.#child;
    if (child !== undefined) {
      await until(() => child.exitCode !== null || child.signalCode !== null, 'the end of npm start', 120_000, 50);
    }
    this.#child = undefined;
    return child === undefined ? 0 : child.exitCode;
  }

  /** pid of one of the platform's own processes. */
  pidOf(name: 'supervisor' | 'agent' | 'control' | 'nginx'): number {
    const file =
      name === 'nginx'
        ? join(this.layout.gateway, 'nginx.json')
        : join(this.configuration.runDirectory, `${name}.json`);
    const record = readRecord(file);
    if (record === undefined) throw new Error(`${name} is not running`);
    return record.pid;
  }

  /** Every process that belongs to this instance: those that have its home or run directory in their command or cgroup. */
  processes(): number[] {
    const found: number[] = [];
    const ids = idsOf(this.configuration.instance);
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
      try {
        const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
        const cgroup = readFileSync(`/proc/${entry}/cgroup`, 'utf8');
        const environment = readFileSync(`/proc/${entry}/environ`, 'utf8');
        const executable = readlinkSync(`/proc/${entry}/exe`);
        const user = statSync(`/proc/${entry}`).uid;
        const ours =
          (user >= ids.base && user <= ids.lastAccount) ||
          command.includes(this.home) ||
          command.includes(this.configuration.runDirectory) ||
          cgroup.includes(this.configuration.instance) ||
          (environment.includes(`HOLDFAST_HOME=${this.home}\0`) && !executable.includes('chrom'));
        if (ours) found.push(Number(entry));
      } catch {
        continue; // Ended while we looked, or a kernel thread.
      }
    }
    return found;
  }

  /** kill -9 of every process of this instance, until none is left: what a power cut leaves behind. */
  async powerCut(): Promise<void> {
    await until(
      () => {
        const left = this.processes();
        for (const pid of left) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            continue; // Already gone.
          }
        }
        return left.length === 0;
      },
      'the end of every process',
      60_000,
      50,
    );
    this.#child = undefined;
  }

  /** Stops it however it is, and removes everything it made on this machine. */
  async remove(): Promise<void> {
    try {
      await this.stop();
    } finally {
      await this.powerCut();
      const mounts = readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[1] ?? '')
        .filter((path) => path.startsWith(`${this.home}/`) || path.startsWith(`${this.configuration.runDirectory}/`))
        .reverse();
      for (const mount of mounts) await runCommand('umount', ['-l', mount], { deadlineMs: 20_000 });
      const loops = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], {
        deadlineMs: 20_000,
      });
      for (const line of loops.stdout.split('\n')) {
        const [name, file] = line.trim().split(/\s+/);
        if (name && file?.startsWith(`${this.home}/`))
          await runCommand('losetup', ['-d', name], { deadlineMs: 20_000 });
      }
      rmSync(this.configuration.runDirectory, { recursive: true, force: true });
      rmSync(this.home, { recursive: true, force: true });
    }
  }

  /** Runs the `holdfast` command against this platform. */
  async holdfast(...arguments_: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    return await runCommand(join(ROOT, 'bin/holdfast'), arguments_, {
      deadlineMs: 180_000,
      environment: this.environment,
      directory: ROOT,
    });
  }

  /** The same, for a command that must succeed and prints JSON. */
  async holdfastJson<T>(...arguments_: string[]): Promise<T> {
    const result = await this.holdfast(...arguments_, '--json');
    if (result.code !== 0)
      throw new Error(`holdfast ${arguments_.join(' ')}: ${result.stderr}${result.stdout}\n${this.logs()}`);
    return JSON.parse(result.stdout) as T;
  }

  /** One request over HTTPS with the platform's own authority trusted, to any host name it serves. */
  async request(host: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const settings: RequestOptions = {
      host: '127.0.0.1',
      port: this.httpsPort,
      servername: host,
      ca: readFileSync(join(this.layout.gateway, 'authority.pem')),
      path,
      method: options.method ?? 'GET',
      headers: { host: `${host}:${this.httpsPort}`, ...options.headers },
      agent: false,
      signal: AbortSignal.timeout(options.deadlineMs ?? 60_000),
    };
    return await new Promise<Answer>((done, reject) => {
      const call = httpsRequest(settings, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          done({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      call.on('error', reject);
      call.end(options.body);
    });
  }

  /** A call of the public API with an account's token. */
  async api(token: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return await this.request('www.localhost', `/api/${path}`, {
      ...options,
      headers: { authorization: `Token ${token}`, ...options.headers },
    });
  }

  /** The same with a JSON body. */
  async apiJson(token: string, path: string, method: string, body: unknown): Promise<Answer> {
    return await this.api(token, path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  /** Writes a file of a member through the public API. */
  async writeFile(account: { username: string; api_token: string }, path: string, content: string): Promise<void> {
    const boundary = 'holdfastboundary7d1f';
    const body = `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n\r\n${content}\r\n--${boundary}--\r\n`;
    const answer = await this.api(account.api_token, `v0/user/${account.username}/files/path${path}`, {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body,
    });
    if (answer.status !== 200 && answer.status !== 201)
      throw new Error(`writing ${path}: ${answer.status} ${answer.text}`);
  }

  /** A new account with its secrets. */
  async account(name: string, plan = 'standard'): Promise<{ username: string; password: string; api_token: string }> {
    return await this.holdfastJson('account', 'create', name, '--plan', plan);
  }

  /** Makes a WSGI site of a member with this code and waits until it answers. */
  async wsgiSite(account: { username: string; api_token: string }, code: string): Promise<string> {
    const domain = `${account.username}.localhost`;
    const base = `v0/user/${account.username}/webapps/`;
    const pythons = await this.apiJson(account.api_token, base, 'POST', {
      domain_name: domain,
      python_version: await this.python(),
    });
    if (pythons.status !== 201 && pythons.status !== 200)
      throw new Error(`creating ${domain}: ${pythons.status} ${pythons.text}`);
    await this.writeFile(account, `/var/www/${domain.replaceAll('.', '_')}_wsgi.py`, code);
    const reload = await this.api(account.api_token, `${base}${domain}/reload/`, { method: 'POST' });
    if (reload.status !== 200) throw new Error(`reloading ${domain}: ${reload.status} ${reload.text}`);
    return domain;
  }

  /** Replaces the code of a WSGI site and reloads it. */
  async wsgiSiteReplace(account: { username: string; api_token: string }, domain: string, code: string): Promise<void> {
    await this.writeFile(account, `/var/www/${domain.replaceAll('.', '_')}_wsgi.py`, code);
    const reload = await this.api(account.api_token, `v0/user/${account.username}/webapps/${domain}/reload/`, {
      method: 'POST',
    });
    if (reload.status !== 200) throw new Error(`reloading ${domain}: ${reload.status} ${reload.text}`);
  }

  #python: string | undefined;
  /** The system's Python in the API's form: python311. */
  async python(): Promise<string> {
    if (this.#python === undefined) {
      const version = await runCommand(
        '/usr/bin/python3',
        ['-c', 'import sys; print("python%d%d" % sys.version_info[:2])'],
        { deadlineMs: 20_000 },
      );
      this.#python = version.stdout.trim();
    }
    return this.#python;
  }
}
