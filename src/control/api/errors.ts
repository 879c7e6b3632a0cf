import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { HoldfastError } from '../../protocol/errors.ts';
import { isDiskFull } from '../store/disk-full.ts';

/** Whatever went wrong, as an error of the catalogue. What is none becomes `internal`, and its story goes to the log only. */
export function toHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  if (isDiskFull(error)) {
    return new HoldfastError(
      'no-room',
      'The disk on which the platform keeps its own records is full, so nothing new can be kept now. Sites go on; an operator has to make room.',
      { cause: error },
    );
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const first = error.validation[0];
    const field = first?.instancePath.replace(/^\//, '').replaceAll('/', '.');
    return new HoldfastError(
      'input-invalid',
      `${field ? `${field}: ` : ''}${first?.message ?? 'The request cannot be understood.'}`,
      {
        ...(field ? { field } : {}),
        details: error.validation.map((issue) => `${issue.instancePath || '/'}: ${issue.message ?? ''}`),
      },
    );
  }
  const status = statusOf(error);
  if (status === 413) return new HoldfastError('too-large', 'The request is too large.');
  if (status === 404) return new HoldfastError('not-found', 'There is nothing at this address.');
  if (status !== undefined && status < 500) {
    return new HoldfastError(
      'input-invalid',
      error instanceof Error ? error.message : 'The request cannot be understood.',
    );
  }
  return new HoldfastError(
    'internal',
    'Something went wrong inside the platform. It has been written down; please try again.',
    {
      cause: error,
    },
  );
}

function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? (error as FastifyError).statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

/** Logs what is a defect or a trouble of the platform; a client's mistakes are not news. */
export function logError(error: unknown, mapped: HoldfastError, request: FastifyRequest): void {
  if (mapped.code === 'internal')
    request.log.error({ err: error, method: request.method, url: request.url }, 'a request failed');
  else if (mapped.status >= 500)
    request.log.warn({ err: mapped, method: request.method, url: request.url }, 'a request failed');
}

/** The browser API's answer to an error: an ErrorBody with the code's status, and the sentence where PythonAnywhere's API has it, too. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const mapped = toHoldfastError(error);
  logError(error, mapped, request);
  if (mapped.retryAfterSeconds !== undefined) void reply.header('retry-after', String(mapped.retryAfterSeconds));
  return reply
    .code(mapped.status)
    .type('application/json')
    .serializer(JSON.stringify)
    .send({ ...mapped.toBody(), detail: mapped.message });
}

const UNKNOWN_PAGE =
  '<!doctype html><html lang="en"><title>Not Found</title><h1>Not Found</h1><p>There is nothing at this address.</p></html>\n';

/** An unknown path: in JSON below /api/, unless somebody looks at it with a browser, as PythonAnywhere has it. */
export function answerUnknown(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (request.url.startsWith('/api/holdfast')) {
    return answerError(new HoldfastError('not-found', 'There is nothing at this address.'), request, reply);
  }
  if (request.url.startsWith('/api/') && !(request.headers.accept ?? '').includes('text/html')) {
    return reply.code(404).send({ detail: 'Not found. There is nothing at this address.' });
  }
  return reply.code(404).type('text/html; charset=utf-8').send(UNKNOWN_PAGE);
}
