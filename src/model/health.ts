/**
 * What is known about the health of one host's storage, and what follows from it. The rules are in diagnosis.ts (signals ->
 * culprit) and reaction.ts (culprit -> what to do); both are pure, so that every case can be tried without a disk.
 */

/** A disk as the watcher sees it now. `unknown`: the watcher cannot say, because it was itself held up. */
export type DiskCondition = 'healthy' | 'slow' | 'hung' | 'failed' | 'unknown';

/**
 * hung: requests are in the disk and none completes. failing: it answers with errors. slow: it answers, many times slower than its
 * peers, for a minute. full: no room. corrupt: it returns wrong data. lost: it is not there. uncounted: what its accounts use is not counted,
 * so that their limits do not hold. unopened: a volume that should be open and cannot be opened.
 */
export type FaultKind = 'hung' | 'failing' | 'slow' | 'full' | 'corrupt' | 'lost' | 'uncounted' | 'unopened';

export interface Culprit {
  kind: 'disk' | 'volume' | 'host';
  volume: string | null;
  replica: string | null;
  /** As the operator calls it: /dev/sdb, or the image file's path. */
  disk: string | null;
}

/** What the rules conclude. Sentences are plain words, complete, for a tired person. */
export interface Diagnosis {
  culprit: Culprit;
  fault: FaultKind;
  /** What was seen, with figures: "4 requests wait in /dev/sdb and none has completed for 0.7 s". */
  evidence: string[];
  /** What it is not: "the host is fine: 9 other disks completed 214 requests meanwhile". */
  ruledOut: string[];
}

/** The same trouble has the same key, however often it is seen: "disk:home1/r2:hung". Flapping and hanging are one. */
export function troubleKeyOf({ culprit, fault }: Pick<Diagnosis, 'culprit'> & Partial<Diagnosis>): string {
  // A volume may be full as well, or not answer, while nothing on it is counted: that is another trouble.
  if (fault === 'uncounted') return ['limits', culprit.volume ?? '-', '-'].join(':');
  // That the machine's own disk is full is another trouble than that everything on the host stands still.
  if (fault === 'full' && culprit.kind === 'host') return 'host-room:-:-';
  return [culprit.kind, culprit.volume ?? '-', culprit.replica ?? '-'].join(':');
}
