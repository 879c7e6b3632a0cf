import { z } from 'zod';
import type { StreamName } from './addresses.ts';
import { EVENTS_IDLE_MS, FILE_IDLE_MS, TEXT_IDLE_MS } from './deadlines.ts';
import { byPath } from './files.ts';
import { byIncident } from './incidents.ts';
import type { StreamRowOf } from './row.ts';

/** What is no question with an answer in JSON. */
export const apiStreams = {
  'events.follow': {
    what: 'Live updates as server-sent events, each with the whole view as data; a heartbeat every two seconds.',
    who: 'member',
    direction: 'download',
    contentType: 'text/event-stream',
    idleMs: EVENTS_IDLE_MS,
  },
  'files.read': {
    what: 'The bytes of a file; with `download` a browser keeps it instead of showing it.',
    who: 'member',
    query: byPath.extend({ download: z.string().optional() }),
    direction: 'download',
    contentType: 'application/octet-stream',
    idleMs: FILE_IDLE_MS,
  },
  'files.write': {
    what: 'Writes a file, any bytes up to the limit; the old one stays whole until all of them have come. If-Match and If-None-Match say what it may take the place of.',
    who: 'member',
    query: byPath,
    direction: 'upload',
    contentType: 'application/octet-stream',
    idleMs: FILE_IDLE_MS,
    answer: z.object({ created: z.boolean() }),
  },
  'incidents.postMortem': {
    what: 'An incident written out as Markdown.',
    who: 'operator',
    params: byIncident,
    direction: 'download',
    contentType: 'text/markdown',
    idleMs: TEXT_IDLE_MS,
  },
  'metrics.read': {
    what: 'Figures for Prometheus; from outside they need `Authorization: Bearer <metrics token>`.',
    who: 'public',
    direction: 'download',
    contentType: 'text/plain',
    idleMs: TEXT_IDLE_MS,
  },
} satisfies { readonly [N in StreamName]: StreamRowOf<N> };
