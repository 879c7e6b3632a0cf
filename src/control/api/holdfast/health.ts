import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';

/** How the host is, and whether it repairs by itself. The setting lives on the host: it holds also while the control plane is down. */
export function registerHealth(server: FastifyInstance, context: ControlContext): void {
  const { agent, health } = context;

  serve<'health'>(server, {
    'health.get': async () => ({ host: await health.now() }),

    'health.setReaction': async ({ body, request }) => {
      const answer = await agent.call('health.setReaction', body);
      health.forget();
      await audit(context, actorOf(request), 'reaction.switch', 'platform', 'ok', answer.enabled ? 'on' : 'off');
      return answer;
    },
  });
}
