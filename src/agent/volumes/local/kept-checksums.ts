import { join } from 'node:path';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import type { VolumeState } from './state.ts';

export const CHECKSUM_PROGRAM = join(import.meta.dirname, 'keep_checksums.py');
/** After this one process is followed by the next. */
const PROCESS_DEADLINE_MS = 3600_000;
/** So long a copy waits at most for the checksums before it begins: those of some 100 GiB. Redundancy is worth more than the rest. */
const FIRST_ROUND_MS = 5_000;

/**
 * Keeps a volume's checksums in memory while a disk of it is replaced: the kernel can lock the volume up for ever when a replacement ends
 * while somebody reads what has its checksum on the disk (docs/decisions/0010).
 */
export class KeptChecksums implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #process: Promise<void>;

  private constructor(state: VolumeState, onRound: () => void) {
    this.#process = this.#keep(state, onRound);
  }

  /** Returns once they have been read, or after five seconds; a volume that does not answer is no reason to wait longer. */
  static async begin(state: VolumeState): Promise<KeptChecksums> {
    const first = Promise.withResolvers<void>();
    const timer = setTimeout(first.resolve, FIRST_ROUND_MS);
    const kept = new KeptChecksums(state, first.resolve);
    await first.promise;
    clearTimeout(timer);
    return kept;
  }

  async #keep(state: VolumeState, onRound: () => void): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const result = await runCommand('python3', ['-I', CHECKSUM_PROGRAM, state.directories.mount], {
          deadlineMs: PROCESS_DEADLINE_MS,
          outputLimit: 4096,
          signal,
          onLine: onRound,
        });
        throw new HoldfastError('command-failed', 'The checksums of a volume cannot be kept in memory.', {
          details: result.stderr.trim().split('\n'),
        });
      } catch (error) {
        if (signal.aborted || (error instanceof HoldfastError && error.code === 'deadline-passed')) continue;
        // The copy is worth more than the care taken for its end.
        state.log.warn({ volume: state.name, error }, 'checksums are not kept in memory while the volume is copied');
        onRound();
        return;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#process;
  }
}
