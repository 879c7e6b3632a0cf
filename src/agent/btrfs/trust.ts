import type { SuperBlock } from './btrfs-output.ts';

/** A replica's disk as found before mounting. */
export interface Candidate {
  id: string;
  /** What the volume's record says: was it complete when we last knew? */
  recorded: 'healthy' | 'rebuilding' | 'set-aside' | 'missing' | 'failed';
  /** Undefined: the disk is not there or holds no super block of this volume. */
  super: SuperBlock | undefined;
  /** Last change of an image file in nanoseconds; 0 for a real disk. Tells which of two images lived longer. */
  changedAt: bigint;
}

export interface Trust {
  /** Replicas to mount, at least one unless the volume is lost. */
  complete: string[];
  /** Replicas whose disk is there but may be stale: never served, to be rebuilt as new ones. */
  stale: string[];
  /** Replicas whose disk is not there. */
  absent: string[];
}

/**
 * Decides which replicas may be served. After an orderly close both super blocks are the same. When they differ, one disk
 * was written after the other had stopped (or the machine stopped between two writes, which looks the same): only the newest
 * is complete, and the other one is rebuilt. A wrong guess here would hand out old data, a needless rebuild costs
 * a little time. A replica that was set aside or failed is never trusted again, whatever its disk says.
 */
export function decideTrust(candidates: readonly Candidate[], uuid: string): Trust {
  const present = candidates.filter((candidate) => candidate.super?.uuid === uuid);
  const absent = candidates.filter((candidate) => candidate.super?.uuid !== uuid).map((candidate) => candidate.id);
  const eligible = present.filter((candidate) => candidate.recorded === 'healthy');
  const newest = [...eligible].sort(newestFirst)[0];
  const complete: string[] = [];
  const stale: string[] = [];
  for (const candidate of present) {
    if (candidate.recorded === 'rebuilding') continue;
    const same =
      newest !== undefined &&
      eligible.includes(candidate) &&
      candidate.super?.generation === newest.super?.generation &&
      candidate.super?.logRoot === newest.super?.logRoot;
    (same ? complete : stale).push(candidate.id);
  }
  return { complete, stale, absent };
}

function newestFirst(a: Candidate, b: Candidate): number {
  const byGeneration = (b.super?.generation ?? 0) - (a.super?.generation ?? 0);
  if (byGeneration !== 0) return byGeneration;
  // Same commit, different fsync logs: log positions have no order, so the image that was written last is the newer one.
  if (a.changedAt !== b.changedAt) return a.changedAt < b.changedAt ? 1 : -1;
  // A log is better than none: it holds what was acknowledged since the commit.
  return Number(a.super?.logRoot === 0) - Number(b.super?.logRoot === 0);
}
