import { z } from 'zod';
import { drillRunSchema, drillRunSummarySchema, drillSchema } from '../drills.ts';
import type { RowsOf } from './row.ts';

const byId = z.object({ id: drillRunSchema.shape.id });
/** A whole run with its charts. */
const RUN_LIMIT_BYTES = 4 * 1024 * 1024;

/** The drills there are, and their runs. */
export const drillRows = {
  'drills.list': {
    what: 'What can be drilled, and what was.',
    who: 'operator',
    answers: { 200: z.object({ drills: z.array(drillSchema), runs: z.array(drillRunSummarySchema) }) },
  },
  'drills.start': {
    what: "Starts a drill; on the running platform the drill's name, given again, confirms it.",
    who: 'operator',
    body: z.object({
      drill: z.string(),
      where: z.enum(['scratch', 'here']).default('scratch'),
      reaction: z.boolean().default(true),
      confirm: z.string().optional(),
    }),
    answers: { 202: drillRunSummarySchema },
  },
  'drills.get': { what: 'One run.', who: 'operator', params: byId, answers: { 200: drillRunSchema } },
  'drills.report': {
    what: 'What the runner of a drill says about it, about twice a second.',
    who: 'command-line',
    refusal: 'Only the runner of a drill on the host may say how it goes.',
    params: byId,
    body: drillRunSchema,
    bodyLimitBytes: RUN_LIMIT_BYTES,
    answers: { 204: z.null() },
  },
  'drills.stop': { what: 'Stops a run.', who: 'operator', params: byId, answers: { 204: z.null() } },
} satisfies RowsOf<'drills'>;
