import { z } from 'zod';
import { faultNameSchema } from './drills.ts';
import { fileEntrySchema, memberPathSchema } from './files.ts';
import { hostHealthSchema, impactSchema, repairPlanSchema, troubleSchema } from './health.ts';
import { accountSpecSchema, pythonSchema, siteSpecSchema, siteStatusSchema } from './sites.ts';
import { accountTasksSchema, alwaysOnStatusSchema, cpuUseSchema, taskStatusSchema } from './tasks.ts';
import { operationSchema, volumeNameSchema, volumeStatusSchema } from './volumes.ts';

/**
 * What the control plane asks of an agent. Each method is `POST /rpc/<name>` with a JSON body over mutual TLS; the answer
 * is 200 with the output, or the status of the error with an ErrorBody. Every method can be repeated.
 * `deadlineMs` bounds the whole call; both ends hold to it.
 *
 * Beside them, two streams:
 *  `GET /files?account=&path=` answers the file's bytes (header x-holdfast-size);
 *  `PUT /files?account=&path=` takes the bytes, writes them to a temporary name and renames: the old file stays whole when
 *  the upload is cut off. Answers {created: boolean}. Trailing integrity: header content-length or x-holdfast-length when known.
 *  `GET /events?after=<seq>` answers newline-delimited AgentEvent, and an empty line every second.
 */
function method<I extends z.ZodType, O extends z.ZodType>(
  input: I,
  output: O,
  deadlineMs: number,
): { input: I; output: O; deadlineMs: number } {
  return { input, output, deadlineMs };
}

const nothing = z.object({});
/** An empty disk that a repair may take by itself. */
export const spareSchema = z.object({ disk: z.string(), bytes: z.number() });
export type Spare = z.infer<typeof spareSchema>;
export const sparesSchema = z.array(spareSchema);
const bySite = z.object({ id: z.string() });
const byTask = z.object({ account: z.string(), id: z.number().int() });
const byVolume = z.object({ name: volumeNameSchema });
const byPath = z.object({ account: z.string(), path: memberPathSchema });

export const agentMethods = {
  'host.status': method(
    nothing,
    z.object({
      version: z.string(),
      startedAt: z.string(),
      uidBase: z.number(),
      cgroup: z.enum(['v1', 'v2']),
      pythons: z.array(pythonSchema),
      /** nginx answers and its configuration is the one we wrote last. */
      gatewayReady: z.boolean(),
      /** Own processes: name, pid, resident bytes. */
      processes: z.array(z.object({ name: z.string(), pid: z.number(), memoryBytes: z.number() })),
    }),
    5_000,
  ),
  /** The whole desired state. Accounts and sites that are not in it are stopped, but their data is kept. */
  'state.sync': method(
    z.object({
      accounts: z.array(accountSpecSchema),
      sites: z.array(siteSpecSchema),
      /** Of every account; one that is not here has none. */
      tasks: z.array(accountTasksSchema),
    }),
    z.object({ changed: z.number() }),
    30_000,
  ),

  'volumes.list': method(nothing, z.array(volumeStatusSchema), 5_000),
  'volumes.create': method(
    z.object({
      name: volumeNameSchema,
      /** Block devices, or absolute image paths; empty = two fresh image files of imageBytes each. */
      disks: z.array(z.string()),
      imageBytes: z.number().int().positive().optional(),
    }),
    operationSchema,
    60_000,
  ),
  'volumes.open': method(byVolume, volumeStatusSchema, 60_000),
  'volumes.close': method(byVolume, volumeStatusSchema, 60_000),
  'volumes.setAside': method(z.object({ name: volumeNameSchema, replica: z.string() }), volumeStatusSchema, 60_000),
  /** Takes in a disk (or a fresh image file) and rebuilds onto it. */
  'volumes.addReplica': method(
    z.object({ name: volumeNameSchema, disk: z.string().optional() }),
    operationSchema,
    60_000,
  ),
  'volumes.scrub': method(byVolume, operationSchema, 30_000),
  'volumes.grow': method(
    z.object({ name: volumeNameSchema, imageBytes: z.number().int().optional() }),
    operationSchema,
    60_000,
  ),
  'volumes.delete': method(byVolume, operationSchema, 60_000),
  /** What `volumes.recover` would do. Changes nothing. */
  'volumes.planRecovery': method(byVolume, repairPlanSchema, 15_000),
  /** Walks the recovery runbook; null when nothing has to be done. A recovery that was cut off goes on. */
  'volumes.recover': method(byVolume, z.object({ operation: operationSchema.nullable() }), 60_000),
  'volumes.planReplaceDisk': method(
    z.object({ name: volumeNameSchema, replica: z.string(), disk: z.string().optional() }),
    repairPlanSchema,
    15_000,
  ),
  /** Takes in another disk (or a fresh image file), copies, and only then lets the old one go. */
  'volumes.replaceDisk': method(
    z.object({ name: volumeNameSchema, replica: z.string(), disk: z.string().optional() }),
    operationSchema,
    60_000,
  ),
  /** A real fault on a valve disk, for drills: `disk-unusable` when the replica has no valve. */
  'volumes.fault': method(
    z.object({ name: volumeNameSchema, replica: z.string(), fault: faultNameSchema }),
    z.object({ active: faultNameSchema.nullable() }),
    30_000,
  ),
  /** Empty real disks that wait to be rebuilt onto. */
  'spares.list': method(nothing, sparesSchema, 5_000),
  /** Throws `disk-not-empty`, `disk-unusable`. Nothing is written to it before it is needed. */
  'spares.add': method(z.object({ disk: z.string() }), sparesSchema, 60_000),
  'spares.remove': method(z.object({ disk: z.string() }), sparesSchema, 5_000),
  'operations.list': method(nothing, z.array(operationSchema), 5_000),

  'health.now': method(nothing, hostHealthSchema, 5_000),
  /** Open troubles and those resolved in the last days, newest first. */
  'troubles.list': method(nothing, z.array(troubleSchema), 5_000),
  /** Whether the host repairs by itself; kept over restarts. */
  'health.setReaction': method(z.object({ enabled: z.boolean() }), z.object({ enabled: z.boolean() }), 5_000),
  /** Delayed and failed requests of these domains since a moment, from the gateway's own log of such requests. */
  'gateway.impact': method(
    z.object({ domains: z.array(z.string()), since: z.string(), until: z.string().optional() }),
    impactSchema,
    15_000,
  ),
  /** Words for the public status page that only people know: notes that operators published, by trouble. */
  'status.notes': method(
    z.object({ notes: z.array(z.object({ trouble: z.string(), at: z.string(), text: z.string() })) }),
    nothing,
    5_000,
  ),
  /** Starts a drill in a process of its own; what it says comes to the control plane from there. */
  'drills.start': method(
    z.object({ id: z.string(), drill: z.string(), where: z.enum(['scratch', 'here']), reaction: z.boolean() }),
    nothing,
    15_000,
  ),
  /** Asks a running drill to stop and to remove what it made. */
  'drills.stop': method(z.object({ id: z.string() }), z.object({ running: z.boolean() }), 15_000),

  /** Makes the subvolume, the skeleton and the quota; repeating it adjusts the quota. */
  'accounts.ensure': method(accountSpecSchema, z.object({ created: z.boolean() }), 60_000),
  'accounts.remove': method(
    z.object({ name: z.string(), volume: z.string() }),
    z.object({ removed: z.boolean() }),
    120_000,
  ),
  'accounts.usage': method(
    z.object({ name: z.string() }),
    z.object({ usedBytes: z.number(), limitBytes: z.number() }),
    10_000,
  ),

  'sites.put': method(siteSpecSchema, siteStatusSchema, 30_000),
  /** Stops it and forgets it; the member's files stay. */
  'sites.remove': method(bySite, z.object({ removed: z.boolean() }), 60_000),
  'sites.statuses': method(nothing, z.array(siteStatusSchema), 5_000),
  'sites.wake': method(bySite, siteStatusSchema, 90_000),
  'sites.sleep': method(bySite, siteStatusSchema, 90_000),
  'sites.reload': method(bySite, siteStatusSchema, 120_000),
  /** Back to what ran before the last reload. Throws `conflict` when that is not there any more. */
  'sites.back': method(bySite, siteStatusSchema, 30_000),
  /** Writes the starter project of a quickstart as the account itself; never overwrites a file. */
  'sites.quickstart': method(
    z.object({ id: z.string(), quickstart: z.enum(['flask', 'django', 'fastapi', 'static', 'manual', 'command']) }),
    z.object({ written: z.array(z.string()), kept: z.array(z.string()) }),
    60_000,
  ),
  /** All tasks of one account. What runs of a task that is not among them goes on to its end; `tasks.stop` ends it. */
  'tasks.put': method(accountTasksSchema, nothing, 30_000),
  'tasks.statuses': method(
    z.object({ account: z.string().optional() }),
    z.object({ tasks: z.array(taskStatusSchema), alwaysOn: z.array(alwaysOnStatusSchema) }),
    5_000,
  ),
  /** Runs a task now, whatever its schedule says. Throws `conflict` while it runs and must not overlap. */
  'tasks.run': method(byTask, taskStatusSchema, 30_000),
  /** Ends what runs of a task: asked first, then killed. */
  'tasks.stop': method(byTask, z.object({ stopped: z.number().int() }), 60_000),
  /** What a run wrote to its log, as far as the log still has it. */
  'tasks.output': method(
    byTask.extend({ number: z.number().int() }),
    z.object({ text: z.string(), complete: z.boolean() }),
    10_000,
  ),
  'always-on.restart': method(byTask, alwaysOnStatusSchema, 60_000),
  /** Processor time of today, by account. */
  'cpu.use': method(z.object({ account: z.string().optional() }), z.array(cpuUseSchema), 5_000),

  /** The platform's certificate for a domain (the custom one if there is one). */
  'sites.certificate': method(
    z.object({ domain: z.string() }),
    z.object({
      notAfter: z.string(),
      issuer: z.string(),
      subject: z.string(),
      alternativeNames: z.array(z.string()),
      custom: z.boolean(),
    }),
    5_000,
  ),
  'gateway.authority': method(nothing, z.object({ certificatePem: z.string() }), 5_000),

  'files.stat': method(byPath, fileEntrySchema, 15_000),
  'files.list': method(byPath, z.object({ entries: z.array(fileEntrySchema), truncated: z.boolean() }), 15_000),
  /** As PythonAnywhere's files/tree: depth first, directories with a trailing slash, no dotfiles, no symlinks. */
  'files.tree': method(
    byPath.extend({ limit: z.number().int().max(1000) }),
    z.object({ paths: z.array(z.string()) }),
    30_000,
  ),
  /** With the missing directories above it, as `PUT /files` does for a file. */
  'files.makeDirectory': method(byPath, z.object({ created: z.boolean() }), 15_000),
  /** Directories recursively. */
  'files.remove': method(byPath, z.object({ removed: z.boolean() }), 60_000),
  /** Writes a file anew in one piece, so that what its old versions hold is given back. */
  'files.compact': method(byPath, z.object({ freedBytes: z.number() }), 75_000),
  'files.rename': method(
    z.object({ account: z.string(), from: memberPathSchema, to: memberPathSchema }),
    nothing,
    15_000,
  ),
  /** The end of one of a site's logs. */
  'logs.tail': method(
    z.object({
      account: z.string(),
      domain: z.string(),
      kind: z.enum(['access', 'error', 'server']),
      lines: z.number().int().max(2000),
    }),
    z.object({ lines: z.array(z.string()), sizeBytes: z.number() }),
    10_000,
  ),
} as const;

export type AgentMethods = typeof agentMethods;
export type AgentMethod = keyof AgentMethods;
export type AgentInput<M extends AgentMethod> = z.output<AgentMethods[M]['input']>;
export type AgentOutput<M extends AgentMethod> = z.output<AgentMethods[M]['output']>;

/** The agent as the control plane sees it; implemented by the RPC client, and by the agent behind the RPC server. */
export type AgentHandlers = { [M in AgentMethod]: (input: AgentInput<M>) => Promise<AgentOutput<M>> };

export const agentEventSchema = z.discriminatedUnion('type', [
  z.object({ seq: z.number(), at: z.string(), type: z.literal('site'), site: siteStatusSchema }),
  z.object({ seq: z.number(), at: z.string(), type: z.literal('volume'), volume: volumeStatusSchema }),
  z.object({ seq: z.number(), at: z.string(), type: z.literal('operation'), operation: operationSchema }),
  z.object({ seq: z.number(), at: z.string(), type: z.literal('trouble'), trouble: troubleSchema }),
  z.object({ seq: z.number(), at: z.string(), type: z.literal('task'), task: taskStatusSchema }),
  z.object({ seq: z.number(), at: z.string(), type: z.literal('always-on'), alwaysOn: alwaysOnStatusSchema }),
]);
export type AgentEvent = z.infer<typeof agentEventSchema>;
/** An event before the stream gave it a number and a time. */
export type AgentEventBody =
  | { type: 'site'; site: z.infer<typeof siteStatusSchema> }
  | { type: 'volume'; volume: z.infer<typeof volumeStatusSchema> }
  | { type: 'operation'; operation: z.infer<typeof operationSchema> }
  | { type: 'trouble'; trouble: z.infer<typeof troubleSchema> }
  | { type: 'task'; task: z.infer<typeof taskStatusSchema> }
  | { type: 'always-on'; alwaysOn: z.infer<typeof alwaysOnStatusSchema> };
