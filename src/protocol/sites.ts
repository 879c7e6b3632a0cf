import { z } from 'zod';
import { LATER_LIMITS, planProblems } from '../model/plans.ts';

export const planLimitsSchema = z.object({
  diskBytes: z.number().int().positive(),
  memoryBytes: z.number().int().positive(),
  sites: z.number().int().nonnegative(),
  workers: z.number().int().positive(),
  cpuSecondsPerDay: z.number().nonnegative(),
  consoles: z.number().int().nonnegative(),
  tasks: z.number().int().nonnegative(),
  alwaysOnTasks: z.number().int().nonnegative().default(LATER_LIMITS.alwaysOnTasks),
  taskSeconds: z.number().int().positive().default(LATER_LIMITS.taskSeconds),
  stopGraceSeconds: z.number().int().positive().max(600).default(LATER_LIMITS.stopGraceSeconds),
  processes: z.number().int().positive(),
  requestTimeoutSeconds: z.number().int().positive(),
  idleSleepSeconds: z.number().int().nonnegative(),
  cpuWeight: z.number().int().min(2).max(10000),
});

/** Limits that somebody sets: programs must be able to run under them. What was set before is read with `planLimitsSchema`. */
export const newPlanLimitsSchema = planLimitsSchema.superRefine((limits, context) => {
  for (const [field, message] of Object.entries(planProblems(limits)))
    context.addIssue({ code: 'custom', path: [field], message });
});

/** What the agent needs to know of an account to make it so. */
export const accountSpecSchema = z.object({
  name: z.string(),
  uid: z.number().int().min(100000),
  volume: z.string(),
  limits: planLimitsSchema,
});
export type AccountSpec = z.infer<typeof accountSpecSchema>;

export const staticMappingSchema = z.object({ id: z.number(), url: z.string(), path: z.string() });
export const staticHeaderSchema = z.object({ id: z.number(), url: z.string(), name: z.string(), value: z.string() });

/** Everything the agent needs to run one site; desired state, pushed by the control plane, kept by the agent. */
export const siteSpecSchema = z.object({
  /** 12 lower-case hexadecimal characters; names the site's directories, sockets and cgroups. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  account: z.string(),
  domain: z.string(),
  kind: z.enum(['wsgi', 'command', 'static']),
  enabled: z.boolean(),
  /** "3.11"; chooses the interpreter when there is no virtualenv. */
  pythonVersion: z.string(),
  /** Absolute path as the member sees it, or "" for the system Python. */
  virtualenv: z.string(),
  sourceDirectory: z.string(),
  workingDirectory: z.string(),
  /** For kind `command`: run by bash inside the sandbox, must listen on $DOMAIN_SOCKET. */
  command: z.string(),
  forceHttps: z.boolean(),
  protection: z.object({ username: z.string(), passwordHash: z.string() }).nullable(),
  staticFiles: z.array(staticMappingSchema),
  staticHeaders: z.array(staticHeaderSchema),
  /** Reload stops the old generation before it starts the new one. */
  stopFirst: z.boolean(),
  workers: z.number().int().positive(),
  /** Custom certificate in PEM, or null for the platform's own. */
  certificate: z.object({ certificatePem: z.string(), privateKeyPem: z.string() }).nullable(),
  /** Grows with every change; an agent ignores an older one. */
  revision: z.number().int(),
});
export type SiteSpec = z.infer<typeof siteSpecSchema>;

export const startFailureSchema = z.object({
  step: z.enum(['storage', 'sandbox', 'interpreter', 'import', 'socket', 'answer']),
  /** One sentence that says what went wrong and what to do. */
  message: z.string(),
  /** The last lines the program wrote. */
  output: z.array(z.string()),
  at: z.string(),
});

/** What the platform noticed of a program that runs: it is no failure of the start, and the owner should know. */
export const siteRemarkSchema = z.object({
  /** error: its first answer was a 5xx, or none. slow: its first answer took long. */
  kind: z.enum(['error', 'slow']),
  message: z.string(),
  /** The last lines it wrote to its error log. */
  output: z.array(z.string()),
  at: z.string(),
});
export type SiteRemark = z.infer<typeof siteRemarkSchema>;

export const siteStatusSchema = z.object({
  id: z.string(),
  state: z.enum(['asleep', 'starting', 'awake', 'reloading', 'stopping', 'failed', 'disabled']),
  generation: z.number().int(),
  since: z.string(),
  failure: startFailureSchema.nullable(),
  /** Of the generation that serves; null when there is nothing to say. */
  remark: siteRemarkSchema.nullable(),
  /** What ran before the last reload, still there to go back to until then (ISO 8601). */
  kept: z.object({ generation: z.number().int(), until: z.string() }).nullable(),
  lastRequestAt: z.string().nullable(),
  /** Bytes of memory charged to the site's cgroup; null when it has no process. */
  memoryBytes: z.number().nullable(),
  processes: z.number().int(),
});
export type SiteStatus = z.infer<typeof siteStatusSchema>;

export const pythonSchema = z.object({ version: z.string(), path: z.string(), uwsgiPlugin: z.boolean() });
