import { PROGRAMS } from '../../btrfs/programs.ts';
import { causeOfSilence, type KernelWait, type Silence } from '../../../model/silent-volume.ts';
import { isToBeAsked, isToBeRefused, type Begun } from '../../../model/volume-life.ts';
import { mustRun } from '../../../runtime/command.ts';
import type { Logger } from '../../../runtime/log.ts';
import { monotonicMs } from '../../../runtime/monotonic.ts';
import type { VolumeRecord } from './record.ts';
import type { VolumeState } from './state.ts';

const DEADLINE_MS = 5_000;

/** A volume that has not answered. */
export interface SilentVolume {
  readonly name: string;
  readonly log: Logger;
  readonly record: Pick<VolumeRecord, 'replicas'>;
  readonly directories: { readonly mount: string };
  /** The process that asked it. */
  readonly probe: { readonly pid: number | undefined };
}

/** "512 percpu_rwsem_wait vfs_write ksys_write" a line. */
export function parseWaits(text: string): KernelWait[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([pid = '']) => /^\d+$/.test(pid))
    .map(([pid, ...stack]) => ({ pid: Number(pid), stack }));
}

async function waitsNow(volume: SilentVolume): Promise<KernelWait[]> {
  try {
    const { stdout } = await mustRun('python3', ['-I', PROGRAMS.waits], { deadlineMs: DEADLINE_MS });
    return parseWaits(stdout);
  } catch (error) {
    volume.log.warn({ volume: volume.name, error }, 'what waits in the kernel cannot be seen');
    return [];
  }
}

/** Asks the volume for one durable write, for three seconds, and remembers since when it has not answered and what it waits for. */
export async function answers(state: VolumeState): Promise<boolean> {
  state.happened({ type: 'asked' });
  // The write that was asked for last came back, though late.
  if (state.probe.pid === undefined) state.happened({ type: 'answered' });
  const asked = { since: new Date().toISOString(), beganAt: monotonicMs() };
  if (await state.probe.answers()) {
    state.happened({ type: 'answered' });
    return true;
  }
  const silence = await silenceOf(state, state.life.silence ?? undefined, asked);
  state.happened({ type: 'silent', silence });
  return false;
}

/** Asks a volume where there is a reason to, and refuses or lets through what others ask of it. */
export async function probe(state: VolumeState): Promise<void> {
  const { lane } = state;
  const work = { refused: lane.broken, oldestMs: lane.oldestMs };
  if (!isToBeAsked(state.life, work)) return;
  if (await answers(state)) lane.mend();
  else if (isToBeRefused(state.life, work, monotonicMs())) lane.trip();
}

/** What a volume waits for that has just not answered: looked for only when that is not the first time. Touches nothing of it. */
export async function silenceOf(
  volume: SilentVolume,
  known: Begun<Silence> | undefined,
  asked: Pick<Begun<Silence>, 'since' | 'beganAt'>,
): Promise<Begun<Silence>> {
  if (known === undefined) return { ...asked, cause: 'unknown', waitsIn: null, mount: volume.directories.mount };
  const replacing = volume.record.replicas.some(({ replaces }) => replaces !== null);
  const found = causeOfSilence(volume.probe.pid, await waitsNow(volume), replacing);
  return { ...known, ...found };
}
