import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import { JourneyInterrupted, type StepReport } from '../../operations/journey.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import type { VolumeState } from './state.ts';

/**
 * What somebody else may have under way in a file system. The kernel lets in one such work at a time, and refuses all others for as long as
 * it runs, also while a balance is only paused. What is refused is not told: the copy was "never", and the next try ends like that, too.
 * So it is asked before every work of ours. What would keep redundancy from being full is cancelled, and said.
 */

const POLL_MS = 300;
/** Something that cannot be cancelled, or does not end although it was, is waited for so long. */
const GIVE_UP_MS = 15 * 60_000;
const END_COPY_MS = 30_000;

interface ForeignWork {
  /** As a sentence begins. */
  what: string;
  /** Arguments of `btrfs`, before the mount; null: it is short, or ends with what began it. */
  cancel: readonly string[] | null;
}

/** By the kernel's word in /sys/fs/btrfs/<uuid>/exclusive_operation. */
const WORKS: Readonly<Record<string, ForeignWork>> = {
  balance: { what: 'A balance', cancel: ['balance', 'cancel'] },
  'balance paused': { what: 'A balance that was paused', cancel: ['balance', 'cancel'] },
  'device replace': {
    what: "A copy onto a disk that is not this volume's (btrfs replace)",
    cancel: ['replace', 'cancel'],
  },
  'device remove': { what: 'The removal of a device', cancel: ['device', 'remove', 'cancel'] },
  'device add': { what: 'The adding of a device', cancel: null },
  resize: { what: 'A resize', cancel: ['filesystem', 'resize', 'cancel'] },
  'swap activate': { what: 'The activation of a swap file', cancel: null },
};

/** Nothing is known of it but the kernel's name. */
export function foreignWork(name: string): ForeignWork {
  return WORKS[name] ?? { what: `Work that the kernel calls "${name}"`, cancel: null };
}

/** What is said of something that had to give way. */
export function gaveWay(what: string, volume: string): string {
  return `${what} was under way on the volume ${volume} and was cancelled: it kept the platform's own work out. Start it again when redundancy is full.`;
}

/**
 * Returns when nothing exclusive is under way, or only what `isOurs` knows. Cancels what stands in the way, or waits for it.
 * Throws `volume-in-use` when it does not end.
 */
export async function makeWay(
  state: VolumeState,
  report: StepReport,
  signal: AbortSignal,
  isOurs: (work: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<void> {
  const { mount } = state.directories;
  const begun = performance.now();
  let said = '';
  for (;;) {
    const work = await filesystem.runningWork(state.record.uuid);
    if (work === 'none' || (await isOurs(work))) return;
    const { what, cancel } = foreignWork(work);
    const left = GIVE_UP_MS - (performance.now() - begun);
    if (left <= 0) {
      throw new HoldfastError(
        'volume-in-use',
        `${what} is under way on the volume ${state.name} and does not end. End it by hand: nothing else is let in meanwhile.`,
      );
    }
    if (cancel === null) {
      report.detail(`${what} is under way; waiting for its end`);
    } else {
      report.detail(`${what} is under way; it is being cancelled`);
      if (said !== work) state.log.warn({ volume: state.name, work }, 'cancelling what is under way on the volume');
      said = work;
      // One process, for as long as it takes: while a disk hangs, it waits in the kernel, where it cannot be ended.
      const result = await orInterrupted(signal, runCommand('btrfs', [...cancel, mount], { deadlineMs: left, signal }));
      // The kernel tells whoever cancels a resize or a removal what it tells whoever began it.
      const ended = result.code === 0 || /operation canceled/i.test(result.stderr);
      if (ended) report.note(gaveWay(what, state.name));
      else state.log.info({ volume: state.name, work, errors: result.stderr }, 'what was under way was not cancelled');
    }
    if (signal.aborted) throw new JourneyInterrupted();
    await pause(POLL_MS);
  }
}

/** Throws `volume-in-use` while a copy runs: the kernel refuses a scrub then, and nothing is gained by ending the copy for it. */
export async function assertNoCopy(state: VolumeState): Promise<void> {
  const work = await filesystem.runningWork(state.record.uuid);
  if (work !== 'device replace') return;
  const { what } = foreignWork(work);
  throw new HoldfastError(
    'volume-in-use',
    `${what} is under way on the volume ${state.name}. Start the scrub again when it has ended.`,
  );
}

/** Ends a scrub that is not ours: the kernel reads a disk for one at a time, and a copy reads it as well. */
export async function endScrub(state: VolumeState, report: StepReport, signal: AbortSignal): Promise<void> {
  const { mount } = state.directories;
  const parameters = ['scrub', 'cancel', mount];
  const result = await orInterrupted(signal, runCommand('btrfs', parameters, { deadlineMs: GIVE_UP_MS, signal }));
  // Not 0: none runs.
  if (result.code === 0) report.note(gaveWay('A scrub', state.name));
}

/**
 * Ends the copy onto a new disk. In a file system that has stopped writing the kernel refuses that, but not the end of a scrub, and the copy
 * is one. Without limit from then on: it looks at whether it is to end after each piece. Says nothing when none runs.
 */
export async function endCopy(state: VolumeState): Promise<void> {
  const { mount } = state.directories;
  for (const pace of state.paces) await pace.lift();
  for (const command of [
    ['replace', 'cancel'],
    ['scrub', 'cancel'],
  ]) {
    if ((await filesystem.runningWork(state.record.uuid)) !== 'device replace') return;
    const { code, stderr } = await runCommand('btrfs', [...command, mount], { deadlineMs: END_COPY_MS });
    if (code !== 0) state.log.info({ volume: state.name, command, errors: stderr.trim() }, 'a copy did not end');
  }
}

/** Before unmounting: a balance holds the file system like a program. To pause it takes until its piece is moved, which may be long. */
export async function endBalance(state: VolumeState): Promise<string[]> {
  const { mount } = state.directories;
  if ((await filesystem.runningWork(state.record.uuid)) !== 'balance') return [];
  const result = await runCommand('btrfs', ['balance', 'cancel', mount], { deadlineMs: 30_000 });
  state.log.warn({ volume: state.name, code: result.code }, 'a balance was cancelled to close the volume');
  return result.code === 0 ? ['A balance that ran there was cancelled.'] : [];
}

async function orInterrupted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (signal.aborted) throw new JourneyInterrupted();
    throw error;
  }
}
