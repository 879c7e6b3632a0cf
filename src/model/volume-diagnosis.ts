import type { Diagnosis } from './health.ts';
import { FULL_SHARE, ROOM_SHARE } from './reaction.ts';
import { roomOf, type ReplicaState } from './volumes.ts';

/** What a volume itself says, as far as a diagnosis follows from it. */
export interface VolumeFacts {
  name: string;
  state: 'open' | 'closed' | 'trouble';
  trouble: string | null;
  sizeBytes: number;
  usedBytes: number;
  /** What can really still be written; undefined: not known. */
  freeBytes?: number | undefined;
  replicas: readonly { id: string; disk: string; state: ReplicaState }[];
  operation: string | null;
  /** Why the limits of its accounts do not hold now. */
  uncounted?: { why: string } | null | undefined;
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 ** 2)} MiB`;

const percent = (share: number): string => `${Math.floor(share * 100)} %`;

/**
 * Diagnoses that need no watcher: disks that the storage itself gave up (it saw errors, or that the disk is not there), and room.
 * A replica that an operator set aside is no trouble.
 * @param known volumes that have an open trouble about room already
 */
export function diagnoseVolume(volume: VolumeFacts, known: { full: boolean }): Diagnosis[] {
  if (volume.state === 'closed') return [];
  const found: Diagnosis[] = [];
  for (const { id, disk, state } of volume.replicas) {
    if (state !== 'failed' && state !== 'missing') continue;
    const what = state === 'missing' ? 'is not there' : 'does not work any more';
    found.push({
      culprit: { kind: 'disk', volume: volume.name, replica: id, disk },
      fault: state === 'missing' ? 'lost' : 'failing',
      evidence: [
        `${disk} (replica ${id} of ${volume.name}) ${what}.`,
        ...(volume.trouble === null ? [] : [volume.trouble]),
      ],
      ruledOut: ['It does not hang: what is asked of it fails at once.'],
    });
  }
  const room = roomOf(volume);
  const share = volume.usedBytes + room === 0 ? 0 : volume.usedBytes / (volume.usedBytes + room);
  if (share >= (known.full ? ROOM_SHARE : FULL_SHARE)) {
    found.push({
      culprit: { kind: 'volume', volume: volume.name, replica: null, disk: null },
      fault: 'full',
      evidence: [`${percent(share)} of the room on the volume ${volume.name} is used; ${mebibytes(room)} are left.`],
      ruledOut: ['Its disks are well: it has no room, nothing is broken.'],
    });
  }
  if (volume.uncounted) {
    found.push({
      culprit: { kind: 'volume', volume: volume.name, replica: null, disk: null },
      fault: 'uncounted',
      evidence: [
        volume.uncounted.why,
        `The limits of the accounts on the volume ${volume.name} are not enforced until it counts again.`,
      ],
      ruledOut: ['Its disks are well, and nothing on it is lost.'],
    });
  }
  return found;
}
