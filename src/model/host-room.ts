import type { Diagnosis } from './health.ts';

/** The room on the machine's own disk, where the platform keeps its records and the image files of its volumes. Pure. */
export interface HostRoom {
  /** The directory whose file system it is. */
  path: string;
  sizeBytes: number;
  /** For processes without special rights. */
  freeBytes: number;
  /** What image files that are not allocated in full may still take. */
  promisedBytes: number;
}

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
/** Little is a fiftieth of the disk, within these bounds. */
const LITTLE_SHARE = 0.02;
const LITTLE_AT_LEAST = 256 * MiB;
const LITTLE_AT_MOST = 2 * GiB;
/** One that had little is well again with a quarter more than that. */
const WELL_TIMES = 1.25;
/** With less than this any write may fail. */
const NONE_BYTES = 32 * MiB;

export function littleRoom(sizeBytes: number): number {
  return Math.min(LITTLE_AT_MOST, Math.max(LITTLE_AT_LEAST, LITTLE_SHARE * sizeBytes));
}

/** Any write to it may fail now: what image files do is no sign of their own health. */
export function isHostFull({ freeBytes }: Pick<HostRoom, 'freeBytes'>): boolean {
  return freeBytes < NONE_BYTES;
}

/** @param known it is an open trouble already */
export function diagnoseHostRoom(room: HostRoom, known: boolean): Diagnosis | undefined {
  const { path, sizeBytes, freeBytes, promisedBytes } = room;
  if (freeBytes >= littleRoom(sizeBytes) * (known ? WELL_TIMES : 1)) return undefined;
  const grows =
    promisedBytes > freeBytes
      ? [
          `The image files of its volumes may still take ${amount(promisedBytes)}, which is not there: what members write may have to wait.`,
        ]
      : [];
  return {
    culprit: { kind: 'host', volume: null, replica: null, disk: null },
    fault: 'full',
    evidence: [
      `${amount(freeBytes)} of ${amount(sizeBytes)} are free on this machine's own disk, where the platform keeps its records (${path}).`,
      ...grows,
    ],
    ruledOut: ['The disks of the volumes are well, so none of them is cut for it.'],
  };
}

export function adviceOnHostRoom({ path, sizeBytes }: HostRoom): string {
  return `Make room on the disk of ${path}, at least ${amount(littleRoom(sizeBytes) * WELL_TIMES)}: "du -xh --max-depth=3 / | sort -h | tail" shows what is large. It is over by itself then.`;
}

function amount(bytes: number): string {
  return bytes >= 10 * GiB ? `${Math.round(bytes / GiB)} GiB` : `${Math.floor(bytes / MiB)} MiB`;
}
