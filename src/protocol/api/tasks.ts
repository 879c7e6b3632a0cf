import { z } from 'zod';
import {
  alwaysOnStatusSchema,
  commandSchema,
  cpuUseSchema,
  scheduleSchema,
  taskRunSchema,
  taskStatusSchema,
} from '../tasks.ts';
import type { RowsOf } from './row.ts';

const common = z.object({
  id: z.number().int(),
  account: z.string(),
  command: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  /** Absolute path of its log, as the member sees it. */
  log: z.string(),
  createdAt: z.string(),
});
export const scheduledTaskViewSchema = common.extend({
  kind: z.literal('scheduled'),
  schedule: scheduleSchema,
  skipLate: z.boolean(),
  overlap: z.boolean(),
  /** Null while the agent does not say, or does not know it yet. */
  status: taskStatusSchema.nullable(),
});
export type ScheduledTaskView = z.infer<typeof scheduledTaskViewSchema>;
export const alwaysOnViewSchema = common.extend({
  kind: z.literal('always-on'),
  status: alwaysOnStatusSchema.nullable(),
});
export type AlwaysOnView = z.infer<typeof alwaysOnViewSchema>;
export const taskViewSchema = z.discriminatedUnion('kind', [scheduledTaskViewSchema, alwaysOnViewSchema]);
export type TaskView = z.infer<typeof taskViewSchema>;

const description = z.string().max(500).default('');
export const newTaskSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('scheduled'),
    command: commandSchema,
    description,
    enabled: z.boolean().default(true),
    schedule: scheduleSchema,
    skipLate: z.boolean().default(false),
    overlap: z.boolean().default(false),
  }),
  z.object({ kind: z.literal('always-on'), command: commandSchema, description, enabled: z.boolean().default(true) }),
]);
const changeSchema = z
  .object({
    command: commandSchema,
    description: z.string().max(500),
    enabled: z.boolean(),
    /** Of a scheduled task. */
    schedule: scheduleSchema,
    skipLate: z.boolean(),
    overlap: z.boolean(),
  })
  .partial();

const byId = z.object({ id: z.coerce.number<number | string>().int().positive() });
const ofAccount = z.object({ account: z.string().optional() });

/** Scheduled and always-on tasks. */
export const taskRows = {
  'tasks.list': {
    what: 'The own tasks, what the plan allows, and the processor time of today. An operator names whose.',
    who: 'member',
    query: ofAccount,
    answers: {
      200: z.object({
        tasks: z.array(taskViewSchema),
        most: z.object({ scheduled: z.number(), alwaysOn: z.number() }),
        /** Seconds that one run of a scheduled task may take. */
        longestSeconds: z.number(),
        /** Null while the agent does not say. */
        cpu: cpuUseSchema.nullable(),
      }),
    },
  },
  'tasks.create': {
    what: 'Makes a scheduled or an always-on task.',
    who: 'member',
    query: ofAccount,
    body: newTaskSchema,
    answers: { 201: taskViewSchema },
  },
  'tasks.get': { what: 'One task with its last runs.', who: 'member', params: byId, answers: { 200: taskViewSchema } },
  'tasks.update': {
    what: 'Changes what is given; what is left out stays. A run under way is let be.',
    who: 'member',
    params: byId,
    body: changeSchema,
    answers: { 200: taskViewSchema },
  },
  'tasks.delete': {
    what: 'Forgets the task. A run under way is ended, or left to its end; the log stays.',
    who: 'member',
    params: byId,
    query: z.object({ running: z.enum(['end', 'leave']).default('leave') }),
    answers: { 204: z.null() },
  },
  'tasks.run': {
    what: 'Runs a scheduled task now.',
    who: 'member',
    params: byId,
    answers: { 200: taskViewSchema },
  },
  'tasks.stop': {
    what: 'Ends what runs of a scheduled task; a paused always-on task is one that is not enabled.',
    who: 'member',
    params: byId,
    answers: { 200: z.object({ stopped: z.number().int() }) },
  },
  'tasks.restart': {
    what: 'Ends an always-on task and starts it at once.',
    who: 'member',
    params: byId,
    answers: { 200: taskViewSchema },
  },
  'tasks.output': {
    what: 'What a run wrote, as far as its log still has it.',
    who: 'member',
    params: byId.extend({ number: z.coerce.number<number | string>().int().positive() }),
    answers: { 200: z.object({ run: taskRunSchema.nullable(), text: z.string(), complete: z.boolean() }) },
  },
} satisfies RowsOf<'tasks'>;
