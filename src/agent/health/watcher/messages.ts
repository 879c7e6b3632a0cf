import type { Diagnosis } from '../../../model/health.ts';
import type { HostHealth } from '../../../protocol/health.ts';
import type { WatchedDisk } from '../../context.ts';

/** One JSON object a line on the watcher's standard input: all that it is told. The end of it ends the watcher. */
export interface WatcherOrders {
  disks: readonly WatchedDisk[];
  /** Whose programs live where, to count those that wait for a volume in the kernel. */
  members: readonly { uid: number; volume: string }[];
}

/**
 * What the watcher concludes. `since`: when its first sign was seen, on the clock that all processes of the host share (monotonicMs), so that
 * it is still right when the agent reads it late.
 */
export interface SeenTrouble {
  diagnosis: Diagnosis;
  since: number;
}

/** One JSON object a line on its standard output: troubles at once when they change, health once a second with the same troubles. */
export interface WatcherReport {
  troubles: SeenTrouble[];
  /** Disks that have stalled a moment. */
  suspects: { volume: string; replica: string }[];
  health: Omit<HostHealth, 'at' | 'name' | 'reaction' | 'room'> | null;
}
