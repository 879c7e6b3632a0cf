import { z } from 'zod';
import { sparesSchema } from '../../../protocol/agent.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const aDisk = z.object({ disk: z.string().startsWith('/', 'The path of a disk begins with a slash.').max(1000) });

/** Empty disks that a repair may take without asking. The list is the host's: it must be there while the control plane is not. */
export function registerSpares(server: ZodServer, context: ControlContext): void {
  const { agent } = context;

  server.get('/api/holdfast/spares', { schema: { response: { 200: sparesSchema } } }, async (request) => {
    requireOperator(request);
    return await agent.call('spares.list', {});
  });

  server.post(
    '/api/holdfast/spares',
    { schema: { body: aDisk, response: { 201: sparesSchema } } },
    async (request, reply) => {
      requireOperator(request);
      const { disk } = request.body;
      const spares = await agent.call('spares.add', { disk });
      await audit(context, actorOf(request), 'spare.add', disk, 'ok', '');
      return await reply.code(201).send(spares);
    },
  );

  server.delete(
    '/api/holdfast/spares',
    { schema: { querystring: aDisk, response: { 200: sparesSchema } } },
    async (request) => {
      requireOperator(request);
      const { disk } = request.query;
      const spares = await agent.call('spares.remove', { disk });
      await audit(context, actorOf(request), 'spare.remove', disk, 'ok', '');
      return spares;
    },
  );
}
