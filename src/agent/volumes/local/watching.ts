import { HoldfastError } from '../../../protocol/errors.ts';
import { loopsOf } from './loops.ts';
import * as filesystem from './filesystem.ts';
import { openVolume } from './opening.ts';
import { mountAt } from './proc.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';
import { diskOf, valveServes } from './valve.ts';

/** Work that takes longer than this makes us ask whether the volume answers at all, before its own deadline. */
const SUSPICIOUS_MS = 4_000;

/**
 * One look at a volume: what the kernel counts, whether the valves live. Everything is read from /proc and /sys, nothing
 * touches the volume.
 */
export async function lookAt(state: VolumeState): Promise<void> {
  if (!state.open) return;
  const mount = await mountAt(state.directories.mount);
  if (mount === undefined) {
    state.fault(`The volume ${state.name} was unmounted by somebody else. It is opened again.`);
    return;
  }
  for (const replica of state.record.replicas) await lookAtReplica(state, replica);
  if (filesystem.stoppedWriting(mount))
    state.fault(`The volume ${state.name} accepts no writes any more: too many of its disks failed.`);
  state.usedBytes = await filesystem.usedBytes(state.record.uuid);
  state.readAt = new Date();
  state.changed();
}

/** Asks a volume whose work takes suspiciously long, or that did not answer before, whether it answers. */
export async function probe(state: VolumeState): Promise<void> {
  if (!state.open || !(state.lane.broken || state.lane.oldestMs > SUSPICIOUS_MS)) return;
  if (await state.probe.answers()) state.lane.mend();
  else state.lane.trip();
}

async function lookAtReplica(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  const disk = state.attached.get(replica.id);
  if (disk === undefined) return;
  if (disk.valve !== undefined && !(await valveServes(disk.valve))) {
    if (replica.state === 'healthy') await state.leave(replica, 'failed', 'its disk stopped working.');
    return;
  }
  if (replica.deviceId === 0) return;
  const errors = await filesystem.errorsOf(state.record.uuid, replica.deviceId);
  if (errors === undefined || replica.state !== 'healthy') return;
  state.errors.set(replica.id, errors);
  const { baseline } = replica;
  const grown = [
    ['write', errors.write - baseline.write],
    ['read', errors.read - baseline.read],
    ['flush', errors.flush - baseline.flush],
  ].filter(([, count]) => Number(count) > 0);
  if (grown.length === 0) return;
  const counts = grown.map(([kind, count]) => `${count} ${kind} error${count === 1 ? '' : 's'}`).join(', ');
  await state.leave(replica, 'failed', `its disk answered with errors (${counts}).`);
}

/**
 * A volume that should be open and is not, or whose disks are all dead, is opened again. A mount whose disks merely hang is left
 * alone: it may come back, and programs are waiting in it.
 */
export async function heal(state: VolumeState): Promise<void> {
  if (!state.record.wantedOpen || state.record.phase !== 'ready') return;
  if (state.open) {
    if (state.trouble === null || (await someDiskServes(state))) return;
    state.open = false;
  }
  await openVolume(state).catch((error: unknown) => {
    if (!(error instanceof HoldfastError)) throw error;
  });
}

async function someDiskServes(state: VolumeState): Promise<boolean> {
  const mount = await mountAt(state.directories.mount);
  if (mount === undefined || filesystem.stoppedWriting(mount)) return false;
  for (const replica of state.healthy()) {
    const disk = state.attached.get(replica.id);
    if (disk === undefined) continue;
    if (disk.valve === undefined) return true;
    if ((await valveServes(disk.valve)) && (await loopsOf(diskOf(state.pathsOf(replica)))).length > 0) return true;
  }
  return false;
}
