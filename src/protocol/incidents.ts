import { z } from 'zod';
import { culpritSchema, diagnosisSchema, faultKindSchema, timelineEntrySchema } from './health.ts';

export const incidentSummarySchema = z.object({
  /** Counted from 1, as people speak of them: incident 7. */
  id: z.number(),
  /** "home1: disk r2 hung". */
  title: z.string(),
  state: z.enum(['open', 'resolved']),
  /** critical: members are without service. major: a person must act, or redundancy is gone. minor: being repaired, nobody notices. */
  severity: z.enum(['minor', 'major', 'critical']),
  fault: faultKindSchema,
  culprit: culpritSchema,
  volume: z.string().nullable(),
  since: z.string(),
  openedAt: z.string(),
  resolvedAt: z.string().nullable(),
  service: z.enum(['serving', 'waiting', 'stopped']),
  doing: z.string(),
  mustAct: z.string().nullable(),
  impact: z.object({
    accounts: z.number(),
    sites: z.number(),
    /** Requests of these sites that took longer than a second, that failed, and the longest; null while not counted yet. */
    requests: z.object({ delayed: z.number(), failed: z.number(), longestMs: z.number() }).nullable(),
  }),
});
export type IncidentSummary = z.infer<typeof incidentSummarySchema>;

export const incidentSchema = incidentSummarySchema.extend({
  diagnosis: diagnosisSchema,
  /** Names of the accounts that live on the volume. */
  accounts: z.array(z.string()),
  timeline: z.array(timelineEntrySchema),
  notes: z.array(z.object({ at: z.string(), by: z.string(), text: z.string(), public: z.boolean() })),
  notifications: z.array(
    z.object({ at: z.string(), channel: z.enum(['webhook', 'email']), what: z.string(), outcome: z.string() }),
  ),
  operation: z.string().nullable(),
});
export type Incident = z.infer<typeof incidentSchema>;

export const notificationSettingsSchema = z.object({
  /** Receives what Alertmanager would send (webhook version 4). */
  webhook: z
    .object({
      url: z.url(),
      /** Sent as a bearer token when set. Never answered by GET; left out by PUT: kept, as long as the server is the same; "": removed. */
      secret: z.string().max(1000).optional(),
      /** Answered only: whether there is one. */
      hasSecret: z.boolean().optional(),
    })
    .nullable(),
  email: z
    .object({
      host: z.string().min(1),
      port: z.number().int().positive(),
      security: z.enum(['none', 'starttls', 'tls']),
      username: z.string().nullable(),
      /** Never answered by GET; left out by PUT: kept as it is, as long as the server is the same. */
      password: z.string().max(1000).optional(),
      /** Answered only: whether there is one. */
      hasPassword: z.boolean().optional(),
      from: z.string().min(3),
      to: z.array(z.string().min(3)).min(1),
    })
    .nullable(),
});
export type NotificationSettings = z.infer<typeof notificationSettingsSchema>;
