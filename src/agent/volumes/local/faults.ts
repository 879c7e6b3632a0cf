import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { isServed } from '../../../model/volume-life.ts';
import type { FaultName } from '../../../protocol/drills.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import { within } from '../../../runtime/deadline.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';
import { CORRUPT_PROGRAM, findValve, type ValvePaths } from '../../disks/valve.ts';

/** A flapping disk answers for this long, then does not for as long. */
const FLAP_MS = 400;
/** Bits per second of a slow disk: 512 KiB/s. Even the largest request (256 KiB) completes within a second: slow is not hung. */
const SLOW_BITS = '4M';
const SOCKET_DEADLINE_MS = 5_000;
/** Blocks of 4 KiB that `corrupt` overwrites at most. */
const CORRUPT_BLOCKS = 64;

/**
 * Real faults on the valve disks of one volume, for drills. One fault a disk: the next takes the place of the one before. The valve is
 * spoken to through its socket and its control files, never through the disk, so nothing here waits for a disk.
 */
export class Faults {
  readonly #state: VolumeState;
  readonly #flapping = new Map<string, { stop: AbortController; ended: Promise<void> }>();
  /** Disks that have a fault from us. */
  readonly #given = new Map<string, ReplicaRecord>();

  constructor(state: VolumeState) {
    this.#state = state;
  }

  /** Answers what is active then. Throws `disk-unusable` when the replica has no valve or it does not run. */
  async set(replica: ReplicaRecord, fault: FaultName): Promise<FaultName | null> {
    if (replica.kind !== 'image') {
      throw new HoldfastError(
        'disk-unusable',
        `${replica.disk} is a real disk without a fault valve. Faults can be caused on image-file disks only.`,
      );
    }
    const paths = this.#state.pathsOf(replica);
    if (fault === 'corrupt') return await this.#corrupt(replica);
    const runs = (await findValve(paths)) !== undefined;
    if (!runs && fault !== 'clear') {
      throw new HoldfastError(
        'disk-unusable',
        `The disk of replica ${replica.id} is not in use. Open the volume, or choose another replica.`,
      );
    }
    await this.#clear(replica, paths, runs);
    if (fault === 'clear') return null;
    this.#given.set(replica.id, replica);
    if (fault === 'error') await writeFile(paths.errorFile, '');
    if (fault === 'slow') await writeFile(paths.rateFile, SLOW_BITS);
    if (fault === 'hang') await tell(paths, 'p');
    if (fault === 'flap') {
      const stop = new AbortController();
      this.#flapping.set(replica.id, { stop, ended: this.#flap(replica.id, paths, stop.signal) });
    }
    return fault;
  }

  /** Ends every fault given here: a volume that is to be closed needs its disks. Answers sentences about what has ended. Never throws. */
  async end(): Promise<string[]> {
    const given = [...this.#given.values()];
    for (const replica of given) {
      const paths = this.#state.pathsOf(replica);
      await this.#clear(replica, paths, (await findValve(paths)) !== undefined).catch((error: unknown) => {
        this.#state.log.warn({ volume: this.#state.name, replica: replica.id, error }, 'a fault could not be ended');
      });
    }
    return given
      .filter((replica) => !this.#given.has(replica.id))
      .map((replica) => `The fault that had been caused on the disk of ${replica.id} has ended.`);
  }

  async #clear(replica: ReplicaRecord, paths: ValvePaths, runs: boolean): Promise<void> {
    const flapping = this.#flapping.get(replica.id);
    flapping?.stop.abort();
    await flapping?.ended;
    this.#flapping.delete(replica.id);
    await rm(paths.errorFile, { force: true });
    // The valve keeps its last limit when the file is gone or empty: only a zero lifts it.
    if (runs) await writeFile(paths.rateFile, '0');
    else await rm(paths.rateFile, { force: true });
    this.#given.delete(replica.id);
    if (!runs) return;
    await tell(paths, 'r').catch(async (error: unknown) => {
      // It was cut at this very moment: nothing is held any more.
      if ((await findValve(paths)) !== undefined) throw error;
    });
  }

  /** Until it is cleared, or the valve is gone: then the disk was cut. */
  async #flap(id: string, paths: ValvePaths, signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await tell(paths, 'p');
        await pause(FLAP_MS, undefined, { signal }).catch(() => undefined);
        await tell(paths, 'r');
        await pause(FLAP_MS, undefined, { signal }).catch(() => undefined);
      }
    } catch (error) {
      if ((await findValve(paths)) === undefined) return;
      this.#state.log.warn({ volume: this.#state.name, replica: id, error }, 'a disk could not be made to flap on');
    }
  }

  /** Alters data blocks in the image, below the valve. Only with another complete replica to heal them from. */
  async #corrupt(replica: ReplicaRecord): Promise<FaultName> {
    const state = this.#state;
    if (replica.state !== 'healthy' || !isServed(state.life)) {
      throw new HoldfastError('conflict', `Replica ${replica.id} is not in use; there is nothing to corrupt.`);
    }
    if (!state.healthy().some((other) => other !== replica && state.attached.has(other.id))) {
      throw new HoldfastError(
        'last-replica',
        `Replica ${replica.id} is the last complete one of the volume ${state.name}: what is corrupted now could not be healed.`,
      );
    }
    const parameters = [state.directories.mount, String(replica.deviceId), replica.disk, String(CORRUPT_BLOCKS)];
    const result = await state.lane.run(() =>
      runCommand('python3', ['-I', CORRUPT_PROGRAM, ...parameters], { deadlineMs: 20_000 }),
    );
    if (result.code === 2) {
      throw new HoldfastError('conflict', `The volume ${state.name} holds no data yet that could be corrupted.`);
    }
    if (result.code !== 0) {
      throw new HoldfastError('command-failed', `The disk of replica ${replica.id} could not be corrupted.`, {
        details: result.stderr.trim().split('\n'),
      });
    }
    state.log.warn({ volume: state.name, replica: replica.id, blocks: result.stdout.trim() }, 'data blocks altered');
    return 'corrupt';
  }
}

/** Pauses ("p") or resumes ("r") a valve; the valve answers with the same letter as a capital. */
async function tell(paths: ValvePaths, letter: 'p' | 'r'): Promise<void> {
  const socket = connect(paths.pauseSocket);
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
