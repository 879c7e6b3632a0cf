import { basename, dirname } from 'node:path';
import { PROGRAMS } from '../../btrfs/programs.ts';
import { mkdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../protocol/errors.ts';
import { mustRun, runCommand } from '../../../runtime/command.ts';
import { JourneyInterrupted, type Journey, type StepReport } from '../../operations/journey.ts';
import { attachDisk, detachDisk, kernelName, removeImage } from '../../disks/attach.ts';
import { parseBalanceProgress } from '../../btrfs/btrfs-output.ts';
import { CopyPace } from '../../disks/copy-pace.ts';
import { CopyStatus, type CopyMoment } from '../../btrfs/copy-status.ts';
import { Copying } from './copying.ts';
import { anotherServes } from './cutting.ts';
import { readSuperBlock, wipe } from '../../disks/disks.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { KeptChecksums } from '../../btrfs/kept-checksums.ts';
import { NO_ERRORS, type ReplicaRecord, type VolumeRecord } from './record.ts';
import { scrubDevice } from './scrubbing.ts';
import { neededToCopy, unallocatedBytes } from '../../btrfs/space.ts';
import { damagedSentence, type VolumeState } from './state.ts';
import { endCopy, endScrub, makeWay } from './under-way.ts';
import { makeImage, removeValve, valveServes } from '../../disks/valve.ts';

const COMMAND_DEADLINE_MS = 60_000;
const POLL_MS = 300;
/** How often a volume that does not answer is asked again by a rebuild. */
const SILENT_POLL_MS = 1_000;
/** A copy that finds no room, or whose source fails, is begun anew so often. */
const COPY_ATTEMPTS = 6;
const CONVERT_ATTEMPTS = 3;
/** To make room: pieces that are used less than this are moved, so many at a time. */
const NEARLY_EMPTY_PERCENT = 5;
const EMPTY_PERCENT = [NEARLY_EMPTY_PERCENT, 30, 50, 70, 85];
const PIECES_AT_ONCE = 4;
/** A copy that has not moved for this long is given up: its disk, not its size, is the trouble. */
const STALL_MS = 15 * 60_000;

const NO_ROOM = /No space left on device/;
/** What replace.py says when something was begun between our looking and the kernel's. */
const OTHER_WORK = /other work is under way|a scrub is running/;

/** Copies the volume onto a new replica, which takes the place of `target.replaces`, and makes the mirror whole again. */
export async function rebuildReplica(state: VolumeState, target: ReplicaRecord, journey: Journey): Promise<void> {
  if (target.state === 'healthy') return await cleanLeaving(state);
  journey.plan(['Prepare the disk', 'Copy', 'Mirror what was written meanwhile', 'Verify', 'Take it into service']);
  await journey.step('Prepare the disk', async (report) => {
    await prepareTarget(state, target);
    report.detail(target.disk);
  });
  await journey.step('Copy', (report) => copyOnto(state, target, report, journey.signal));
  await journey.step('Mirror what was written meanwhile', (report) => convertProfiles(state, report, journey.signal));
  let before = NO_ERRORS;
  let damaged = 0;
  await journey.step('Verify', async (report) => {
    before = (await filesystem.errorsOf(state.record.uuid, target.deviceId)) ?? NO_ERRORS;
    // A scrub is refused beside a copy, not beside the others.
    await makeWay(state, report, journey.signal, (work) => Promise.resolve(work !== 'device replace'));
    const compared = await writeErrorsOf(state, target);
    damaged = (await scrubDevice(state, target, report, journey.signal)).uncorrectable;
    if (damaged === 0) return;
    // What no disk has is no fault of the new one: so the others are asked too, and then it once more, for files are deleted meanwhile.
    let elsewhere = 0;
    for (const other of state.healthy()) {
      elsewhere = Math.max(elsewhere, (await scrubDevice(state, other, report, journey.signal)).uncorrectable);
    }
    if (damaged > elsewhere) damaged = (await scrubDevice(state, target, report, journey.signal)).uncorrectable;
    const served = (await anotherServes(state, target)) && (await writeErrorsOf(state, target)) === compared;
    if (damaged > elsewhere || !served) {
      throw new HoldfastError(
        'command-failed',
        `${damaged} blocks on the new disk ${target.disk} are damaged, and it or the other disk of the volume ${state.name} failed while they were compared. Check both, then add a replica again.`,
      );
    }
    if (damaged === 0) return;
    report.detail(damagedSentence(state.name, damaged));
    state.log.error({ volume: state.name, blocks: damaged }, 'blocks are damaged on every replica');
  });
  await journey.step('Take it into service', async () => {
    const errors = (await filesystem.errorsOf(state.record.uuid, target.deviceId)) ?? NO_ERRORS;
    const disk = state.attached.get(target.id);
    const serves = disk !== undefined && (disk.valve === undefined || (await valveServes(disk.valve)));
    const failed = errors.write > before.write || errors.read > before.read || errors.flush > before.flush;
    // What was written after the check passed its place is not checked again: an error since then may be a hole.
    if (!serves || failed || target.state !== 'rebuilding') {
      throw new HoldfastError(
        'disk-unusable',
        `The new disk ${target.disk} failed while it was checked. Use another one.`,
      );
    }
    target.baseline = errors;
    target.state = 'healthy';
    target.reason = null;
    state.record.damagedBlocks = damaged;
    state.happened({ type: 'warned', sentence: null });
    // The wrong data that is known of is counted in blocks now; what comes on top is a new fault.
    if (damaged > 0) await acceptWrongData(state, target);
    await state.file.save();
    await cleanLeaving(state);
  });
}

/** The errors of the complete replicas' disks at writing, to be compared. Blocks that cannot be read are not among them. */
async function writeErrorsOf(state: VolumeState, target: ReplicaRecord): Promise<string> {
  const counts: string[] = [];
  for (const { id, deviceId } of state.healthy().filter((other) => other !== target)) {
    const errors = await filesystem.errorsOf(state.record.uuid, deviceId);
    counts.push(`${id}: ${errors?.write} ${errors?.flush}`);
  }
  return counts.join(', ');
}

async function acceptWrongData(state: VolumeState, target: ReplicaRecord): Promise<void> {
  for (const other of state.healthy().filter((replica) => replica !== target)) {
    const errors = await filesystem.errorsOf(state.record.uuid, other.deviceId);
    const { corruption, generation } = errors ?? other.baseline;
    other.baseline = { ...other.baseline, corruption, generation };
  }
}

async function prepareTarget(state: VolumeState, target: ReplicaRecord): Promise<void> {
  if (target.kind === 'image') {
    await mkdir(dirname(target.disk), { recursive: true, mode: 0o700 });
    await makeImage(target.disk, target.bytes);
  }
  const disk = await attachDisk(target, state.pathsOf(target));
  if (disk === undefined) throw new HoldfastError('disk-unusable', `The disk ${target.disk} is not there any more.`);
  state.attached.set(target.id, disk);
}

/**
 * Work on a volume that may stop answering for a while (its other disk hangs, and is not cut, because it is the last one): that delays a
 * rebuild and does not end it. After 15 minutes of silence it is given up.
 */
async function patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const silent =
        error instanceof HoldfastError && (error.code === 'storage-repair' || error.code === 'deadline-passed');
      if (!silent || performance.now() - begun > STALL_MS) throw error;
    }
    if (signal.aborted) throw new JourneyInterrupted();
    await pause(SILENT_POLL_MS);
  }
}

async function copyNow(state: VolumeState): Promise<CopyMoment> {
  await using copy = new CopyStatus(state.directories.mount);
  return await copy.next();
}

/**
 * `btrfs replace` onto the target: starts it, or goes on with the one that runs since before a restart. Throws `disk-unusable` when it was
 * given up from outside: its disk was cut, or the file system died.
 */
export async function copyOnto(
  state: VolumeState,
  target: ReplicaRecord,
  report: StepReport,
  signal: AbortSignal,
): Promise<void> {
  using copying = new Copying(state, target);
  try {
    await copyWhole(state, target, report, AbortSignal.any([signal, copying.signal]));
  } catch (cause) {
    throw copying.failure ?? cause;
  }
}

async function copyWhole(
  state: VolumeState,
  target: ReplicaRecord,
  report: StepReport,
  signal: AbortSignal,
): Promise<void> {
  const device = state.attached.get(target.id)?.device;
  const source =
    target.replaces === null ? undefined : state.record.replicas.find((replica) => replica.id === target.replaces);
  if (device === undefined) throw new HoldfastError('disk-unusable', `The disk ${target.disk} is not attached.`);
  if (source === undefined) return report.skip('the copy is complete');
  const { mount } = state.directories;
  const inUse = async (): Promise<boolean> =>
    (await filesystem.devicesOf(state.record.uuid)).includes(basename(device));
  const clear = (): Promise<void> =>
    makeWay(state, report, signal, async (work) => work === 'device replace' && (await inUse()));
  // Before anything of the volume is read: what moves its pieces keeps readers waiting.
  await patiently(signal, clear);
  await using _checksums = await KeptChecksums.begin({
    name: state.name,
    mount: state.directories.mount,
    log: state.log,
  });
  await using pace = await CopyPace.begin(state, device, 'written');

  const start = async (): Promise<void> => {
    await clear();
    let status = await copyNow(state);
    if (status.state === 'suspended') {
      // Its target was away when the volume was mounted; what was copied is of no use.
      await state.lane.run(() =>
        runCommand('btrfs', ['replace', 'cancel', mount], { deadlineMs: COMMAND_DEADLINE_MS }),
      );
      status = await copyNow(state);
    }
    if (status.state === 'running' || (await inUse())) return;
    await endScrub(state, report, signal);
    await wipe(device, target.kind, state.record.uuid);
    const reading = source.state === 'healthy' ? 'always' : 'avoid';
    const parameters = ['-I', PROGRAMS.replace, mount, String(source.deviceId), device, reading];
    const command = pace.command('python3', parameters);
    const { stderr } = await state.lane.run(() => mustRun(...command, { deadlineMs: COMMAND_DEADLINE_MS }));
    pace.heed(stderr);
  };
  /** How it ended; `no-room` and `refused`: the kernel did not even begin. */
  const once = async (): Promise<'no-room' | 'refused' | Awaited<ReturnType<typeof watchCopy>>> => {
    try {
      await patiently(signal, start);
    } catch (error) {
      if (says(error, NO_ROOM)) return 'no-room';
      if (says(error, OTHER_WORK)) return 'refused';
      throw error;
    }
    return await watchCopy(state, target.disk, report, pace, signal);
  };
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await once();
    if (outcome === 'finished') break;
    // The kernel gives a copy up when the disk it reads fails (it was cut), and when it has no room to write elsewhere what changes
    // in the piece that it copies: how much that is depends on what is being written at that moment.
    const short = outcome === 'no-room' || (await isShortOfRoom(state));
    if (attempt === COPY_ATTEMPTS) {
      if (short) throw tooFullToCopy(state.name);
      throw new HoldfastError('command-failed', `The copy was ${outcome}. Check the disk, then add a replica again.`);
    }
    if (short) await makeRoom(state, attempt, report, signal);
    else if (outcome === 'canceled') await emptyOnePiece(state, attempt, report, signal);
    await pause(POLL_MS);
  }
  if (!(await inUse())) {
    throw new HoldfastError(
      'command-failed',
      `The copy onto ${target.disk} ended without it being in use. See the kernel's log, then add a replica again.`,
    );
  }
  target.deviceId = source.deviceId;
  target.replaces = null;
  await retire(state, source);
  await detachDisk(source, state.pathsOf(source), 'cut').catch((error: unknown) => {
    state.log.warn({ volume: state.name, disk: source.disk, error }, 'a disk that left could not be let go of');
  });
}

function says(error: unknown, what: RegExp): boolean {
  return error instanceof HoldfastError && what.test([error.message, ...(error.details ?? [])].join(' '));
}

function tooFullToCopy(volume: string): HoldfastError {
  return new HoldfastError(
    'no-room',
    `The volume ${volume} is too full to be copied onto a new disk. Ask its largest accounts to make room, or delete snapshots; the copy is tried again by itself.`,
  );
}

async function isShortOfRoom(state: VolumeState): Promise<boolean> {
  const space = await filesystem.spaceOf(state.record.uuid);
  const size = state.diskBytes();
  return space !== undefined && unallocatedBytes(space, size) < neededToCopy(size);
}

/**
 * Gives room back that was taken for data and is hardly used: what is in pieces that are nearly empty is written into others. A few
 * pieces at a time, the emptiest first, and no more than a copy needs. The first time only what costs nearly nothing is moved:
 * moving fuller pieces takes room itself.
 */
async function makeRoom(state: VolumeState, attempt: number, report: StepReport, signal: AbortSignal): Promise<void> {
  report.detail('making room for the copy');
  for (const usage of attempt === 1 ? [NEARLY_EMPTY_PERCENT] : EMPTY_PERCENT) {
    if (!(await isShortOfRoom(state))) return;
    await balance(state, [`-dusage=${usage},limit=${PIECES_AT_ONCE}`], report, signal);
  }
}

/**
 * The kernel gave a copy up, and by its figures there is room. It was seen to find none for a new piece of system data beside 760 MiB that no
 * piece had (decision 8), each time anew, until one piece that was hardly used had been given back.
 */
async function emptyOnePiece(
  state: VolumeState,
  attempt: number,
  report: StepReport,
  signal: AbortSignal,
): Promise<void> {
  report.detail('giving a piece that is hardly used back');
  const usage = EMPTY_PERCENT[attempt - 1] ?? EMPTY_PERCENT.at(-1);
  await balance(state, [`-dusage=${usage},limit=1`], report, signal);
}

/** Moves pieces of the file system, to the end. What an earlier agent began is begun again: it is not known with which filters it runs. */
async function balance(
  state: VolumeState,
  filters: readonly string[],
  report: StepReport,
  signal: AbortSignal,
): Promise<void> {
  const { mount } = state.directories;
  const parameters = ['balance', 'start', '--background', ...filters, mount];
  await patiently(signal, async () => {
    await makeWay(state, report, signal);
    await state.lane.run(() => mustRun('btrfs', parameters, { deadlineMs: COMMAND_DEADLINE_MS }));
  });
  for (;;) {
    const shown = await patiently(signal, () =>
      runCommand('btrfs', ['balance', 'status', mount], { deadlineMs: COMMAND_DEADLINE_MS }),
    );
    const progress = parseBalanceProgress(shown.stdout);
    if (progress !== undefined) report.progress(progress);
    if (signal.aborted) {
      await runCommand('btrfs', ['balance', 'cancel', mount], { deadlineMs: COMMAND_DEADLINE_MS });
      throw new JourneyInterrupted();
    }
    if ((await filesystem.runningWork(state.record.uuid)) !== 'balance') return;
    await pause(POLL_MS);
  }
}

/** Until the copy does not run any more; answers how it ended. */
async function watchCopy(
  state: VolumeState,
  disk: string,
  report: StepReport,
  pace: CopyPace,
  signal: AbortSignal,
): Promise<'finished' | 'canceled' | 'suspended' | 'never'> {
  const { mount } = state.directories;
  await using copy = new CopyStatus(mount);
  let moved = performance.now();
  let last = -1;
  const stopped = aborted(signal);
  for (;;) {
    const status = await patiently(signal, () => Promise.race([copy.next(), stopped]));
    if (status === undefined) {
      await endCopy(state);
      throw new JourneyInterrupted();
    }
    // Also with errors: it is part of the file system then, and the check that follows finds and heals what is not there.
    if (status.state !== 'running') return status.state;
    report.progress(status.progress);
    report.pace(pace.figures);
    report.detail(pace.sentence());
    if (status.writeErrors > 0) {
      await endCopy(state);
      throw new HoldfastError('disk-unusable', `The new disk ${disk} answered with write errors. Use another one.`);
    }
    if (status.progress !== last) [last, moved] = [status.progress, performance.now()];
    if (performance.now() - moved > STALL_MS) {
      throw new HoldfastError('deadline-passed', 'The copy has not moved for 15 minutes. Check the disks.');
    }
  }
}

/** A moment with nothing to tell, as soon as the signal is given: whoever waits for the next one looks at the signal then. */
function aborted(signal: AbortSignal): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  if (signal.aborted) resolve(undefined);
  else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  return promise;
}

/**
 * Lets go of the disk of a replica that is none any more. A platform's own image file is removed, a real disk that answers is
 * wiped, so that neither can ever be taken for a complete replica.
 */
export async function discardDisk(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  const paths = state.pathsOf(replica);
  await detachDisk(replica, paths, 'cut');
  const usedAgain = state.record.replicas.some((other) => other !== replica && other.stable === replica.stable);
  if (replica.kind === 'image') {
    if (!usedAgain) await removeImage(paths);
    await removeValve(paths);
    return;
  }
  const device = await kernelName(replica.stable);
  if (usedAgain || device === undefined) return;
  // Another disk may have this name by now: only what is ours is wiped.
  if ((await readSuperBlock(device))?.uuid === state.record.uuid) await wipe(device, replica.kind, state.record.uuid);
}

/** Takes a replica out of the volume for good: recorded first, so that its disk is cleaned even when that is cut off. */
export async function dismiss(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  await retire(state, replica);
  await cleanLeaving(state);
}

async function retire(state: VolumeState, replica: ReplicaRecord): Promise<void> {
  const { record } = state;
  record.replicas = record.replicas.filter((other) => other !== replica);
  record.leaving.push(replica);
  state.errors.delete(replica.id);
  state.attached.delete(replica.id);
  await state.file.save();
}

/**
 * Whether a disk that left is kept as it is: until redundancy is full and nothing is damaged on every replica, it may be the only one
 * with a block that the others lack. Of several in the same place only the first was complete.
 */
export function isKept(record: VolumeRecord, replica: ReplicaRecord): boolean {
  const whole = record.damagedBlocks === 0 && record.replicas.every(({ state }) => state === 'healthy');
  if (whole || replica.deviceId === 0) return false;
  return record.leaving.find((other) => other.deviceId === replica.deviceId) === replica;
}

/** Cleans the disks of replicas that left. One that cannot be cleaned now (it may be broken) is tried again later. */
export async function cleanLeaving(state: VolumeState): Promise<void> {
  const { record } = state;
  for (const replica of record.leaving) {
    if (isKept(record, replica)) continue;
    try {
      await discardDisk(state, replica);
    } catch (error) {
      state.log.warn(
        { volume: state.name, disk: replica.disk, error },
        'a disk that left the volume could not be cleaned',
      );
      continue;
    }
    record.leaving = record.leaving.filter((other) => other !== replica);
    await state.file.save();
  }
}

/** Blocks written while one replica was away have one copy: they get their second one. */
export async function convertProfiles(state: VolumeState, report: StepReport, signal: AbortSignal): Promise<void> {
  const { uuid } = state.record;
  const whole = async (): Promise<boolean> => (await filesystem.unmirroredKinds(uuid)).length === 0;
  if (await whole()) return report.skip('everything has two copies');
  for (let attempt = 1; attempt <= CONVERT_ATTEMPTS; attempt += 1) {
    await balance(state, ['-dconvert=raid1,soft', '-mconvert=raid1,soft'], report, signal);
    if (await whole()) return;
    await makeRoom(state, attempt, report, signal);
  }
  if (await isShortOfRoom(state)) throw tooFullToCopy(state.name);
  throw new HoldfastError(
    'command-failed',
    `Not everything on ${state.name} could be given a second copy. Is there room left on both disks?`,
  );
}
