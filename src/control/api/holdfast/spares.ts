import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';

/** Empty disks that a repair may take without asking. The list is the host's: it must be there while the control plane is not. */
export function registerSpares(server: FastifyInstance, context: ControlContext): void {
  const { agent } = context;

  serve<'spares'>(server, {
    'spares.list': async () => await agent.call('spares.list', {}),

    'spares.add': async ({ body, request }) => {
      const spares = await agent.call('spares.add', { disk: body.disk });
      await audit(context, actorOf(request), 'spare.add', body.disk, 'ok', '');
      return spares;
    },

    'spares.remove': async ({ query, request }) => {
      const spares = await agent.call('spares.remove', { disk: query.disk });
      await audit(context, actorOf(request), 'spare.remove', query.disk, 'ok', '');
      return spares;
    },
  });
}
