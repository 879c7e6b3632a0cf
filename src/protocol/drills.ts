import { z } from 'zod';
import { redundancySchema, replicaStateSchema } from './volumes.ts';

export const faultNameSchema = z.enum(['hang', 'error', 'slow', 'flap', 'corrupt', 'clear']);
export type FaultName = z.infer<typeof faultNameSchema>;

export const drillSchema = z.object({
  name: z.string(),
  title: z.string(),
  /** What is caused, and what must hold: plain words. */
  description: z.string(),
  /** Rough length on an ordinary machine. */
  minutes: z.number(),
});
export type Drill = z.infer<typeof drillSchema>;

/**
 * The figures of a drill, in exactly these keys and this order (scripts rely on them): `holdfast drill run NAME --json FILE`.
 * Times in seconds unless the name says ms. null: not measured in this drill, or this kind of program does not exist yet.
 */
export const drillResultSchema = z.strictObject({
  drill: z.string(),
  engine: z.enum(['local', 'cluster']),
  hang_at: z.string(),
  located_s: z.number().nullable(),
  /** "home3/r2 (path)", as the platform named it. */
  culprit: z.string().nullable(),
  affected: z.strictObject({
    accounts: z.number(),
    requests: z.number(),
    failed: z.number(),
    longest_wait_s: z.number(),
  }),
  unaffected: z.strictObject({
    accounts: z.number(),
    requests: z.number(),
    failed: z.number(),
    p99_before_ms: z.number(),
    p99_during_ms: z.number(),
    starts: z.number(),
    starts_failed: z.number(),
    reloads_failed: z.number(),
    tasks_missed: z.number().nullable(),
    console_stalls: z.number().nullable(),
  }),
  redundancy_restored_s: z.number().nullable(),
  rebuild_bytes: z.number().nullable(),
  acknowledged_writes: z.number(),
  lost_writes: z.number(),
  operator_commands: z.number(),
  reboots: z.number(),
  programs_restarted: z.number(),
});
export type DrillResult = z.infer<typeof drillResultSchema>;

/** One line of the score: a promise, what was measured, whether it held. `ok` null: for information. */
export const drillCheckSchema = z.object({
  what: z.string(),
  target: z.string(),
  measured: z.string(),
  ok: z.boolean().nullable(),
});
export type DrillCheck = z.infer<typeof drillCheckSchema>;

/** A drill as it is seen while it runs, and afterwards. The runner sends it whole, about twice a second. */
export const drillRunSchema = z.object({
  id: z.string().regex(/^[a-z0-9-]{1,80}$/),
  drill: z.string(),
  title: z.string(),
  /** scratch: on a platform of its own beside the running one. here: on drill volumes of the running platform. */
  where: z.enum(['scratch', 'here']),
  reaction: z.boolean(),
  state: z.enum(['preparing', 'running', 'scoring', 'passed', 'failed', 'aborted']),
  /** What is being done now, one sentence. */
  step: z.string(),
  startedAt: z.string(),
  faultAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
  volumes: z
    .array(
      z.object({
        name: z.string(),
        state: z.string(),
        redundancy: redundancySchema,
        progress: z.number().nullable(),
        replicas: z.array(
          z.object({ id: z.string(), disk: z.string(), state: replicaStateSchema, fault: faultNameSchema.nullable() }),
        ),
        accounts: z.number(),
        /** Requests of its members that wait now, and for how long the oldest. */
        waiting: z.number(),
        oldestWaitMs: z.number(),
        requestsPerSecond: z.number(),
        failed: z.number(),
        p99Ms: z.number(),
      }),
    )
    .max(64),
  /** `atMs`: milliseconds after the fault; negative before. */
  timeline: z
    .array(
      z.object({
        atMs: z.number(),
        kind: z.enum(['fault', 'platform', 'witness', 'runner']),
        text: z.string().max(500),
      }),
    )
    .max(500),
  /** How each volume did over time, for the charts of a drill that is over. Optional: a page that watched has its own. */
  series: z
    .array(
      z.object({
        volume: z.string(),
        /** atMs, requests per second, p99 in ms, requests waiting. One point a second is enough. */
        points: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).max(900),
      }),
    )
    .max(64)
    .optional(),
  checks: z.array(drillCheckSchema).max(60),
  result: drillResultSchema.nullable(),
  error: z.string().nullable(),
});
export type DrillRun = z.infer<typeof drillRunSchema>;

export const drillRunSummarySchema = drillRunSchema.pick({
  id: true,
  drill: true,
  title: true,
  where: true,
  reaction: true,
  state: true,
  step: true,
  startedAt: true,
  finishedAt: true,
});
export type DrillRunSummary = z.infer<typeof drillRunSummarySchema>;
