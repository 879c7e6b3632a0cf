import { z } from 'zod';
import { createSiteSchema, siteViewSchema, updateSiteSchema } from '../browser.ts';
import type { RowsOf } from './row.ts';

const byId = z.object({ id: z.string().regex(/^[0-9a-f]{12}$/, 'A site id has 12 hexadecimal characters.') });
const ofAccount = z.object({ account: z.string().optional() });

/** A member's websites. */
export const siteRows = {
  'sites.list': {
    what: "The own sites; an operator's answer has those of the account that is named, or all.",
    who: 'member',
    query: ofAccount,
    answers: { 200: z.array(siteViewSchema) },
  },
  'sites.create': {
    what: 'Makes a site, with a starter project where one is wanted.',
    who: 'member',
    query: ofAccount,
    body: createSiteSchema,
    answers: { 201: siteViewSchema },
  },
  'sites.get': { what: 'One site.', who: 'member', params: byId, answers: { 200: siteViewSchema } },
  'sites.update': {
    what: 'Changes what is given; what is left out stays.',
    who: 'member',
    params: byId,
    body: updateSiteSchema,
    answers: { 200: siteViewSchema },
  },
  'sites.delete': {
    what: "Stops the site and forgets it; the member's files stay.",
    who: 'member',
    params: byId,
    answers: { 204: z.null() },
  },
  'sites.reload': {
    what: 'Starts the code as it is now, and answers when the new generation answers.',
    who: 'member',
    params: byId,
    answers: { 200: siteViewSchema },
  },
  'sites.back': {
    what: 'Goes back to what ran before the last reload.',
    who: 'member',
    params: byId,
    answers: { 200: siteViewSchema },
  },
  'sites.enable': {
    what: 'Lets a disabled site run again.',
    who: 'member',
    params: byId,
    answers: { 200: siteViewSchema },
  },
  'sites.disable': {
    what: 'Stops the site until it is enabled.',
    who: 'member',
    params: byId,
    answers: { 200: siteViewSchema },
  },
  'sites.log': {
    what: "The end of one of the site's logs.",
    who: 'member',
    params: byId.extend({ kind: z.enum(['access', 'error', 'server']) }),
    query: z.object({ lines: z.coerce.number<number | string>().int().min(1).max(2000).default(200) }),
    answers: { 200: z.object({ lines: z.array(z.string()), sizeBytes: z.number() }) },
  },
} satisfies RowsOf<'sites'>;
