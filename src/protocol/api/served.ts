import type { z } from 'zod';
import type { ApiRoutes, ApiStreams } from '../api.ts';
import type { ApiName, StreamName } from './addresses.ts';
import type { Answers, ApiRow } from './row.ts';

/** The table from the side of whoever answers: what was sent once it is checked, and what may be said. */

type Read<Key extends string, Row> = Row extends { [K in Key]: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : undefined;

/** What was sent, as its row has it. */
export interface Sent<N extends ApiName> {
  params: Read<'params', ApiRoutes[N]>;
  query: Read<'query', ApiRoutes[N]>;
  body: Read<'body', ApiRoutes[N]>;
}

/** With what a stream was asked for. */
export interface SentStream<N extends StreamName> {
  params: Read<'params', ApiStreams[N]>;
  query: Read<'query', ApiStreams[N]>;
}

type Content<Schema> = Schema extends z.ZodNull ? void : Schema extends z.ZodType ? z.output<Schema> : never;
type Tagged<A extends Answers> = { [S in keyof A]: { status: S; body: Content<A[S]> } }[keyof A];
type Untagged<A extends Answers> = { [S in keyof A]: Content<A[S]> }[keyof A];
type IsOne<Key, All = Key> = Key extends Key ? ([All] extends [Key] ? true : false) : never;
/** The content of an answer; where a row has several statuses, with the one it goes with. */
type SaidOf<A extends Answers> = false extends IsOne<keyof A> ? Tagged<A> : Untagged<A>;
export type Said<N extends ApiName> = SaidOf<ApiRoutes[N]['answers']>;

/** What a handler said, as it goes out. */
export function statusAndBody(row: ApiRow, said: unknown): { status: keyof Answers; body: unknown } {
  const statuses = Object.keys(row.answers).map(Number) as (keyof Answers)[];
  const [only] = statuses;
  if (only !== undefined && statuses.length === 1) return { status: only, body: said ?? null };
  return said as { status: keyof Answers; body: unknown };
}
