import { z } from 'zod';
import { fileEntrySchema } from './files.ts';
import { planLimitsSchema, pythonSchema, siteStatusSchema, staticHeaderSchema, staticMappingSchema } from './sites.ts';
import { operationSchema, volumeStatusSchema } from './volumes.ts';

/** What the pages and the command line are shown. src/protocol/api.ts says where. */
export const sessionSchema = z.object({
  account: z
    .object({
      name: z.string(),
      role: z.enum(['member', 'operator']),
      plan: z.string(),
      mustChangePassword: z.boolean(),
      hasToken: z.boolean(),
    })
    .nullable(),
  csrfToken: z.string().nullable(),
  signUpOpen: z.boolean(),
  platform: z.object({ domain: z.string(), httpPort: z.number(), httpsPort: z.number(), version: z.string() }),
});
export type Session = z.infer<typeof sessionSchema>;

export const siteViewSchema = z.object({
  id: z.string(),
  account: z.string(),
  domain: z.string(),
  url: z.string(),
  kind: z.enum(['wsgi', 'command', 'static']),
  enabled: z.boolean(),
  pythonVersion: z.string(),
  virtualenv: z.string(),
  sourceDirectory: z.string(),
  workingDirectory: z.string(),
  wsgiFile: z.string().nullable(),
  command: z.string(),
  forceHttps: z.boolean(),
  protection: z.object({ username: z.string() }).nullable(),
  staticFiles: z.array(staticMappingSchema),
  staticHeaders: z.array(staticHeaderSchema),
  stopFirst: z.boolean(),
  workers: z.number(),
  createdAt: z.string(),
  status: siteStatusSchema.nullable(),
  /** What the storage under it does for it now: while that is stopped, visitors get an honest 503 whatever its processes do. */
  storage: z.lazy(() => storageServiceSchema),
  certificate: z.object({ notAfter: z.string(), issuer: z.string(), custom: z.boolean() }).nullable(),
});
export type SiteView = z.infer<typeof siteViewSchema>;

export const createSiteSchema = z.object({
  domain: z.string().min(1).max(253),
  quickstart: z.enum(['flask', 'django', 'fastapi', 'static', 'manual', 'command']),
  pythonVersion: z.string().optional(),
  command: z.string().max(4000).optional(),
});
export type CreateSite = z.infer<typeof createSiteSchema>;

export const updateSiteSchema = z
  .object({
    domain: z.string(),
    pythonVersion: z.string(),
    virtualenv: z.string().max(1000),
    sourceDirectory: z.string().max(1000),
    workingDirectory: z.string().max(1000),
    command: z.string().max(4000),
    forceHttps: z.boolean(),
    protection: z.object({ username: z.string().min(1).max(64), password: z.string().min(1).max(200) }).nullable(),
    staticFiles: z.array(z.object({ url: z.string().startsWith('/'), path: z.string().min(1).max(1000) })).max(100),
    staticHeaders: z
      .array(z.object({ url: z.string().startsWith('/'), name: z.string().max(100), value: z.string().max(2000) }))
      .max(100),
    stopFirst: z.boolean(),
    workers: z.number().int().positive(),
    certificate: z.object({ certificatePem: z.string(), privateKeyPem: z.string() }).nullable(),
  })
  .partial();
export type UpdateSite = z.infer<typeof updateSiteSchema>;

export const directorySchema = z.object({
  path: z.string(),
  entries: z.array(fileEntrySchema),
  truncated: z.boolean(),
  writable: z.boolean(),
});
export type Directory = z.infer<typeof directorySchema>;

export const diskUseSchema = z.object({ usedBytes: z.number(), limitBytes: z.number() });

export const dashboardSchema = z.object({
  account: z
    .object({
      name: z.string(),
      plan: z.string(),
      limits: planLimitsSchema,
      /** null while the volume does not answer. */
      disk: diskUseSchema.nullable(),
      sites: z.array(siteViewSchema),
      pythons: z.array(pythonSchema),
      /** What is wrong for this account, in plain words with what to do next. */
      notices: z.array(
        z.object({
          level: z.enum(['info', 'warning', 'problem']),
          text: z.string(),
          /** storage: their volume is in trouble; shown on every page of theirs, not only on the dashboard. */
          about: z.enum(['storage']).optional(),
        }),
      ),
    })
    .nullable(),
  platform: z
    .object({
      accounts: z.number(),
      sites: z.number(),
      sitesAwake: z.number(),
      /** Their storage is out of service: visitors get an honest 503, whatever their processes do. */
      sitesStopped: z.number(),
      sitesFailed: z.number(),
      volumes: z.array(z.lazy(() => volumeViewSchema)),
      operations: z.array(operationSchema),
      agentReachable: z.boolean(),
      notices: z.array(
        z.object({
          level: z.enum(['info', 'warning', 'problem']),
          text: z.string(),
          /** incident: what an open incident says; pages that list or show the incidents leave it out. */
          about: z.enum(['incident']).optional(),
        }),
      ),
    })
    .nullable(),
});
export type Dashboard = z.infer<typeof dashboardSchema>;

export const volumeViewSchema = volumeStatusSchema.extend({ accounts: z.number(), promisedBytes: z.number() });
export type VolumeView = z.infer<typeof volumeViewSchema>;

export const accountViewSchema = z.object({
  name: z.string(),
  role: z.enum(['member', 'operator']),
  plan: z.string(),
  volume: z.string().nullable(),
  disabled: z.boolean(),
  sites: z.number(),
  createdAt: z.string(),
  /** creating: the home is being made. deleting: everything it had is being removed. */
  state: z.enum(['creating', 'ready', 'deleting']),
});
export type AccountView = z.infer<typeof accountViewSchema>;

export const createAccountSchema = z.object({
  username: z.string().max(100),
  /** Left out: a one-time password is made. */
  password: z.string().max(200).optional(),
  plan: z.string().optional(),
  volume: z.string().optional(),
});
export const createdAccountSchema = z.object({
  username: z.string(),
  password: z.string(),
  api_token: z.string(),
  /** creating: the storage did not answer in time; the home is made as soon as it does. */
  state: z.enum(['creating', 'ready']),
});

export const auditEntrySchema = z.object({
  at: z.string(),
  actor: z.string(),
  address: z.string(),
  action: z.string(),
  subject: z.string(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  detail: z.string(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

export const settingsSchema = z.object({
  signUpOpen: z.boolean(),
  signUpPlan: z.string(),
  uploadLimitBytes: z.number().int().positive(),
  /** Requests a minute that one account may send to each endpoint of /api/v0 and /api/v1; 0 = as many as it likes. */
  apiRequestsPerMinute: z.number().int().nonnegative(),
});
export type Settings = z.infer<typeof settingsSchema>;

export const planSchema = z.object({ name: z.string(), limits: planLimitsSchema });
export type Plan = z.infer<typeof planSchema>;

/** `heartbeat`, every two seconds in every event stream: without one for six, what a page shows is not up to date. */
export const heartbeatSchema = z.object({
  at: z.string(),
  /** Since when the agent has not been heard: what is shown of sites and storage is as it was then. */
  agentSilentSince: z.string().nullable(),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;

/** `storage`: what the volume of the account does for it now; its dashboard and sites have changed with it. */
export const storageServiceSchema = z.enum(['serving', 'waiting', 'stopped']);
export type StorageService = z.infer<typeof storageServiceSchema>;

export const statusSchema = z.object({
  ready: z.boolean(),
  version: z.string(),
  agent: z.enum(['reachable', 'unreachable']),
  gateway: z.enum(['ready', 'not-ready']),
  /** Who starts the parts again when they end or hang: silent: its heartbeat has stopped. */
  supervisor: z.enum(['watching', 'silent']),
  volumes: z.array(z.object({ name: z.string(), state: z.string(), redundancy: z.string() })),
});
export type Status = z.infer<typeof statusSchema>;
