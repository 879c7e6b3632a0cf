import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { diagnosisSchema, hostHealthSchema } from '../../protocol/health.ts';
import { until } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import { endRecorded, recordOf, writeRecord } from '../../runtime/process-record.ts';
import { lineSplitter } from './watcher/lines.ts';
import type { WatcherOrders, WatcherReport } from './watcher/messages.ts';

const PROGRAM = join(import.meta.dirname, 'watcher', 'main.ts');
/** Waits before it is started again, first, second ... in a row, milliseconds. */
const RESTART_MS = [50, 500, 2_000, 5_000];
const CALM_MS = 30_000;
/** It reports every second: one that is silent for so many is stuck. At its start it may take longer. */
const SILENT_SECONDS = 3;
const SILENT_AT_START_SECONDS = 20;
/** It ends within milliseconds when it is asked to. */
const END_MS = 1_000;
/** The watcher keeps little: a small heap is collected often and stays small. */
const FLAGS = [
  '--max-old-space-size=48',
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
  '--disable-warning=ExperimentalWarning',
];

const reportSchema: z.ZodType<WatcherReport> = z.object({
  troubles: z.array(z.object({ diagnosis: diagnosisSchema, since: z.number() })),
  suspects: z.array(z.object({ volume: z.string(), replica: z.string() })),
  health: hostHealthSchema.omit({ at: true, name: true, reaction: true, room: true }).nullable(),
});

export interface WatcherProcessOptions {
  /** The platform's own, on the host's disk: a small file in it is written now and then. */
  directory: string;
  /** For as long as the machine is up: compiled modules, so that the watcher needs no compiler in its memory, and who runs. */
  run: string;
  log: Logger;
  onReport(report: WatcherReport): void;
  /** It ended, or could not be started: nobody watches until the next report. */
  onBlind(): void;
}

/** The watcher as the agent has it: started, told what to watch, started again when it dies. */
export class WatcherProcess {
  readonly #options: WatcherProcessOptions;
  #child: ChildProcess | undefined;
  #orders = '';
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: WatcherProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const startedAt = performance.now();
    let heard = false;
    let silentSeconds = 0;
    // One that an earlier agent could not end any more. Its prober is ended by the next one.
    endRecorded(this.#recordOf('watcher'));
    const child = spawn(process.execPath, [...FLAGS, PROGRAM, this.#options.directory, this.#recordOf('prober')], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
        UV_THREADPOOL_SIZE: '1',
        NODE_COMPILE_CACHE: join(this.#options.run, 'watcher-cache'),
      },
    });
    this.#child = child;
    this.#keepRecord(child.pid);
    child.stdout.setEncoding('utf8').on(
      'data',
      lineSplitter((line) => {
        heard = true;
        silentSeconds = 0;
        if (this.#child === child) this.#take(line);
      }),
    );
    // It ended while we wrote: the exit tells.
    child.stdin.on('error', () => undefined);
    // Turns are counted, not time: when the agent itself was held up, what the watcher said meanwhile is still to be read.
    const listening = setInterval(() => {
      silentSeconds += 1;
      if (silentSeconds < (heard ? SILENT_SECONDS : SILENT_AT_START_SECONDS)) return;
      this.#options.log.error({ pid: child.pid, silentSeconds }, 'the watcher says nothing; it is killed');
      child.kill('SIGKILL');
      // One that waits in the kernel ends only later; another one is started all the same.
      gone();
    }, 1_000);
    listening.unref();
    const gone = (): void => {
      clearInterval(listening);
      if (this.#child !== child) return;
      this.#child = undefined;
      if (this.#stopped) return;
      this.#failures = performance.now() - startedAt > CALM_MS ? 0 : this.#failures + 1;
      this.#options.log.error({ failures: this.#failures }, 'the watcher ended; it is started again');
      this.#options.onBlind();
      this.#timer = setTimeout(() => this.start(), RESTART_MS[Math.min(this.#failures, RESTART_MS.length - 1)]);
    };
    child.once('exit', gone).once('error', gone);
    if (this.#orders !== '') child.stdin.write(this.#orders);
  }

  #recordOf(name: 'watcher' | 'prober'): string {
    return join(this.#options.run, `${name}.json`);
  }

  #keepRecord(pid: number | undefined): void {
    const record = pid === undefined ? undefined : recordOf(pid);
    try {
      if (record !== undefined) writeRecord(this.#recordOf('watcher'), record);
    } catch (error) {
      this.#options.log.warn({ error }, 'which process watches could not be written down');
    }
  }

  /** Closes its pipe, which ends it and its prober; what is frozen and does not end is killed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child !== undefined) {
      child.stdin?.end();
      await until(
        () => child.exitCode !== null || child.signalCode !== null,
        'the end of the watcher',
        END_MS,
        20,
      ).catch(() => child.kill('SIGKILL'));
    }
    endRecorded(this.#recordOf('prober'));
  }

  tell(orders: WatcherOrders): void {
    const text = `${JSON.stringify(orders)}\n`;
    if (text === this.#orders) return;
    this.#orders = text;
    this.#child?.stdin?.write(text);
  }

  #take(line: string): void {
    let report: WatcherReport;
    try {
      report = reportSchema.parse(JSON.parse(line));
    } catch (error) {
      this.#options.log.error({ error }, 'the watcher said something that cannot be understood');
      return;
    }
    this.#options.onReport(report);
  }
}
