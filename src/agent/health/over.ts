import type { VolumeStatus } from '../../protocol/volumes.ts';
import type { KnownTrouble } from './trouble-journal.ts';

/** What can be looked at besides the volume itself. */
export interface Seen {
  /** Nobody knows that the machine's own disk has room while it cannot be looked at. */
  hostRoom: boolean;
  /** The volume is out of service for want of a disk that answers. */
  held: boolean;
}

/**
 * Whether a trouble that is not diagnosed any more is over, and in what words: each kind of culprit is well again in a way of its own.
 * Undefined: that is not known yet. `status`: of its volume; undefined for a trouble of the host.
 */
export function whyOver(known: KnownTrouble, status: VolumeStatus | undefined, seen: Seen): string | undefined {
  const { culprit, fault } = known.trouble.diagnosis;
  if (culprit.kind === 'host') {
    if (fault !== 'full') return 'The disks of this host answer again.';
    return seen.hostRoom ? "The machine's own disk has room again." : undefined;
  }
  if (fault === 'uncounted') return status?.uncounted ? undefined : countsAgain(known, status);
  if (fault === 'full') return `The volume ${known.trouble.volume} has room again.`;
  if (status?.silence || status?.unopened) return undefined;
  return culprit.kind === 'volume' ? whyVolumeServes(known, status) : whyDiskIsWell(known, status, seen);
}

function countsAgain({ trouble: { volume } }: KnownTrouble, status: VolumeStatus | undefined): string {
  if (status?.state === 'closed') return `The volume ${volume} was closed.`;
  return `What is written to the volume ${volume} is counted again, which was proven by a write: its limits hold.`;
}

function whyVolumeServes({ trouble }: KnownTrouble, status: VolumeStatus | undefined): string | undefined {
  if (trouble.diagnosis.fault !== 'unopened') return `The volume ${trouble.volume} answers again.`;
  if (status?.state === 'open') return `The volume ${trouble.volume} is open again.`;
  // One that has not been tried since the agent started is closed, too, and nothing is over.
  const closed = status?.state === 'closed' && status.wantedOpen !== true;
  return closed ? `The volume ${trouble.volume} was closed.` : undefined;
}

function whyDiskIsWell(
  { trouble, memory }: KnownTrouble,
  status: VolumeStatus | undefined,
  seen: Seen,
): string | undefined {
  const { culprit, fault } = trouble.diagnosis;
  if (status?.state === 'closed') return `The volume ${trouble.volume} was closed.`;
  if (status?.redundancy !== 'full' || status.state !== 'open' || seen.held) return undefined;
  if (fault === 'corrupt') return 'Nothing wrong is found any more.';
  const stillThere = status.replicas.some(({ id }) => id === culprit.replica);
  if (memory.cutAt === null && stillThere) return 'The disk answers again.';
  return `Redundancy is full again: every disk of ${trouble.volume} holds a complete copy.`;
}
