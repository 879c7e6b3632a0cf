import type { z } from 'zod';
import { apiRoutes, type ApiAnswer } from '../api.ts';
import { HoldfastError } from '../errors.ts';
import type { ApiName } from './addresses.ts';

/** An answer as its row has it. Throws `internal` when it is something else: asked and answered were by different versions. */
export function readAnswer<N extends ApiName>(name: N, status: number, body: unknown): ApiAnswer<N> {
  const answers: Readonly<Record<number, z.ZodType>> = apiRoutes[name].answers;
  const read = answers[status]?.safeParse(body ?? null);
  if (read?.success) return read.data as ApiAnswer<N>;
  throw new HoldfastError(
    'internal',
    `The platform answered ${name} in a form that is not known here (status ${status}). If it was just brought up to date, start it again.`,
    read === undefined
      ? {}
      : { cause: read.error, details: read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) },
  );
}
