import { HoldfastError } from '../../../protocol/errors.ts';
import { cutDriverOf } from '../../disks/cut/drivers.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';
import { valveServes } from '../../disks/valve.ts';

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
  if (replica.state !== 'healthy') {
    // It was left before; should its disk still be in use (the agent was killed in between), it is cut now.
    await assertDriver(state, replica);
    await state.cutDisk(replica);
    if (becomes === 'set-aside') {
      replica.state = becomes;
      replica.reason = reason;
      await state.save();
    }
    return;
  }
  if (!(await anotherServes(state, replica))) {
    throw state.lastReplica(replica);
  }
  await assertDriver(state, replica);
  await state.leave(replica, becomes, reason, 'cut');
}

/** A rebuild whose new disk hangs holds up the volume too: every write goes there as well. Its operation ends with the errors. */
async function cutUnfinished(state: VolumeState, replica: ReplicaRecord, reason: string): Promise<void> {
  await assertDriver(state, replica);
  if (replica.deviceId === 0) {
    replica.reason = reason;
    await state.save();
    await state.cutDisk(replica);
    if (state.copying?.target === replica) state.copying.giveUp(reason);
    return;
  }
  await state.leave(replica, 'failed', reason, 'cut');
}

export async function anotherServes(state: VolumeState, replica: ReplicaRecord): Promise<boolean> {
  for (const other of state.healthy()) {
    if (other === replica || state.unreachable.has(other.id)) continue;
    const disk = state.attached.get(other.id);
    // A closed volume has nothing attached; what its record says is all there is.
    if (disk === undefined ? !state.open : disk.valve === undefined || (await valveServes(disk.valve))) return true;
  }
  return false;
}

/**
 * For a cut that a person or a runbook asks for: that the kernel counts nothing in the other disk may only mean that nobody has asked it
 * for anything, so it is asked for a read. (The watcher asks all the time, and its cuts do not wait for this.) Throws `last-replica`.
 */
export async function assertAnotherReads(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  if (!state.mounted) return;
  const others = state
    .healthy()
    .filter((other) => other !== replica && !state.unreachable.has(other.id))
    .map((other) => state.attached.get(other.id)?.device)
    .filter((device) => device !== undefined);
  const answers = await Promise.all(others.map((device) => state.reads.answers(device)));
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
