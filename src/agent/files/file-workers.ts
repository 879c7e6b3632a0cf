import type { ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import { SftpClient, SftpLost } from './sftp-client.ts';

/** Starts the file server of one account in its sandbox. */
export interface WorkerSource {
  /** The account's volume. Throws `not-found`, `volume-closed` or `storage-repair` at once. */
  volumeOf(account: string): string;
  spawn(account: string, program: string): Promise<ChildProcess>;
  /** Ends everything the worker left. Throws when the kernel holds some of it back at the deadline. */
  end(account: string, program: string, deadlineMs: number): Promise<void>;
}

export interface WorkerLimits {
  /** A worker without work ends after this long. */
  idleMs: number;
  /** One request to the file server. */
  requestMs: number;
  startMs: number;
  workersPerVolume: number;
  waitingPerVolume: number;
  usesPerAccount: number;
  waitMs: number;
}

export const WORKER_LIMITS: WorkerLimits = {
  idleMs: 20_000,
  requestMs: 10_000,
  startMs: 10_000,
  workersPerVolume: 16,
  waitingPerVolume: 64,
  usesPerAccount: 32,
  waitMs: 5_000,
};

interface Worker {
  account: string;
  volume: string;
  program: string;
  client: Promise<SftpClient>;
  uses: number;
  ended: boolean;
  /** Its end is under way. */
  ending: boolean;
  idle: NodeJS.Timeout | undefined;
}

interface Place {
  workers: Set<Worker>;
  waiting: (() => void)[];
}

const END_MS = 5_000;
/** What the kernel holds is asked for again this often: one try each. */
const END_AGAIN_EVERY_MS = 1_000;
const END_AGAIN_MS = 100;

let programs = 0;

export function storageRepair(): HoldfastError {
  return new HoldfastError(
    'storage-repair',
    'Your storage is being repaired and does not answer now. Try again in a moment.',
    {
      retryAfterSeconds: 5,
    },
  );
}

/** All places are taken, by slow work or by servers that wait for a disk: which of both is not known here. */
function noPlace(): HoldfastError {
  return new HoldfastError(
    'storage-repair',
    'The storage of this account is busy or being repaired. Try again in a moment.',
    { retryAfterSeconds: 5 },
  );
}

/** It ended, and did not keep anybody waiting: that says nothing about the storage. */
function serverEnded(): HoldfastError {
  return new HoldfastError(
    'not-ready',
    'The program that serves your files ended before it had answered. Try again; if it happens again, tell the operator.',
    { retryAfterSeconds: 5 },
  );
}

/**
 * One file server per account, on demand. Places and queues belong to a volume: what hangs on one leaves the others alone.
 * A worker that does not answer is given up and keeps its place until the kernel lets go of it, so that a hung volume
 * can hold no more than its own places.
 */
export class FileWorkers {
  readonly #source: WorkerSource;
  readonly #limits: WorkerLimits;
  readonly #log: Logger;
  readonly #byAccount = new Map<string, Worker>();
  readonly #volumes = new Map<string, Place>();

  constructor(source: WorkerSource, log: Logger, limits: WorkerLimits = WORKER_LIMITS) {
    this.#source = source;
    this.#limits = limits;
    this.#log = log;
  }

  /** Does something with the account's file server. Throws `storage-repair` when it does not answer in time, `not-ready` when it ends. */
  async use<T>(account: string, work: (client: SftpClient) => Promise<T>): Promise<T> {
    const lease = await this.borrow(account);
    try {
      return await work(lease.client);
    } catch (error) {
      throw lostToMember(error);
    } finally {
      lease.release();
    }
  }

  /** Like `use` for what outlives a call, such as a stream. The caller must release it. */
  async borrow(account: string): Promise<{ client: SftpClient; release: () => void }> {
    const volume = this.#source.volumeOf(account);
    const worker = this.#byAccount.get(account) ?? (await this.#start(account, volume));
    if (worker.uses >= this.#limits.usesPerAccount) {
      throw new HoldfastError('too-many-requests', 'Too many file operations at once. Try again in a moment.', {
        retryAfterSeconds: 1,
      });
    }
    worker.uses++;
    clearTimeout(worker.idle);
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      worker.uses--;
      if (worker.uses === 0 && !worker.ended) {
        worker.idle = setTimeout(() => this.#retire(worker), this.#limits.idleMs);
        worker.idle.unref();
        this.#place(worker.volume).waiting.shift()?.();
      }
    };
    try {
      return { client: await worker.client, release };
    } catch (error) {
      release();
      throw lostToMember(error);
    }
  }

  /** Ends an account's worker and waits for its end. */
  async release(account: string): Promise<void> {
    const worker = this.#byAccount.get(account);
    if (!worker) return;
    this.#abandon(worker);
    await this.#source.end(account, worker.program, END_MS);
  }

  /** Ends the workers of a volume, whatever they do, when it is closed: that waits for their end. One in trouble keeps them. */
  leaveClosed(volume: string): void {
    for (const worker of this.#place(volume).workers) {
      try {
        this.#source.volumeOf(worker.account);
      } catch (error) {
        if (error instanceof HoldfastError && error.code === 'volume-closed') this.#abandon(worker);
      }
    }
  }

  /** Ends all workers. */
  async stop(): Promise<void> {
    const workers = [...this.#byAccount.values()];
    for (const worker of workers) this.#retire(worker);
    await Promise.all(workers.map(async (worker) => await this.#source.end(worker.account, worker.program, END_MS)));
  }

  /** For tests and status: workers by volume. */
  count(volume: string): number {
    return this.#volumes.get(volume)?.workers.size ?? 0;
  }

  #place(volume: string): Place {
    let place = this.#volumes.get(volume);
    if (!place) this.#volumes.set(volume, (place = { workers: new Set(), waiting: [] }));
    return place;
  }

  async #start(account: string, volume: string): Promise<Worker> {
    const place = this.#place(volume);
    if (place.workers.size >= this.#limits.workersPerVolume) await this.#waitForPlace(place);
    const known = this.#byAccount.get(account);
    if (known) return known;
    const worker: Worker = {
      account,
      volume,
      program: `files-${process.pid}-${++programs}`,
      client: Promise.reject(new Error('not started')),
      uses: 0,
      ended: false,
      ending: false,
      idle: undefined,
    };
    worker.client.catch(() => undefined);
    place.workers.add(worker);
    this.#byAccount.set(account, worker);
    worker.client = this.#connect(worker);
    worker.client.catch((error: unknown) => {
      this.#log.warn({ err: error, account, volume }, 'The file server of an account did not start.');
      this.#abandon(worker);
    });
    return worker;
  }

  async #connect(worker: Worker): Promise<SftpClient> {
    const started = this.#source.spawn(worker.account, worker.program);
    // A start that is too late is not forgotten: what it started is ended when it comes.
    let late = false;
    const watch = async (): Promise<void> => {
      try {
        const begun = await started;
        // The sandbox's first process ends at once when it is killed; what it started may still wait for its disk.
        begun.once('exit', () => this.#abandon(worker));
        begun.once('error', () => this.#abandon(worker));
        if (late) {
          // What came after it was given up takes its place again until it is gone.
          this.#place(worker.volume).workers.add(worker);
          worker.ending = false;
          this.#end(worker);
        }
      } catch {
        this.#abandon(worker); // The reason is told to the one who asked for it.
      }
    };
    void watch();
    const child = await within(this.#limits.startMs, 'The start of the file server', started).catch(
      (error: unknown) => {
        late = true;
        throw error;
      },
    );
    if (!child.stdin || !child.stdout) throw new Error('The file server has no streams.');
    child.unref();
    return await SftpClient.connect(child.stdin, child.stdout, {
      requestMs: this.#limits.requestMs,
      onLost: (reason) => {
        if (worker.ended) return;
        if (reason.late)
          this.#log.warn(
            { account: worker.account, volume: worker.volume },
            'A file server does not answer and is given up.',
          );
        this.#abandon(worker);
      },
    });
  }

  async #waitForPlace(place: Place): Promise<void> {
    const idle = [...place.workers].find((worker) => worker.uses === 0 && !worker.ended);
    if (!idle && place.waiting.length >= this.#limits.waitingPerVolume) throw noPlace();
    let wake: () => void = () => undefined;
    const freed = new Promise<void>((resolve) => (wake = resolve));
    place.waiting.push(wake);
    if (idle) this.#retire(idle);
    try {
      await within(this.#limits.waitMs, 'Waiting for a place on the volume', freed);
      const now = [...place.workers].find((worker) => worker.uses === 0 && !worker.ended);
      if (place.workers.size >= this.#limits.workersPerVolume && now) this.#retire(now);
    } catch {
      throw noPlace();
    } finally {
      place.waiting = place.waiting.filter((entry) => entry !== wake);
    }
  }

  /** Ends an idle worker: it sees the end of its input. */
  #retire(worker: Worker): void {
    if (worker.ended) return;
    this.#forget(worker);
    worker.client.then((client) => client.end()).catch(() => undefined); // A start that failed has been told already.
    this.#end(worker);
  }

  /** Gives a worker up. It keeps its place on the volume until its process is gone. */
  #abandon(worker: Worker): void {
    if (worker.ended) return;
    this.#forget(worker);
    this.#end(worker);
  }

  #forget(worker: Worker): void {
    worker.ended = true;
    clearTimeout(worker.idle);
    if (this.#byAccount.get(worker.account) === worker) this.#byAccount.delete(worker.account);
  }

  #end(worker: Worker): void {
    if (worker.ending) return;
    worker.ending = true;
    void this.#endForGood(worker);
  }

  /** Its place on the volume is free when nothing of it is left, however long its disk keeps it. */
  async #endForGood(worker: Worker): Promise<void> {
    const { account, program } = worker;
    for (let tries = 0; ; tries++) {
      try {
        await this.#source.end(account, program, tries === 0 ? END_MS : END_AGAIN_MS);
        break;
      } catch (error) {
        if (tries === 0) this.#log.warn({ err: error, account, program }, 'A file server does not end yet.');
        await pause(END_AGAIN_EVERY_MS, undefined, { ref: false });
      }
    }
    const place = this.#place(worker.volume);
    place.workers.delete(worker);
    place.waiting.shift()?.();
  }
}

/** What a member is told of a lost file server: one that keeps everybody waiting is a matter of storage, one that ended is not. */
export function lostToMember(error: unknown): unknown {
  if (error instanceof SftpLost) return error.late ? storageRepair() : serverEnded();
  if (error instanceof HoldfastError && error.code === 'deadline-passed') return storageRepair();
  return error;
}
