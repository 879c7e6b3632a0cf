import { z } from 'zod';
import { fileEntrySchema } from './files.ts';
import { planLimitsSchema, pythonSchema, siteStatusSchema, staticHeaderSchema, staticMappingSchema } from './sites.ts';
import { operationSchema, volumeStatusSchema } from './volumes.ts';

/**
 * What the pages and the command line ask of the control plane, under /api/holdfast/. JSON; errors are ErrorBody.
 * A browser signs in with a cookie and sends the session's CSRF token in `x-csrf-token` with every write; scripts send
 * `Authorization: Token <40 hex>` and need none.
 *
 *   GET    session                         -> Session            (200 also when signed out)
 *   POST   session {username,password}     -> Session            sign in
 *   DELETE session                         -> 204                sign out
 *   POST   session/password {current,next} -> Session
 *   POST   sign-up {username,password}     -> Session            when the setting allows it
 *   POST   token                           -> {token}            new API token, shown once; the old one stops working
 *   GET    dashboard                       -> Dashboard          own account; the operator's has `platform` too
 *   GET    events                          -> text/event-stream  event: site|volume|operation|account|incident|drill|health|storage|heartbeat, data: the view
 *   GET    sites                           -> SiteView[]         own sites (operator: ?account=NAME)
 *   POST   sites CreateSite                -> SiteView (201)
 *   GET    sites/:id                       -> SiteView
 *   PATCH  sites/:id UpdateSite            -> SiteView
 *   DELETE sites/:id                       -> 204                files stay
 *   POST   sites/:id/reload|enable|disable -> SiteView           reload answers when the new generation answers
 *   GET    sites/:id/logs/:kind?lines=200  -> {lines, sizeBytes}
 *   GET    files?path=/home/x              -> Directory
 *   GET    files/content?path=             -> bytes (application/octet-stream; &download=1 adds a disposition)
 *   PUT    files/content?path=             -> {created}          raw body, any size up to the limit
 *   POST   files/directory {path}          -> {created}
 *   POST   files/rename {from,to}          -> {}
 *   DELETE files?path=                     -> 204
 *   GET    accounts                        -> AccountView[]      operator, and so are all below
 *   POST   accounts CreateAccount          -> CreatedAccount (201)
 *   PATCH  accounts/:name {plan?, disabled?} -> AccountView
 *   DELETE accounts/:name?confirm=NAME     -> 204
 *   POST   accounts/:name/password         -> {password}         resets to a one-time password
 *   GET    volumes                         -> VolumeView[]
 *   POST   volumes {name, disks, imageBytes?} -> Operation (202)
 *   POST   volumes/:name/open|close|scrub|add-replica|set-aside|grow {disk?, replica?, imageBytes?} -> VolumeView or Operation
 *   DELETE volumes/:name?confirm=NAME      -> Operation (202)    only when no account lives there
 *   GET    volumes/:name/recovery          -> RepairPlan         what `recover` would do
 *   POST   volumes/:name/recover           -> {operation: Operation | null} (202)
 *   POST   volumes/:name/replace-disk {replica, disk?, dryRun?} -> RepairPlan or Operation (202)
 *   POST   volumes/:name/fault {replica, fault} -> {active}      a real fault on a valve disk; writes to the audit log
 *   GET    spares / POST spares {disk} / DELETE spares?disk= -> Spare[]   empty disks that a repair takes by itself
 *   GET    operations                      -> Operation[]
 *   GET    health                          -> {host: HostHealth | null}   from memory, at most a second old
 *   PUT    health/reaction {enabled}       -> {enabled}
 *   GET    incidents?state=open|resolved   -> IncidentSummary[]  newest first
 *   GET    incidents/:id                   -> Incident
 *   POST   incidents/:id/notes {text, public} -> Incident
 *   GET    incidents/:id/post-mortem       -> text/markdown
 *   GET    notifications / PUT notifications -> NotificationSettings (without secrets)
 *   POST   notifications/test              -> {webhook: string | null, email: string | null}   outcome in words
 *   GET    drills                          -> {drills: Drill[], runs: DrillRunSummary[]}
 *   POST   drills {drill, where, reaction, confirm?} -> DrillRunSummary (202)   where "here" needs confirm = the drill's name
 *   GET    drills/:id                      -> DrillRun
 *   PUT    drills/:id DrillRun             -> 204                from the runner (over the control socket of the host)
 *   DELETE drills/:id                      -> 204                stops it
 *   GET    /metrics                        (outside /api/) Prometheus text; needs `Authorization: Bearer <metrics token>` from outside
 *   GET    metrics-token                   -> {token: string | null}   command line only
 *   POST   metrics-token                   -> {token}            new token for /metrics; the old one stops working
 *   GET    audit?limit=                    -> AuditEntry[]
 *   GET    settings / PATCH settings       -> Settings
 *   GET    plans                           -> Plan[]
 *   PUT    plans/:name limits              -> Plan
 *   GET    status                          -> Status             public
 *   GET    alive                           -> {version}          public; asks nobody: that it is answered is the answer
 */
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
