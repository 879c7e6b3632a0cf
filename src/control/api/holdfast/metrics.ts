import { z } from 'zod';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { exposition, EXPOSITION_TYPE } from '../../metrics/exposition.ts';
import { collectMetrics } from '../../metrics/metrics.ts';
import { readMetricsToken, renewMetricsToken } from '../../metrics/metrics-token.ts';
import { audit } from '../../platform/audit.ts';
import { sameSecret } from '../../security/secrets.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

/** Figures for Prometheus: at the door with a token of their own, from the machine itself for the command line. */
export function registerMetrics(server: ZodServer, context: ControlContext): void {
  const { database } = context;

  server.get('/metrics', { schema: { produces: ['text/plain'] } }, async (request, reply) => {
    if (request.identity.kind !== 'command-line') {
      const token = await readMetricsToken(database);
      if (token === undefined) throw new HoldfastError('not-found', 'There is nothing at this address.');
      const shown = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1];
      if (shown === undefined || !sameSecret(shown, token)) {
        void reply.header('www-authenticate', 'Bearer');
        throw new HoldfastError('token-invalid', 'The metrics need their own token: holdfast platform metrics-token');
      }
    }
    return await reply.type(EXPOSITION_TYPE).send(exposition(await collectMetrics(context)));
  });

  server.get(
    '/api/holdfast/metrics-token',
    { schema: { response: { 200: z.object({ token: z.string().nullable() }) } } },
    async (request) => {
      requireOperator(request);
      // A page never needs it again; who copies it into Prometheus' configuration does so from the machine, or renews it.
      if (request.identity.kind !== 'command-line')
        throw new HoldfastError('forbidden', 'It is shown on the machine only: holdfast platform metrics-token');
      return { token: (await readMetricsToken(database)) ?? null };
    },
  );

  server.post(
    '/api/holdfast/metrics-token',
    { schema: { response: { 200: z.object({ token: z.string() }) } } },
    async (request) => {
      requireOperator(request);
      const token = await renewMetricsToken(database);
      await audit(context, actorOf(request), 'metrics-token.renew', 'platform');
      return { token };
    },
  );
}
