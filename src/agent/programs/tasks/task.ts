import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { believed, decideDue, LATE_AFTER_MS } from '../../../model/tasks.ts';
import { nextRun } from '../../../model/schedule.ts';
import { formatBytes } from '../../../model/words.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { TaskSpec, TaskStatus } from '../../../protocol/tasks.ts';
import type { Compartments } from '../../../runtime/compartments.ts';
import type { ProgramGround } from '../kind.ts';
import { openLogFile } from '../output.ts';
import { tellOwner } from '../owner-line.ts';
import { beginRun, findRun, forgetRun, type Run, type RunEnd } from '../run.ts';
import { SHIM_DIRECTORY } from '../sandbox-arguments.ts';
import { lastLine, outcomeOf, shown, skippedBecause } from './outcome.ts';
import type { KeptRun, TaskState, TaskStates } from './task-state.ts';

/** Named points of a run, in order; tests kill the agent at each of them. */
export type TaskCheckpoint = 'decided' | 'intent-written' | 'process-started' | 'ended' | 'end-recorded';

export interface TaskGround extends ProgramGround {
  boot: string;
  /** False until what an earlier agent left is taken over: nobody is told of tasks one by one before. */
  ready: boolean;
  states: TaskStates;
  /** Starts of tasks at a time, of each volume; they are kept apart from those of sites, which visitors wait for. */
  turns: Compartments;
  checkpoint(point: TaskCheckpoint): Promise<void>;
}

/** Runs that are remembered of each task. */
const MOST_RUNS = 30;
/** A start that could not be made is tried again so often, milliseconds; a volume that comes back hurries it. */
const RETRY_MS = 5_000;
/** Runs of one task beside each other, where it may overlap itself. */
const MOST_BESIDE = 5;

/**
 * One scheduled task: what it owes, what runs of it, and what became of the runs before. Each step is on disk before the next is made; work
 * on it is done one piece after the other.
 */
export class Task {
  readonly account: string;
  readonly id: number;
  /** Undefined once it is deleted: what runs goes on to its end. */
  spec: TaskSpec | undefined;
  /** When it is due next, milliseconds since 1970. */
  nextAt = Number.POSITIVE_INFINITY;
  readonly #ground: TaskGround;
  readonly #state: TaskState;
  readonly #runs = new Map<number, Run>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #queue: Promise<unknown> = Promise.resolve();
  #starting = false;
  #storage = false;
  #retryAt = 0;
  #closed = false;
  #dropped = false;

  constructor(ground: TaskGround, state: TaskState) {
    this.#ground = ground;
    this.#state = state;
    this.account = state.account;
    this.id = state.id;
  }

  /** The state of a task that was never seen before: what was due before now is not its business. */
  static fresh(account: string, spec: TaskSpec, now: number): TaskState {
    return { account, id: spec.id, handled: now, about: aboutOf(spec), waiting: null, lastNumber: 0, runs: [] };
  }

  /** Deleted, and nothing of it is left to wait for. */
  get over(): boolean {
    return this.#dropped && this.spec === undefined && this.#idle;
  }

  get #idle(): boolean {
    return this.#runs.size === 0 && this.#state.waiting === null && !this.#starting;
  }

  /** `runs`: how many of the newest are told. */
  status(runs = MOST_RUNS): TaskStatus {
    const { waiting } = this.#state;
    const running = this.#state.runs.some((run) => run.outcome === 'running');
    return {
      account: this.account,
      id: this.id,
      state: running ? 'running' : waiting !== null ? 'waiting' : this.spec?.enabled === true ? 'idle' : 'disabled',
      waiting: waiting === null ? null : { since: waiting.since, reason: this.#storage ? 'storage' : 'turn' },
      next: Number.isFinite(this.nextAt) ? new Date(this.nextAt).toISOString() : null,
      runs: this.#state.runs.toReversed().slice(0, runs).map(shown),
    };
  }

  /** Writes down that it is known from now on: what is due from here is owed, whoever is away then. */
  async begin(): Promise<void> {
    await this.#enqueue(async () => await this.#save());
  }

  /** Takes a definition. One with another schedule, or switched on just now, owes nothing of the past. */
  async put(spec: TaskSpec, now: number): Promise<void> {
    // Told with all others of its account whenever one of them changes.
    if (isDeepStrictEqual(this.spec, spec)) return;
    await this.#enqueue(async () => {
      const about = aboutOf(spec);
      this.spec = spec;
      if (about !== this.#state.about) {
        this.#state.about = about;
        this.#state.handled = now;
        // What was owed by the old schedule is not owed by this one.
        if (this.#state.waiting?.cause === 'schedule' && !this.#starting) this.#state.waiting = null;
        await this.#save();
      }
      this.schedule();
    });
    this.#tell();
  }

  /** Not told any more by the control plane: what runs goes on, what is owed is not. */
  async drop(): Promise<void> {
    await this.#enqueue(async () => {
      this.spec = undefined;
      this.#dropped = true;
      this.nextAt = Number.POSITIVE_INFINITY;
      if (!this.#starting) this.#state.waiting = null;
      if (this.#state.runs.some((run) => run.outcome === 'running')) await this.#save();
    });
  }

  /** Works out `nextAt` anew, after a change or a jump of the clock. */
  schedule(now = Date.now()): void {
    const { spec } = this;
    this.#state.handled = believed(this.#state.handled, now);
    this.nextAt = spec?.enabled === true ? (nextRun(spec.schedule, this.#state.handled) ?? Infinity) : Infinity;
  }

  /** The control groups of what runs, as `<account>/<program>`. */
  groups(): string[] {
    return this.#state.runs.flatMap(({ record }) => (record === null ? [] : [`${record.account}/${record.program}`]));
  }

  /** Takes over what an earlier agent left. */
  async adopt(): Promise<void> {
    await this.#enqueue(async () => {
      for (const kept of this.#state.runs.filter((run) => run.outcome === 'running')) await this.#adoptRun(kept);
    });
  }

  async #adoptRun(kept: KeptRun): Promise<void> {
    const { record } = kept;
    const found =
      record === null ? ({ state: 'never-began' } as const) : await findRun(this.#ground, record, this.#ground.boot);
    switch (found.state) {
      case 'running':
        this.#watch(kept, found.run, elapsedMs(kept));
        return;
      case 'ended':
        await this.#record(kept, found.end);
        return;
      case 'never-began':
        // The promise of a run is kept by a run: it is owed again.
        await this.#oweAgain(kept);
        return;
      default:
        found satisfies never;
    }
  }

  /** Nothing of a run took place: what was owed is owed as before. */
  async #oweAgain(kept: KeptRun): Promise<void> {
    const { due, cause, startedAt: since, record } = kept;
    this.#state.runs = this.#state.runs.filter((run) => run !== kept);
    this.#state.waiting ??= { due: due === null ? null : Date.parse(due), cause, since };
    await this.#save();
    if (record !== null) await forgetRun(this.#ground.context, record);
  }

  /** Does what is due at `now`, and tries again what waits. Returns at once. */
  look(now: number): void {
    if (this.#closed) return;
    if (now >= this.nextAt) {
      // Until it is decided nobody decides it again.
      this.nextAt = Number.POSITIVE_INFINITY;
      this.#behind(this.#enqueue(async () => await this.#decide(now)));
    } else if (this.#state.waiting !== null && !this.#starting && performance.now() >= this.#retryAt) this.#begin();
  }

  /** Its volume is usable again: what waits for it need not wait longer. */
  hurry(): void {
    this.#retryAt = 0;
    if (this.#state.waiting !== null && !this.#starting && !this.#closed) this.#begin();
  }

  /** A run on its owner's word. */
  async runNow(): Promise<TaskStatus> {
    await this.#enqueue(async () => {
      if (this.spec === undefined) throw new HoldfastError('not-found', `There is no task ${this.id}.`);
      if (this.#state.waiting !== null)
        throw new HoldfastError('conflict', 'A run of this task waits for its turn already.');
      if (this.#busy() && !(this.spec.overlap && this.#runs.size < MOST_BESIDE))
        throw new HoldfastError('conflict', 'This task is running. Wait for its end, or stop it first.');
      this.#state.waiting = { due: null, cause: 'asked', since: new Date().toISOString() };
      await this.#save();
    });
    this.#begin();
    return this.status();
  }

  /** Ends everything that runs of it: asked first, killed after `graceMs`. Returns how many there were. */
  async stop(why: 'stopped' | 'cut-off', graceMs: number): Promise<number> {
    const running = Array.from(this.#runs);
    await this.#enqueue(async () => {
      const withdrawn = this.#state.waiting?.cause === 'asked' && !this.#starting;
      if (withdrawn) this.#state.waiting = null;
      for (const [number] of running) this.#markEnding(number, why);
      // At the end of the platform this is asked of every task there is.
      if (withdrawn || running.length > 0) await this.#save();
    });
    await Promise.all(running.map(async ([, run]) => await run.stop(graceMs)));
    await this.#queue;
    return running.length;
  }

  /** No new runs; those that there are stay. */
  leave(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const run of this.#runs.values()) run.leave();
  }

  /** For the end of the platform, and of the account. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    await this.stop('cut-off', graceMs);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Where the output of a run is; undefined when it is not remembered any more. */
  logOf(number: number): KeptRun['log'] | undefined {
    return this.#state.runs.find((run) => run.number === number)?.log;
  }

  #busy(): boolean {
    return this.#runs.size > 0 || this.#starting || this.#state.waiting !== null;
  }

  async #decide(now: number): Promise<void> {
    const { spec } = this;
    if (spec?.enabled !== true) return;
    const busy = this.#busy();
    const overlap = spec.overlap && this.#runs.size < MOST_BESIDE && this.#state.waiting === null;
    const decision = decideDue({ ...spec, overlap }, { handled: this.#state.handled, busy }, now);
    if (decision.act === 'nothing') {
      this.schedule(now);
      return;
    }
    this.#state.handled = decision.due;
    if (decision.act === 'skip') {
      this.#note(decision.due, skippedBecause(decision.reason, this.#state.waiting !== null));
      await this.#save();
    } else {
      // Not on disk before the run itself is: an agent that dies before that leaves the next one to decide the same.
      const since = new Date(Math.min(now, Date.now())).toISOString();
      this.#state.waiting = { due: decision.due, cause: 'schedule', since };
    }
    this.schedule(now);
    await this.#ground.checkpoint('decided');
    if (decision.act === 'run') this.#begin();
    else this.#tell();
  }

  /** Starts what waits, when there is a turn for it. In the background. */
  #begin(): void {
    if (this.#starting || this.#closed) return;
    this.#starting = true;
    this.#retryAt = performance.now() + RETRY_MS;
    const volume = this.#ground.accountOf(this.account)?.volume ?? '';
    this.#tell();
    const work = this.#ground.turns
      .run(volume, async () => {
        await this.#enqueue(async () => await this.#start());
      })
      .finally(() => {
        this.#starting = false;
      });
    this.#behind(work);
  }

  async #start(): Promise<void> {
    const { waiting } = this.#state;
    const { spec } = this;
    if (waiting === null || spec === undefined || this.#closed) return;
    const { storage, sandboxes, context } = this.#ground;
    const account = this.#ground.accountOf(this.account);
    if (account === undefined) return;
    let home: ReturnType<typeof storage.homeOf>;
    try {
      home = storage.homeOf(account.name);
      this.#ground.assertRoom(account.volume);
      this.#storage = false;
    } catch (error) {
      if (!(error instanceof HoldfastError) || !['storage-repair', 'volume-closed', 'not-found'].includes(error.code))
        throw error;
      this.#storage = true;
      this.#tell();
      return;
    }
    const number = this.#state.lastNumber + 1;
    const log = await openLogFile(join(await sandboxes.logDirectory(account), spec.log), account.uid);
    const kept: KeptRun = {
      number,
      cause: waiting.cause,
      due: waiting.due === null ? null : new Date(waiting.due).toISOString(),
      late: waiting.due !== null && Date.now() - waiting.due > LATE_AFTER_MS,
      startedAt: new Date().toISOString(),
      endedAt: null,
      outcome: 'running',
      code: null,
      signal: null,
      message: null,
      cpuSeconds: null,
      peakMemoryBytes: null,
      record: null,
      ending: null,
      log: { file: spec.log, from: log.offset, to: null },
    };
    let begun = false;
    try {
      const run = await beginRun(
        this.#ground,
        {
          account,
          home,
          program: `task-${this.id}-${number}`,
          boot: this.#ground.boot,
          command: ['/bin/sh', `${SHIM_DIRECTORY}/command.sh`, spec.pythonVersion, 'yes', spec.command],
          output: log.handle.fd,
        },
        async (record) => {
          kept.record = record;
          this.#state.runs.push(kept);
          this.#state.lastNumber = number;
          this.#state.waiting = null;
          begun = true;
          await this.#save();
          await this.#ground.checkpoint('intent-written');
        },
      );
      this.#watch(kept, run, 0);
      await this.#ground.checkpoint('process-started');
    } catch (error) {
      // Nothing runs: the run is owed as before. A platform that cannot make it now (a full disk, no processes left) tries again.
      context.log.error({ err: error, account: this.account, task: this.id }, 'a run of a task could not be started');
      if (begun) {
        this.#state.runs = this.#state.runs.filter((run) => run !== kept);
        this.#state.waiting = waiting;
        await this.#save();
      }
    } finally {
      await log.handle.close();
      this.#tell();
    }
  }

  #watch(kept: KeptRun, run: Run, elapsed: number): void {
    this.#runs.set(kept.number, run);
    const limits = this.#ground.accountOf(this.account)?.limits;
    let timer: NodeJS.Timeout | undefined;
    if (limits !== undefined) {
      const left = Math.max(0, limits.taskSeconds * 1000 - elapsed);
      timer = setTimeout(() => this.#behind(this.#tooLong(kept.number, run, limits.stopGraceSeconds * 1000)), left);
      timer.unref();
      this.#timers.add(timer);
    }
    const end = async (): Promise<void> => {
      const how = await run.ended;
      clearTimeout(timer);
      if (timer !== undefined) this.#timers.delete(timer);
      await this.#ground.checkpoint('ended');
      await this.#enqueue(async () => await this.#record(kept, how));
    };
    this.#behind(end());
  }

  async #tooLong(number: number, run: Run, graceMs: number): Promise<void> {
    await this.#enqueue(async () => {
      this.#markEnding(number, 'too-long');
      await this.#save();
    });
    await run.stop(graceMs);
  }

  #markEnding(number: number, why: 'too-long' | 'stopped' | 'cut-off'): void {
    const kept = this.#state.runs.find((run) => run.number === number && run.outcome === 'running');
    if (kept !== undefined) kept.ending ??= why;
  }

  /** Writes down how a run ended; only then the last trace of it goes. */
  async #record(kept: KeptRun, end: RunEnd): Promise<void> {
    const { context } = this.#ground;
    const { record } = kept;
    if (end.setUpFailed !== null) {
      context.log.error({ account: this.account, task: this.id, said: end.setUpFailed }, 'a sandbox could not be made');
      if (this.#storageFails()) {
        // Nothing of it ran, and its storage is why: it is owed again, and comes when that is back.
        await this.#oweAgain(kept);
        this.#runs.delete(kept.number);
        return;
      }
    }
    const memory = this.#ground.accountOf(this.account)?.limits.memoryBytes;
    const ended: KeptRun = {
      ...kept,
      ...outcomeOf(kept, end, memory === undefined ? 'memory' : formatBytes(memory)),
      endedAt: new Date().toISOString(),
      code: end.code,
      signal: end.signal,
      cpuSeconds: end.cpuSeconds,
      peakMemoryBytes: end.peakMemoryBytes,
      record: null,
      ending: null,
    };
    // Whoever sees that it has ended finds its last line in the log.
    ended.log = { ...kept.log, to: await tellOwner(this.#ground, this.account, kept.log.file, lastLine(ended)) };
    Object.assign(kept, ended);
    this.#trim();
    await this.#save();
    await this.#ground.checkpoint('end-recorded');
    if (record !== null) await forgetRun(context, record);
    // Last of all: a deleted task without a run is forgotten.
    this.#runs.delete(kept.number);
    this.#tell();
  }

  #storageFails(): boolean {
    try {
      this.#ground.storage.homeOf(this.account);
      return false;
    } catch {
      return true;
    }
  }

  /** A run that was due and is left out stands in the history, too: nothing is lost in silence. */
  #note(due: number, message: string): void {
    const at = new Date().toISOString();
    this.#state.lastNumber += 1;
    this.#state.runs.push({
      number: this.#state.lastNumber,
      cause: 'schedule',
      due: new Date(due).toISOString(),
      late: false,
      startedAt: at,
      endedAt: at,
      outcome: 'skipped',
      code: null,
      signal: null,
      message,
      cpuSeconds: null,
      peakMemoryBytes: null,
      record: null,
      ending: null,
      log: { file: this.spec?.log ?? '', from: 0, to: 0 },
    });
    this.#trim();
  }

  #trim(): void {
    const ended = this.#state.runs.filter((run) => run.outcome !== 'running');
    const surplus = new Set(ended.slice(0, Math.max(0, ended.length - MOST_RUNS)));
    this.#state.runs = this.#state.runs.filter((run) => !surplus.has(run));
  }

  async #save(): Promise<void> {
    await this.#ground.states.write(this.#state);
  }

  #tell(): void {
    if (this.#ground.ready) this.#ground.context.emit({ type: 'task', task: this.status(5) });
  }

  #behind(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.#ground.context.log.error({ err: error, account: this.account, task: this.id }, 'a task could not go on');
      // Decided by nobody, so it is still owed.
      if (!Number.isFinite(this.nextAt)) this.schedule();
    });
  }

  #enqueue<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = this.#queue.then(work);
    this.#queue = mine.catch(() => undefined);
    return mine;
  }
}

function aboutOf(spec: TaskSpec): string {
  return JSON.stringify([spec.enabled, spec.schedule]);
}

/** How long an adopted run has been going, milliseconds. By the clock: one that was set meanwhile moves its limit, and nothing else. */
function elapsedMs(kept: KeptRun): number {
  return Math.max(0, Date.now() - Date.parse(kept.startedAt));
}
