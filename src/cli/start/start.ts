import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../protocol/browser.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { idsOf, layoutOf, rebuildSetting, type Configuration } from '../../runtime/config.ts';
import { until } from '../../runtime/deadline.ts';
import { endRecorded, readRecord, recordOf, writeRecord } from '../../runtime/process-record.ts';
import { api } from '../api.ts';
import { checkMachine, checkPorts, checkState, userOf } from './checks.ts';
import { endLeftover, listensOn, OwnedChild } from './child.ts';
import { assertComingUp } from './coming-up.ts';
import { controlCommand } from './control-sandbox.ts';
import { makeDirectories } from './directories.ts';
import { checkFileSystem, checkHome } from './home.ts';
import { whatIsLeft } from './left.ts';
import { giveBackToOwners } from './owners.ts';
import { installPackages, PLATFORM_PACKAGES } from './packages.ts';
import { buildPages } from './pages.ts';
import { readyLines } from './ready.ts';
import { ServiceWatchdog } from './service-watchdog.ts';
import { Watches } from './watches.ts';

const DEFAULT_IMAGE_BYTES = 8 * 1024 ** 3;
/** Programs are drained, volumes closed: each has its own deadline inside; this bounds the sum. */
const STOP_DEADLINE_MS = 90_000;
const MAKE_DEADLINE_MS = 120_000;
const READY_DEADLINE_MS = 180_000;

export interface StartOptions {
  say: (line: string) => void;
  /** Resolves when the platform shall stop. */
  stopRequested: Promise<string>;
  /** Set-up only; then return. */
  setUpOnly?: boolean;
}

function recordFileOf(configuration: Configuration, name: string): string {
  return join(configuration.runDirectory, `${name}.json`);
}

/** One supervisor per home: the lock is the living process named in its record. */
function takeLock(configuration: Configuration): void {
  mkdirSync(configuration.runDirectory, { recursive: true });
  const file = recordFileOf(configuration, 'supervisor');
  const other = readRecord(file);
  if (other !== undefined && other.pid !== process.pid) {
    throw new HoldfastError(
      'conflict',
      `${configuration.home} is already running (pid ${other.pid}). Stop it first: with Ctrl-C there, or kill ${other.pid}.`,
    );
  }
  const own = recordOf(process.pid);
  if (own) writeRecord(file, own);
}

/** The gateway of an earlier start, also when only its workers are left: nothing else runs as its user. */
function ownGateway(configuration: Configuration): (pid: number) => boolean {
  const { gateway } = idsOf(configuration.instance);
  return (pid) => pid > 0 && userOf(pid) === gateway;
}

async function statusOf(configuration: Configuration): Promise<Status | undefined> {
  try {
    return await api(configuration, 'platform.status', {}, { deadlineMs: 5_000 });
  } catch (error) {
    if (error instanceof HoldfastError) return undefined; // Not up yet: the caller asks again until its deadline.
    throw error;
  }
}

/** While another file system of the machine hangs the kernel mounts none: that passes, and is waited for. */
async function makeVolume(configuration: Configuration, name: string, say: (line: string) => void): Promise<void> {
  let refused: HoldfastError | undefined;
  const begun = async (): Promise<boolean> => {
    try {
      await api(configuration, 'volumes.create', { body: { name, disks: [], imageBytes: DEFAULT_IMAGE_BYTES } });
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'storage-repair') throw error;
      if (refused === undefined) say(`${error.message} Waiting for that`);
      refused = error;
      return false;
    }
  };
  await until(begun, `the making of the volume ${name}`, MAKE_DEADLINE_MS, 1_000).catch((error: unknown) => {
    throw refused ?? error;
  });
}

/** The two volumes that a new platform starts with. */
async function ensureVolumes(configuration: Configuration, say: (line: string) => void): Promise<void> {
  const volumes = await api(configuration, 'volumes.list');
  const operations = await api(configuration, 'operations.list');
  const underway = operations.some((entry) => entry.kind === 'volume-create' && entry.state === 'running');
  if (volumes.length > 0 && !underway) return;
  for (const name of ['home1', 'home2']) {
    if (volumes.some((volume) => volume.name === name)) continue;
    say(`Making volume ${name}: two image files of 8 GiB, mirrored`);
    await makeVolume(configuration, name, say);
  }
  await until(
    async () => {
      const now = await api(configuration, 'operations.list');
      const failed = now.find(
        (entry) => entry.kind === 'volume-create' && entry.state === 'failed' && /^home[12]$/.test(entry.subject),
      );
      if (failed)
        throw new HoldfastError(
          'command-failed',
          `Volume ${failed.subject} could not be made: ${failed.error ?? 'unknown'}`,
        );
      const made = await api(configuration, 'volumes.list');
      return ['home1', 'home2'].every((name) => made.some((volume) => volume.name === name && volume.state === 'open'));
    },
    'making the volumes',
    120_000,
    200,
  );
}

function printFirstPassword(configuration: Configuration, say: (line: string) => void): void {
  const file = join(layoutOf(configuration).control, 'first-password.json');
  if (!existsSync(file)) return;
  const first = JSON.parse(readFileSync(file, 'utf8')) as { name: string; oneTimePassword: string };
  say(`Sign in as         ${first.name}`);
  say(`One-time password  ${first.oneTimePassword}   (you choose your own after signing in)`);
}

/** Starts everything, says when it is ready, stays until asked to stop, and stops everything in order. */
export async function start(configuration: Configuration, options: StartOptions): Promise<void> {
  const { say } = options;
  checkMachine();
  checkHome(configuration);
  checkWritable(configuration);
  checkState(configuration);
  const remark = checkFileSystem(configuration);
  if (remark !== undefined) say(remark);
  takeLock(configuration);
  // From here on: installing packages may take minutes, and systemd must not take that for hanging.
  new ServiceWatchdog(process.env, say).start();
  await installPackages(PLATFORM_PACKAGES, say);
  checkPorts(configuration, ownGateway(configuration));
  const givenBack = await giveBackToOwners(configuration);
  if (givenBack !== undefined) say(givenBack);
  await makeDirectories(configuration);
  const layout = layoutOf(configuration);
  await buildPages(configuration.source, join(layout.gateway, 'pages'), say);
  if (options.setUpOnly) return;

  // A supervisor that was killed leaves its children running; sites and nginx go on, these two start afresh.
  if (await endLeftover(recordFileOf(configuration, 'control'), 'SIGTERM', 10_000))
    say('Took over from an earlier start');
  await endLeftover(recordFileOf(configuration, 'agent'), 'SIGTERM', 20_000);

  const environment: NodeJS.ProcessEnv = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    HOLDFAST_HOME: configuration.home,
    HOLDFAST_HTTP_PORT: String(configuration.httpPort),
    HOLDFAST_HTTPS_PORT: String(configuration.httpsPort),
    HOLDFAST_DOMAIN: configuration.domain,
    HOLDFAST_REBUILD_LIMIT: rebuildSetting(configuration),
    // "off": the host does not repair by itself. For drills that show what happens then.
    ...(process.env['HOLDFAST_REACTION'] ? { HOLDFAST_REACTION: process.env['HOLDFAST_REACTION'] } : {}),
    // "follow": for the drill in which the clock is set back.
    ...(process.env['HOLDFAST_CLOCK_OFFSET'] ? { HOLDFAST_CLOCK_OFFSET: process.env['HOLDFAST_CLOCK_OFFSET'] } : {}),
    // "follow": for the drill in which a disk is slow to read.
    ...(process.env['HOLDFAST_SLOW_READS'] ? { HOLDFAST_SLOW_READS: process.env['HOLDFAST_SLOW_READS'] } : {}),
    ...(process.env['HOLDFAST_LOG_LEVEL'] ? { HOLDFAST_LOG_LEVEL: process.env['HOLDFAST_LOG_LEVEL'] } : {}),
  };
  // Node keeps the compiled form of the program there: half the processor time of a start, and less memory.
  const compileCache = (directory: string): NodeJS.ProcessEnv => ({
    NODE_COMPILE_CACHE: join(directory, 'compile-cache'),
  });
  const logFile = (name: string): string => join(configuration.home, 'log', `${name}.log`);
  const agent = new OwnedChild(
    {
      name: 'agent',
      program: process.execPath,
      arguments: [
        '--disable-warning=ExperimentalWarning',
        '--max-semi-space-size=2',
        join(configuration.source, 'src/agent/main.ts'),
      ],
      environment: { ...environment, ...compileCache(layout.agent) },
      logFile: logFile('agent'),
      recordFile: recordFileOf(configuration, 'agent'),
      answers: () => listensOn(layout.agentSocket),
    },
    say,
  );
  const control = new OwnedChild(
    {
      name: 'control',
      ...controlCommand(configuration),
      environment: {
        ...environment,
        ...compileCache(layout.control),
        ...(configuration.databaseUrl === undefined ? {} : { HOLDFAST_DATABASE_URL: configuration.databaseUrl }),
      },
      logFile: logFile('control'),
      recordFile: recordFileOf(configuration, 'control'),
    },
    say,
  );
  const watches = new Watches(configuration, { agent, control }, say);
  let stopping = false;
  const stopEarly = options.stopRequested.then((why) => {
    stopping = true;
    return why;
  });
  say('Starting the agent and the control plane');
  agent.start();
  control.start();
  watches.start();
  const maintenance = setInterval(() => {
    agent.maintain();
    control.maintain();
  }, 60_000);
  try {
    const answering = async (): Promise<boolean> => {
      assertComingUp([agent, control]);
      return stopping || (await statusOf(configuration))?.agent === 'reachable';
    };
    await until(answering, 'the start of the agent and the control plane', READY_DEADLINE_MS, 50).catch(
      (error: unknown) => {
        if (error instanceof HoldfastError && error.code === 'not-ready') throw error;
        const slow = agent.failures > 0 ? agent : control;
        throw new HoldfastError(
          'not-ready',
          `The ${slow.name} does not come up. The end of its log (${slow.logFile}):`,
          {
            details: slow.lastWords(10),
            cause: error,
          },
        );
      },
    );
    if (!stopping) await ensureVolumes(configuration, say);
    await until(
      async () => {
        assertComingUp([agent, control]);
        return stopping || (await statusOf(configuration))?.ready === true;
      },
      'the gateway',
      READY_DEADLINE_MS,
      50,
    );
    if (!stopping) {
      printFirstPassword(configuration, say);
      const volumes = await api(configuration, 'volumes.list');
      for (const line of readyLines(volumes, `https://${configuration.domain}:${configuration.httpsPort}/`)) say(line);
    }
    const why = await stopEarly;
    say(`${why}: stopping sites, gateway and volumes`);
  } finally {
    clearInterval(maintenance);
    watches.stop();
    // One that hangs cannot end what it owns; the one that is started in its place can.
    if (watches.agentIsSilent) await agent.endHung();
    await control.stop('SIGTERM', 10_000);
    // SIGINT asks the agent to stop everything it owns; SIGTERM would leave programs running for its successor.
    const how = await agent.stop('SIGINT', STOP_DEADLINE_MS);
    if (how === 'killed') say('The agent did not finish in time and was killed; the next start cleans up.');
    // An agent that was killed could not end them, and what is frozen does not end with its pipe.
    for (const name of ['watcher', 'prober']) endRecorded(recordFileOf(configuration, name));
    rmSync(recordFileOf(configuration, 'supervisor'), { force: true });
  }
  const left = await whatIsLeft(configuration);
  if (left.length > 0) {
    throw new HoldfastError(
      'volume-in-use',
      'Not everything could be stopped. Left behind, and taken over by the next start:',
      {
        details: left,
      },
    );
  }
  // Sockets, records and what is made anew by each start; nothing is mounted there any more.
  rmSync(configuration.runDirectory, { recursive: true, force: true });
  say('Stopped.');
}

/** Opens a file only to fail early with a clear message when the state directory cannot be written. */
export function checkWritable(configuration: Configuration): void {
  try {
    mkdirSync(configuration.home, { recursive: true });
    const probe = join(configuration.home, '.writable');
    closeSync(openSync(probe, 'w'));
    rmSync(probe);
  } catch (error) {
    throw new HoldfastError(
      'set-up-missing',
      `${configuration.home} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}
