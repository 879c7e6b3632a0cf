import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify';
import { addressParts, streamAddresses, type StreamName } from '../../../protocol/api/addresses.ts';
import type { StreamRow } from '../../../protocol/api/row.ts';
import type { SentStream } from '../../../protocol/api/served.ts';
import { apiStreams } from '../../../protocol/api/streams.ts';
import { admit } from './admission.ts';
import { describedAs } from './serve.ts';

/** A stream that was admitted; the handler sends or takes it. */
export interface AskedStream<N extends StreamName> extends SentStream<N> {
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Serves one stream: what is sent is checked, who asks is admitted, then the handler has the reply. */
export function serveStream<N extends StreamName>(
  server: FastifyInstance,
  name: N,
  handler: (asked: AskedStream<N>) => unknown,
  options: Pick<RouteShorthandOptions, 'schemaErrorFormatter'> = {},
): void {
  const row: StreamRow = apiStreams[name];
  const { method, path } = addressParts(streamAddresses[name]);
  server.route({
    ...options,
    method,
    url: path,
    schema: {
      ...describedAs(name, row.what),
      ...(row.direction === 'download' ? { produces: [row.contentType] } : { consumes: [row.contentType] }),
      ...(row.params === undefined ? {} : { params: row.params }),
      ...(row.query === undefined ? {} : { querystring: row.query }),
      ...(row.answer === undefined ? {} : { response: { 200: row.answer } }),
    },
    handler: async (request, reply) => {
      admit(request, row);
      const { params, query } = request as SentStream<N>;
      return await handler({ params, query, request, reply });
    },
  });
}
