import { z } from 'zod';

export const faultKindSchema = z.enum(['hung', 'failing', 'slow', 'full', 'corrupt', 'lost', 'uncounted', 'unopened']);
export const diskConditionSchema = z.enum(['healthy', 'slow', 'hung', 'failed', 'unknown']);

export const culpritSchema = z.object({
  kind: z.enum(['disk', 'volume', 'host']),
  volume: z.string().nullable(),
  replica: z.string().nullable(),
  /** As the operator calls it: /dev/sdb, or the image file's path. */
  disk: z.string().nullable(),
});
export const diagnosisSchema = z.object({
  culprit: culpritSchema,
  fault: faultKindSchema,
  /** What was seen and what was ruled out, each one plain sentence. */
  evidence: z.array(z.string()),
  ruledOut: z.array(z.string()),
});

/** One disk as the host's watcher sees it now. Rates are per second, over the last second. */
export const diskHealthSchema = z.object({
  disk: z.string(),
  /** The kernel's name: "sdb", "loop3"; null while it is not attached. */
  device: z.string().nullable(),
  volume: z.string().nullable(),
  replica: z.string().nullable(),
  condition: diskConditionSchema,
  inFlight: z.number(),
  /** Milliseconds since a request completed while others wait; 0 when nothing waits. */
  stalledMs: z.number(),
  readsPerSecond: z.number(),
  writesPerSecond: z.number(),
  readBytesPerSecond: z.number(),
  writtenBytesPerSecond: z.number(),
  /** Mean time of a request, milliseconds; null when there was none. */
  latencyMs: z.number().nullable(),
  /** How long the last small direct read and write took together, milliseconds; null when none has come back yet. */
  probeMs: z.number().nullable(),
});
export type DiskHealth = z.infer<typeof diskHealthSchema>;

export const hostHealthSchema = z.object({
  at: z.string(),
  /** Its name, for the pages. */
  name: z.string(),
  /** blind: the watcher does not run or was itself held up; nothing is cut then. stalled: nothing on this host moves. */
  condition: z.enum(['healthy', 'stalled', 'blind']),
  /** Whether the host repairs by itself. False only when an operator (or a drill) switched it off. */
  reaction: z.boolean(),
  /** Longest pause of the watcher in the last minute, milliseconds. */
  watcherGapMs: z.number(),
  /** Share of time in which something waited (pressure stall information, 10 s average, percent); null where the kernel has none. */
  pressure: z.object({ cpu: z.number(), io: z.number(), memory: z.number() }).nullable(),
  cores: z.number(),
  memoryBytes: z.number(),
  memoryFreeBytes: z.number(),
  /** The room on the machine's own disk; missing until it was looked at. */
  room: z.object({ freeBytes: z.number(), sizeBytes: z.number() }).optional(),
  disks: z.array(diskHealthSchema),
  /** Programs that wait in the kernel for a volume (state D longer than a few seconds), by volume. */
  stuck: z.array(z.object({ volume: z.string(), programs: z.number() })),
});
export type HostHealth = z.infer<typeof hostHealthSchema>;

export const timelineEntrySchema = z.object({
  at: z.string(),
  /** signal: first sign. diagnosis: named. action/result: what the platform did, what came of it. impact, note: by control. */
  kind: z.enum(['signal', 'diagnosis', 'action', 'result', 'impact', 'note']),
  text: z.string(),
});
export type TimelineEntry = z.infer<typeof timelineEntrySchema>;

/**
 * One trouble as the agent knows it, from first sign to resolution. The agent keeps it on its own disk, so that nothing is forgotten while
 * the control plane is down; the control plane makes an incident of it.
 */
export const troubleSchema = z.object({
  id: z.string(),
  /** Same culprit, same key (troubleKeyOf). */
  key: z.string(),
  state: z.enum(['open', 'resolved']),
  diagnosis: diagnosisSchema,
  /** Members on this volume are hit; null when no volume is. */
  volume: z.string().nullable(),
  /**
   * serving: members notice nothing any more (the culprit is cut, or never mattered). waiting: requests wait for the reaction. stopped: the
   * volume is honestly out of service (503) until a complete replica comes back.
   */
  service: z.enum(['serving', 'waiting', 'stopped']),
  /** First sign of it, ISO 8601. */
  since: z.string(),
  namedAt: z.string(),
  resolvedAt: z.string().nullable(),
  /** What the platform is doing now, one sentence. */
  doing: z.string(),
  /** What a person has to do, one sentence; null: nothing. */
  mustAct: z.string().nullable(),
  timeline: z.array(timelineEntrySchema),
  /** The operation that repairs it, if one runs. */
  operation: z.string().nullable(),
});
export type Trouble = z.infer<typeof troubleSchema>;

/** What the gateway counted: requests that took longer than a second, or failed (5xx), by site domain. */
export const impactSchema = z.object({
  delayed: z.number(),
  failed: z.number(),
  longestMs: z.number(),
});

/** A step of a runbook as `--dry-run` shows it. */
export const planStepSchema = z.object({ name: z.string(), detail: z.string(), needed: z.boolean() });
export const repairPlanSchema = z.object({
  volume: z.string(),
  /** One sentence: what is wrong and what is going to be done, or that nothing has to be done. */
  summary: z.string(),
  steps: z.array(planStepSchema),
  /** Why it cannot be done now, if so. */
  problem: z.string().nullable(),
});
export type RepairPlan = z.infer<typeof repairPlanSchema>;
