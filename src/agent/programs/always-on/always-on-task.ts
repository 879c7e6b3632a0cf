import { join } from 'node:path';
import { restartAfter, TOO_OFTEN } from '../../../model/tasks.ts';
import { formatBytes } from '../../../model/words.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AlwaysOnSpec, AlwaysOnStatus } from '../../../protocol/tasks.ts';
import type { ProgramGround } from '../kind.ts';
import { openLogFile } from '../output.ts';
import { tellOwner } from '../owner-line.ts';
import { beginRun, findRun, forgetRun, type Run, type RunEnd } from '../run.ts';
import { SHIM_DIRECTORY } from '../sandbox-arguments.ts';
import type { AlwaysOnState } from './always-on-state.ts';

export interface AlwaysOnGround extends ProgramGround {
  boot: string;
  /** False until everything that an earlier agent left is adopted: nothing is started before. */
  ready: boolean;
  write(state: AlwaysOnState): Promise<void>;
}

const RETRY_MS = 5_000;
/** So long without an end, milliseconds, and a task counts as running and no longer as starting. */
const RUNNING_AFTER_MS = 2_000;

/**
 * One always-on task: started when it is not there, with pauses that grow while it ends soon after each start. Work on it is done one piece
 * after the other.
 */
export class AlwaysOnTask {
  readonly account: string;
  readonly id: number;
  spec: AlwaysOnSpec | undefined;
  readonly #ground: AlwaysOnGround;
  readonly #state: AlwaysOnState;
  #run: Run | undefined;
  #since = new Date();
  #stopping = false;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;
  #told: AlwaysOnStatus['state'] | undefined;
  /** By performance.now(): no start before. */
  #notBefore = 0;
  #usage: { memoryBytes: number; cpuSeconds: number } | undefined;

  constructor(ground: AlwaysOnGround, state: AlwaysOnState) {
    this.#ground = ground;
    this.#state = state;
    this.account = state.account;
    this.id = state.id;
  }

  get idle(): boolean {
    return this.#run === undefined;
  }

  get group(): string | undefined {
    const { record } = this.#state;
    return record === null ? undefined : `${record.account}/${record.program}`;
  }

  get status(): AlwaysOnStatus {
    const state = this.#stateNow();
    const waits = state === 'waiting' || state === 'failing';
    return {
      account: this.account,
      id: this.id,
      state,
      since: this.#since.toISOString(),
      lastEnd: this.#state.lastEnd,
      restartAt: waits ? new Date(Date.now() + Math.max(0, this.#notBefore - performance.now())).toISOString() : null,
      starts: this.#state.starts,
      memoryBytes: this.#usage?.memoryBytes ?? null,
      cpuSeconds: this.#usage?.cpuSeconds ?? null,
    };
  }

  #stateNow(): AlwaysOnStatus['state'] {
    if (this.#stopping) return 'stopping';
    if (this.#run !== undefined)
      return Date.now() - Date.parse(this.#state.startedAt ?? '') < RUNNING_AFTER_MS ? 'starting' : 'running';
    if (this.spec?.enabled !== true) return 'paused';
    return this.#state.endsInARow >= TOO_OFTEN ? 'failing' : 'waiting';
  }

  /** Takes a definition. Another command runs at once instead of the old one. */
  async put(spec: AlwaysOnSpec): Promise<void> {
    const was = this.spec;
    this.spec = spec;
    if (!this.#ground.ready) return;
    const changed = was !== undefined && (was.command !== spec.command || was.pythonVersion !== spec.pythonVersion);
    if (!spec.enabled || changed) await this.#stop('It was stopped by its owner.');
    if (changed || (was?.enabled === false && spec.enabled)) this.#anew();
    this.look();
  }

  /** Ends it, and forgets how often it failed: it starts at once. */
  async restart(): Promise<AlwaysOnStatus> {
    if (this.spec?.enabled !== true)
      throw new HoldfastError('conflict', 'This always-on task is paused. Switch it on, and it starts.');
    await this.#stop('It was restarted by its owner.');
    this.#anew();
    await this.#enqueue(async () => await this.#start());
    return this.status;
  }

  async drop(): Promise<void> {
    this.spec = undefined;
    await this.#stop('It was deleted.');
  }

  async adopt(): Promise<void> {
    await this.#enqueue(async () => {
      const { record } = this.#state;
      if (record === null) return;
      const found = await findRun(this.#ground, record, this.#ground.boot);
      if (found.state === 'running') this.#watch(found.run);
      else {
        if (found.state === 'ended') this.#ended(found.end);
        this.#state.record = null;
        await this.#ground.write(this.#state);
        await forgetRun(this.#ground.context, record);
      }
    });
  }

  /** Starts it when it should run and does not. Returns at once. */
  look(): void {
    if (
      !this.#closed &&
      this.#ground.ready &&
      this.#run === undefined &&
      this.spec?.enabled === true &&
      performance.now() >= this.#notBefore
    )
      this.#behind(this.#enqueue(async () => await this.#start()));
    this.#tell();
  }

  async measure(): Promise<void> {
    this.#usage = await this.#run?.usage();
  }

  /** Its volume is usable again. */
  hurry(): void {
    if (this.#state.endsInARow < TOO_OFTEN) this.#notBefore = 0;
    this.look();
  }

  /** Its volume closes, and would wait for it. It starts again with it. */
  async abandon(): Promise<void> {
    await this.#stop('It was ended together with its storage.', 0);
    this.#anew();
  }

  leave(): void {
    this.#closed = true;
    this.#run?.leave();
  }

  async close(graceMs?: number): Promise<void> {
    this.#closed = true;
    await this.#stop('It was ended together with the platform.', graceMs);
  }

  #anew(): void {
    this.#state.endsInARow = 0;
    this.#notBefore = 0;
  }

  async #stop(why: string, graceMs = this.#graceMs()): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#stopping = true;
    this.#tell();
    try {
      if (!(await run.stop(graceMs))) return;
      await this.#queue;
      this.#state.lastEnd = why;
    } finally {
      this.#stopping = false;
      this.#since = new Date();
      this.#tell();
    }
  }

  #graceMs(): number {
    return (this.#ground.accountOf(this.account)?.limits.stopGraceSeconds ?? 10) * 1000;
  }

  async #start(): Promise<void> {
    const { spec } = this;
    if (spec?.enabled !== true || this.#run !== undefined || this.#closed) return;
    const { context, sandboxes, storage, starts } = this.#ground;
    const account = this.#ground.accountOf(this.account);
    this.#notBefore = performance.now() + RETRY_MS;
    if (account === undefined) return;
    try {
      await starts.run(account.volume, async () => {
        const home = storage.homeOf(account.name);
        this.#ground.assertRoom(account.volume);
        const log = await openLogFile(join(await sandboxes.logDirectory(account), spec.log), account.uid);
        try {
          this.#state.number += 1;
          const run = await beginRun(
            this.#ground,
            {
              account,
              home,
              program: `always-${this.id}-${this.#state.number}`,
              boot: this.#ground.boot,
              command: ['/bin/sh', `${SHIM_DIRECTORY}/command.sh`, spec.pythonVersion, 'no', spec.command],
              output: log.handle.fd,
            },
            async (record) => {
              this.#state.starts += 1;
              this.#state.record = record;
              this.#state.startedAt = new Date().toISOString();
              await this.#ground.write(this.#state);
            },
          );
          this.#watch(run);
        } finally {
          await log.handle.close();
        }
      });
    } catch (error) {
      this.#state.record = null;
      const storageTrouble =
        error instanceof HoldfastError &&
        ['storage-repair', 'volume-closed', 'not-found', 'not-ready'].includes(error.code);
      this.#state.lastEnd = storageTrouble ? error.message : 'The platform could not start it; it tries again.';
      if (!storageTrouble)
        context.log.error({ err: error, account: this.account, task: this.id }, 'an always-on task was not started');
    }
  }

  #watch(run: Run): void {
    this.#run = run;
    this.#since = new Date(this.#state.startedAt ?? Date.now());
    this.#tell();
    const end = run.ended.then(
      async (how) =>
        await this.#enqueue(async () => {
          this.#run = undefined;
          this.#usage = undefined;
          this.#ended(how);
          this.#state.record = null;
          await this.#finishLog();
          await this.#ground.write(this.#state);
          await forgetRun(this.#ground.context, run.record);
          this.#tell();
        }),
    );
    this.#behind(end);
  }

  #ended(end: RunEnd): void {
    const lived = Date.now() - Date.parse(this.#state.startedAt ?? '');
    const { endsInARow, pauseMs } = restartAfter(this.#state.endsInARow, lived);
    this.#state.endsInARow = endsInARow;
    this.#notBefore = performance.now() + pauseMs;
    this.#since = new Date();
    const memory = this.#ground.accountOf(this.account)?.limits.memoryBytes;
    if (end.setUpFailed !== null) {
      this.#state.lastEnd = "The sandbox could not be made; the operator finds the reason in the agent's log.";
      const { account, id } = this;
      this.#ground.context.log.error({ account, task: id, said: end.setUpFailed }, 'a sandbox could not be made');
    } else if (end.outOfMemory)
      this.#state.lastEnd = `A process of it needed more than ${memory === undefined ? 'the memory' : formatBytes(memory)} of the plan and was stopped by the system.`;
    else if (end.code !== null) this.#state.lastEnd = `It ended with code ${end.code}.`;
    else if (end.signal !== null) this.#state.lastEnd = `It was ended by ${end.signal}.`;
    else this.#state.lastEnd = 'It was cut off together with its machine.';
  }

  async #finishLog(): Promise<void> {
    if (this.spec === undefined || this.#stopping) return;
    const seconds = Math.max(0, Math.ceil((this.#notBefore - performance.now()) / 1000));
    const text = `-- ${this.#state.lastEnd ?? ''} It is started again in ${seconds} s.`;
    await tellOwner(this.#ground, this.account, this.spec.log, text);
  }

  #tell(): void {
    const { status } = this;
    if (status.state === this.#told) return;
    this.#told = status.state;
    this.#ground.context.emit({ type: 'always-on', alwaysOn: status });
  }

  #behind(work: Promise<unknown>): void {
    work.catch((error: unknown) =>
      this.#ground.context.log.error(
        { err: error, account: this.account, task: this.id },
        'an always-on task could not go on',
      ),
    );
  }

  #enqueue<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = this.#queue.then(work);
    this.#queue = mine.catch(() => undefined);
    return mine;
  }
}
