import type { z } from 'zod';
import type { AddressOf, ApiName, ApiNoun, NamesOf, ParametersIn, StreamName } from './addresses.ts';

/**
 * Who may ask. The control plane sees to it before a handler runs; what exactly a member may see of somebody else's is the handler's to know.
 * public: anybody. browser: who is signed in with a cookie. account: an account itself, by cookie or token. member: an account for itself, an
 * operator for any. operator: an account with that role, or the command line. command-line: the `holdfast` command of root on the machine.
 */
export type Caller = 'public' | 'browser' | 'account' | 'member' | 'operator' | 'command-line';

/** The statuses with which a question can be answered well. */
export type Answers = { readonly [Status in 200 | 201 | 202 | 204]?: z.ZodType };

interface Asked {
  /** What it does, one sentence. */
  what: string;
  who: Caller;
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Said to who is refused, where the usual sentence says too little. */
  refusal?: string;
}

/** A question and its answer, in JSON. */
export interface ApiRow extends Asked {
  body?: z.ZodType;
  /** What comes back, by its status; errors are an ErrorBody with the status of their code. */
  answers: Answers;
  /** Where a body may be larger than others (1 MiB). */
  bodyLimitBytes?: number;
}

/** Bytes, text, or events without an end. */
export interface StreamRow extends Asked {
  /** As the caller sees it. */
  direction: 'download' | 'upload';
  contentType: string;
  /** So long nothing may come through before it is given up. */
  idleMs: number;
  /** What comes back after an upload. */
  answer?: z.ZodType;
}

type WithParameters<Name extends string> = [Name] extends [never]
  ? { params?: undefined }
  : { params: z.ZodObject<{ [Each in Name]: z.ZodType }> };

/** The row to one name: its parameters are those in its path. */
export type RowOf<N extends ApiName> = ApiRow & WithParameters<ParametersIn<AddressOf<N>>>;
export type StreamRowOf<N extends StreamName> = StreamRow & WithParameters<ParametersIn<AddressOf<N>>>;

/** All rows of a noun, and no others. */
export type RowsOf<Noun extends ApiNoun> = { readonly [N in NamesOf<Noun>]: RowOf<N> };
