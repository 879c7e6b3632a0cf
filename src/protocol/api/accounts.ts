import { z } from 'zod';
import { accountViewSchema, createAccountSchema, createdAccountSchema } from '../browser.ts';
import type { RowsOf } from './row.ts';

const byName = z.object({ name: z.string() });

/** The accounts of members, for the operator. */
export const accountRows = {
  'accounts.list': { what: 'All accounts.', who: 'operator', answers: { 200: z.array(accountViewSchema) } },
  'accounts.create': {
    what: 'Makes an account; its password and API token are shown only now.',
    who: 'operator',
    body: createAccountSchema,
    answers: { 201: createdAccountSchema },
  },
  'accounts.update': {
    what: 'Moves an account to another plan, disables it, or lets it in again.',
    who: 'operator',
    params: byName,
    body: z.object({ plan: z.string().optional(), disabled: z.boolean().optional() }),
    answers: { 200: accountViewSchema },
  },
  'accounts.delete': {
    what: 'Removes an account with everything it has. Its name, given again, confirms it.',
    who: 'operator',
    params: byName,
    query: z.object({ confirm: z.string().optional() }),
    answers: { 204: z.null() },
  },
  'accounts.resetPassword': {
    what: 'Gives an account a new one-time password.',
    who: 'operator',
    params: byName,
    answers: { 200: z.object({ password: z.string() }) },
  },
} satisfies RowsOf<'accounts'>;
