import type { Diagnosis } from './health.ts';

/**
 * A volume that does not answer although its disks do: its file system itself waits. What it waits for is told by what a process that asks
 * it for a write, and others, wait for in the kernel. Pure.
 *
 * frozen: somebody stopped all writing to it (fsfreeze, a snapshot of the machine). locked-up: the kernel waits for itself at the end of a
 * copy (docs/decisions/0010). unknown: none of these.
 */
export type SilenceCause = 'frozen' | 'locked-up' | 'unknown';

/** A task that waits in the kernel: the functions it is in, innermost first (/proc/<pid>/stack). */
export interface KernelWait {
  pid: number;
  stack: readonly string[];
}

export interface Silence {
  /** When the first write that was not answered was asked for, ISO 8601: for people only, since that clock may be set. */
  since: string;
  /** How long ago that is, milliseconds. */
  lastedMs: number;
  cause: SilenceCause;
  /** Where in the kernel the asking process waits; null: not known. */
  waitsIn: string | null;
  /** Where the volume is mounted. */
  mount: string;
}

/** Snapshots of a machine freeze its file systems for some seconds; after this long it is no snapshot any more. */
export const KNOWN_SILENCE_MS = 10_000;
/** A commit of very much under quotas may take long on a well file system: only after this is anybody woken for a cause that is not known. */
export const UNKNOWN_SILENCE_MS = 60_000;

/** How a writer waits for a frozen file system: for the lock that each write takes part in, on its way to the file. */
const FREEZE_LOCK = /^(percpu_rwsem_wait|__percpu_down_read)$/;
const ON_THE_WAY_TO_WRITE = /^(mnt_want_write|vfs_write|vfs_iter_write|do_truncate|vfs_fallocate)/;
/** The end of a replacement waits for all that is under way to be done; some compilers put the one into the other. */
const REPLACE_WAITS = 'btrfs_rm_dev_replace_blocked';
const REPLACE_ENDS = 'btrfs_dev_replace_finishing';

/** @param asking the process that asked the volume, @param replacing whether a disk of the volume is being replaced */
export function causeOfSilence(
  asking: number | undefined,
  waits: readonly KernelWait[],
  replacing: boolean,
): Pick<Silence, 'cause' | 'waitsIn'> {
  const stack = waits.find(({ pid }) => pid === asking)?.stack ?? [];
  const waitsIn = stack[0] ?? null;
  const endless = waits.some((one) => one.stack.includes(REPLACE_WAITS) || one.stack[0] === REPLACE_ENDS);
  if (replacing && endless) return { cause: 'locked-up', waitsIn };
  const frozen = FREEZE_LOCK.test(waitsIn ?? '') && stack.some((name) => ON_THE_WAY_TO_WRITE.test(name));
  return { cause: frozen ? 'frozen' : 'unknown', waitsIn };
}

const WHY: Readonly<Record<SilenceCause, string>> = {
  frozen:
    'Its file system is frozen: somebody (a backup, a snapshot of the machine, fsfreeze) stopped all writing to it and has not let it go on.',
  'locked-up':
    'The kernel has locked its file system up at the end of a copy onto a new disk: each read and each write waits for another.',
  unknown: 'What holds its file system up is not known.',
};

/**
 * What is the case when a volume has not answered for long enough; undefined: not yet. Whoever calls this knows that its disks are well.
 */
export function diagnoseSilence(volume: string, silence: Silence): Diagnosis | undefined {
  const { lastedMs: lasted } = silence;
  if (lasted < (silence.cause === 'unknown' ? UNKNOWN_SILENCE_MS : KNOWN_SILENCE_MS)) return undefined;
  const where = silence.waitsIn === null ? '' : ` It waits in the kernel, in ${silence.waitsIn}.`;
  return {
    culprit: { kind: 'volume', volume, replica: null, disk: null },
    fault: 'hung',
    evidence: [
      `The volume ${volume} does not answer: a small write to it has been waiting for ${Math.floor(lasted / 1000)} s.${where}`,
      WHY[silence.cause],
    ],
    ruledOut: [
      'It is none of its disks: they answer when they are asked past the file system, so none is cut.',
      'Other volumes do not wait for it: each is a file system of its own.',
    ],
  };
}

const WHAT_TO_DO: Readonly<Record<SilenceCause, (volume: string, mount: string) => string>> = {
  frozen: (_volume, mount) =>
    `If no backup of this machine is being made just now, let the volume go on: fsfreeze --unfreeze ${mount}`,
  'locked-up': (volume) =>
    `Only a restart of the machine frees the volume ${volume}. Nothing that was acknowledged is lost, and the other volumes go on until then: choose the moment.`,
  unknown: (volume) =>
    `See the kernel's log (journalctl -k) for what holds the volume ${volume} up. If it does not go on by itself, a restart of the machine frees it; the other volumes go on until then.`,
};

/** What a person has to do about it, one or two sentences. */
export function adviceOnSilence(volume: string, { cause, mount }: Silence): string {
  return WHAT_TO_DO[cause](volume, mount);
}
