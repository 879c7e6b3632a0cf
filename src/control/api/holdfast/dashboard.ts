import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { memberDashboard, platformDashboard } from '../../platform/dashboard.ts';
import { isOperator, requireAccount } from '../identity.ts';
import { serve } from './serve.ts';

export function registerDashboard(server: FastifyInstance, context: ControlContext): void {
  serve<'dashboard'>(server, {
    'dashboard.get': async ({ request }) => {
      const account = request.identity.kind === 'command-line' ? undefined : requireAccount(request);
      return {
        account: account?.volume ? await memberDashboard(context, account) : null,
        platform: isOperator(request.identity) ? await platformDashboard(context) : null,
      };
    },
  });
}
