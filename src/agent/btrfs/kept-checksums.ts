import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { runCommand } from '../../runtime/command.ts';
import type { Logger } from '../../runtime/log.ts';
import { PROGRAMS } from './programs.ts';

/** After this one process is followed by the next. */
const PROCESS_DEADLINE_MS = 3600_000;
/** So long a copy waits at most for the checksums before it begins: those of 100 GiB at best. Redundancy is worth more than the rest. */
const FIRST_ROUND_MS = 5_000;
/** A volume that was opened afresh is begun with again after this. */
const AGAIN_MS = 2_000;

/** A mounted file system; `name` is for the log. */
export interface Mounted {
  name: string;
  mount: string;
  log: Logger;
}

/**
 * Keeps a volume's checksums in memory while a disk of it is replaced: the kernel can lock the volume up for ever when a replacement ends
 * while somebody reads what has its checksum on the disk (docs/decisions/0010).
 */
export class KeptChecksums implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #stopped = new Promise<void>((resolve) => {
    this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  readonly #process: Promise<void>;

  private constructor(volume: Mounted, onRound: () => void) {
    this.#process = this.#keep(volume, onRound);
  }

  /** Returns once they have been read, or after five seconds; a volume that does not answer is no reason to wait longer. */
  static async begin(volume: Mounted): Promise<KeptChecksums> {
    const first = Promise.withResolvers<void>();
    const timer = setTimeout(first.resolve, FIRST_ROUND_MS);
    const kept = new KeptChecksums(volume, first.resolve);
    await first.promise;
    clearTimeout(timer);
    return kept;
  }

  async #keep(volume: Mounted, onRound: () => void): Promise<void> {
    const { signal } = this.#stop;
    for (let told = false; !signal.aborted;) {
      const problem = await this.#run(volume.mount, onRound);
      onRound(); // The copy is worth more than the care taken for its end.
      if (signal.aborted) return;
      if (!told) volume.log.warn({ volume: volume.name, error: problem }, 'checksums are not kept in memory just now');
      told = true;
      await Promise.race([pause(AGAIN_MS), this.#stopped]);
    }
  }

  /** Answers why it ended. */
  async #run(mount: string, onRound: () => void): Promise<unknown> {
    try {
      const { stderr } = await runCommand('python3', ['-I', PROGRAMS.keepChecksums, mount], {
        deadlineMs: PROCESS_DEADLINE_MS,
        outputLimit: 4096,
        signal: this.#stop.signal,
        onLine: onRound,
      });
      return new HoldfastError('command-failed', 'The checksums of a volume cannot be kept in memory.', {
        details: stderr.trim().split('\n'),
      });
    } catch (error) {
      return error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#process;
  }
}
