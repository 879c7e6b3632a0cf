import type { z } from 'zod';
import type { ApiName, StreamName } from './api/addresses.ts';
import { accountRows } from './api/accounts.ts';
import { drillRows } from './api/drills.ts';
import { fileRows } from './api/files.ts';
import { healthRows, incidentRows, notificationRows } from './api/incidents.ts';
import { auditRows, metricsRows, planRows, platformRows, settingsRows } from './api/platform.ts';
import type { Answers, RowOf } from './api/row.ts';
import { dashboardRows, sessionRows } from './api/session.ts';
import { siteRows } from './api/sites.ts';
import { taskRows } from './api/tasks.ts';
import type { apiStreams } from './api/streams.ts';
import { operationRows, spareRows, volumeRows } from './api/volumes.ts';

/**
 * What the pages and the command line ask of the control plane: one row each. JSON; errors are ErrorBody. A browser signs in with a cookie and
 * sends the session's CSRF token in `x-csrf-token` with every write; scripts send `Authorization: Token <40 hex>` and need none.
 * src/protocol/api/addresses.ts has the addresses, src/protocol/api/streams.ts what is no JSON.
 */
export const apiRoutes = {
  ...sessionRows,
  ...dashboardRows,
  ...siteRows,
  ...taskRows,
  ...fileRows,
  ...accountRows,
  ...volumeRows,
  ...spareRows,
  ...operationRows,
  ...healthRows,
  ...incidentRows,
  ...notificationRows,
  ...drillRows,
  ...metricsRows,
  ...auditRows,
  ...settingsRows,
  ...planRows,
  ...platformRows,
} satisfies { readonly [N in ApiName]: RowOf<N> };

export type ApiRoutes = typeof apiRoutes;
export type ApiStreams = typeof apiStreams;

/** One part of what is sent: left out where there is nothing to say. */
type Part<Key extends 'params' | 'query' | 'body', Row> = Row extends { [K in Key]: infer Schema extends z.ZodType }
  ? OptionalPart<Key, z.input<Schema>>
  : { [K in Key]?: undefined };
type OptionalPart<Key extends 'params' | 'query' | 'body', Input> = undefined extends Input
  ? { [K in Key]?: Input }
  : Key extends 'query'
    ? Partial<Input> extends Input
      ? { [K in Key]?: Input }
      : { [K in Key]: Input }
    : { [K in Key]: Input };

/** What is sent with a question: its path parameters, its query, its body. */
export type ApiInput<N extends ApiName> = Part<'params', ApiRoutes[N]> &
  Part<'query', ApiRoutes[N]> &
  Part<'body', ApiRoutes[N]>;
/** What comes back; null where the answer has no content. */
export type ApiAnswer<N extends ApiName> = AnswerOf<ApiRoutes[N]['answers']>;
type AnswerOf<A extends Answers> = {
  [Status in keyof A]: A[Status] extends z.ZodType ? z.output<A[Status]> : never;
}[keyof A];

/** What an address of a stream is made with. */
export type StreamInput<N extends StreamName> = Part<'params', ApiStreams[N]> & Part<'query', ApiStreams[N]>;

/** The arguments of a function that asks: what is sent may be left out where nothing has to be. */
export type ApiArguments<N extends ApiName, More extends unknown[] = []> =
  Partial<ApiInput<N>> extends ApiInput<N> ? [input?: ApiInput<N>, ...more: More] : [input: ApiInput<N>, ...more: More];
