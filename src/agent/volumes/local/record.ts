import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replicaStateSchema, volumeNameSchema } from '../../../protocol/volumes.ts';
import { within } from '../../../runtime/deadline.ts';
import { readJson, removeDurably, writeWhole } from '../../../runtime/whole-file.ts';

/**
 * What the agent knows of a volume, on its own disk (<home>/agent/volumes/<name>.json). The volume's devices are taken from
 * here and never by looking at all disks of the machine, one of which may hang.
 */
const errorsSchema = z.object({
  write: z.number(),
  read: z.number(),
  flush: z.number(),
  corruption: z.number(),
  generation: z.number(),
});

export const replicaRecordSchema = z.object({
  id: z.string().regex(/^r\d+$/),
  /** As the operator calls it. */
  disk: z.string(),
  /** A name that survives a reboot, for real disks. */
  stable: z.string(),
  kind: z.enum(['image', 'block']),
  /** Bytes of the disk. */
  bytes: z.number(),
  state: replicaStateSchema,
  /** Why it is not healthy, one sentence. */
  reason: z.string().nullable(),
  /** It fell behind the other one in a crash; its disk works, and rebuilding onto it needs nobody's decision. */
  behind: z.boolean(),
  /** btrfs device id; 0 until it has one. */
  deviceId: z.number(),
  /** While rebuilding: the replica whose place it takes. */
  replaces: z.string().nullable(),
  /** Error counters when it was last known to be complete; growth beyond them is a fault. */
  baseline: errorsSchema,
});
export type ReplicaRecord = z.infer<typeof replicaRecordSchema>;

export const volumeRecordSchema = z.object({
  format: z.literal(1),
  name: volumeNameSchema,
  engine: z.literal('local'),
  /** UUID of the file system, chosen before it is made: so a cut-off creation recognises its own work. */
  uuid: z.uuid(),
  phase: z.enum(['creating', 'ready', 'deleting']),
  wantedOpen: z.boolean(),
  imageBytes: z.number(),
  nextReplica: z.number(),
  /**
   * All replicas failed at once, so that nobody knows which one has the newest writes. `reopen`: it must be mounted afresh, with all of
   * them to compare. `scrub`: they were compared and are served; what one of them missed is still to be healed from the other.
   */
  unsure: z.enum(['reopen', 'scrub']).nullable().default(null),
  /** Blocks that were found damaged on every replica and have not been restored since. */
  damagedBlocks: z.number().default(0),
  replicas: z.array(replicaRecordSchema),
  /** Replicas that are none any more, whose disks are still to be let go of and cleaned. */
  leaving: z.array(replicaRecordSchema),
});
export type VolumeRecord = z.infer<typeof volumeRecordSchema>;

export const NO_ERRORS = { write: 0, read: 0, flush: 0, corruption: 0, generation: 0 };

/** All records that can be read; `onDamaged` is told of the others, so that one damaged file holds up one volume only. */
export async function loadRecords(
  directory: string,
  onDamaged: (file: string, error: unknown) => void = () => undefined,
): Promise<VolumeRecord[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const records: VolumeRecord[] = [];
  for (const file of (await readdir(directory)).sort()) {
    if (!file.endsWith('.json')) continue;
    try {
      records.push(volumeRecordSchema.parse(await readJson(join(directory, file))));
    } catch (error) {
      onDamaged(file, error);
    }
  }
  return records;
}

/** The host's own disk may be full, read-only or hang: who decides something must hear of it. */
const SAVE_DEADLINE_MS = 10_000;

/** The record of one volume on disk. One write after the other: a cut does not wait its turn, and two must never write the same file at once. */
export class RecordFile {
  readonly #directory: string;
  readonly #record: VolumeRecord;
  readonly #onSaved: () => void;
  #saving: Promise<unknown> = Promise.resolve();
  /** A write that has not begun: it will hold what is decided until then. */
  #next: Promise<void> | undefined;

  constructor(directory: string, record: VolumeRecord, onSaved: () => void) {
    this.#directory = directory;
    this.#record = record;
    this.#onSaved = onSaved;
  }

  /** Throws what the host's disk answers, or `deadline-passed` after 10 seconds; a write that is late may still happen then. */
  async save(): Promise<void> {
    if (this.#next === undefined) {
      const next = this.#saving.then(() => {
        this.#next = undefined;
        return saveRecord(this.#directory, this.#record);
      });
      this.#next = next;
      this.#saving = next.catch(() => undefined);
    }
    await within(SAVE_DEADLINE_MS, `writing the record of the volume ${this.#record.name}`, this.#next);
    this.#onSaved();
  }
}

export async function saveRecord(directory: string, record: VolumeRecord): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(join(directory, `${record.name}.json`), JSON.stringify(record, null, 2));
}

export async function removeRecord(directory: string, name: string): Promise<void> {
  await removeDurably(join(directory, `${name}.json`));
}
