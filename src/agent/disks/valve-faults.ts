import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import { findValve, type ValvePaths } from './valve.ts';

/** What a valve can do to its disk. */
export type ValveFault = 'hang' | 'slow' | 'error' | 'flap';

/** A flapping disk answers for this long, then does not for as long. */
const FLAP_MS = 400;
/** Bits per second of a slow disk: 512 KiB/s. Even the largest request (256 KiB) completes within a second: slow is not hung. */
const SLOW_BITS = '4M';
const SOCKET_DEADLINE_MS = 5_000;

/**
 * Real faults on one disk behind a valve, for drills; one at a time. The valve is spoken to through its socket and its control files, never
 * through the disk, so nothing here waits for a disk.
 */
export class ValveFaults {
  readonly #paths: ValvePaths;
  readonly #onFlapEnded: (error: unknown) => void;
  #flapping: { stop: AbortController; ended: Promise<void> } | undefined;

  /** `onFlapEnded`: a disk cannot be made to flap on, although its valve runs. */
  constructor(paths: ValvePaths, onFlapEnded: (error: unknown) => void) {
    this.#paths = paths;
    this.#onFlapEnded = onFlapEnded;
  }

  async runs(): Promise<boolean> {
    return (await findValve(this.#paths)) !== undefined;
  }

  /** Takes the place of the fault before. Only while the valve runs. */
  async cause(fault: ValveFault): Promise<void> {
    await this.clear();
    if (fault === 'error') await writeFile(this.#paths.errorFile, '');
    if (fault === 'slow') await writeFile(this.#paths.rateFile, SLOW_BITS);
    if (fault === 'hang') await this.#tell('p');
    if (fault === 'flap') {
      const stop = new AbortController();
      this.#flapping = { stop, ended: this.#flap(stop.signal) };
    }
  }

  /** Ends whatever was caused, also by an agent before this one. */
  async clear(): Promise<void> {
    this.#flapping?.stop.abort();
    await this.#flapping?.ended;
    this.#flapping = undefined;
    const runs = await this.runs();
    await rm(this.#paths.errorFile, { force: true });
    // The valve keeps its last limit when the file is gone or empty: only a zero lifts it.
    if (runs) await writeFile(this.#paths.rateFile, '0');
    else await rm(this.#paths.rateFile, { force: true });
    if (!runs) return;
    await this.#tell('r').catch(async (error: unknown) => {
      // It was cut at this very moment: nothing is held any more.
      if (await this.runs()) throw error;
    });
  }

  /** Until it is cleared, or the valve is gone: then the disk was cut. */
  async #flap(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.#tell('p');
        await pause(FLAP_MS, undefined, { signal }).catch(() => undefined);
        await this.#tell('r');
        await pause(FLAP_MS, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      if (await this.runs()) this.#onFlapEnded(error);
    }
  }

  /** Pauses ("p") or resumes ("r") the valve, which answers with the same letter as a capital. */
  async #tell(letter: 'p' | 'r'): Promise<void> {
    const socket = connect(this.#paths.pauseSocket);
    try {
      const answer = new Promise<void>((resolve, reject) => {
        socket.once('data', (chunk) => {
          if (chunk.toString('latin1').startsWith(letter.toUpperCase())) resolve();
          else reject(new HoldfastError('command-failed', 'The fault valve of a disk did not understand.'));
        });
        socket.once('error', reject);
        socket.once('close', () => reject(new HoldfastError('command-failed', 'The fault valve of a disk went away.')));
      });
      socket.write(letter);
      await within(SOCKET_DEADLINE_MS, 'the answer of a fault valve', answer);
    } finally {
      socket.destroy();
    }
  }
}
