import { isServed } from '../../../model/volume-life.ts';
import type { FaultName } from '../../../protocol/drills.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import { ValveFaults } from '../../disks/valve-faults.ts';
import { CORRUPT_PROGRAM } from '../../disks/valve.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';

/** Blocks of 4 KiB that `corrupt` overwrites at most. */
const CORRUPT_BLOCKS = 64;

/** Real faults on the valve disks of one volume, for drills. One fault a disk: the next takes the place of the one before. */
export class Faults {
  readonly #state: VolumeState;
  readonly #valves = new Map<string, ValveFaults>();
  /** Disks that have a fault from us. */
  readonly #given = new Set<string>();

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
    if (fault === 'corrupt') return await this.#corrupt(replica);
    const { id } = replica;
    const valve = this.#valveOf(replica);
    if (fault === 'clear') {
      await this.#clear(id, valve);
      return null;
    }
    if (!(await valve.runs())) {
      throw new HoldfastError(
        'disk-unusable',
        `The disk of replica ${id} is not in use. Open the volume, or choose another replica.`,
      );
    }
    this.#given.add(id);
    await valve.cause(fault);
    return fault;
  }

  /** Ends every fault given here: a volume that is to be closed needs its disks. Answers sentences about what has ended. Never throws. */
  async end(): Promise<string[]> {
    const given = [...this.#given];
    for (const id of given) {
      await this.#clear(id, this.#valves.get(id)).catch((error: unknown) => {
        this.#state.log.warn({ volume: this.#state.name, replica: id, error }, 'a fault could not be ended');
      });
    }
    return given
      .filter((id) => !this.#given.has(id))
      .map((id) => `The fault that had been caused on the disk of ${id} has ended.`);
  }

  async #clear(id: string, valve: ValveFaults | undefined): Promise<void> {
    await valve?.clear();
    this.#given.delete(id);
  }

  #valveOf(replica: ReplicaRecord): ValveFaults {
    const { name, log } = this.#state;
    let valve = this.#valves.get(replica.id);
    if (valve === undefined) {
      valve = new ValveFaults(this.#state.pathsOf(replica), (error) => {
        log.warn({ volume: name, replica: replica.id, error }, 'a disk could not be made to flap on');
      });
      this.#valves.set(replica.id, valve);
    }
    return valve;
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
