import fastifyMultipart, { type MultipartFile, type MultipartValue } from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parse } from 'node:querystring';
import { ApiAnswer } from './errors.ts';

/** JSON and forms. An empty body is an empty object: clients name a type even when they send nothing. */
export function takeJsonAndForms(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') {
      done(null, {});
      return;
    }
    try {
      done(null, JSON.parse(body as string));
    } catch (error) {
      done(new ApiAnswer(400, { detail: `JSON parse error - ${error instanceof Error ? error.message : ''}` }));
    }
  });
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, { ...parse(body as string) });
  });
  server.addContentTypeParser('*', (request, payload, done) => {
    payload.resume();
    // Some clients send an empty body with whatever type their library has for nothing.
    if (request.headers['content-length'] === '0') {
      done(null, {});
      return;
    }
    done(
      new ApiAnswer(415, { detail: `Unsupported media type "${request.headers['content-type'] ?? ''}" in request.` }),
    );
  });
}

/** Small multipart forms, as objects like the other two. Files among the fields come as bytes. */
export async function takeMultipartFields(server: FastifyInstance): Promise<void> {
  await server.register(fastifyMultipart, {
    limits: { fieldSize: 256 * 1024, fileSize: 256 * 1024, files: 10, fields: 100, parts: 100, headerPairs: 100 },
  });
  server.addHook('preValidation', async (request) => {
    if (!request.isMultipart()) return;
    const body: Record<string, unknown> = {};
    for await (const part of partsOf(request)) {
      body[part.fieldname] = part.type === 'file' ? await part.toBuffer() : part.value;
    }
    request.body = body;
  });
}

/** The parts of a multipart body; what cannot be read is the sender's mistake. */
export async function* partsOf(request: FastifyRequest): AsyncGenerator<MultipartFile | MultipartValue> {
  const parts = request.parts();
  for (;;) {
    let next: IteratorResult<MultipartFile | MultipartValue, unknown>;
    try {
      next = await parts.next();
    } catch (error) {
      if (error instanceof Error && 'statusCode' in error) throw error;
      throw new ApiAnswer(400, {
        detail: `Multipart form parse error - ${error instanceof Error ? error.message : 'unknown'}`,
      });
    }
    if (next.done) return;
    yield next.value;
  }
}

/** A body that was not sent at all is an empty one. */
export function missingBodyIsEmpty(server: FastifyInstance): void {
  server.addHook('preValidation', async (request) => {
    if (request.body === undefined || request.body === null) request.body = {};
    await Promise.resolve();
  });
}
