import { z } from 'zod';

/** What the runner tells the witness (one JSON object a line on its standard input) and what the witness answers (standard output). */

export const witnessAccountSchema = z.object({
  name: z.string(),
  volume: z.string(),
  domain: z.string(),
  siteId: z.string(),
  token: z.string(),
  password: z.string(),
  /**
   * steady: a stream of requests, and the figures come from these. reloads: a stream too, while the site is reloaded. starts: no stream; the
   * site is put to sleep and woken, again and again.
   */
  role: z.enum(['steady', 'reloads', 'starts']),
  /** Its scheduled task, which is due every minute; null: it has none. */
  taskId: z.number().int().nullable(),
});
export type WitnessAccount = z.infer<typeof witnessAccountSchema>;

/** Times between two of a kind over all accounts, milliseconds; null: none of this kind in this drill. */
export const pacesSchema = z.object({
  /** Of one account's site. */
  site: z.number(),
  start: z.number().nullable(),
  reload: z.number().nullable(),
  upload: z.number().nullable(),
  api: z.number().nullable(),
  signIn: z.number().nullable(),
});
export type Paces = z.infer<typeof pacesSchema>;

export const windowSchema = z.object({ name: z.string(), from: z.number(), to: z.number() });
/** A span of time, milliseconds since 1970. A request belongs to the one in which it was due. */
export type Window = z.infer<typeof windowSchema>;

export const witnessCommandSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    httpPort: z.number(),
    httpsPort: z.number(),
    domain: z.string(),
    authorityFile: z.string(),
    agentSocket: z.string(),
    /** Holds tls/ with an identity that the agent trusts: sites are put to sleep with it. */
    identityDirectory: z.string(),
    /** How long one request may take, milliseconds. Long, so that waits are measured and not cut. */
    deadlineMs: z.number(),
    accounts: z.array(witnessAccountSchema),
    paces: pacesSchema,
  }),
  /** No new requests; those under way go on. */
  z.object({ type: z.literal('hush') }),
  /** Reads back what was acknowledged and answers the result. */
  z.object({
    type: z.literal('finish'),
    /** Volumes that the fault is on. */
    hurt: z.array(z.string()),
    windows: z.array(windowSchema),
    /** Times in which the whole platform was down on purpose: what was due or under way then is not counted. */
    blackouts: z.array(z.object({ from: z.number(), to: z.number() })),
    /** From when on another start of a site's program counts as one that the platform caused. */
    bootsFrom: z.number(),
    /** Until when; later ones are meant. */
    bootsTo: z.number(),
  }),
]);
export type WitnessCommand = z.infer<typeof witnessCommandSchema>;

export const kindSchema = z.enum(['site', 'write', 'start', 'reload', 'upload', 'api', 'sign-in']);
export type Kind = z.infer<typeof kindSchema>;

export const tallySchema = z.object({
  requests: z.number(),
  failed: z.number(),
  /** Honest refusals: 503 with Retry-After, or 507 (no room). */
  refused: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  longestMs: z.number(),
});
export type Tally = z.infer<typeof tallySchema>;

export const groupSchema = z.object({
  /** Everything that was asked for. */
  all: tallySchema,
  /** The steady streams alone (pages and writes): the same load all the time, so windows can be compared. */
  steady: tallySchema,
  kinds: z.partialRecord(kindSchema, tallySchema),
});
export type Group = z.infer<typeof groupSchema>;

export const taskTallySchema = z.object({
  /** Minutes at which a task was due. */
  due: z.number(),
  /** Without a run, and without a later one that made up for it. */
  missed: z.number(),
  /** With more than one. */
  doubled: z.number(),
  /** Started a minute or more after they were due. */
  late: z.number(),
});
export type TaskTally = z.infer<typeof taskTallySchema>;

export const witnessResultSchema = z.object({
  affectedAccounts: z.number(),
  unaffectedAccounts: z.number(),
  windows: z.record(z.string(), z.object({ affected: groupSchema, unaffected: groupSchema })),
  acknowledgedWrites: z.number(),
  lostWrites: z.number(),
  /** Accounts whose file could not be read back; their acknowledged writes count as lost. */
  unreadable: z.array(z.string()),
  /** Sites with a steady stream whose program was another one than before. */
  restarted: z.array(z.string()),
  /** What became of scheduled runs; null: no account had a task. */
  tasks: z.object({ affected: taskTallySchema, unaffected: taskTallySchema }).nullable(),
  /** The first failures, for people. */
  failures: z.array(
    z.object({ at: z.number(), account: z.string(), volume: z.string(), kind: kindSchema, what: z.string() }),
  ),
  /** Sent again on a fresh connection, because the gateway had closed the kept one before anything was answered. */
  resent: z.number(),
  peakMemoryBytes: z.number(),
  cpuSeconds: z.number(),
});
export type WitnessResult = z.infer<typeof witnessResultSchema>;

export const volumeLiveSchema = z.object({
  name: z.string(),
  waiting: z.number(),
  oldestWaitMs: z.number(),
  requestsPerSecond: z.number(),
  failed: z.number(),
  refused: z.number(),
  p99Ms: z.number(),
});
export type VolumeLive = z.infer<typeof volumeLiveSchema>;

export const witnessReportSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('live'), at: z.number(), volumes: z.array(volumeLiveSchema) }),
  z.object({ type: z.literal('note'), text: z.string() }),
  z.object({ type: z.literal('result'), result: witnessResultSchema }),
]);
export type WitnessReport = z.infer<typeof witnessReportSchema>;
