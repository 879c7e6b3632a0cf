import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { StartFailure } from '../../model/lifecycle.ts';
import type { StartStep } from '../../model/sites.ts';
import type { AccountSpec, SiteSpec } from '../../protocol/sites.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { AccountHome, AgentContext } from '../context.ts';
import { launchOf } from './launch.ts';
import { linesSince, openLog, type OpenLog } from './output.ts';
import { bootId, isAlive, leadersOf, processFacts, sendSignal } from './processes.ts';
import type { GenerationRecord, RunDirectory } from './records.ts';
import type { Sandboxes } from './sandbox.ts';
import { accepts, answers, connectionsOf, openToGateway } from './sockets.ts';

/** One run of a site's server: its own socket, cgroup and record. */
export interface Generation {
  record: GenerationRecord;
  socketPath: string;
  /** Present when this agent started it; an adopted one is watched by its pid. */
  child: ChildProcess | undefined;
}

/** A start that did not succeed, with the step it stopped at. Everything it had started is gone again. */
export class StartError extends Error {
  readonly failure: StartFailure;

  constructor(failure: StartFailure) {
    super(failure.message);
    this.name = 'StartError';
    this.failure = failure;
  }
}

/** Named points of a start, in order; tests kill the agent at each of them. */
export type Checkpoint =
  'intent-written' | 'process-started' | 'process-recorded' | 'answered' | 'answer-recorded' | 'gateway-pointed';

export interface Ground {
  context: AgentContext;
  sandboxes: Sandboxes;
  run: RunDirectory;
  pluginVersion: string;
  /** Generations that the kernel would not let end; tried again by the sweep. */
  lingering: Set<GenerationRecord>;
  checkpoint(point: Checkpoint, site: string): Promise<void>;
}

/** Milliseconds. PythonAnywhere's ping after a reload waits 20 s, too; imports get longer, and all of it together 80 s. */
const DEADLINES: Readonly<Record<'sandbox' | 'interpreter' | 'import' | 'socket' | 'answer', number>> = {
  sandbox: 15_000,
  interpreter: 15_000,
  import: 60_000,
  socket: 20_000,
  answer: 20_000,
};
const WHOLE_START = 80_000;
const OUTPUT_LINES = 25;
const DRAIN_MS = 30_000;

/** Progress of a start as it is told through descriptor 4, and by the process's end. */
interface Progress {
  reached: Set<string>;
  failed: { step: StartStep; message: string } | undefined;
  exited: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  diagnostics: string;
  /** Resolves at the next change. */
  changed(): Promise<void>;
}

/**
 * Starts a generation and waits until it answers. Throws StartError; storage that is not usable comes as the HoldfastError
 * of the storage part, before anything is started.
 */
export async function startGeneration(
  ground: Ground,
  site: SiteSpec,
  account: AccountSpec,
  home: AccountHome,
  generation: number,
  purpose: 'start' | 'reload',
): Promise<Generation> {
  const { run, sandboxes, context } = ground;
  const program = `site-${site.id}-${generation}`;
  let record: GenerationRecord = {
    site: site.id,
    account: account.name,
    domain: site.domain,
    generation,
    phase: 'intent',
    purpose,
    program,
    pid: null,
    startTime: null,
    boot: await bootId(),
    startedAt: new Date().toISOString(),
  };
  const logs: OpenLog[] = [];
  const socketPath = run.socketOf(site.id, generation);
  try {
    await run.write(record);
    await ground.checkpoint('intent-written', site.id);
    const socketDirectory = await run.makeSocketDirectory(site.id, generation, account.uid, context.ids.gateway);
    const logDirectory = await sandboxes.logDirectory(account);
    for (const kind of ['error', 'server'] as const)
      logs.push(await openLog(logDirectory, site.domain, kind, account.uid));
    const [errorLog, serverLog] = logs as [OpenLog, OpenLog];
    const { command, environment } = launchOf(site, account, ground.pluginVersion);
    const child = await sandboxes.spawn(
      { account, home, program, command, environment, socket: { domain: site.domain, directory: socketDirectory } },
      ['ignore', serverLog.handle.fd, 'pipe', errorLog.handle.fd, 'pipe'],
    );
    const progress = watchProgress(child);
    await ground.checkpoint('process-started', site.id);
    const pid = child.pid ?? 0;
    record = { ...record, phase: 'spawned', pid, startTime: (await processFacts(pid))?.startTime ?? null };
    await run.write(record);
    await ground.checkpoint('process-recorded', site.id);
    await waitUntilItAnswers(ground, site, account, progress, socketPath, program);
    await ground.checkpoint('answered', site.id);
    record = { ...record, phase: 'answering' };
    await run.write(record);
    await ground.checkpoint('answer-recorded', site.id);
    // From here on the agent may go without the program noticing.
    child.stderr?.destroy();
    const steps = child.stdio[4];
    if (steps !== null && steps !== undefined) steps.destroy();
    child.unref();
    return { record, socketPath, child };
  } catch (error) {
    const failure =
      error instanceof StepError
        ? { step: error.step, message: error.message, output: error.output }
        : { step: 'sandbox' as const, message: 'The platform could not start the program. The operator finds the reason in the agent\'s log.', output: [] }; // prettier-ignore
    if (!(error instanceof StepError))
      context.log.error({ err: error, site: site.id, domain: site.domain }, 'a start failed');
    for (const log of logs) {
      const lines = await linesSince(log, OUTPUT_LINES).catch(() => []);
      if (failure.output.length === 0 && lines.length > 0) failure.output = lines;
    }
    await endGeneration(ground, record);
    throw new StartError({ ...failure, at: new Date().toISOString() });
  } finally {
    for (const log of logs) await log.handle.close();
  }
}

class StepError extends Error {
  readonly step: StartStep;
  readonly output: string[];

  constructor(step: StartStep, message: string, output: string[] = []) {
    super(message);
    this.step = step;
    this.output = output;
  }
}

function watchProgress(child: ChildProcess): Progress {
  let wake: () => void = () => undefined;
  let next = new Promise<void>((resolve) => (wake = resolve));
  const change = (): void => {
    const old = wake;
    next = new Promise<void>((resolve) => (wake = resolve));
    old();
  };
  const progress: Progress = {
    reached: new Set(),
    failed: undefined,
    exited: undefined,
    diagnostics: '',
    changed: () => next,
  };
  const steps = child.stdio[4];
  let partial = '';
  let bytes = 0;
  if (steps !== null && steps !== undefined && 'on' in steps) {
    steps.on('data', (chunk: Buffer) => {
      // A member's code can write here while it is imported: what it says counts for its own site only, and not without end.
      bytes += chunk.length;
      if (bytes > 64 * 1024) return;
      const lines = (partial + chunk.toString('utf8')).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        const [word = '', step = '', message = ''] = line.split('\t');
        if (word !== 'failed') progress.reached.add(word);
        else progress.failed ??= { step: step === 'interpreter' ? 'interpreter' : 'import', message };
      }
      change();
    });
    steps.on('error', () => undefined);
  }
  child.stderr?.on('data', (chunk: Buffer) => {
    if (progress.diagnostics.length < 8192) progress.diagnostics += chunk.toString('utf8');
  });
  child.stderr?.on('error', () => undefined);
  const exited = (code: number | null, signal: NodeJS.Signals | null): void => {
    progress.exited ??= { code, signal };
    change();
  };
  // `close` comes after the last step line; a server that forked away holds the pipe, so `exit` has to do after a moment.
  child.once('close', exited);
  child.once('exit', (code, signal) => {
    setTimeout(() => exited(code, signal), 100);
  });
  return progress;
}

async function waitUntilItAnswers(
  ground: Ground,
  site: SiteSpec,
  account: AccountSpec,
  progress: Progress,
  socketPath: string,
  program: string,
): Promise<void> {
  const wholeEnd = performance.now() + WHOLE_START;
  let step: Exclude<StartStep, 'storage'> = 'sandbox';

  /** Waits for a step; ends early with the sentence that says why it cannot come any more. */
  const waitFor = async (
    name: typeof step,
    done: () => boolean | Promise<boolean>,
    everyMs: number | undefined,
  ): Promise<void> => {
    step = name;
    const end = Math.min(performance.now() + DEADLINES[name], wholeEnd);
    for (;;) {
      const change = progress.changed();
      if (progress.failed !== undefined) throw new StepError(progress.failed.step, progress.failed.message);
      if (progress.exited === undefined && (await done())) return;
      if (progress.exited !== undefined) throw await endedEarly(name);
      const left = end - performance.now();
      if (left <= 0) throw await tooLate(name);
      const timer = new AbortController();
      await Promise.race([
        change,
        pause(Math.min(left, everyMs ?? left), undefined, { signal: timer.signal }).catch(() => undefined),
      ]);
      timer.abort();
    }
  };

  const memoryKilled = async (): Promise<boolean> =>
    ((await ground.sandboxes.cgroups.usage(account.name, program))?.memoryKills ?? 0) > 0;
  const outOfMemory = (): StepError =>
    new StepError(
      step,
      `It needed more than the ${Math.round(account.limits.memoryBytes / 1024 ** 2)} MiB of memory of the plan and was stopped. Load less at the start, or ask for a plan with more memory.`,
    );

  const endedEarly = async (name: typeof step): Promise<StepError> => {
    if (progress.failed !== undefined) return new StepError(progress.failed.step, progress.failed.message);
    if (await memoryKilled()) return outOfMemory();
    const code = progress.exited?.code ?? null;
    if (name === 'sandbox') {
      ground.context.log.error(
        { site: site.id, code, diagnostics: progress.diagnostics },
        'a sandbox could not be made',
      );
      return new StepError(
        'sandbox',
        "The sandbox could not be made. Nothing is wrong with the site; the operator finds the reason in the agent's log.",
      );
    }
    if (site.kind === 'command') {
      const left = await ground.sandboxes.cgroups.processes(account.name, program);
      if (left.length > 0 && code === 0) {
        return new StepError(
          name,
          'The command put its server into the background and ended. Keep it in the foreground: remove a trailing "&" or options like --daemon.',
        );
      }
      const how = code === null ? 'was stopped' : `ended with code ${code}`;
      return name === 'answer'
        ? new StepError(
            name,
            `The command opened its socket but ${how} before it answered a request. Its output says why.`,
          )
        : new StepError(name, `The command ${how} before anything listened on $DOMAIN_SOCKET. Its output says why.`);
    }
    return new StepError(name, `The server ended (code ${code ?? 'none'}) at this step. Its output says why.`);
  };

  const tooLate = async (name: typeof step): Promise<StepError> => {
    if (await memoryKilled()) return outOfMemory();
    const seconds = DEADLINES[name] / 1000;
    switch (name) {
      case 'sandbox':
        return new StepError(name, `The account's files did not answer within ${seconds} s. Try again in a moment; the platform watches the storage.`);
      case 'interpreter':
        return new StepError(name, `Python did not start within ${seconds} s. Check the virtualenv, and what runs in sitecustomize.`);
      case 'import':
        return new StepError(name, `Importing the WSGI file took longer than ${seconds} s. Move slow work out of the import, or check for a program that waits for input.`);
      case 'socket':
        return new StepError(
          name,
          site.kind === 'command'
            ? `The command runs, but after ${seconds} s nothing listens on $DOMAIN_SOCKET. Make the server bind that Unix socket, for example: uvicorn --uds $DOMAIN_SOCKET main:app`
            : `The server did not open its socket within ${seconds} s.`,
        );
      case 'answer':
        return new StepError(name, `The site accepted a request for / but did not answer it within ${seconds} s. Make the first answer faster; its output may say what it waits for.`);
    } // prettier-ignore
  };

  await waitFor('sandbox', () => progress.reached.has('launched'), undefined);
  if (site.kind === 'wsgi') {
    await waitFor('interpreter', () => progress.reached.has('interpreter'), undefined);
    await waitFor('import', () => progress.reached.has('imported'), undefined);
  }
  await waitFor('socket', async () => (await openToGateway(socketPath)) && (await accepts(socketPath, 2000)), 10);
  await waitFor(
    'answer',
    async () => {
      if ((await answers(socketPath, site.domain, DEADLINES.answer)) !== undefined) return true;
      // A worker that is stopped for want of memory is started again by its master, and would be without end.
      if (await memoryKilled()) throw outOfMemory();
      return false;
    },
    50,
  );
  // A server may replace its socket, or change its mode, between binding and serving.
  await openToGateway(socketPath);
}

/** Kills what is left of a generation and removes every trace. Repeatable; a process the kernel holds back is logged. */
export async function endGeneration(ground: Ground, record: GenerationRecord): Promise<boolean> {
  try {
    await ground.sandboxes.end(record.account, record.program);
    await ground.run.removeGeneration(record.site, record.generation);
    ground.lingering.delete(record);
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // The record stays, so that the sweep or the next agent tries again.
    ground.lingering.add(record);
    ground.context.log.warn(
      { err: error, site: record.site, generation: record.generation },
      'a generation does not end',
    );
    return false;
  }
}

/**
 * Stops a generation cleanly: requests in its queue and under way are answered first, for at most DRAIN_MS, then it is
 * killed. The gateway must not point to it any more.
 */
export async function drainGeneration(ground: Ground, generation: Generation, drainMs = DRAIN_MS): Promise<void> {
  const { record } = generation;
  const end = performance.now() + drainMs;
  await ground.run.write({ ...record, phase: 'draining' });
  // Those connected now and not yet taken may be this generation's; later ones are its successor's.
  const queued = new Set((await connectionsOf(record.domain)).filter((one) => one.pending).map((one) => one.inode));
  while (queued.size > 0 && performance.now() < end) {
    await pause(10);
    const pending = new Set((await connectionsOf(record.domain)).filter((one) => one.pending).map((one) => one.inode));
    for (const inode of queued) if (!pending.has(inode)) queued.delete(inode);
  }
  const pids = await ground.sandboxes.cgroups.processes(record.account, record.program);
  for (const leader of await leadersOf(pids)) sendSignal(leader, 'SIGTERM');
  while (performance.now() < end && (await generationAlive(generation))) await pause(20);
  await endGeneration(ground, record);
}

/** Whether the generation's first process (bwrap, which ends with the server) still runs. */
export async function generationAlive(generation: Pick<Generation, 'record' | 'child'>): Promise<boolean> {
  const { child, record } = generation;
  if (child !== undefined) return child.exitCode === null && child.signalCode === null;
  if (record.pid === null || record.startTime === null) return false;
  return await isAlive(record.pid, record.startTime);
}
