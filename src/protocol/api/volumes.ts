import { z } from 'zod';
import { sparesSchema } from '../agent.ts';
import { volumeViewSchema } from '../browser.ts';
import { faultNameSchema } from '../drills.ts';
import { repairPlanSchema } from '../health.ts';
import { operationSchema, volumeNameSchema } from '../volumes.ts';
import type { RowsOf } from './row.ts';

const byName = z.object({ name: volumeNameSchema });
const replicaName = z.string().min(1).max(100);
const aDisk = z.object({ disk: z.string().startsWith('/', 'The path of a disk begins with a slash.').max(1000) });

/** Volumes, their repair, and faults on them. */
export const volumeRows = {
  'volumes.list': { what: 'All volumes.', who: 'operator', answers: { 200: z.array(volumeViewSchema) } },
  'volumes.create': {
    what: 'Makes a volume on these disks, or on fresh image files.',
    who: 'operator',
    body: z.object({
      name: volumeNameSchema,
      disks: z.array(z.string().startsWith('/')).max(16).default([]),
      imageBytes: z.number().int().positive().optional(),
    }),
    answers: { 202: operationSchema },
  },
  'volumes.act': {
    what: 'Opens or closes a volume, checks or grows it, takes a disk in or sets one aside.',
    who: 'operator',
    params: byName.extend({ action: z.enum(['open', 'close', 'scrub', 'add-replica', 'set-aside', 'grow']) }),
    body: z
      .object({
        disk: z.string().optional(),
        replica: z.string().optional(),
        imageBytes: z.number().int().positive().optional(),
      })
      .nullish(),
    answers: { 200: z.union([volumeViewSchema, operationSchema]) },
  },
  'volumes.delete': {
    what: 'Deletes a volume on which nobody lives. Its name, given again, confirms it.',
    who: 'operator',
    params: byName,
    query: z.object({ confirm: z.string().optional() }),
    answers: { 202: operationSchema },
  },
  'volumes.planRecovery': {
    what: 'What `recover` would do now. Changes nothing.',
    who: 'operator',
    params: byName,
    answers: { 200: repairPlanSchema },
  },
  'volumes.recover': {
    what: 'Repairs a volume; null: nothing has to be done.',
    who: 'operator',
    params: byName,
    answers: { 202: z.object({ operation: operationSchema.nullable() }) },
  },
  'volumes.replaceDisk': {
    what: 'Copies onto another disk and then lets the old one go; `dryRun` answers what would be done.',
    who: 'operator',
    params: byName,
    body: z.object({
      replica: replicaName,
      disk: z.string().startsWith('/', 'The path of the new disk begins with a slash.').optional(),
      dryRun: z.boolean().default(false),
    }),
    answers: { 200: repairPlanSchema, 202: operationSchema },
  },
  'volumes.fault': {
    what: 'Causes a real fault on a disk behind a valve, or ends it; the audit log says so.',
    who: 'operator',
    params: byName,
    body: z.object({ replica: replicaName, fault: faultNameSchema }),
    answers: { 200: z.object({ active: faultNameSchema.nullable() }) },
  },
} satisfies RowsOf<'volumes'>;

/** Empty disks that a repair takes by itself. */
export const spareRows = {
  'spares.list': { what: 'All spare disks.', who: 'operator', answers: { 200: sparesSchema } },
  'spares.add': {
    what: 'Keeps an empty disk as a spare.',
    who: 'operator',
    body: aDisk,
    answers: { 201: sparesSchema },
  },
  'spares.remove': {
    what: 'Leaves a disk to other uses.',
    who: 'operator',
    query: aDisk,
    answers: { 200: sparesSchema },
  },
} satisfies RowsOf<'spares'>;

export const operationRows = {
  'operations.list': {
    what: 'Long work of the host, newest first.',
    who: 'operator',
    answers: { 200: z.array(operationSchema) },
  },
} satisfies RowsOf<'operations'>;
