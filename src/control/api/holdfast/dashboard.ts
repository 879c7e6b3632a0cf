import { dashboardSchema } from '../../../protocol/browser.ts';
import type { ControlContext } from '../../context.ts';
import { memberDashboard, platformDashboard } from '../../platform/dashboard.ts';
import { isOperator, requireAccount, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

export function registerDashboard(server: ZodServer, context: ControlContext): void {
  server.get('/api/holdfast/dashboard', { schema: { response: { 200: dashboardSchema } } }, async (request) => {
    if (request.identity.kind === 'command-line') requireOperator(request);
    const account = request.identity.kind === 'command-line' ? undefined : requireAccount(request);
    return {
      account: account?.volume ? await memberDashboard(context, account) : null,
      platform: isOperator(request.identity) ? await platformDashboard(context) : null,
    };
  });
}
