import { z } from 'zod';
import { hostHealthSchema } from '../../../protocol/health.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const enabledSchema = z.object({ enabled: z.boolean() });

/** How the host is, and whether it repairs by itself. The setting lives on the host: it holds also while the control plane is down. */
export function registerHealth(server: ZodServer, context: ControlContext): void {
  const { agent, health } = context;

  server.get(
    '/api/holdfast/health',
    { schema: { response: { 200: z.object({ host: hostHealthSchema.nullable() }) } } },
    async (request) => {
      requireOperator(request);
      return { host: await health.now() };
    },
  );

  server.put(
    '/api/holdfast/health/reaction',
    { schema: { body: enabledSchema, response: { 200: enabledSchema } } },
    async (request) => {
      requireOperator(request);
      const answer = await agent.call('health.setReaction', request.body);
      health.forget();
      await audit(context, actorOf(request), 'reaction.switch', 'platform', 'ok', answer.enabled ? 'on' : 'off');
      return answer;
    },
  );
}
