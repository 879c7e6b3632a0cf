import { join } from 'node:path';
import { causeOfSilence, type KernelWait, type Silence } from '../../../model/silent-volume.ts';
import { mustRun } from '../../../runtime/command.ts';
import type { Begun, VolumeState } from './state.ts';

const WAITS_PROGRAM = join(import.meta.dirname, 'kernel_waits.py');
const DEADLINE_MS = 5_000;

/** "512 percpu_rwsem_wait vfs_write ksys_write" a line. */
export function parseWaits(text: string): KernelWait[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([pid = '']) => /^\d+$/.test(pid))
    .map(([pid, ...stack]) => ({ pid: Number(pid), stack }));
}

async function waitsNow(state: VolumeState): Promise<KernelWait[]> {
  try {
    const { stdout } = await mustRun('python3', ['-I', WAITS_PROGRAM], { deadlineMs: DEADLINE_MS });
    return parseWaits(stdout);
  } catch (error) {
    state.log.warn({ volume: state.name, error }, 'what waits in the kernel cannot be seen');
    return [];
  }
}

/** What a volume waits for that has just not answered: looked for only when that is not the first time. Touches nothing of it. */
export async function silenceOf(
  state: VolumeState,
  known: Begun<Silence> | undefined,
  asked: Pick<Begun<Silence>, 'since' | 'beganAt'>,
): Promise<Begun<Silence>> {
  if (known === undefined) return { ...asked, cause: 'unknown', waitsIn: null, mount: state.directories.mount };
  const replacing = state.record.replicas.some(({ replaces }) => replaces !== null);
  const found = causeOfSilence(state.probe.pid, await waitsNow(state), replacing);
  return { ...known, ...found };
}
