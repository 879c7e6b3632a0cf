import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { troubleSchema, type Trouble } from '../../protocol/health.ts';
import type { Logger } from '../../runtime/log.ts';
import { readClocks, shiftOfMoments } from '../../runtime/monotonic.ts';
import { readJson, removeDurably, writeWhole } from '../../runtime/whole-file.ts';

/**
 * What the reaction remembers of a trouble beside what is shown of it. Moments are those of monotonicMs, negative before this boot: the time of
 * day may be set, and a cut that seems to lie in the future would forbid every other.
 */
const memorySchema = z.object({
  /** Written before the cut; taken back when the cut was refused. */
  cutAt: z.number().nullable(),
  /** When its volume first answered a durable write after the cut. */
  provenAt: z.number().nullable().default(null),
  /** Scrubs that went well; when the last one began or ended, however it did; whether it found what no replica has whole. */
  scrubs: z.number(),
  scrubbedAt: z.number().nullable(),
  unhealed: z.boolean().default(false),
  /** The scrubs that were known then, by id: one that is new and went well shows that all is healed. */
  scrubsBefore: z.array(z.string()).default([]),
  /** Tries to restore redundancy that failed in a row, and when the next one may come. */
  failures: z.number(),
  retryAt: z.number(),
  /** What a failed try said that a person must do. */
  needs: z.string().nullable(),
});
export type TroubleMemory = z.infer<typeof memorySchema>;

export function newMemory(): TroubleMemory {
  return {
    cutAt: null,
    provenAt: null,
    scrubs: 0,
    scrubbedAt: null,
    unhealed: false,
    scrubsBefore: [],
    failures: 0,
    retryAt: -Infinity,
    needs: null,
  };
}

/** Format 1 had moments of the time of day, and no clocks. */
const fileSchema = z.object({
  format: z.union([z.literal(1), z.literal(2)]),
  clocks: z.object({ boot: z.string(), monotonicMs: z.number(), wallMs: z.number() }).optional(),
  trouble: troubleSchema,
  memory: memorySchema.extend({ retryAt: z.number().nullable() }),
});

/** The memory as moments of this boot. */
function inThisBoot({ clocks, memory }: z.infer<typeof fileSchema>): TroubleMemory {
  const now = readClocks();
  const moved = (moment: number): number =>
    clocks === undefined ? now.monotonicMs - Math.max(0, now.wallMs - moment) : moment + shiftOfMoments(clocks, now);
  const { cutAt, provenAt, scrubbedAt, retryAt } = memory;
  return {
    ...memory,
    cutAt: cutAt === null ? null : moved(cutAt),
    provenAt: provenAt === null ? null : moved(provenAt),
    scrubbedAt: scrubbedAt === null ? null : moved(scrubbedAt),
    retryAt: retryAt === null ? -Infinity : moved(retryAt),
  };
}

export interface KnownTrouble {
  trouble: Trouble;
  memory: TroubleMemory;
}

/** Resolved troubles are kept this long, and at most so many. */
const KEPT_MS = 14 * 24 * 3_600_000;
export const KEPT = 200;

/** The troubles of this host, each a file of its own that is whole after a crash at any moment. */
export class TroubleJournal {
  readonly #directory: string;
  readonly #log: Logger;
  /** Writes of one trouble come one after the other, and the newest state is written last. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** All that is known, oldest first. A damaged file is reported and left where it is. */
  async load(now: number): Promise<KnownTrouble[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const found: KnownTrouble[] = [];
    for (const file of await readdir(this.#directory)) {
      if (!file.endsWith('.json')) continue;
      try {
        const record = fileSchema.parse(await readJson(join(this.#directory, file)));
        found.push({ trouble: record.trouble, memory: inThisBoot(record) });
      } catch (error) {
        this.#log.error({ file, error }, 'the record of a trouble cannot be read');
      }
    }
    found.sort((a, b) => a.trouble.since.localeCompare(b.trouble.since));
    const resolved = found.filter(({ trouble }) => trouble.resolvedAt !== null);
    const old = new Set(
      resolved.filter(
        ({ trouble }, index) =>
          index < resolved.length - KEPT || now - Date.parse(trouble.resolvedAt ?? trouble.since) > KEPT_MS,
      ),
    );
    for (const one of old) await removeDurably(this.#path(one.trouble.id));
    return found.filter((one) => !old.has(one));
  }

  /** Resolves when the state as it is now is on disk. */
  async save({ trouble, memory }: KnownTrouble): Promise<void> {
    const retryAt = Number.isFinite(memory.retryAt) ? memory.retryAt : null;
    const content = JSON.stringify({ format: 2, clocks: readClocks(), trouble, memory: { ...memory, retryAt } });
    const before = this.#writing.get(trouble.id) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => writeWhole(this.#path(trouble.id), content));
    this.#writing.set(trouble.id, mine);
    try {
      await mine;
    } finally {
      if (this.#writing.get(trouble.id) === mine) this.#writing.delete(trouble.id);
    }
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.json`);
  }
}
