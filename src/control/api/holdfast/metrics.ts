import type { FastifyInstance } from 'fastify';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { exposition, EXPOSITION_TYPE } from '../../metrics/exposition.ts';
import { collectMetrics } from '../../metrics/metrics.ts';
import { readMetricsToken, renewMetricsToken } from '../../metrics/metrics-token.ts';
import { audit } from '../../platform/audit.ts';
import { sameSecret } from '../../security/secrets.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';
import { serveStream } from './serve-stream.ts';

/** Figures for Prometheus: at the door with a token of their own, from the machine itself for the command line. */
export function registerMetrics(server: FastifyInstance, context: ControlContext): void {
  const { database } = context;

  serveStream(server, 'metrics.read', async ({ request, reply }) => {
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

  serve<'metrics'>(server, {
    // A page never needs it again; who copies it into Prometheus' configuration does so from the machine, or renews it.
    'metrics.token': async () => ({ token: (await readMetricsToken(database)) ?? null }),

    'metrics.renewToken': async ({ request }) => {
      const token = await renewMetricsToken(database);
      await audit(context, actorOf(request), 'metrics-token.renew', 'platform');
      return { token };
    },
  });
}
