import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { apiRoutes } from '../../../protocol/api.ts';
import {
  addressParts,
  apiAddresses,
  type ApiName,
  type ApiNoun,
  type NamesOf,
} from '../../../protocol/api/addresses.ts';
import type { ApiRow } from '../../../protocol/api/row.ts';
import { statusAndBody, type Said, type Sent } from '../../../protocol/api/served.ts';
import { admit } from './admission.ts';

/** A question that was admitted, with what was sent as its row has it. */
export interface Asked<N extends ApiName> extends Sent<N> {
  request: FastifyRequest;
  /** For headers and cookies; the answer itself is returned. */
  reply: FastifyReply;
}

export type Handler<N extends ApiName> = (asked: Asked<N>) => Said<N> | Promise<Said<N>>;
/** A handler for every row of a noun: one that is missing, or one row too many, does not compile. */
export type Handlers<Noun extends ApiNoun> = { readonly [N in NamesOf<Noun>]: Handler<N> };

type AnyHandler = (asked: Record<'params' | 'query' | 'body' | 'request' | 'reply', unknown>) => unknown;

/** Serves all rows of a noun: what is sent is checked, who asks is admitted, then the handler answers. */
export function serve<Noun extends ApiNoun>(server: FastifyInstance, handlers: Handlers<Noun>): void {
  // The types of the rows hold outside of this loop; in it all handlers are alike.
  for (const name of Object.keys(handlers) as NamesOf<Noun>[]) serveRow(server, name, handlers[name] as AnyHandler);
}

function serveRow(server: FastifyInstance, name: ApiName, handler: AnyHandler): void {
  const row: ApiRow = apiRoutes[name];
  const { method, path } = addressParts(apiAddresses[name]);
  server.route({
    method,
    url: path,
    ...(row.bodyLimitBytes === undefined ? {} : { bodyLimit: row.bodyLimitBytes }),
    schema: {
      ...describedAs(name, row.what),
      ...(row.params === undefined ? {} : { params: row.params }),
      ...(row.query === undefined ? {} : { querystring: row.query }),
      ...(row.body === undefined ? {} : { body: row.body }),
      response: row.answers,
    },
    handler: async (request, reply) => {
      admit(request, row);
      const said = await handler({ params: request.params, query: request.query, body: request.body, request, reply });
      const { status, body } = statusAndBody(row, said);
      return await reply.code(status).send(body);
    },
  });
}

/** For the description of the API at /api/openapi.json. */
export function describedAs(name: string, what: string): { operationId: string; summary: string; tags: string[] } {
  return { operationId: name, summary: what, tags: [name.slice(0, name.indexOf('.'))] };
}
