import { z } from 'zod';
import { errorCodeSchema } from './errors.ts';
import { volumeNameProblem } from '../model/names.ts';

export const volumeNameSchema = z.string().check((context) => {
  const problem = volumeNameProblem(context.value);
  if (problem !== undefined) context.issues.push({ code: 'custom', message: problem, input: context.value });
});

export const replicaStateSchema = z.enum(['healthy', 'rebuilding', 'set-aside', 'missing', 'failed']);
export const redundancySchema = z.enum(['full', 'rebuilding', 'reduced', 'lost']);

export const deviceErrorsSchema = z.object({
  write: z.number(),
  read: z.number(),
  flush: z.number(),
  corruption: z.number(),
  generation: z.number(),
});

export const replicaSchema = z.object({
  /** Stable within the volume, e.g. "r1". A replacement gets a new one. */
  id: z.string(),
  /** What the operator calls the disk: /dev/sdb, or the image file's path. */
  disk: z.string(),
  state: replicaStateSchema,
  /** True when the disk is an image file behind the fault valve. */
  valve: z.boolean(),
  sizeBytes: z.number(),
  errors: deviceErrorsSchema.nullable(),
});
export type Replica = z.infer<typeof replicaSchema>;

/** Why the limits of a volume's accounts do not hold now. */
export const uncountedSchema = z.object({
  /** When that was first seen. */
  since: z.string(),
  why: z.string(),
  /** What the platform does about it, one sentence. */
  doing: z.string(),
  /** What a person has to do; null: nothing. */
  mustAct: z.string().nullable(),
});
export type Uncounted = z.infer<typeof uncountedSchema>;

export const volumeStatusSchema = z.object({
  name: z.string(),
  engine: z.enum(['local', 'cluster']),
  state: z.enum(['open', 'closed', 'trouble']),
  /** One plain sentence when something is not as it should be. */
  trouble: z.string().nullable(),
  redundancy: redundancySchema,
  sizeBytes: z.number(),
  usedBytes: z.number(),
  /** What can really still be written: less than size - used, because a file system keeps room for its own. Missing until it is known. */
  freeBytes: z.number().optional(),
  replicas: z.array(replicaSchema),
  /** Id of the running operation on this volume (rebuild, scrub ...), if any. */
  operation: z.string().nullable(),
  /** Since when it has not answered, and what it waits for (src/model/silent-volume.ts); null: it answered when it was last asked. */
  silence: z
    .object({
      since: z.string(),
      lastedMs: z.number(),
      cause: z.enum(['frozen', 'locked-up', 'unknown']),
      waitsIn: z.string().nullable(),
      mount: z.string(),
    })
    .nullable()
    .optional(),
  /** Why the limits of its accounts do not hold now; null: nothing is known against them. */
  uncounted: uncountedSchema.nullable().optional(),
  /** Whether it should be open: nobody closed it. */
  wantedOpen: z.boolean().optional(),
  /** Since when it cannot be opened although it should be (src/model/unopened-volume.ts); null: it is open, or closed on purpose. */
  unopened: z
    .object({ since: z.string(), lastedMs: z.number(), reason: z.string(), heldBy: z.string().nullable() })
    .nullable()
    .optional(),
  /** When these figures were read, ISO 8601. A volume that does not answer keeps its last ones. */
  readAt: z.string(),
});
export type VolumeStatus = z.infer<typeof volumeStatusSchema>;

/** A long piece of work of the agent: journaled, resumable, with a per-step journey. */
export const operationStepSchema = z.object({
  name: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'skipped', 'failed']),
  detail: z.string().nullable(),
});
/** How a copy onto a new disk went so far. */
export const operationPaceSchema = z.object({
  copiedBytes: z.number(),
  milliseconds: z.number(),
  /** What it may read now, bytes a second, so that nobody else is slowed; null: it is held to nothing. */
  limit: z.number().nullable(),
  /** What its limits would have let through so far; null: it is held to nothing. */
  allowedBytes: z.number().nullable(),
});
export type OperationPace = z.infer<typeof operationPaceSchema>;

export const operationSchema = z.object({
  id: z.string(),
  kind: z.enum([
    'volume-create',
    'volume-rebuild',
    'volume-scrub',
    'volume-grow',
    'volume-delete',
    'volume-recover',
    'volume-replace-disk',
    'account-create',
    'account-delete',
    'site-quickstart',
  ]),
  subject: z.string(),
  state: z.enum(['running', 'done', 'failed']),
  /** 0 to 1; null while the work has no measure. */
  progress: z.number().nullable(),
  steps: z.array(operationStepSchema),
  /** Of its last copy. */
  pace: operationPaceSchema.optional(),
  /** What it met and did about it, for the timeline of an incident: complete sentences, each once. */
  notes: z.array(z.string()).optional(),
  error: z.string().nullable(),
  /** Of the error, where it has one: what a program decides by. */
  errorCode: errorCodeSchema.optional(),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
});
export type Operation = z.infer<typeof operationSchema>;

/** The shape scripts rely on: `holdfast volume list --json`. */
export const volumeListEntrySchema = z.object({
  name: z.string(),
  engine: z.string(),
  redundancy: redundancySchema,
  size_bytes: z.number(),
  used_bytes: z.number(),
  accounts: z.number(),
  replicas: z.array(z.object({ id: z.string(), disk: z.string(), state: replicaStateSchema })),
});
