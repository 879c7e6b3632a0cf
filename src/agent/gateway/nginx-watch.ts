import { readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { Patience } from '../../runtime/patience.ts';
import type { Logger } from '../../runtime/log.ts';
import { readProcessStat, TICK_MS } from '../../runtime/process-stat.ts';
import type { ProcessEntry } from './process-table.ts';

export interface NginxWatchOptions {
  /** The master and its workers. */
  processes: () => ProcessEntry[];
  /** Whether nginx answers on its internal socket, with a deadline of its own. Must not throw. */
  answers: () => Promise<boolean>;
  signal: (entry: ProcessEntry, signal: NodeJS.Signals) => void;
  /** Whether a process waits for something to do, as an event loop does that is well. */
  idle: (entry: ProcessEntry) => boolean;
  /** Processor time it has used so far, milliseconds. */
  usedMs: (entry: ProcessEntry) => number;
  log: Logger;
}

export const NGINX_TURN_MS = 1_000;
/** A process that is seen stopped in so many turns is told to go on, and ended when that does not help. */
const STOPPED_TURNS = 2;
const STOPPED_KILL_TURNS = 5;
/** Without an answer for so many turns it is said that nobody answers. */
const SILENT_TURNS = 4;
/** And after so many, workers that do not wait for work are ended: the master starts others. */
const HUNG_TURNS = 8;
/** One that runs is taken for an endless loop only while it has so much of a processor; with less it waits for its turn on a busy machine. */
const LOOP_SHARE = 0.5;

/**
 * Sees an nginx that is alive and does not serve. It does the least that helps, because whatever else nginx carries must go on: a process that was
 * stopped by a signal is told to go on; a worker that does not come back is ended alone; the master is ended only when it is stopped for good, and its
 * workers serve until another one is there.
 */
export class NginxWatch {
  readonly #options: NginxWatchOptions;
  readonly #patience = new Patience({ turnMs: NGINX_TURN_MS, turns: SILENT_TURNS });
  readonly #stopped = new Map<number, number>();
  readonly #busy = new Map<number, number>();
  readonly #used = new Map<number, number>();
  #silent = false;
  #asking = false;

  constructor(options: NginxWatchOptions) {
    this.#options = options;
  }

  /** True while nginx does not answer. */
  get silent(): boolean {
    return this.#silent;
  }

  /** One turn; only while nginx is meant to run. Answers whether `silent` has changed. */
  turn(now: number): boolean {
    const before = this.#silent;
    this.#silent = this.#patience.turn(now);
    const processes = this.#options.processes();
    this.#wakeStopped(processes);
    if (!this.#asking) void this.#ask();
    this.#endBusy(processes);
    return before !== this.#silent;
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    if (await this.#options.answers()) this.#patience.heard();
    this.#asking = false;
  }

  /** By a signal, not by a debugger: that is a person's, who looks at it. */
  #wakeStopped(processes: readonly ProcessEntry[]): void {
    const { log, signal } = this.#options;
    const stopped = processes.filter((entry) => entry.state === 'T');
    for (const pid of this.#stopped.keys()) if (!stopped.some((entry) => entry.pid === pid)) this.#stopped.delete(pid);
    for (const entry of stopped) {
      const turns = (this.#stopped.get(entry.pid) ?? 0) + 1;
      this.#stopped.set(entry.pid, turns);
      if (turns === STOPPED_TURNS) {
        log.error({ pid: entry.pid, title: entry.title }, 'a process of nginx was stopped; it is told to go on');
        signal(entry, 'SIGCONT');
      } else if (turns >= STOPPED_KILL_TURNS) {
        log.error({ pid: entry.pid, title: entry.title }, 'a process of nginx stays stopped; it is ended');
        signal(entry, 'SIGKILL');
      }
    }
  }

  #hangs(entry: ProcessEntry): boolean {
    const used = this.#options.usedMs(entry);
    const share = (used - (this.#used.get(entry.pid) ?? used)) / NGINX_TURN_MS;
    this.#used.set(entry.pid, used);
    if (entry.state === 'T' || this.#options.idle(entry)) return false;
    return entry.state !== 'R' || share >= LOOP_SHARE;
  }

  #endBusy(processes: readonly ProcessEntry[]): void {
    const { log, signal } = this.#options;
    const workers = processes.filter((entry) => entry.title === 'nginx: worker process');
    for (const known of [this.#busy, this.#used])
      for (const pid of known.keys()) if (!workers.some((entry) => entry.pid === pid)) known.delete(pid);
    for (const entry of workers) {
      const hangs = this.#silent && this.#hangs(entry);
      if (!hangs) this.#busy.delete(entry.pid);
      else this.#busy.set(entry.pid, (this.#busy.get(entry.pid) ?? 0) + 1);
      if ((this.#busy.get(entry.pid) ?? 0) < HUNG_TURNS - SILENT_TURNS) continue;
      log.error(
        { pid: entry.pid, state: entry.state },
        'a worker of nginx hangs; it is ended, another takes its place',
      );
      signal(entry, 'SIGKILL');
      this.#busy.delete(entry.pid);
    }
  }
}

/** Processor time a process has used, milliseconds; 0 when it is gone. */
export function processorTime(entry: ProcessEntry): number {
  return (readProcessStat(entry.pid)?.processorTicks ?? 0) * TICK_MS;
}

/** Numbers of epoll_wait and epoll_pwait (and its successor), as /proc/<pid>/syscall gives them. */
const WAITING: Record<string, readonly string[]> = { x64: ['232', '281', '441'], arm64: ['22', '441'] };

/** Whether a process waits in epoll. Where the kernel does not tell, sleeping is taken for it. */
export function waitsForWork(entry: ProcessEntry): boolean {
  if (entry.state !== 'S') return false;
  try {
    const call = readFileSync(`/proc/${entry.pid}/syscall`, 'latin1').split(' ')[0] ?? '';
    return WAITING[arch()]?.includes(call.trim()) ?? true;
  } catch {
    return true;
  }
}
