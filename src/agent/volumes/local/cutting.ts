import { basename } from 'node:path';
import { isServed } from '../../../model/volume-life.ts';
import type { ReplicaState } from '../../../model/volumes.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { forget } from '../../btrfs/forgetting.ts';
import { kernelName } from '../../disks/attach.ts';
import { cutDriverOf } from '../../disks/cut/drivers.ts';
import { cutRealDisk } from '../../disks/cut/real-disk.ts';
import { cutValve, valveServes } from '../../disks/valve.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';

/**
 * The cut: the replica is recorded as not complete, then everything outstanding in its disk is made to fail. It waits for no other
 * work on the volume, which may be what hangs. Throws `last-replica` when no other complete replica serves.
 */
export async function cutReplica(
  state: VolumeState,
  replica: ReplicaRecord,
  becomes: 'failed' | 'set-aside',
  reason: string,
): Promise<void> {
  if (replica.state === 'rebuilding') return await cutUnfinished(state, replica, reason);
  if (replica.state === 'healthy') {
    if (!(await anotherServes(state, replica))) throw lastReplica(state, replica);
    await assertDriver(state, replica);
    return await leave(state, replica, becomes, reason, 'cut');
  }
  // It was left before; should its disk still be in use (the agent was killed in between), it is cut now.
  await assertDriver(state, replica);
  await cutDisk(state, replica);
  if (becomes === 'failed') return;
  replica.state = becomes;
  replica.reason = reason;
  await state.file.save();
}

/** A rebuild whose new disk hangs holds up the volume too: every write goes there as well. Its operation ends with the errors. */
async function cutUnfinished(state: VolumeState, replica: ReplicaRecord, reason: string): Promise<void> {
  await assertDriver(state, replica);
  if (replica.deviceId !== 0) return await leave(state, replica, 'failed', reason, 'cut');
  replica.reason = reason;
  await state.file.save();
  await cutDisk(state, replica);
  if (state.copying?.target === replica) state.copying.giveUp(reason);
}

/**
 * A replica is not complete any more: from this moment it is never served again. Recorded first, then cut, so that
 * it cannot come back unnoticed. The last complete replica is never given up: the volume is in trouble then.
 * Throws `command-failed` when that cannot be recorded: nothing has changed then, and the next decision tries again.
 * `cut`: somebody asked for it, and is told when it is not possible: `last-replica`, `disk-unusable`. `drop`: a real disk that
 * cannot be cut stays in the mount and is watched on.
 */
export async function leave(
  state: VolumeState,
  replica: ReplicaRecord,
  becomes: ReplicaState,
  reason: string,
  how: 'cut' | 'drop' = 'drop',
): Promise<void> {
  const { record, name, log } = state;
  const isOther = (other: ReplicaRecord): boolean => other !== replica && other.state === 'healthy';
  if (replica.state === 'healthy' && !record.replicas.some(isOther)) {
    if (how === 'cut') throw lastReplica(state, replica);
    state.broke(`The last complete replica ${replica.id} (${replica.disk}) does not work: ${reason}`, [replica.id]);
    return;
  }
  log.warn({ volume: name, replica: replica.id, disk: replica.disk, reason }, `replica ${becomes}`);
  const before = { state: replica.state, reason: replica.reason };
  replica.state = becomes;
  replica.reason = reason;
  await state.file.save().catch((cause: unknown) => takeBack(state, replica, before, cause));
  await cutDisk(state, replica).catch((error: unknown) => {
    if (how === 'cut' || replica.kind === 'image') throw error;
    log.error({ volume: name, disk: replica.disk, error }, 'a disk that was given up could not be cut');
  });
}

function lastReplica(state: VolumeState, replica: ReplicaRecord): HoldfastError {
  return new HoldfastError(
    'last-replica',
    `Replica ${replica.id} is the last complete one of the volume ${state.name}. Add a replica first.`,
  );
}

/** A cut without a record would let a stale disk come back after a restart. So it is as if nothing had been decided. */
function takeBack(
  state: VolumeState,
  replica: ReplicaRecord,
  before: Pick<ReplicaRecord, 'state' | 'reason'>,
  cause: unknown,
): never {
  Object.assign(replica, before);
  // A write that is only late must not be the last word.
  state.file.save().catch((error: unknown) => {
    state.log.error({ volume: state.name, error }, 'the record of a volume cannot be written');
  });
  state.changed();
  throw new HoldfastError(
    'command-failed',
    `The record of the volume ${state.name} cannot be written, and without it replica ${replica.id} is not given up. Is the machine's own disk full or read-only? It is tried again by itself.`,
    { cause },
  );
}

/** Makes everything outstanding and everything later in a replica's disk fail. Record first what it means. */
export async function cutDisk(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  const { attached, name, log } = state;
  const disk = attached.get(replica.id);
  if (replica.kind === 'image') {
    attached.delete(replica.id);
    await cutValve(disk?.valve?.paths ?? state.pathsOf(replica), disk);
  } else if (disk !== undefined) {
    // What may still be in use stays in sight of the watcher.
    await cutRealDisk(disk.device, replica.disk, log.child({ volume: name }));
    if (attached.get(replica.id) === disk) attached.delete(replica.id);
  }
  state.changed();
}

/**
 * For an agent that takes a mounted volume over: a replica that was left must stay left, also when the one before was killed between writing
 * that down and cutting it. `present`: the kernel's names of the devices in the mount.
 */
export async function cutLeft(state: VolumeState, present: ReadonlySet<string>): Promise<void> {
  for (const replica of state.record.replicas) {
    if (replica.state === 'healthy' || replica.state === 'rebuilding') continue;
    if (replica.kind === 'image') await cutValve(state.pathsOf(replica));
    else await cutLeftDisk(state, replica, present);
  }
}

/** A real disk. One that is still in the mount and cannot be cut is watched on. */
async function cutLeftDisk(state: VolumeState, replica: ReplicaRecord, present: ReadonlySet<string>): Promise<void> {
  const device = await kernelName(replica.stable);
  if (device === undefined) return;
  // The same disk may have been taken in again, as the new replica.
  const usedAgain =
    state.record.replicas.some((other) => other !== replica && other.stable === replica.stable) ||
    [...state.attached.values()].some((other) => other.device === device);
  if (usedAgain) return;
  if (!present.has(basename(device))) return await forget(device);
  state.attached.set(replica.id, { device, valve: undefined });
  await cutDisk(state, replica).catch((error: unknown) => {
    state.log.error({ volume: state.name, disk: replica.disk, error }, 'a disk that was given up could not be cut');
  });
}

export async function anotherServes(state: VolumeState, replica: ReplicaRecord): Promise<boolean> {
  for (const other of othersOf(state, replica)) {
    const disk = state.attached.get(other.id);
    // A closed volume has nothing attached; what its record says is all there is.
    const closed = disk === undefined && !isServed(state.life);
    if (closed || (disk !== undefined && (disk.valve === undefined || (await valveServes(disk.valve))))) return true;
  }
  return false;
}

/** The other complete replicas that can be reached. */
function othersOf({ record, life }: VolumeState, replica: ReplicaRecord): ReplicaRecord[] {
  return record.replicas.filter(
    (other) => other !== replica && other.state === 'healthy' && !life.unreachable.includes(other.id),
  );
}

/**
 * For a cut that a person or a runbook asks for: that the kernel counts nothing in the other disk may only mean that nobody has asked it
 * for anything, so it is asked for a read. (The watcher asks all the time, and its cuts do not wait for this.) Throws `last-replica`.
 */
export async function assertAnotherReads(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  if (!state.life.mounted) return;
  const devices = othersOf(state, replica)
    .map((other) => state.attached.get(other.id)?.device)
    .filter((device) => device !== undefined);
  const answers = await Promise.all(devices.map((device) => state.reads.answers(device)));
  if (answers.includes(true)) return;
  throw new HoldfastError(
    'last-replica',
    `No other disk of the volume ${state.name} answers a read, so replica ${replica.id} is kept. See holdfast volume list, and bring the other disk back first.`,
  );
}

/** A replica whose disk cannot be cut is not left either: it would go on holding up the volume, uncounted. */
async function assertDriver(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  const disk = state.attached.get(replica.id);
  if (replica.kind === 'block' && disk !== undefined) await cutDriverOf(disk.device);
}
