import { z } from 'zod';
import type { ZodServer } from '../zod-server.ts';
import { notFound } from './errors.ts';
import { ofUser } from './fields.ts';

/**
 * What Holdfast does not have yet. Lists are truly empty, and clients need a list there; everything else does not exist and
 * says so in JSON, because clients parse the answer whatever it is.
 */
export function registerLater(server: ZodServer): void {
  const base = '/api/v0/user/:username';
  for (const name of ['schedule', 'always_on', 'consoles', 'consoles/shared_with_you']) {
    server.get(`${base}/${name}/`, { schema: { params: ofUser, response: { 200: z.array(z.never()) } } }, () => []);
  }
  server.get(
    `${base}/students/`,
    { schema: { params: ofUser, response: { 200: z.object({ students: z.array(z.never()) }) } } },
    () => ({ students: [] }),
  );
  for (const name of ['schedule', 'always_on', 'consoles', 'students', 'databases']) {
    for (const url of [`${base}/${name}/`, `${base}/${name}/*`]) {
      server.route({
        method: url.endsWith('*') ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] : ['POST'],
        url,
        schema: { hide: true },
        handler: () => {
          throw notFound();
        },
      });
    }
  }
}
