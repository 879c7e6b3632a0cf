import { z } from 'zod';
import { PLAN_NAME } from '../../model/plans.ts';
import { auditEntrySchema, planSchema, settingsSchema, statusSchema } from '../browser.ts';
import { newPlanLimitsSchema } from '../sites.ts';
import type { RowsOf } from './row.ts';

const PLAN_NAME_RULE = 'A plan name has up to 30 lower-case letters, digits and hyphens, and begins with a letter.';

/** The token with which Prometheus asks for metrics. */
export const metricsRows = {
  'metrics.token': {
    what: 'The token for /metrics; null: there is none yet.',
    who: 'command-line',
    refusal: 'It is shown on the machine only: holdfast platform metrics-token',
    answers: { 200: z.object({ token: z.string().nullable() }) },
  },
  'metrics.renewToken': {
    what: 'Makes a new token for /metrics; the old one stops working.',
    who: 'operator',
    answers: { 200: z.object({ token: z.string() }) },
  },
} satisfies RowsOf<'metrics'>;

export const auditRows = {
  'audit.list': {
    what: 'Who did what, newest first.',
    who: 'operator',
    query: z.object({ limit: z.coerce.number<number | string>().int().min(1).max(1000).default(100) }),
    answers: { 200: z.array(auditEntrySchema) },
  },
} satisfies RowsOf<'audit'>;

export const settingsRows = {
  'settings.get': { what: 'The settings of the platform.', who: 'operator', answers: { 200: settingsSchema } },
  'settings.update': {
    what: 'Changes what is given; what is left out stays.',
    who: 'operator',
    body: settingsSchema.partial(),
    answers: { 200: settingsSchema },
  },
} satisfies RowsOf<'settings'>;

export const planRows = {
  'plans.list': { what: 'The plans with their limits.', who: 'operator', answers: { 200: z.array(planSchema) } },
  'plans.put': {
    what: 'Makes a plan, or sets the limits of one.',
    who: 'operator',
    params: z.object({ name: z.string().regex(PLAN_NAME, PLAN_NAME_RULE) }),
    body: newPlanLimitsSchema,
    answers: { 200: planSchema },
  },
} satisfies RowsOf<'plans'>;

/** For whoever looks from outside. */
export const platformRows = {
  'platform.status': {
    what: 'Whether the platform is ready, and how its parts are.',
    who: 'public',
    answers: { 200: statusSchema },
  },
  'platform.alive': {
    what: 'Asks nobody: that it is answered at all is the answer.',
    who: 'public',
    answers: { 200: z.object({ version: z.string() }) },
  },
} satisfies RowsOf<'platform'>;
