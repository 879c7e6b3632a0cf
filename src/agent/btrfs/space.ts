/**
 * How much room a btrfs mirror really has. It gives room to data and to metadata in large pieces (chunks), each mirrored on both disks;
 * what is in a piece for one cannot be used by the other. So writes may find no room when a good part of the disk is unused. Pure.
 */

/** Bytes, one copy counted (allocation/<kind> in /sys/fs/btrfs/<uuid>). */
export interface SpaceOfKind {
  /** In pieces that were given to this kind. */
  total: number;
  used: number;
  /** Asked for by what is being written now, and not used yet. */
  promised: number;
}

export interface Space {
  data: SpaceOfKind;
  metadata: SpaceOfKind;
  system: SpaceOfKind;
  /** Part of what metadata has promised: kept back by btrfs so that deleting works when nothing else does. */
  reserve: number;
}

/** The first MiB of each disk is never used. */
const FIRST_BYTES = 1024 ** 2;
const MiB = 1024 ** 2;
/** The largest piece that is made for metadata on disks below 50 GiB; above, 1 GiB. */
const METADATA_PIECE = 256 * MiB;
const SYSTEM_PIECE = 32 * MiB;
const LARGE_DISK = 50 * 1024 ** 3;

/** What no kind has yet. @param diskBytes of the smaller disk */
export function unallocatedBytes({ data, metadata, system }: Space, diskBytes: number): number {
  return Math.max(0, diskBytes - FIRST_BYTES - data.total - metadata.total - system.total);
}

export function usedBytes({ data, metadata, system }: Space): number {
  return data.used + metadata.used + system.used;
}

/**
 * Bytes that members can still write: room for data, as long as metadata has some as well. Metadata grows with data, though
 * slower, so a share of metadata that is left counts for the same share of data.
 */
export function roomBytes(space: Space, diskBytes: number): number {
  const free = unallocatedBytes(space, diskBytes);
  const { data, metadata } = space;
  const forData = Math.max(0, data.total - data.used - data.promised + free);
  const kept = metadata.used + space.reserve;
  const forMetadata = Math.max(0, metadata.total - kept + free);
  const dataThatFits = (forMetadata / Math.max(1, kept + forMetadata)) * (data.used + forData);
  return Math.floor(Math.min(forData, dataThatFits));
}

/** The same when nothing were being written now. */
export function settledRoomBytes(space: Space, diskBytes: number): number {
  return roomBytes({ ...space, data: { ...space.data, promised: 0 } }, diskBytes);
}

/**
 * The kernel copies a disk piece by piece, and writes what changes meanwhile elsewhere: a piece of metadata or of system data needs
 * another one to take over for it, and what is promised to writers needs room beside that. With less, a copy may be given up.
 */
export function neededToCopy(diskBytes: number): number {
  const piece = diskBytes > LARGE_DISK ? 1024 * MiB : METADATA_PIECE;
  return 2 * Math.min(piece, Math.floor(diskBytes / 10)) + SYSTEM_PIECE;
}
