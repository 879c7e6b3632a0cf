import { z } from 'zod';
import { hostHealthSchema } from '../health.ts';
import { incidentSchema, incidentSummarySchema, notificationSettingsSchema } from '../incidents.ts';
import type { RowsOf } from './row.ts';

const enabled = z.object({ enabled: z.boolean() });

/** An incident by its number. */
export const byIncident = z.object({
  id: z.coerce
    .number<number | string>()
    .int()
    .positive()
    .max(2 ** 31 - 1),
});

/** How the host is, and whether it repairs by itself. */
export const healthRows = {
  'health.get': {
    what: 'How the host is, at most a second old; null: it cannot be seen.',
    who: 'operator',
    answers: { 200: z.object({ host: hostHealthSchema.nullable() }) },
  },
  'health.setReaction': {
    what: 'Whether the host repairs by itself.',
    who: 'operator',
    body: enabled,
    answers: { 200: enabled },
  },
} satisfies RowsOf<'health'>;

/** What happened, who was hit, what was done, what operators say about it. */
export const incidentRows = {
  'incidents.list': {
    what: 'All incidents, or those in one state, newest first.',
    who: 'operator',
    query: z.object({ state: z.enum(['open', 'resolved']).optional() }),
    answers: { 200: z.array(incidentSummarySchema) },
  },
  'incidents.get': {
    what: 'One incident with its timeline.',
    who: 'operator',
    params: byIncident,
    answers: { 200: incidentSchema },
  },
  'incidents.note': {
    what: 'Writes a note to an incident; a public one is on the status page, too.',
    who: 'operator',
    params: byIncident,
    body: z.object({ text: z.string().trim().min(1).max(4000), public: z.boolean().default(false) }),
    answers: { 200: incidentSchema },
  },
} satisfies RowsOf<'incidents'>;

/** Where operators are told of incidents. Secrets go in, and never come out. */
export const notificationRows = {
  'notifications.get': {
    what: 'Where operators are told of incidents, without secrets.',
    who: 'operator',
    answers: { 200: notificationSettingsSchema },
  },
  'notifications.change': {
    what: 'Sets where operators are told; secrets that are left out stay.',
    who: 'operator',
    body: notificationSettingsSchema,
    answers: { 200: notificationSettingsSchema },
  },
  'notifications.test': {
    what: 'Sends a test to each, and answers in words what came of it.',
    who: 'operator',
    answers: { 200: z.object({ webhook: z.string().nullable(), email: z.string().nullable() }) },
  },
} satisfies RowsOf<'notifications'>;
