import { z } from 'zod';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { ofUser } from './fields.ts';

/** What cannot be made here yet, as its clients' users call it: the clients print this sentence as it is. */
const NOT_YET: Readonly<Record<string, string>> = {
  consoles: 'consoles',
};

/**
 * What Holdfast does not have yet. Lists are truly empty, and clients need a list there; everything else does not exist and
 * says so in JSON, because clients parse the answer whatever it is. Things that are looked for by number get the exact words
 * "Not found.", which some clients compare.
 */
export function registerLater(server: ZodServer): void {
  const base = '/api/v0/user/:username';
  for (const name of ['consoles', 'consoles/shared_with_you']) {
    server.get(`${base}/${name}/`, { schema: { params: ofUser, response: { 200: z.array(z.never()) } } }, () => []);
  }
  server.get(
    `${base}/students/`,
    { schema: { params: ofUser, response: { 200: z.object({ students: z.array(z.never()) }) } } },
    () => ({ students: [] }),
  );
  for (const name of ['consoles', 'students', 'databases']) {
    for (const url of [`${base}/${name}/`, `${base}/${name}/*`]) {
      server.route({
        method: url.endsWith('*') ? ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] : ['POST'],
        url,
        schema: { hide: true },
        handler: () => {
          const things = url.endsWith('*') ? undefined : NOT_YET[name];
          throw things === undefined ? notFound() : new ApiAnswer(404, { detail: `There are no ${things} here yet.` });
        },
      });
    }
  }
}
