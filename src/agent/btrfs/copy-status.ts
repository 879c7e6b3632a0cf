import { z } from 'zod';
import { PROGRAMS } from './programs.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { runCommand } from '../../runtime/command.ts';
import { within } from '../../runtime/deadline.ts';

/** After this one process is followed by the next. */
const PROCESS_DEADLINE_MS = 3600_000;
/** It tells once a second. Silence of this length means that the volume does not answer. */
const ANSWER_DEADLINE_MS = 60_000;

/** linux/btrfs.h: BTRFS_IOCTL_DEV_REPLACE_STATE_*, from 0. */
const STATES = ['never', 'running', 'finished', 'canceled', 'suspended'] as const;
const lineSchema = z.object({
  state: z.int().min(0).max(4),
  progress: z.int().min(0).max(1000),
  writeErrors: z.int().min(0),
});

export interface CopyMoment {
  state: (typeof STATES)[number];
  /** 0 to 1 */
  progress: number;
  writeErrors: number;
}

/** What copy_status.py prints. Throws `command-failed` for anything else. */
export function parseCopyStatus(line: string): CopyMoment {
  let read;
  try {
    read = lineSchema.safeParse(JSON.parse(line));
  } catch {
    read = undefined; // Not even JSON.
  }
  const state = STATES[read?.data?.state ?? -1];
  if (read?.data === undefined || state === undefined)
    throw new HoldfastError('command-failed', `The rebuild's state cannot be read: ${line.slice(0, 200)}`);
  return { state, progress: read.data.progress / 1000, writeErrors: read.data.writeErrors };
}

/** Follows the copy of one mounted volume. Not in its lane: it must be told also while members' work is refused. */
export class CopyStatus implements AsyncDisposable {
  readonly #mount: string;
  #stop = new AbortController();
  #process: Promise<void> | undefined;
  #next = awaited();

  constructor(mount: string) {
    this.#mount = mount;
  }

  /** What it is told next. Throws `deadline-passed` when the volume does not answer; it may be asked again then. */
  async next(): Promise<CopyMoment> {
    this.#process ??= this.#follow();
    try {
      return await within(ANSWER_DEADLINE_MS, `The state of the copy on ${this.#mount}`, this.#next.promise);
    } catch (error) {
      await this.#end();
      throw error;
    } finally {
      this.#next = awaited();
    }
  }

  async #follow(): Promise<void> {
    const told = this.#stop;
    try {
      const result = await runCommand('python3', ['-I', PROGRAMS.copyStatus, this.#mount], {
        deadlineMs: PROCESS_DEADLINE_MS,
        outputLimit: 4096,
        signal: told.signal,
        onLine: (line) => this.#tell(line),
      });
      if (result.code !== 0)
        throw new HoldfastError('command-failed', 'The state of a copy cannot be read.', {
          details: result.stderr.trim().split('\n'),
        });
    } catch (error) {
      if (!told.signal.aborted) this.#next.reject(error);
    } finally {
      if (this.#stop === told) this.#process = undefined;
    }
  }

  #tell(line: string): void {
    try {
      this.#next.resolve(parseCopyStatus(line));
    } catch (error) {
      this.#next.reject(error);
    }
  }

  async #end(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    this.#stop.abort();
    this.#stop = new AbortController();
    await process;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

/** A promise that may fail while nobody waits for it. */
function awaited(): PromiseWithResolvers<CopyMoment> {
  const later = Promise.withResolvers<CopyMoment>();
  later.promise.catch(() => undefined);
  return later;
}
