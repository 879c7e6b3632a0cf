import { stoppedWriting } from '../../../model/volumes.ts';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { wayBack } from '../../../model/volume-life.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { deviceBytes, loopsOf } from '../../disks/loops.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { leave } from './cutting.ts';
import { openVolume } from './opening.ts';
import { answers } from './silence.ts';
import { readOrUndefined } from '../../kernel/files.ts';
import { mountAt } from '../../kernel/mounts.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';
import { diskOf, valveServes } from '../../disks/valve.ts';

/** A disk is hung when nothing completed at every one of these looks although something waited. */
const HUNG_LOOKS = 12;
const HUNG_LOOK_MS = 100;

/** What is wrong with a complete replica's disk, as a sentence goes on: "its disk stopped working." */
interface Bad {
  replica: ReplicaRecord;
  reason: string;
  dead: boolean;
}

/**
 * One look at a volume: what the kernel counts, whether the valves live. Everything is read from /proc and /sys, nothing
 * touches the volume.
 */
export async function lookAt(state: VolumeState): Promise<void> {
  if (!state.life.mounted) return;
  const mount = await mountAt(state.directories.mount);
  if (mount === undefined) {
    state.broke(`The volume ${state.name} was unmounted by somebody else. It is opened again.`);
    return;
  }
  const found: Bad[] = [];
  for (const replica of state.healthy()) {
    const one = await lookAtReplica(state, replica);
    if (one !== undefined) found.push(one);
  }
  // A cut does not wait its turn: what was given up while this looked says nothing about the others.
  const bad = found.filter(({ replica }) => replica.state === 'healthy');
  if (bad.length < state.healthy().length) {
    for (const { replica, reason } of bad)
      if (replica.state === 'healthy') await leave(state, replica, 'failed', reason);
  } else if (bad.length > 0) {
    await allBad(state, bad);
  }
  if (filesystem.stoppedWriting(mount))
    state.broke(
      stoppedWriting(
        state.name,
        state.healthy().map(({ id }) => id),
      ),
    );
  const room = await state.room.look();
  if (room !== undefined) {
    state.usedBytes = room.usedBytes;
    state.freeBytes = room.freeBytes;
  }
  // Figures that are kept while others are in doubt say of when they are.
  state.readAt = room?.at ?? new Date();
  state.changed();
}

/**
 * Every complete replica fails. Which of several failed first cannot be known, so none is given up: the volume is mounted afresh with
 * all of them when they are back, and the newest is found by comparing. The last one that still answers goes on serving.
 */
async function allBad(state: VolumeState, bad: readonly Bad[]): Promise<void> {
  const [first] = bad;
  if (first === undefined) return;
  const said = bad.map(({ replica, reason }) => `${replica.id} (${replica.disk}): ${reason}`).join(' ');
  if (bad.length === 1 && !first.dead) {
    const sentence = `Some reading or writing failed on the last complete replica ${said} Add a replica.`;
    state.happened({ type: 'warned', sentence });
    first.replica.baseline = state.errors.get(first.replica.id) ?? first.replica.baseline;
    state.log.error(
      { volume: state.name, replica: first.replica.id, reason: first.reason },
      'errors on the last replica',
    );
    await state.file.save();
    return;
  }
  const dead = bad.filter((one) => one.dead).map(({ replica }) => replica.id);
  if (bad.length > 1 && state.record.unsure !== 'reopen') {
    state.happened({ type: 'reach', unreachable: [...state.life.unreachable, ...dead] });
    state.record.unsure = 'reopen';
    await state.file.save();
  }
  const sentence = `No disk of the volume ${state.name} works. ${said} It is opened again as soon as they are back.`;
  state.broke(sentence, dead);
}

async function lookAtReplica(state: VolumeState, replica: ReplicaRecord): Promise<Bad | undefined> {
  const disk = state.attached.get(replica.id);
  if (disk === undefined) return undefined;
  const serves =
    disk.valve === undefined ? (await deviceBytes(disk.device)) !== undefined : await valveServes(disk.valve);
  if (!serves) return { replica, reason: 'its disk stopped working.', dead: true };
  const errors = await filesystem.errorsOf(state.record.uuid, replica.deviceId);
  if (errors === undefined) return undefined;
  state.errors.set(replica.id, errors);
  const { baseline } = replica;
  const grown = [
    ['write', errors.write - baseline.write],
    ['read', errors.read - baseline.read],
    ['flush', errors.flush - baseline.flush],
  ].filter(([, count]) => Number(count) > 0);
  if (grown.length === 0) return undefined;
  const counts = grown.map(([kind, count]) => `${count} ${kind} error${count === 1 ? '' : 's'}`).join(', ');
  return { replica, reason: `its disk answered with errors (${counts}).`, dead: false };
}

/**
 * A volume that should be open and is not, or whose disks are all dead, is opened again. A mount whose disks merely hang is left
 * alone: it may come back, and programs are waiting in it.
 */
export async function heal(state: VolumeState): Promise<void> {
  const { life, record, wantedOpen } = state;
  const serving = life.step === 'broken' ? await servingReplicas(state) : [];
  const facts = { wanted: wantedOpen, serving: serving.length > 0, unsure: record.unsure === 'reopen' };
  const way = wayBack(state.life, facts);
  if (way === 'ask') return await recognise(state, serving);
  if (way === 'none') return;
  await openVolume(state).catch((error: unknown) => {
    if (!(error instanceof HoldfastError)) throw error;
  });
}

/** A disk serves that was believed dead. When the volume answers as well, nothing is wrong any more; else it is asked again later. */
async function recognise(state: VolumeState, serving: readonly ReplicaRecord[]): Promise<void> {
  if (!(await answers(state))) return;
  const replicas = serving.map(({ id }) => id);
  state.log.info({ volume: state.name, replicas }, 'volume serves after all');
  const unreachable = state.life.unreachable.filter((id) => !replicas.includes(id));
  state.happened({ type: 'reach', unreachable });
  state.happened({ type: 'recovered' });
}

/** Complete replicas in whose disk something waits and nothing completes for the whole time, by the kernel's counters. */
export async function hungReplicas(state: VolumeState): Promise<string[]> {
  const suspects = new Map<string, string>();
  const counters = async (device: string): Promise<string | undefined> => {
    const fields = ((await readOrUndefined(`/sys/class/block/${basename(device)}/stat`)) ?? '').trim().split(/\s+/);
    // Fields (iostats.rst): 1 reads completed, 5 writes completed, 9 in flight, 16 flushes completed.
    return Number(fields[8]) > 0 ? [fields[0], fields[4], fields[15]].join(' ') : undefined;
  };
  for (const replica of state.healthy()) {
    const device = state.attached.get(replica.id)?.device;
    const seen = device === undefined ? undefined : await counters(device);
    if (seen !== undefined) suspects.set(replica.id, seen);
  }
  for (let look = 0; look < HUNG_LOOKS && suspects.size > 0; look += 1) {
    await pause(HUNG_LOOK_MS);
    for (const [id, seen] of suspects) {
      const device = state.attached.get(id)?.device;
      if (device === undefined || (await counters(device)) !== seen) suspects.delete(id);
    }
  }
  return [...suspects.keys()];
}

/** Complete replicas whose disks serve the mounted volume. */
async function servingReplicas(state: VolumeState): Promise<ReplicaRecord[]> {
  const mount = await mountAt(state.directories.mount);
  if (mount === undefined || filesystem.stoppedWriting(mount)) return [];
  const serving: ReplicaRecord[] = [];
  for (const replica of state.healthy()) {
    const disk = state.attached.get(replica.id);
    if (disk === undefined) continue;
    const serves =
      disk.valve === undefined
        ? (await deviceBytes(disk.device)) !== undefined
        : (await valveServes(disk.valve)) && (await loopsOf(diskOf(state.pathsOf(replica)))).length > 0;
    if (serves) serving.push(replica);
  }
  return serving;
}
