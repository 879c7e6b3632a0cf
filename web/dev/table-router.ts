import type { IncomingMessage, ServerResponse } from 'node:http';
import { apiRoutes } from '../../src/protocol/api.ts';
import {
  type Address,
  addressParts,
  apiAddresses,
  type ApiName,
  streamAddresses,
  type StreamName,
} from '../../src/protocol/api/addresses.ts';
import type { ApiRow, StreamRow } from '../../src/protocol/api/row.ts';
import { type Said, type Sent, type SentStream, statusAndBody } from '../../src/protocol/api/served.ts';
import { apiStreams } from '../../src/protocol/api/streams.ts';
import { HoldfastError } from '../../src/protocol/errors.ts';
import type { z } from 'zod';

/** The stand-in's handlers, typed by the table of the API. It need not have all of them. */
export type Handlers = { readonly [N in ApiName]?: (sent: Sent<N>) => Said<N> | Promise<Said<N>> };
/** The bytes of an upload, and the response, to which the handler writes. */
export interface StreamCall {
  bytes: () => Promise<Buffer>;
  headers: IncomingMessage['headers'];
  response: ServerResponse;
}
export type StreamHandlers = {
  readonly [N in StreamName]?: (sent: SentStream<N>, call: StreamCall) => void | Promise<void>;
};

interface Place {
  name: string;
  method: string;
  pattern: RegExp;
}

function placesOf(addresses: Readonly<Record<string, Address>>): Place[] {
  const parameters = (address: Address): number => address.split(':').length;
  return (
    Object.entries(addresses)
      // A path that is written out goes before one that has a parameter in its place.
      .sort(([, a], [, b]) => parameters(a) - parameters(b))
      .map(([name, address]) => {
        const { method, path } = addressParts(address);
        return { name, method, pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`) };
      })
  );
}

const API = placesOf(apiAddresses);
const STREAMS = placesOf(streamAddresses);

function match(places: readonly Place[], method: string, path: string): { name: string; params: unknown } | undefined {
  for (const place of places) {
    const found = place.method === method ? place.pattern.exec(path) : null;
    if (found === null) continue;
    const params = Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]);
    return { name: place.name, params: Object.fromEntries(params) };
  }
  return undefined;
}

/** Checks one part of what was sent, and refuses it in the words of the control plane. */
function checked(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined;
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new HoldfastError('input-invalid', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`, {
    field: issue?.path.join('.') ?? '',
  });
}

/** Answers one request by the table, with the handlers that there are. Throws `not-found` where there is none. */
export async function answerByTable(
  handlers: Handlers,
  streams: StreamHandlers,
  request: { method: string; url: URL },
  call: StreamCall,
): Promise<void> {
  const { method, url } = request;
  const query = Object.fromEntries(url.searchParams);
  const asked = match(API, method, url.pathname);
  if (asked !== undefined) {
    const name = asked.name as ApiName;
    const row: ApiRow = apiRoutes[name];
    const handler = handlers[name] as ((sent: unknown) => unknown) | undefined;
    if (handler !== undefined) {
      const body = row.body === undefined ? undefined : JSON.parse((await call.bytes()).toString() || '{}');
      const said = await handler({
        params: checked(row.params, asked.params),
        query: checked(row.query, query),
        body: checked(row.body, body),
      });
      const answer = statusAndBody(row, said);
      // Through the real schema, so that the stand-in cannot drift from the contract unnoticed.
      const content = row.answers[answer.status]?.parse(answer.body);
      if (answer.status === 204) call.response.writeHead(204).end();
      else call.response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
      return;
    }
  }
  const streamed = match(STREAMS, method, url.pathname);
  if (streamed !== undefined) {
    const name = streamed.name as StreamName;
    const row: StreamRow = apiStreams[name];
    const handler = streams[name] as ((sent: unknown, call: StreamCall) => unknown) | undefined;
    if (handler !== undefined) {
      await handler({ params: checked(row.params, streamed.params), query: checked(row.query, query) }, call);
      return;
    }
  }
  throw new HoldfastError('not-found', `There is nothing at ${method} ${url.pathname}.`);
}
