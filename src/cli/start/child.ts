import { spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { until } from '../../runtime/deadline.ts';
import {
  isAlive,
  readRecord,
  recordOf,
  signalRecorded,
  writeRecord,
  type ProcessRecord,
} from '../../runtime/process-record.ts';
import { readProcessStat } from '../../runtime/process-stat.ts';

export interface ChildDefinition {
  name: string;
  program: string;
  arguments: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** Where its output goes: a file, so that the child outlives its owner without a broken pipe. */
  logFile: string;
  /** Names the living process for the next owner. */
  recordFile: string;
  /**
   * Whether it can be asked to end in its own way. A process that has just been started again does not handle signals yet:
   * it would simply die, and leave behind everything it was to end.
   */
  answers?: () => Promise<boolean>;
}

/** Of its log; more than the longest stack. */
const LAST_LINES = 60;
const LOG_LIMIT = 10 * 1024 * 1024;
/** Waits before the first, second ... restart in a row, milliseconds; the first is at once because members may be waiting. */
const RESTART_DELAYS = [0, 500, 1_000, 2_000, 5_000, 10_000];
/** A child that has lived this long starts from the first delay again. */
const CALM_MS = 60_000;
/** How long one that was just started again may take until it can be asked to stop. */
const ANSWER_DEADLINE_MS = 30_000;
/** How long one that does not answer has to end by itself before it is killed. */
const HUNG_GRACE_MS = 2_000;

/** Where there is no room for a log, what would be written to it is lost, and the process runs. */
function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch {
    return openSync('/dev/null', 'a');
  }
}

/** One long-lived process and its owner's duty: start it, start it again when it dies, stop it when asked. */
export class OwnedChild {
  readonly #definition: ChildDefinition;
  #record: ProcessRecord | undefined;
  #wanted = false;
  #failures = 0;
  #lastEnd = 'did not end';
  /** Where in the log this start's output begins. */
  #logFrom = 0;
  /** The same, of the process that runs now or ended last. */
  #lifeFrom = 0;
  #startedAt = 0;
  #restart: NodeJS.Timeout | undefined;
  readonly #onDeath: (line: string) => void;

  constructor(definition: ChildDefinition, onDeath: (line: string) => void) {
    this.#definition = definition;
    this.#onDeath = onDeath;
  }

  get pid(): number | undefined {
    return this.#record !== undefined && isAlive(this.#record) ? this.#record.pid : undefined;
  }

  /** How often it had to be started again, for the message when it never comes up. */
  get failures(): number {
    return this.#failures;
  }

  /** How it ended last, as a sentence goes on: "ended (exit code 1)". */
  get lastEnd(): string {
    return this.#lastEnd;
  }

  get name(): string {
    return this.#definition.name;
  }

  get logFile(): string {
    return this.#definition.logFile;
  }

  /** The end of what it has written since this start. */
  lastWords(lines: number, from = this.#logFrom): string[] {
    if (!existsSync(this.logFile)) return [];
    const all = readFileSync(this.logFile);
    const mine = all.subarray(all.length < from ? 0 : from);
    return mine.toString('utf8').trimEnd().split('\n').slice(-lines);
  }

  start(): void {
    this.#wanted = true;
    this.#logFrom = statSync(this.logFile, { throwIfNoEntry: false })?.size ?? 0;
    this.#spawn();
  }

  #spawn(): void {
    this.#restart = undefined;
    if (!this.#wanted) return;
    const { program, logFile, recordFile } = this.#definition;
    this.#keepLogShort();
    this.#lifeFrom = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    const output = openLog(logFile);
    const child = spawn(program, [...this.#definition.arguments], {
      detached: true, // Its own session: Ctrl-C in the terminal reaches the owner only, which stops things in order.
      stdio: ['ignore', output, output],
      env: this.#definition.environment,
      cwd: '/',
    });
    closeSync(output);
    this.#startedAt = performance.now();
    child.on('error', (error) => {
      this.#again(`could not be started: ${error.message}`);
    });
    if (child.pid !== undefined) {
      this.#record = recordOf(child.pid);
      if (this.#record) this.#keepRecord(recordFile, this.#record);
    }
    child.on('exit', (code, signal) => {
      if (this.#wanted) this.#again(`ended (${signal ?? `exit code ${code ?? '?'}`})`);
    });
  }

  /**
   * Ends one that hangs, so that it is started again. It gets a moment to end in its own way, unless it was stopped by a signal: then it cannot.
   * Resolves when it is gone, or cannot be ended (it waits inside the kernel); never throws for that.
   */
  async endHung(): Promise<void> {
    const record = this.#record;
    if (record === undefined) return;
    const stopped = [record, ...childrenOf(record.pid).map((child) => child.record)].some(({ pid }) => isStopped(pid));
    await endProcess(record, 'SIGTERM', stopped ? 0 : HUNG_GRACE_MS).catch(() => {
      this.#onDeath(`${this.#definition.name} (pid ${record.pid}) cannot be ended: it waits inside the kernel.`);
    });
  }

  #again(how: string): void {
    if (performance.now() - this.#startedAt > CALM_MS) this.#failures = 0;
    const delay = RESTART_DELAYS[Math.min(this.#failures, RESTART_DELAYS.length - 1)] ?? 0;
    this.#failures += 1;
    this.#lastEnd = how;
    const reason = this.#reason();
    const why = reason === undefined ? '' : `: ${reason}`;
    this.#onDeath(`${this.#definition.name} ${how}${why}; starting it again. Its log: ${this.#definition.logFile}`);
    this.#restart = setTimeout(() => this.#spawn(), delay);
  }

  /** The error that it ended with, as it wrote it itself. */
  #reason(): string | undefined {
    try {
      return uncaughtError(this.lastWords(LAST_LINES, this.#lifeFrom));
    } catch {
      return undefined; // The log cannot be read; the name of its file is told in any case.
    }
  }

  #keepRecord(recordFile: string, record: ProcessRecord): void {
    try {
      writeRecord(recordFile, record);
    } catch (error) {
      // It runs all the same; only the next owner would not know of it.
      this.#onDeath(`The record of ${this.name} cannot be written: ${error instanceof Error ? error.message : ''}`);
    }
  }

  /** Copy and truncate, because the child holds the file open. Where there is no room for the copy, the old lines are given up. */
  #keepLogShort(): void {
    const { logFile } = this.#definition;
    const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size < LOG_LIMIT) return;
    try {
      copyFileSync(logFile, `${logFile}.1`);
    } catch {
      rmSync(`${logFile}.1`, { force: true });
    }
    truncateSync(logFile, 0);
  }

  /** Called now and then by the owner. */
  maintain(): void {
    this.#keepLogShort();
  }

  /** One that is dead is not waited for in the pause before its next start: it is started now. */
  async #untilItAnswers(answers: () => Promise<boolean>): Promise<void> {
    try {
      await until(
        async () => {
          if (this.#restart !== undefined && this.pid === undefined) {
            clearTimeout(this.#restart);
            this.#spawn();
          }
          return await answers();
        },
        `the ${this.#definition.name} taking orders`,
        ANSWER_DEADLINE_MS,
        50,
      );
    } catch {
      this.#onDeath(`${this.#definition.name} does not take orders; it is stopped as it is.`);
    }
  }

  /** Asks it to end with `signal`, and with SIGKILL after `deadlineMs`. */
  async stop(signal: NodeJS.Signals, deadlineMs: number): Promise<'ended' | 'killed'> {
    if (this.#wanted && this.#definition.answers !== undefined) await this.#untilItAnswers(this.#definition.answers);
    this.#wanted = false;
    clearTimeout(this.#restart);
    return await endProcess(this.#record, signal, deadlineMs);
  }
}

/** The message of the last error in what Node writes when nobody caught one: the place, a blank line, "Error: message", the stack. */
export function uncaughtError(lines: readonly string[]): string | undefined {
  const line = lines.findLast((text) => /^(?:[A-Za-z]+Error|Error)(?: \[[^\]]+\])?: ./.test(text));
  return line?.replace(/^(?:HoldfastError|Error): /, '').replace(/\.$/, '');
}

/** Whether something listens on a Unix socket. */
export async function listensOn(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, done(false));
    socket.on('connect', done(true));
    socket.on('error', done(false));
  });
}

/** Ends a process that an earlier owner left behind (it was killed before it could). Returns whether there was one. */
export async function endLeftover(recordFile: string, signal: NodeJS.Signals, deadlineMs: number): Promise<boolean> {
  const record = readRecord(recordFile);
  if (record === undefined) return false;
  await endProcess(record, signal, deadlineMs);
  return true;
}

function childrenOf(pid: number): { record: ProcessRecord; command: string }[] {
  try {
    const own = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    if (own !== 'bwrap') return [];
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter((text) => text.trim() !== '')
      .flatMap((text) => {
        const record = recordOf(Number(text));
        return record ? [{ record, command: commandOf(record.pid) }] : [];
      });
  } catch {
    return []; // It ended while we looked: then there is nothing to signal.
  }
}

/** Whether a signal or a debugger has stopped it (proc_pid_stat(5): T, t). */
function isStopped(pid: number): boolean {
  return ['T', 't'].includes(readProcessStat(pid)?.state ?? '');
}

/** Node names its main thread itself ("MainThread"), so the name of the program file is taken. */
function commandOf(pid: number): string {
  return basename(readlinkSync(`/proc/${pid}/exe`));
}

async function endProcess(
  record: ProcessRecord | undefined,
  signal: NodeJS.Signals,
  deadlineMs: number,
): Promise<'ended' | 'killed'> {
  if (record === undefined || !isAlive(record)) return 'ended';
  // A wrapper (bwrap) ends when what it wraps has ended, but does not pass signals on: the wrapped process gets it.
  const wrapped = childrenOf(record.pid).filter((child) => child.command === 'node');
  const targets = wrapped.length > 0 ? wrapped.map((child) => child.record) : [record];
  for (const target of targets) signalRecorded(target, signal);
  try {
    await until(() => !isAlive(record), `the end of process ${record.pid}`, deadlineMs);
    return 'ended';
  } catch {
    // It had its time; what it left undone is taken up from the journals. One that hangs does not notice that its wrapper is gone.
    for (const target of [...targets, record]) signalRecorded(target, 'SIGKILL');
    await until(() => !isAlive(record), `the end of killed process ${record.pid}`, 10_000);
    return 'killed';
  }
}
