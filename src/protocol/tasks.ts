import { z } from 'zod';

/** When a scheduled task runs; the rules are in model/schedule.ts. Daily and hourly are in UTC. */
export const scheduleSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('daily'),
    hour: z.number().int().min(0).max(23),
    minute: z.number().int().min(0).max(59),
  }),
  z.object({ kind: z.literal('hourly'), minute: z.number().int().min(0).max(59) }),
  z.object({ kind: z.literal('cron'), expression: z.string().max(500), zone: z.string().max(100) }),
]);

const logName = z.string().regex(/^[A-Za-z0-9._-]{1,120}\.log$/);
/** Run by bash inside the sandbox. A NUL cannot be passed on to a program. */
export const commandSchema = z
  .string()
  .min(1)
  .max(64 * 1024)
  .refine((command) => !command.includes('\0'), 'A command cannot hold a NUL character.');

/** Everything the agent needs to run a scheduled task; desired state. */
export const taskSpecSchema = z.object({
  id: z.number().int().positive(),
  command: commandSchema,
  enabled: z.boolean(),
  schedule: scheduleSchema,
  /** Runs a command that is nothing but the path of a Python script. */
  pythonVersion: z.string(),
  /** Its file in /var/log. */
  log: logName,
  /** Runs that could not start in time are left out instead of made up for. */
  skipLate: z.boolean(),
  /** A run may start while the one before goes on. */
  overlap: z.boolean(),
});
export type TaskSpec = z.infer<typeof taskSpecSchema>;

/** Everything the agent needs to keep an always-on task running. */
export const alwaysOnSpecSchema = z.object({
  id: z.number().int().positive(),
  command: commandSchema,
  /** false: paused by its owner. */
  enabled: z.boolean(),
  pythonVersion: z.string(),
  log: logName,
});
export type AlwaysOnSpec = z.infer<typeof alwaysOnSpecSchema>;

/** All tasks of one account: they are told as one, so that one number says whether the agent knows them. */
export const accountTasksSchema = z.object({
  account: z.string(),
  /** Grows with every change; an agent ignores an older one. */
  revision: z.number().int(),
  tasks: z.array(taskSpecSchema),
  alwaysOn: z.array(alwaysOnSpecSchema),
});
export type AccountTasks = z.infer<typeof accountTasksSchema>;

export const taskRunSchema = z.object({
  /** Counted from 1, for each task. */
  number: z.number().int(),
  cause: z.enum(['schedule', 'asked']),
  /** When it was due, ISO 8601; null when it was asked for. */
  due: z.string().nullable(),
  late: z.boolean(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /**
   * running; succeeded: exit code 0; failed: another one, or a signal; too-long: ended by the platform at the plan's limit; stopped: on its
   * owner's word; cut-off: it ended with its machine; not-started: its sandbox could not be made; skipped: see `message`.
   */
  outcome: z.enum(['running', 'succeeded', 'failed', 'too-long', 'stopped', 'cut-off', 'not-started', 'skipped']),
  code: z.number().int().nullable(),
  signal: z.string().nullable(),
  /** A sentence for its owner, when there is something to say. */
  message: z.string().nullable(),
  cpuSeconds: z.number().nullable(),
  peakMemoryBytes: z.number().nullable(),
});
export type TaskRun = z.infer<typeof taskRunSchema>;

export const taskStatusSchema = z.object({
  account: z.string(),
  id: z.number().int(),
  /** waiting: a run is due and has no place yet, or its storage is being repaired. */
  state: z.enum(['idle', 'waiting', 'running', 'disabled']),
  waiting: z.object({ since: z.string(), reason: z.enum(['turn', 'storage']) }).nullable(),
  /** When it runs next, ISO 8601; null when it is disabled or never runs again. */
  next: z.string().nullable(),
  /** The newest first; running ones among them. */
  runs: z.array(taskRunSchema),
});
export type TaskStatus = z.infer<typeof taskStatusSchema>;

export const alwaysOnStatusSchema = z.object({
  account: z.string(),
  id: z.number().int(),
  state: z.enum(['starting', 'running', 'waiting', 'failing', 'stopping', 'paused']),
  since: z.string(),
  /** How the last run ended, in a sentence; null when it did not end yet. */
  lastEnd: z.string().nullable(),
  /** When it is started again, while it waits. */
  restartAt: z.string().nullable(),
  /** Starts since it was made or asked for. */
  starts: z.number().int(),
  memoryBytes: z.number().nullable(),
  cpuSeconds: z.number().nullable(),
});
export type AlwaysOnStatus = z.infer<typeof alwaysOnStatusSchema>;

/** Processor time of an account's tasks and consoles today (see allowanceDay). */
export const cpuUseSchema = z.object({
  account: z.string(),
  usedSeconds: z.number(),
  limitSeconds: z.number(),
  resetAt: z.string(),
  /** Above the limit: set back behind everybody else until the reset. */
  setBack: z.boolean(),
});
export type CpuUse = z.infer<typeof cpuUseSchema>;
