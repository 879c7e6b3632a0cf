import type { ChildProcess } from 'node:child_process';
import { constants as osConstants } from 'node:os';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { AccountSpec } from '../../protocol/sites.ts';
import type { AccountHome, AgentContext } from '../context.ts';
import { readOrUndefined } from '../kernel/files.ts';
import { hasEnded, isAlive, namespaceIds, processStat, sendSignal, type ProcessIdentity } from '../kernel/processes.ts';
import type { Sandboxes } from './sandbox.ts';

/** What an agent leaves for the next one about a run. Written before the sandbox is started, so that whatever runs has a record. */
export const runRecordSchema = z.object({
  /** The control group's name below the account. Used once, for this run. */
  program: z.string(),
  account: z.string(),
  boot: z.string(),
  /** Null in what is on disk: another agent finds the process by its control group, which saves a write for each start. */
  pid: z.number().int().nullable(),
  startTime: z.string().nullable(),
});
export type RunRecord = z.infer<typeof runRecordSchema>;

/** How a run ended. */
export interface RunEnd {
  /** Exit code of its command; null when a signal ended it, or nobody knows. */
  code: number | null;
  /** What ended it, when a signal did: SIGKILL. */
  signal: string | null;
  /** The kernel stopped a process of it for want of memory. */
  outOfMemory: boolean;
  /** Null when its control group was gone already. */
  cpuSeconds: number | null;
  peakMemoryBytes: number | null;
  /** Processes that it left running when its command ended; they were ended then. */
  left: number;
  /** What bwrap said when it could not make the sandbox, so that nothing of the command ran; otherwise null. For the operator. */
  setUpFailed: string | null;
}

export interface RunGround {
  context: AgentContext;
  sandboxes: Sandboxes;
}

/** What the next agent finds of a run: it goes on; it never began, and nothing can begin it any more; it ended. */
export type Found = { state: 'running'; run: Run } | { state: 'never-began' } | { state: 'ended'; end: RunEnd };

const UNKNOWN_END: RunEnd = {
  code: null,
  signal: null,
  outOfMemory: false,
  cpuSeconds: null,
  peakMemoryBytes: null,
  left: 0,
  setUpFailed: null,
};

/** Between two looks at a process that is not our child. */
const LOOK_MS = 500;
const END_MS = 5_000;

/** bwrap's own account of a run, on the platform's side; it survives the agent, and a reboot voids it. */
function statusFile(context: AgentContext, record: Pick<RunRecord, 'account' | 'program'>): string {
  return join(context.configuration.runDirectory, 'runs', `${record.account}.${record.program}`);
}

/**
 * One sandbox with a command that ends by itself: it outlives the agent, and the next one takes it over. What it did is told by bwrap in a
 * file of the platform's, so that "it never began" and "it began" are never mixed up, whenever an agent dies.
 */
export class Run {
  /** Resolves once everything of the run has ended and its control group is gone. Never rejects. */
  readonly ended: Promise<RunEnd>;
  readonly record: RunRecord;
  readonly #ground: RunGround;
  readonly #watching = new AbortController();

  constructor(ground: RunGround, record: RunRecord, child: ChildProcess | undefined) {
    this.#ground = ground;
    this.record = record;
    this.ended = child === undefined ? this.#adoptedEnd() : this.#ownEnd(child);
  }

  /**
   * Asks all of it to end (SIGTERM to every process, as systemd does: a shell passes nothing on), and kills it when it has not ended after so
   * many milliseconds. Answers whether it has ended: the kernel may hold it with its disk, and `ended` waits for that.
   */
  async stop(graceMs: number): Promise<boolean> {
    const { account, program } = this.record;
    const { sandboxes } = this.#ground;
    const pids = await sandboxes.cgroups.processes(account, program);
    for (const pid of await inside(pids)) sendSignal(pid, 'SIGTERM');
    const alarm = new AbortController();
    await Promise.race([this.ended, pause(graceMs, undefined, { signal: alarm.signal }).catch(() => undefined)]);
    alarm.abort();
    try {
      await sandboxes.end(account, program, END_MS);
    } catch (error) {
      this.#ground.context.log.warn({ err: error, account, program }, 'a run does not end; it is asked again');
      return false;
    }
    await this.ended;
    return true;
  }

  /** Memory it has now, bytes, and its processor time so far; undefined when it has just ended. */
  async usage(): Promise<{ memoryBytes: number; cpuSeconds: number; processes: number } | undefined> {
    return await this.#ground.sandboxes.cgroups.usage(this.record.account, this.record.program);
  }

  /** The agent goes; the run stays. `ended` never resolves then. */
  leave(): void {
    this.#watching.abort();
  }

  async #ownEnd(child: ChildProcess): Promise<RunEnd> {
    const said = diagnosticsOf(child);
    await exited(child);
    if (this.#watching.signal.aborted) await forEver();
    const end = await finish(this.#ground, this.record);
    child.stderr?.destroy();
    // bwrap ends with 1 and without having told an exit code when it could not make the sandbox.
    const failed = child.exitCode === 1 && end.code === null && end.signal === null;
    return failed ? { ...end, setUpFailed: said() || 'bwrap ended without a word' } : end;
  }

  async #adoptedEnd(): Promise<RunEnd> {
    await this.#gone();
    return await finish(this.#ground, this.record);
  }

  async #gone(): Promise<void> {
    const { pid, startTime } = this.record;
    while (pid !== null && startTime !== null && (await isAlive({ pid, startTime }))) {
      await pause(LOOK_MS, undefined, { ref: false, signal: this.#watching.signal }).catch(forEver);
    }
  }
}

/**
 * Starts a run. `recorded` is called with its record before anything is started; what it keeps must be on disk when it resolves. Throws what
 * that, or `Sandboxes.spawn`, throws: then nothing was started. `output` is an open descriptor.
 */
export async function beginRun(
  ground: RunGround,
  request: {
    account: AccountSpec;
    home: AccountHome;
    program: string;
    boot: string;
    command: readonly string[];
    environment?: Readonly<Record<string, string>>;
    output: number;
  },
  recorded: (record: RunRecord) => Promise<void>,
): Promise<Run> {
  const { account, home, program, boot, command, output } = request;
  const intent: RunRecord = { program, account: account.name, boot, pid: null, startTime: null };
  await recorded(intent);
  const path = statusFile(ground.context, intent);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const status = await open(path, 'a', 0o600);
  try {
    const child = await ground.sandboxes.spawn(
      {
        account,
        home,
        program,
        command,
        status: status.fd,
        ...(request.environment === undefined ? {} : { environment: request.environment }),
      },
      // What goes wrong before the command has its own output is the operator's to read (see shim/command.sh).
      ['ignore', output, 'pipe'],
    );
    child.unref();
    const pid = child.pid ?? 0;
    return new Run(ground, { ...intent, pid, startTime: (await processStat(pid))?.startTime ?? null }, child);
  } finally {
    await status.close();
  }
}

/**
 * Looks for a run that an earlier agent recorded, and takes it over when it goes on. Forget it (`forgetRun`) only when its end is on disk:
 * without bwrap's file a run counts as one that never began.
 */
export async function findRun(ground: RunGround, record: RunRecord, boot: string): Promise<Found> {
  if (record.boot !== boot) return { state: 'ended', end: UNKNOWN_END };
  const { account, program } = record;
  const pids = await ground.sandboxes.cgroups.processes(account, program);
  const outer = await outermost(pids);
  if (outer !== undefined) return { state: 'running', run: new Run(ground, { ...record, ...outer }, undefined) };
  // Only what it left behind: that ends in its own time.
  if (pids.length > 0)
    return { state: 'running', run: new Run(ground, { ...record, pid: null, startTime: null }, undefined) };
  // Its group goes first: a shell that an earlier agent started and that has not joined it yet cannot do so any more, and ends.
  const end = await finish(ground, record);
  if (await began(ground.context, record)) return { state: 'ended', end };
  return { state: 'never-began' };
}

/** Removes the last trace of a run whose end is recorded. */
export async function forgetRun(context: AgentContext, record: RunRecord): Promise<void> {
  await rm(statusFile(context, record), { force: true });
}

/** Removes what runs nobody knows of left, after everything was adopted. `known`: as `<account>/<program>`. */
export async function forgetOthers(context: AgentContext, known: ReadonlySet<string>): Promise<void> {
  const directory = join(context.configuration.runDirectory, 'runs');
  const keep = new Set([...known].map((one) => one.replace('/', '.')));
  for (const name of await readdir(directory).catch(() => []))
    if (!keep.has(name)) await rm(join(directory, name), { force: true });
}

/** Ends what is left of a run, and tells how it was. Goes on until the kernel lets go of it. */
async function finish(ground: RunGround, record: RunRecord): Promise<RunEnd> {
  const { account, program } = record;
  const { sandboxes, context } = ground;
  const usage = await sandboxes.cgroups.usage(account, program);
  const left = (await inside(await sandboxes.cgroups.processes(account, program))).length;
  for (;;) {
    try {
      await sandboxes.end(account, program, END_MS);
      break;
    } catch (error) {
      context.log.warn({ err: error, account, program }, 'a run has ended, and the kernel still holds processes of it');
      await pause(LOOK_MS, undefined, { ref: false });
    }
  }
  const exit = /"exit-code": *(\d+)/.exec((await statusOf(context, record)) ?? '')?.[1];
  const { code, signal } = meaning(exit === undefined ? undefined : Number(exit));
  return {
    code,
    signal,
    outOfMemory: (usage?.memoryKills ?? 0) > 0,
    cpuSeconds: usage?.cpuSeconds ?? null,
    peakMemoryBytes: usage?.peakMemoryBytes ?? null,
    left,
    setUpFailed: null,
  };
}

const MOST_DIAGNOSTICS = 4096;

/** Collects what is said before the command runs. Nothing keeps the agent alive for it. */
function diagnosticsOf(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    if (text.length < MOST_DIAGNOSTICS) text += chunk.toString('utf8');
  });
  child.stderr?.on('error', () => undefined);
  (child.stderr as Socket | null)?.unref();
  return () => text.slice(0, MOST_DIAGNOSTICS).trim();
}

async function statusOf(context: AgentContext, record: RunRecord): Promise<string | undefined> {
  return await readOrUndefined(statusFile(context, record));
}

/** bwrap says `child-pid` before it lets the first process in the sandbox go on. */
async function began(context: AgentContext, record: RunRecord): Promise<boolean> {
  return (await statusOf(context, record))?.includes('"child-pid"') ?? false;
}

/** bwrap answers 128 and the number of a signal for what a signal ended, as shells do. */
function meaning(exit: number | undefined): Pick<RunEnd, 'code' | 'signal'> {
  if (exit === undefined) return { code: null, signal: null };
  const signal = Object.entries(osConstants.signals).find(([, number]) => number === exit - 128)?.[0];
  return signal === undefined ? { code: exit, signal: null } : { code: null, signal };
}

/** Of these, what runs in the sandbox beside its first process, which is bwrap's own. */
async function inside(pids: readonly number[]): Promise<number[]> {
  const found: number[] = [];
  for (const pid of pids) {
    const stat = await processStat(pid);
    if (stat === undefined || hasEnded(stat)) continue;
    const ids = await namespaceIds(pid);
    if (ids.length > 1 && ids.at(-1) !== '1') found.push(pid);
  }
  return found;
}

/** What happens to a run that was let go of is somebody else's business. */
async function forEver(): Promise<never> {
  return await new Promise<never>(() => undefined);
}

async function exited(child: ChildProcess): Promise<void> {
  if ((child.exitCode ?? child.signalCode) !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
}

/** The process outside of the sandbox's namespaces: bwrap, or the shell that becomes it. Undefined when only left over ones are there. */
async function outermost(pids: readonly number[]): Promise<ProcessIdentity | undefined> {
  for (const pid of pids) {
    const stat = await processStat(pid);
    if (stat === undefined || hasEnded(stat)) continue;
    if ((await namespaceIds(pid)).length === 1) return { pid, startTime: stat.startTime };
  }
  return undefined;
}
