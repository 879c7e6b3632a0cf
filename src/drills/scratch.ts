import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { layoutOf, readConfiguration, rebuildSetting, type Configuration } from '../runtime/config.ts';
import { clockOffsetFile } from '../runtime/clock-offset.ts';
import { until } from '../runtime/deadline.ts';
import { Platform } from './platform.ts';
import { mountSmallDisk } from './small-disk.ts';

const START_DEADLINE_MS = 240_000;
/** A process of the platform that had to be started again this often will not come up. */
const FALLS = 5;
const LAST_LINES = 12;
const VOLUME_DEADLINE_MS = 120_000;

/** A free TCP port, taken from the kernel. */
async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no free port')),
      );
    });
  });
}

/** What a drill may need of its own platform. */
export interface PlatformNeeds {
  /** It has a disk of its own with so many bytes; undefined: its home is a directory like any other. */
  homeBytes?: number;
  /** Its valves can slow reads alone. */
  slowsReads?: boolean;
}

/** A whole platform of a drill's own beside the running one: own home, ports, users, volumes. */
export class Scratch {
  readonly platform: Platform;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  private constructor(environment: NodeJS.ProcessEnv, logFile: string) {
    this.#environment = environment;
    this.#logFile = logFile;
    this.platform = new Platform(readConfiguration(environment));
  }

  static homeIn(directory: string): string {
    return join(directory, 'platform');
  }

  static async prepare(
    directory: string,
    main: Configuration,
    reaction: boolean,
    { homeBytes, slowsReads }: PlatformNeeds,
  ): Promise<Scratch> {
    const home = Scratch.homeIn(directory);
    if (homeBytes !== undefined) await mountSmallDisk(home, homeBytes);
    mkdirSync(home, { recursive: true, mode: 0o711 });
    const environment: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      HOLDFAST_HOME: home,
      HOLDFAST_HTTP_PORT: String(await freePort()),
      HOLDFAST_HTTPS_PORT: String(await freePort()),
      HOLDFAST_DOMAIN: 'localhost',
      HOLDFAST_CLOCK_OFFSET: 'follow',
      HOLDFAST_REBUILD_LIMIT: rebuildSetting(main),
      ...(slowsReads ? { HOLDFAST_SLOW_READS: 'follow' } : {}),
      ...(reaction ? {} : { HOLDFAST_REACTION: 'off' }),
    };
    // The pages are the same as the running platform's: building them again would cost more than all the rest.
    const pages = join(layoutOf(main).gateway, 'pages');
    if (existsSync(join(pages, '.built-from'))) cpSync(pages, join(home, 'gateway', 'pages'), { recursive: true });
    return new Scratch(environment, join(directory, 'platform.log'));
  }

  /** Starts it and waits until it says that it is ready. */
  async start(signal: AbortSignal): Promise<void> {
    const file = openSync(this.#logFile, 'w', 0o600);
    const child = spawn(join(this.platform.configuration.source, 'bin/holdfast'), ['start'], {
      cwd: '/',
      env: this.#environment,
      stdio: ['ignore', file, file],
      detached: true, // Its own session: Ctrl-C reaches the runner, which stops it in order.
    });
    closeSync(file);
    this.#child = child;
    let ended: string | undefined;
    child.on('error', (error) => (ended = error.message));
    child.on('exit', (code, how) => (ended = `it ended (${how ?? String(code)})`));
    const output = (): string => readFileSync(this.#logFile, 'utf8');
    const hopeless = (): boolean => output().split('starting it again').length > FALLS;
    await until(
      () => signal.aborted || ended !== undefined || hopeless() || /^ready /m.test(output()),
      'the start of the platform for the drill',
      START_DEADLINE_MS,
      50,
    );
    signal.throwIfAborted();
    if (/^ready /m.test(output())) return;
    const why = ended ?? 'one of its processes ends again and again';
    const lines = output().trimEnd().split('\n').slice(-LAST_LINES).join('\n');
    throw new Error(`The platform for the drill did not start: ${why}\n${lines}`);
  }

  /** The names of the volumes that are there now. */
  async volumes(): Promise<string[]> {
    return (await this.platform.operator('volumes.list')).map((volume) => volume.name);
  }

  async remove(volumes: readonly string[]): Promise<void> {
    await Promise.all(volumes.map((volume) => removeVolume(this.platform, volume)));
  }

  /** The operator's, as the first start said it. */
  get firstPassword(): string {
    const found = /^One-time password\s+(\S+)/m.exec(readFileSync(this.#logFile, 'utf8'))?.[1];
    if (found === undefined) throw new Error('The platform of the drill said no one-time password.');
    return found;
  }

  /** Sets the time of day of its processes off by so many milliseconds, as if its machine's clock had been set. */
  setClock(offsetMs: number): void {
    writeFileSync(clockOffsetFile(this.platform.configuration.runDirectory), String(offsetMs), { mode: 0o644 });
  }

  get ended(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** Makes volumes on image files; at once, because making one is mostly waiting. */
export async function makeVolumes(platform: Platform, names: readonly string[], imageBytes: number): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const operation = await platform.operator('volumes.create', { body: { name, disks: [], imageBytes } });
      await finished(platform, operation.id, `making the volume ${name}`);
    }),
  );
}

export async function removeVolume(platform: Platform, name: string): Promise<void> {
  // One that has just been made is open a moment before that operation ends.
  await until(
    async () =>
      (await platform.operator('operations.list')).every(
        ({ subject, state }) => subject !== name || state !== 'running',
      ),
    `the end of other work on the volume ${name}`,
    VOLUME_DEADLINE_MS,
    100,
  );
  const operation = await platform.operator('volumes.delete', { params: { name }, query: { confirm: name } });
  await finished(platform, operation.id, `removing the volume ${name}`);
}

async function finished(platform: Platform, id: string, what: string): Promise<void> {
  await until(
    async () => {
      const found = (await platform.operator('operations.list')).find((entry) => entry.id === id);
      if (found?.state === 'failed') throw new Error(`${what} failed: ${found.error ?? 'unknown'}`);
      return found?.state === 'done';
    },
    what,
    VOLUME_DEADLINE_MS,
    100,
  );
}
