import { z } from 'zod';
import { dashboardSchema, sessionSchema } from '../browser.ts';
import type { RowsOf } from './row.ts';

const credentials = z.object({ username: z.string().max(100), password: z.string().max(200) });

/** Signing in and out, and one's own account. */
export const sessionRows = {
  'session.get': {
    what: 'Who is signed in, and what the pages need to know before anybody is.',
    who: 'public',
    answers: { 200: sessionSchema },
  },
  'session.signIn': {
    what: 'Signs in: the answer sets the cookie of the session.',
    who: 'public',
    body: credentials,
    answers: { 200: sessionSchema },
  },
  'session.signOut': { what: 'Ends the session, if there is one.', who: 'public', answers: { 204: z.null() } },
  'session.changePassword': {
    what: 'Sets a new password; all other sessions of the account end.',
    who: 'browser',
    refusal: 'Please sign in to change your password.',
    body: z.object({ current: z.string().max(200), next: z.string().max(200) }),
    answers: { 200: sessionSchema },
  },
  'session.signUp': {
    what: 'Makes an account for who asks, when the setting allows it, and signs in.',
    who: 'public',
    body: credentials,
    answers: { 200: sessionSchema },
  },
  'session.renewToken': {
    what: 'Makes a new API token, which is shown only now; the old one stops working.',
    who: 'account',
    answers: { 200: z.object({ token: z.string() }) },
  },
} satisfies RowsOf<'session'>;

export const dashboardRows = {
  'dashboard.get': {
    what: "The own account with its sites and notices; the operator's has the platform, too.",
    who: 'member',
    answers: { 200: dashboardSchema },
  },
} satisfies RowsOf<'dashboard'>;
