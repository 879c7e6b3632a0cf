import type { Diagnosis, FaultKind } from './health.ts';

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
/** The reserve (64 MiB), and what there was when it was given back. */
const FIRST_LOOK_BYTES = 128 * MiB;
/** A request that found no room is tried again after 2 s; then it may be seen waiting until it is judged, 0.65 to 1.5 s later. */
export const FULL_ENDS_MS = 6_000;
/** So long what the watcher saw of a disk goes into what it says of it: pauses that make a disk flap, errors that grew, slow seconds. */
export const FULL_REMEMBERED_MS = 60_000;
/** A look that is older says nothing about now: whoever looks may be held up himself, and that must not let a hung disk be for good. */
const LOOK_HOLDS_MS = 30_000;
/** A disk that is gone, or returns wrong data, is that whatever room there is. */
const ROOM_EXPLAINS: ReadonlySet<FaultKind> = new Set(['hung', 'slow', 'failing']);

const HOST: Diagnosis['culprit'] = { kind: 'host', volume: null, replica: null, disk: null };
const NOT_THE_DISKS = 'What waits now waits for room: no disk of a volume is blamed, or cut, for it.';

export function littleRoom(sizeBytes: number): number {
  return Math.min(LITTLE_AT_MOST, Math.max(LITTLE_AT_LEAST, LITTLE_SHARE * sizeBytes));
}

/** Any write to it may fail now: what image files do is no sign of their own health. */
export function isHostFull({ freeBytes }: Pick<HostRoom, 'freeBytes'>): boolean {
  return freeBytes < NONE_BYTES;
}

/**
 * A time in which writes found no room, as looks at the room tell it. Image files keep a request that finds none and try it again later, so
 * waits outlast it. Moments are of a clock that only goes forward.
 */
export interface FullSpell {
  full: boolean;
  /** When room was first seen after the last such time; -Infinity: there was none, or it is not over. */
  overAt: number;
  lookedAt: number;
}

/** What one more look makes of what was known before it. */
export function seeRoom(before: FullSpell | undefined, freeBytes: number, at: number): FullSpell {
  // At the first look nobody knows what was a moment ago. So little is what the reserve leaves that was given back.
  const full = before === undefined ? freeBytes < FIRST_LOOK_BYTES : isHostFull({ freeBytes });
  const overAt = before?.full === true ? at : (before?.overAt ?? -Infinity);
  return { full, overAt: full ? -Infinity : overAt, lookedAt: at };
}

/** Something is seen of an image file, or of the host as a whole. */
export interface SeenWait {
  diagnosis: Pick<Diagnosis, 'fault'>;
  /** Its first sign. */
  since: number;
  /** Requests wait in it at this moment; otherwise it is told of waits that were. */
  waitsNow: boolean;
}

/**
 * Whether that there was no room is why an image file waits, or is slow, or fails. A disk that hangs for real is told from that by waiting still
 * when everything else has gone on.
 */
export function isWaitForRoom(
  { diagnosis, since, waitsNow }: SeenWait,
  spell: FullSpell | undefined,
  now: number,
): boolean {
  if (spell === undefined || !ROOM_EXPLAINS.has(diagnosis.fault)) return false;
  if (spell.full) return now - spell.lookedAt < LOOK_HOLDS_MS;
  const endsAt = spell.overAt + FULL_ENDS_MS;
  return now < endsAt || (!waitsNow && since < endsAt && now < endsAt + FULL_REMEMBERED_MS);
}

/**
 * @param known it is an open trouble already
 * @param lately whether there was no room a moment ago
 */
export function diagnoseHostRoom(
  room: HostRoom,
  known: boolean,
  lately?: { spell: FullSpell | undefined; now: number },
): Diagnosis | undefined {
  const { path, sizeBytes, freeBytes, promisedBytes } = room;
  if (freeBytes >= littleRoom(sizeBytes) * (known ? WELL_TIMES : 1)) {
    if (lately?.spell === undefined || lately.now >= lately.spell.overAt + FULL_ENDS_MS) return undefined;
    return {
      culprit: HOST,
      fault: 'full',
      evidence: [
        `There is room again on this machine's own disk (${path}): ${amount(freeBytes)} are free. What waited for it goes on within seconds.`,
      ],
      ruledOut: [NOT_THE_DISKS],
    };
  }
  const grows =
    promisedBytes > freeBytes
      ? [
          `The image files of its volumes may still take ${amount(promisedBytes)}, which is not there: what members write may have to wait.`,
        ]
      : [];
  return {
    culprit: HOST,
    fault: 'full',
    evidence: [
      `${amount(freeBytes)} of ${amount(sizeBytes)} are free on this machine's own disk, where the platform keeps its records (${path}).`,
      ...grows,
    ],
    ruledOut: [NOT_THE_DISKS],
  };
}

export function adviceOnHostRoom({ path, sizeBytes }: HostRoom): string {
  return `Make room on the disk of ${path}, at least ${amount(littleRoom(sizeBytes) * WELL_TIMES)}: "du -xh --max-depth=3 / | sort -h | tail" shows what is large. It is over by itself then.`;
}

function amount(bytes: number): string {
  return bytes >= 10 * GiB ? `${Math.round(bytes / GiB)} GiB` : `${Math.floor(bytes / MiB)} MiB`;
}
