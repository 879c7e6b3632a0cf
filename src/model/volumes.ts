/** A replica is one of a volume's copies, on one disk. */
export type ReplicaState = 'healthy' | 'rebuilding' | 'set-aside' | 'missing' | 'failed';

/** `full`: every replica complete. `rebuilding`: a copy is being made. `reduced`: fewer than two. `lost`: none. */
export type Redundancy = 'full' | 'rebuilding' | 'reduced' | 'lost';

/** How many replicas a volume is meant to have. */
export const REPLICAS_WANTED = 2;

export function redundancyOf(states: readonly ReplicaState[]): Redundancy {
  const healthy = states.filter((state) => state === 'healthy').length;
  if (healthy === 0) return 'lost';
  if (healthy >= REPLICAS_WANTED) return 'full';
  return states.includes('rebuilding') ? 'rebuilding' : 'reduced';
}

export interface PlacementCandidate {
  name: string;
  state: 'open' | 'closed' | 'trouble';
  redundancy: Redundancy;
  sizeBytes: number;
  usedBytes: number;
  /** Sum of the disk limits of the accounts already there, bytes. */
  promisedBytes: number;
}

/**
 * The volume a new account goes to: the open one with most room, counting what is promised rather than only what is
 * used, so that a row of new (still empty) accounts spreads out. A volume without full redundancy is used only when
 * there is no other.
 */
export function placeAccount(volumes: readonly PlacementCandidate[]): PlacementCandidate | undefined {
  const room = (volume: PlacementCandidate): number =>
    volume.sizeBytes - Math.max(volume.usedBytes, volume.promisedBytes);
  const open = volumes.filter((volume) => volume.state === 'open' && volume.redundancy !== 'lost');
  const full = open.filter((volume) => volume.redundancy === 'full');
  const from = full.length > 0 ? full : open;
  return [...from].sort((a, b) => room(b) - room(a) || a.name.localeCompare(b.name))[0];
}

/** Bytes that can still be written: the file system says what is left; without that, what is not used. */
export function roomOf(volume: { sizeBytes: number; usedBytes: number; freeBytes?: number | undefined }): number {
  return volume.freeBytes ?? Math.max(0, volume.sizeBytes - volume.usedBytes);
}
