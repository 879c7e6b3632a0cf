import { basename } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { isServed } from '../../../model/volume-life.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import { until, within } from '../../../runtime/deadline.ts';
import { monotonicMs } from '../../../runtime/monotonic.ts';
import { attachDisk, detachDisk, findAttached } from '../../disks/attach.ts';
import { readSuperBlock } from '../../disks/disks.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { forget } from '../../btrfs/forgetting.ts';
import { cutLeft, leave } from './cutting.ts';
import { assertNobodyElse, inUse, isKept, keepersInWords, keepersOf, type Keepers } from '../../btrfs/keepers.ts';
import { killHolders } from '../../kernel/holders.ts';
import { allocateImage } from '../../disks/image-room.ts';
import { dropCopies, mountAt, type MountEntry } from '../../kernel/mounts.ts';
import { assertNothingHangs } from '../../btrfs/registering.ts';
import { NO_ERRORS, type ReplicaRecord, type VolumeRecord } from './record.ts';
import { answers } from './silence.ts';
import type { VolumeState } from './state.ts';
import { decideTrust, type Candidate, type Trust } from '../../btrfs/trust.ts';
import { endBalance, endCopy } from './under-way.ts';

/** So long an unmount that is refused because the volume is in use is tried again. */
const BUSY_MS = 3_000;
/** So long the end of a copy is waited for that was told to end. */
const WORK_ENDS_MS = 10_000;
const STOPPED = 'the file system stopped working.';

/**
 * Opens a volume: takes over a mount that an earlier agent left, or joins a file system that others keep in the kernel, or removes a dead
 * one and mounts afresh. Only complete replicas are mounted. Throws `storage-repair` when there is none, or when the kernel still holds
 * a dead file system.
 */
export async function openVolume(state: VolumeState): Promise<void> {
  if (!state.happened({ type: 'open' })) return;
  try {
    const mount = await mountAt(state.directories.mount);
    if (!(mount === undefined ? await join(state) : await adopt(state, mount))) {
      await clearDead(state);
      await mountAfresh(state);
    }
    state.happened({ type: 'mounted' });
    if (!(await answers(state))) {
      throw new HoldfastError('storage-repair', 'it does not answer.');
    }
    await state.accounts.opened();
    state.quotas.begin();
  } catch (error) {
    const reason = error instanceof HoldfastError ? error.message : String(error);
    const sentence = `The volume ${state.name} could not be opened: ${reason}`;
    const { trouble, unopened } = state.life;
    // It is tried again every few seconds: said once.
    if (sentence !== trouble) state.log.error({ volume: state.name, error }, 'volume could not be opened');
    state.happened({
      type: 'not-opened',
      sentence,
      unopened: {
        since: unopened?.since ?? new Date().toISOString(),
        beganAt: unopened?.beganAt ?? monotonicMs(),
        reason,
        heldBy: error instanceof Held ? error.heldBy : null,
      },
    });
    if (!(error instanceof HoldfastError)) throw error;
    throw new HoldfastError(error.code, `${sentence} It is tried again every few seconds.`, {
      cause: error,
      ...(error.details === undefined ? {} : { details: error.details }),
      ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
    });
  }
  state.happened({ type: 'opened' });
  state.lane.mend();
}

/** A file system that cannot be opened again while somebody outside the platform keeps it in the kernel. */
class Held extends HoldfastError {
  readonly heldBy: string;

  constructor(heldBy: string, cause?: unknown) {
    super(
      'storage-repair',
      `its old file system does not work any more, and the kernel keeps it for ${heldBy}. It opens by itself when that has ended.`,
      { cause, retryAfterSeconds: 10 },
    );
    this.heldBy = heldBy;
  }
}

/**
 * Unmounts and lets go of every disk. Throws `volume-in-use`, naming who uses it; then everything is as it was, but for what the message
 * says has ended: `ended`, sentences about what the caller has ended for it.
 */
export async function closeVolume(state: VolumeState, ended: string[]): Promise<void> {
  const { mount } = state.directories;
  await state.quotas.stop();
  if (state.life.trouble !== null && (await mountAt(mount)) !== undefined) await clearDead(state);
  try {
    // A balance keeps the file system mounted, and would be taken for a program.
    ended.push(...(await endBalance(state)));
    if ((await mountAt(mount)) !== undefined) await unmount(state, ended);
    await filesystem.waitReleased(state.record.uuid, 5_000).catch((cause: unknown) => goOn(state, ended, cause));
  } catch (error) {
    // Refused: everything is as it was, the watching of limits, too.
    if (isServed(state.life)) state.quotas.begin();
    throw error;
  }
  state.accounts.closed();
  // Whoever watches the disks lets go of them now: a device that is held open is not detached.
  state.happened({ type: 'closed' });
  for (const replica of state.record.replicas) await detachDisk(replica, state.pathsOf(replica), 'orderly');
  for (const replica of state.record.replicas)
    if (replica.kind === 'image') await dropCopies(state.pathsOf(replica).mountPoint, state.log);
  state.attached.clear();
  state.errors.clear();
  state.changed();
}

/**
 * Before anything is ended for the sake of closing a volume: throws `volume-in-use`, naming who uses it beside its members' programs, and
 * answers how many of those there are. Not while a balance runs, which would be taken for a program.
 */
export async function assertUnused(state: VolumeState): Promise<number> {
  if (state.life.trouble !== null || (await mountAt(state.directories.mount)) === undefined) return 0;
  if ((await filesystem.runningWork(state.record.uuid)) === 'balance') return 0;
  return (await assertNobodyElse(state, [], 'but its members')).members.length;
}

async function unmount(state: VolumeState, ended: readonly string[]): Promise<void> {
  const { mount } = state.directories;
  await assertNobodyElse(state, ended);
  let busy: HoldfastError | undefined;
  const unmounted = async (): Promise<boolean> => {
    try {
      await filesystem.unmountFileSystem(mount, state.name);
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'volume-in-use') throw error;
      busy = error;
      return false;
    }
  };
  // Programs that were ended a moment ago may take a moment to be gone.
  await until(unmounted, `unmounting the volume ${state.name}`, BUSY_MS, 250).catch(async (error: unknown) => {
    if (busy === undefined) throw error;
    throw inUse(state, await keepersOf(state, true), ended, busy);
  });
  await dropCopies(mount, state.log);
}

/** Somebody began to use it in the moment in which it was unmounted: it is mounted again, so that a refusal leaves all as it was. */
async function goOn(state: VolumeState, ended: readonly string[], cause: unknown): Promise<never> {
  const keepers = await keepersOf(state, true);
  if (isServed(state.life) && (await join(state))) throw inUse(state, keepers, ended, cause);
  const sentence = `The volume ${state.name} is not mounted, and the kernel keeps its file system for ${keepersInWords(keepers)}. Its disks are let go of when that has ended.`;
  if (state.record.wantedOpen) state.broke(sentence);
  throw new HoldfastError('volume-in-use', sentence, { cause });
}

/** Takes over what an earlier agent mounted, when at least one complete replica still serves. */
async function adopt(state: VolumeState, mount: MountEntry): Promise<boolean> {
  if (mount.type !== 'btrfs' || filesystem.stoppedWriting(mount) || state.record.unsure === 'reopen') return false;
  const present = new Set(await filesystem.devicesOf(state.record.uuid));
  const serving = await findServing(state, present);
  if (serving.length === 0) return false;
  for (const replica of state.healthy()) {
    if (!serving.includes(replica))
      await leave(state, replica, 'failed', 'its disk stopped while the platform was not running.');
  }
  await cutLeft(state, present);
  state.log.info({ volume: state.name, replicas: serving.map((replica) => replica.id) }, 'volume taken over as it was');
  return true;
}

/** Complete replicas whose disks work and are part of the file system that the kernel has. Their disks, and those of a rebuild, count as attached. */
async function findServing(state: VolumeState, present: ReadonlySet<string>): Promise<ReplicaRecord[]> {
  const serving: ReplicaRecord[] = [];
  for (const replica of state.record.replicas) {
    if (replica.state !== 'healthy' && replica.state !== 'rebuilding') continue;
    const disk = await findAttached(replica, state.pathsOf(replica));
    if (disk === undefined || !present.has(basename(disk.device))) continue;
    state.attached.set(replica.id, disk);
    if (replica.state === 'healthy') serving.push(replica);
  }
  return serving;
}

/**
 * Mounts a file system again that others keep in the kernel on disks that work: a container that took a copy of our mounts, a backup that
 * reads. The very same devices are given, so the kernel answers with the file system it has, and there is still one writer.
 */
async function join(state: VolumeState): Promise<boolean> {
  const { record, directories } = state;
  if (record.unsure === 'reopen' || !(await filesystem.isHeld(record.uuid))) return false;
  const present = new Set(await filesystem.devicesOf(record.uuid));
  const serving = await findServing(state, present);
  const devices = serving.map(({ id }) => state.attached.get(id)?.device).filter((device) => device !== undefined);
  if (devices.length === 0) return false;
  await mkdir(directories.mount, { recursive: true, mode: 0o700 });
  try {
    await filesystem.mountFileSystem(devices, directories.mount, devices.length < record.replicas.length);
  } catch (error) {
    // While another volume hangs nothing is mounted: it is tried again, and nobody is ended for it.
    if (error instanceof HoldfastError && error.code !== 'command-failed') throw error;
    state.log.warn({ volume: state.name, devices, error }, 'a file system that others hold could not be joined');
    return false;
  }
  const mount = await mountAt(directories.mount);
  if (mount === undefined || !(await adopt(state, mount))) return false;
  state.happened({ type: 'mounted' });
  return true;
}

/** Removes what is left of a file system whose disks are gone (everything was killed, or both replicas failed). */
async function clearDead(state: VolumeState): Promise<void> {
  const { uuid } = state.record;
  await state.quotas.stop();
  state.happened({ type: 'unmounted' });
  const mounted = (await mountAt(state.directories.mount)) !== undefined;
  if (!mounted && !(await filesystem.isHeld(uuid))) return;
  await endWork(state);
  const devices = await filesystem.devicesOf(uuid);
  const { firstAccount, lastAccount } = state.context.ids;
  const ended = await killHolders(devices, { first: firstAccount, last: lastAccount });
  state.log.warn({ volume: state.name, devices, ended }, 'removing a dead mount');
  // Members' programs were ended, and may take a moment.
  const outside = async (): Promise<Keepers> => ({ ...(await keepersOf(state, true)), members: [] });
  const others = await outside();
  // As long as they use it, it stays where it is: whoever uses what is mounted nowhere any more can be named by nobody.
  if (isKept(others)) throw new Held(keepersInWords(others));
  await filesystem.unmountLazily(state.directories.mount);
  await dropCopies(state.directories.mount, state.log);
  await filesystem.waitReleased(uuid, 15_000).catch(async (cause: unknown) => {
    throw new Held(keepersInWords(await outside()), cause);
  });
}

/**
 * A copy onto a new disk goes on in the kernel although its file system is dead, and keeps that for as long. It can be ended only as long as
 * that is mounted.
 */
async function endWork(state: VolumeState): Promise<void> {
  const { copying, record, name, log } = state;
  if (copying !== undefined) {
    copying.giveUp(STOPPED);
    copying.target.reason ??= STOPPED;
  }
  await endCopy(state);
  const ended = copying?.ended ?? Promise.resolve();
  await within(WORK_ENDS_MS, `The end of the copying on the volume ${name}`, ended).catch((error: unknown) => {
    log.warn({ volume: name, error }, 'whoever follows a copy does not end');
  });
  const none = async (): Promise<boolean> => (await filesystem.runningWork(record.uuid)) !== 'device replace';
  await until(none, `the end of the copy on the volume ${name}`, WORK_ENDS_MS, 20).catch((error: unknown) => {
    log.warn({ volume: name, error }, 'a copy goes on in a dead file system');
  });
}

/** Whether all disks are image files of ours that have all their room; what is missing of it is taken where there is enough. */
async function keepAllocated({ record, directories, name, log }: VolumeState): Promise<boolean> {
  const used = record.replicas.filter(({ state }) => state === 'healthy' || state === 'rebuilding');
  if (!used.every(({ kind, disk }) => kind === 'image' && disk.startsWith(`${directories.disks}/`))) return false;
  let all = true;
  for (const { disk, bytes } of used) {
    const allocated = await allocateImage(disk, bytes).catch((error: unknown) => {
      log.warn({ volume: name, disk, error }, 'the room of an image file could not be looked at');
      return false;
    });
    all &&= allocated;
  }
  return all;
}

async function mountAfresh(state: VolumeState): Promise<void> {
  const { record, directories } = state;
  // Before a device appears: what else looks for file systems on new devices (udev) would be held up like the mount.
  await assertNothingHangs();
  await mkdir(directories.mount, { recursive: true, mode: 0o700 });
  await detachAll(state);
  const candidates = await Promise.all(record.replicas.map((replica) => candidateOf(state, replica)));
  const trust = record.unsure === 'reopen' ? await trustAll(state, candidates) : decideTrust(candidates, record.uuid);
  const rebuilding = candidates.filter(
    (candidate) => candidate.recorded === 'rebuilding' && candidate.super?.uuid === record.uuid,
  );
  const lost = record.replicas.filter((replica) => replica.state === 'healthy' && !trust.complete.includes(replica.id));
  const away = lost.filter(({ id }) => trust.absent.includes(id)).map(({ id }) => id);
  state.happened({ type: 'reach', unreachable: away });
  assertWhole(record, trust, lost);
  for (const replica of record.replicas.filter(({ id }) => trust.stale.includes(id))) {
    if (replica.state === 'healthy') await detachDisk(replica, state.pathsOf(replica), 'cut');
    state.attached.delete(replica.id);
  }
  const using = [...trust.complete, ...rebuilding.map((candidate) => candidate.id)];
  const devices = using.map((id) => state.attached.get(id)?.device).filter((device) => device !== undefined);
  // What is freed in it would be given back to the machine's disk, and be missing there later.
  const options = (await keepAllocated(state)) ? ['nodiscard'] : [];
  await filesystem.mountFileSystem(devices, directories.mount, lost.length > 0 || hasLeft(record.replicas), options);
  state.happened({ type: 'reach', unreachable: [] });
  // Only now: had the mount failed, the replica that is away would still be as good as the others.
  await recordLost(state, trust, lost);
}

async function detachAll(state: VolumeState): Promise<void> {
  const { record } = state;
  state.attached.clear();
  state.errors.clear();
  for (const replica of record.replicas) {
    if ((replica.state !== 'healthy' && replica.state !== 'rebuilding') || isGivenUp(replica)) {
      await detachDisk(replica, state.pathsOf(replica), 'cut');
    }
  }
  for (const replica of record.leaving) {
    await detachDisk(replica, state.pathsOf(replica), 'cut').catch((error: unknown) => {
      state.log.warn({ volume: state.name, disk: replica.disk, error }, 'a disk that left could not be let go of');
    });
  }
}

/** Throws `storage-repair` when what is there may not be all that was acknowledged. `lost`: complete replicas that are not to be mounted. */
function assertWhole(record: VolumeRecord, trust: Trust, lost: readonly ReplicaRecord[]): void {
  if (trust.complete.length === 0) {
    const disks = record.replicas.map((replica) => replica.disk).join(', ');
    throw new HoldfastError(
      'storage-repair',
      `No complete replica is there (${disks}). Bring one of these disks back.`,
    );
  }
  const away = lost.find((replica) => trust.absent.includes(replica.id));
  if (record.unsure === 'reopen' && away !== undefined) {
    throw new HoldfastError(
      'storage-repair',
      `All its disks failed at the same time, and ${away.disk} (replica ${away.id}) is not back: it may hold the newest writes. Bring it back, or set ${away.id} aside to go on without what was written last.`,
    );
  }
}

/** Writes down what the volume was opened without, and that its disks were compared. */
async function recordLost(state: VolumeState, trust: Trust, lost: readonly ReplicaRecord[]): Promise<void> {
  const { record } = state;
  for (const replica of lost) {
    const stale = trust.stale.includes(replica.id);
    replica.state = stale ? 'failed' : 'missing';
    replica.reason = stale ? 'it stopped before the other one did and is behind.' : 'its disk is not there.';
    replica.behind = stale;
    state.log.warn(
      { volume: state.name, replica: replica.id, disk: replica.disk, reason: replica.reason },
      'opened degraded',
    );
  }
  if (record.unsure === 'reopen') {
    // What they counted before is part of what is healed now; what comes on top is a new fault.
    for (const replica of record.replicas.filter(({ id }) => trust.complete.includes(id))) {
      replica.baseline = (await filesystem.errorsOf(record.uuid, replica.deviceId)) ?? NO_ERRORS;
    }
    record.unsure = trust.complete.length > 1 ? 'scrub' : null;
    await state.file.save();
  } else if (lost.length > 0) {
    await state.file.save();
  }
}

/**
 * All disks failed in turns, so each may hold acknowledged writes that the other one lacks: the older one is no less needed than the newest.
 * btrfs mounts both by the newest super block, takes what fails its checksum on one disk from the other, and the scrub that follows makes
 * them equal. Super blocks of the same commit differ by the fsync log only, and btrfs would pick by device number: so the newest
 * is mounted alone for a moment first, which takes the log in and begins a newer commit.
 */
async function trustAll(state: VolumeState, candidates: readonly Candidate[]): Promise<Trust> {
  const trust = decideTrust(candidates, state.record.uuid);
  const older = trust.stale.filter((id) => state.healthy().some((replica) => replica.id === id));
  const [newest] = trust.complete;
  if (older.length === 0 || newest === undefined) return trust;
  const generationOf = (id: string): number | undefined =>
    candidates.find((candidate) => candidate.id === id)?.super?.generation;
  const device = state.attached.get(newest)?.device;
  if (device !== undefined && older.some((id) => generationOf(id) === generationOf(newest))) {
    await takeInLog(state, device, older);
  }
  state.log.warn({ volume: state.name, newest, older }, 'mounting replicas that failed in turns, to be compared');
  return { ...trust, complete: [...trust.complete, ...older], stale: trust.stale.filter((id) => !older.includes(id)) };
}

/** Mounts one disk alone and unmounts it again. One that cannot be mounted without the others has nothing to lose by waiting for them. */
async function takeInLog(state: VolumeState, device: string, others: readonly string[]): Promise<void> {
  const { mount } = state.directories;
  for (const id of others) {
    const other = state.attached.get(id)?.device;
    if (other !== undefined) await forget(other);
  }
  try {
    await filesystem.mountFileSystem([device], mount, true);
  } catch (error) {
    state.log.warn({ volume: state.name, device, error }, 'the newest replica cannot be mounted alone');
    return;
  }
  await filesystem.unmountFileSystem(mount, state.name);
  await filesystem.waitReleased(state.record.uuid, 15_000);
}

const hasLeft = (replicas: readonly ReplicaRecord[]): boolean =>
  replicas.some((replica) => replica.state !== 'healthy' && replica.state !== 'rebuilding');

/** A new disk that failed before the copy onto it was complete: it is not mounted with the others, only taken away. */
function isGivenUp({ state, deviceId, reason }: ReplicaRecord): boolean {
  return state === 'rebuilding' && deviceId === 0 && reason !== null;
}

async function candidateOf(state: VolumeState, replica: ReplicaRecord): Promise<Candidate> {
  const nothing: Candidate = { id: replica.id, recorded: replica.state, super: undefined, changedAt: 0n };
  if ((replica.state !== 'healthy' && replica.state !== 'rebuilding') || isGivenUp(replica)) return nothing;
  // The image's own time is read before it is attached: attaching may write.
  const changed =
    replica.kind === 'block'
      ? undefined
      : await runCommand('stat', ['--printf=%.9Y', '--', replica.disk], { deadlineMs: 5_000 });
  const changedAt = changed?.code === 0 ? BigInt(changed.stdout.replace('.', '')) : 0n;
  try {
    const disk = await attachDisk(replica, state.pathsOf(replica));
    if (disk === undefined) return nothing;
    state.attached.set(replica.id, disk);
    return { ...nothing, super: await readSuperBlock(disk.device), changedAt };
  } catch (error) {
    state.log.error({ volume: state.name, replica: replica.id, error }, 'disk could not be attached');
    return nothing;
  }
}
