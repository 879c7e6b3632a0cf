import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { until } from '../../src/runtime/deadline.ts';
import { isAlive, recordOf, type ProcessRecord } from '../../src/runtime/process-record.ts';

/** A program of the benchmark's own, with everything it starts in one process group, so that it can be ended whole. */
export class OwnProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #record: ProcessRecord | undefined;
  readonly #stopSignal: NodeJS.Signals;

  private constructor(child: ChildProcess, stopSignal: NodeJS.Signals) {
    this.#child = child;
    this.#stopSignal = stopSignal;
    this.#record = child.pid === undefined ? undefined : recordOf(child.pid);
  }

  /** Starts it in a session of its own; its output goes to `logFile`. Throws when the program does not exist. */
  static async start(
    program: string,
    arguments_: readonly string[],
    options: { logFile: string; stopSignal: NodeJS.Signals },
  ): Promise<OwnProcess> {
    const log = openSync(options.logFile, 'a');
    const child = spawn(program, [...arguments_], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
    });
    closeSync(log);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return new OwnProcess(child, options.stopSignal);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process was not started.');
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    if (!this.ended) this.#child.kill(name);
  }

  /** Asks it to end, then ends its whole group. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#record === undefined) return;
    const record = this.#record;
    this.signal(this.#stopSignal);
    await until(() => this.ended, `the end of process ${record.pid}`, 5_000, 5).catch(() => undefined);
    try {
      process.kill(-record.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await until(() => !isAlive(record), `the end of killed process ${record.pid}`, 10_000, 5);
  }
}
