import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { logError, toHoldfastError } from '../errors.ts';

/** An answer that a client of PythonAnywhere knows: its status and its exact body. */
export class ApiAnswer extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`answer ${status}`);
    this.name = 'ApiAnswer';
    this.status = status;
    this.body = body;
  }
}

export const noPermission = (): ApiAnswer =>
  new ApiAnswer(403, { detail: 'You do not have permission to perform this action.' });
export const notFound = (): ApiAnswer => new ApiAnswer(404, { detail: 'Not found.' });

/** Django REST framework's words. */
export const wrongMethod = (method: string): never => {
  throw new ApiAnswer(405, { detail: `Method "${method}" not allowed.` });
};

/** Our names of fields, and PythonAnywhere's. */
const FIELDS: Readonly<Record<string, string>> = {
  pythonVersion: 'python_version',
  virtualenv: 'virtualenv_path',
  sourceDirectory: 'source_directory',
  workingDirectory: 'working_directory',
  domain: 'domain_name',
  protection: 'password_protection_password',
  staticFiles: 'path',
  staticHeaders: 'name',
  certificate: 'cert',
  schedule: 'cron',
};

/** An error as Django REST framework words it: per field for a wrong input, `detail` for everything else. */
export function answerApiError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  void reply.type('application/json').serializer(JSON.stringify);
  if (error instanceof ApiAnswer) return reply.code(error.status).send(withDetail(error.body));
  if (hasZodFastifySchemaValidationErrors(error)) {
    const byField: Record<string, string[]> = {};
    for (const issue of error.validation) {
      const field = issue.instancePath.split('/')[1] || 'non_field_errors';
      (byField[field] ??= []).push(issue.message ?? 'Invalid value.');
    }
    return reply.code(400).send(withDetail(byField));
  }
  const mapped = toHoldfastError(error);
  logError(error, mapped, request);
  if (mapped.retryAfterSeconds !== undefined) void reply.header('retry-after', String(mapped.retryAfterSeconds));
  if (mapped.code === 'input-invalid' && mapped.field !== undefined) {
    return reply.code(400).send(withDetail({ [FIELDS[mapped.field] ?? mapped.field]: [mapped.message] }));
  }
  return reply.code(mapped.status).send({ detail: mapped.message });
}

/** Fields that hold a whole sentence; any other field is named before its message. */
const SENTENCES = new Set(['error', 'error_message', 'message', 'non_field_errors']);

/**
 * PythonAnywhere words a refusal in half a dozen shapes, and its clients know each where it stands. One sentence in `detail` is
 * added to all of them, so that whoever writes a client reads one thing.
 */
function withDetail(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || 'detail' in body) return body;
  const said = Object.entries(body)
    .filter(([field]) => field !== 'status' && field !== 'error_type' && field !== 'code' && field !== 'details')
    .map(([field, value]: [string, unknown]) => {
      const text = (Array.isArray(value) ? value : [value]).map(String).join(' ');
      return SENTENCES.has(field) ? text : `${field}: ${text}`;
    });
  return { ...body, detail: said.join(' ') };
}
