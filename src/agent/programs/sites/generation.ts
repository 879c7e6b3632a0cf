import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { StartFailure } from '../../../model/lifecycle.ts';
import type { AccountSpec, SiteRemark, SiteSpec } from '../../../protocol/sites.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AccountHome, AgentContext } from '../../context.ts';
import { launchOf } from './launch.ts';
import { linesSince, openLog, type OpenLog } from '../output.ts';
import { bootId, holdsSocket, isAlive, processStat, sendSignal, waitForDisk } from '../../kernel/processes.ts';
import { leadersOf } from '../leaders.ts';
import type { GenerationRecord, RunDirectory } from './records.ts';
import type { Sandboxes } from '../sandbox.ts';
import { connectionsOf } from './sockets.ts';
import { remarkOn } from './remarks.ts';
import { StepError, waitUntilItListens, watchProgress } from './start-steps.ts';

/** One run of a site's server: its own socket, cgroup and record. */
export interface Generation {
  record: GenerationRecord;
  socketPath: string;
  /** Present when this agent started it; an adopted one is watched by its pid. */
  child: ChildProcess | undefined;
  /** What its first answer was, when it was asked for one and it was no good one. */
  remark: SiteRemark | null;
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

const OUTPUT_LINES = 25;
const MOST_TRACEBACK = 200;
/** Where nobody has to wait for it, requests have as long as the plan gives them, and this to be passed on. */
const PASS_ON_MS = 5_000;

/**
 * Starts a generation and waits until it listens, and for its first answer for `askMs` (0: it is not asked). Throws StartError; storage that is not usable comes as the HoldfastError
 * of the storage part, before anything is started, and as `storage-repair` when what was started waits for its disk. `signal` cuts the
 * start short.
 */
export async function startGeneration(
  ground: Ground,
  site: SiteSpec,
  account: AccountSpec,
  home: AccountHome,
  generation: number,
  purpose: 'start' | 'reload',
  askMs: number,
  signal?: AbortSignal,
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
    record = { ...record, phase: 'spawned', pid, startTime: (await processStat(pid))?.startTime ?? null };
    await run.write(record);
    await ground.checkpoint('process-recorded', site.id);
    const first = await waitUntilItListens(
      {
        log: context.log,
        cgroups: sandboxes.cgroups,
        serverLines: async () => await linesSince(serverLog, MOST_TRACEBACK),
      },
      site,
      account,
      progress,
      socketPath,
      program,
      askMs,
      signal,
    );
    const remark = first === undefined ? null : remarkOn(first, await linesSince(errorLog, MOST_TRACEBACK));
    await ground.checkpoint('answered', site.id);
    record = { ...record, phase: 'answering' };
    await run.write(record);
    await ground.checkpoint('answer-recorded', site.id);
    // From here on the agent may go without the program noticing.
    child.stderr?.destroy();
    const steps = child.stdio[4];
    if (steps !== null && steps !== undefined) steps.destroy();
    child.unref();
    return { record, socketPath, child, remark };
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
    // It was not the member's program that was slow, so it is not called that.
    const storage =
      error instanceof StepError &&
      (await waitForDisk(await sandboxes.cgroups.processes(account.name, program).catch(() => [])));
    await endGeneration(ground, record);
    if (storage) {
      throw new HoldfastError('storage-repair', 'Your storage does not answer now. The site starts when it does.', {
        retryAfterSeconds: 5,
      });
    }
    throw new StartError({ ...failure, at: new Date().toISOString() });
  } finally {
    for (const log of logs) await log.handle.close();
  }
}

/** A process ends within milliseconds of its SIGKILL, or only when its disk answers. */
const END_MS = 5_000;

/** Kills what is left of a generation and removes every trace. Repeatable; a process the kernel holds back is logged. */
export async function endGeneration(ground: Ground, record: GenerationRecord, deadlineMs = END_MS): Promise<boolean> {
  try {
    await ground.sandboxes.end(record.account, record.program, deadlineMs);
    await ground.run.removeGeneration(record.site, record.generation);
    ground.lingering.delete(record);
    return true;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    // The record stays, so that the sweep or the next agent tries again.
    if (!ground.lingering.has(record)) {
      ground.context.log.warn(
        { err: error, site: record.site, generation: record.generation },
        'a generation does not end; it is tried again until the kernel lets go of it',
      );
    }
    ground.lingering.add(record);
    return false;
  }
}

/** A queue holds 128 requests; those that are still in it after so long wait behind requests that hang. */
const MOST_QUEUE_MS = 30_000;

/** Milliseconds between two looks at what a generation carries; many of one site may do so for minutes. */
const MOST_LOOK_MS = 1_500;
const SECOND_LOOK_MS = 100;

/** How long a generation may drain: as long as a request may take by its account's plan. */
export function drainTime(account: Pick<AccountSpec, 'limits'> | undefined): number {
  return (account?.limits.requestTimeoutSeconds ?? 30) * 1000 + PASS_ON_MS;
}

/**
 * Stops a generation cleanly: requests in its queue and under way are answered first, for at most `drainMs`, then it is killed. `hurry`
 * cuts the wait for them short. `asked` is called when it carries nothing any more, or its time is over, and it is asked to end. The
 * gateway must not point to it any more.
 */
export async function drainGeneration(
  ground: Ground,
  generation: Generation,
  drainMs: number,
  hurry: AbortSignal,
  asked: () => void,
): Promise<void> {
  const { record } = generation;
  let end = performance.now() + drainMs;
  const shorten = (): void => {
    end = Math.min(end, performance.now() + PASS_ON_MS);
  };
  hurry.addEventListener('abort', shorten, { once: true });
  await ground.run.write({ ...record, phase: 'draining' });
  // All requests are waited for before it is asked to end: a server that is asked gives them a time of its own, which is shorter than the
  // plan's. Two looks in a row, because a list of the kernel that changes while it is read can leave a line out.
  const queueEnd = Math.min(end, performance.now() + MOST_QUEUE_MS);
  let quiet = 0;
  // Reading all sockets of the machine costs; what does not get less soon is looked at less often.
  for (let wait = 10; quiet < 2 && performance.now() < end; wait = Math.min(wait * 1.5, MOST_LOOK_MS)) {
    if (!(await generationAlive(generation))) break;
    const own = await connectionsOf(record.domain);
    // The queues of all generations look alike, so one that never gets empty is its successor's.
    const queued = performance.now() < queueEnd && own.some((one) => one.pending);
    const inodes = new Set(own.filter((one) => one.connected).map((one) => one.inode));
    const pids = await ground.sandboxes.cgroups.processes(record.account, record.program);
    const held = queued || (await holdsSocket(pids, inodes));
    quiet = held ? 0 : quiet + 1;
    if (quiet < 2) await pause(Math.max(0, Math.min(wait, quiet > 0 ? SECOND_LOOK_MS : wait, end - performance.now())));
  }
  asked();
  const pids = await ground.sandboxes.cgroups.processes(record.account, record.program);
  for (const leader of await leadersOf(pids)) sendSignal(leader, 'SIGTERM');
  for (
    let wait = 20;
    performance.now() < end && (await generationAlive(generation));
    wait = Math.min(wait * 1.2, 250)
  ) {
    await pause(wait);
  }
  await endGeneration(ground, record);
}

/** Whether the generation's first process (bwrap, which ends with the server) still runs. */
export async function generationAlive(generation: Pick<Generation, 'record' | 'child'>): Promise<boolean> {
  const { child, record } = generation;
  if (child !== undefined) return child.exitCode === null && child.signalCode === null;
  if (record.pid === null || record.startTime === null) return false;
  return await isAlive({ pid: record.pid, startTime: record.startTime });
}
