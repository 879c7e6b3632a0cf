import { z } from 'zod';
import { directorySchema } from '../browser.ts';
import { memberPathSchema } from '../files.ts';
import type { RowsOf } from './row.ts';

/** A path, and whose it is: an operator names the account. */
export const byPath = z.object({ path: memberPathSchema, account: z.string().optional() });
const ofAccount = z.object({ account: z.string().optional() });

/** The Files page. What is in a file comes and goes as a stream. */
export const fileRows = {
  'files.list': { what: 'What is in a directory.', who: 'member', query: byPath, answers: { 200: directorySchema } },
  'files.makeDirectory': {
    what: 'Makes a directory, with those above it.',
    who: 'member',
    query: ofAccount,
    body: z.object({ path: memberPathSchema }),
    answers: { 200: z.object({ created: z.boolean() }) },
  },
  'files.rename': {
    what: 'Moves a file or directory to another name.',
    who: 'member',
    query: ofAccount,
    body: z.object({ from: memberPathSchema, to: memberPathSchema }),
    answers: { 200: z.object({}) },
  },
  'files.compact': {
    what: 'Writes a file anew in one piece, so that what its old versions hold is given back.',
    who: 'member',
    query: ofAccount,
    body: z.object({ path: memberPathSchema }),
    answers: { 200: z.object({ freedBytes: z.number() }) },
  },
  'files.delete': {
    what: 'Deletes a file, or a directory with all that is in it.',
    who: 'member',
    query: byPath,
    answers: { 204: z.null() },
  },
} satisfies RowsOf<'files'>;
