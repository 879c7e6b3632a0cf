import type { FastifyInstance } from 'fastify';
import { settingsSchema } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { findPlan, forgetLimitsTold, listAccounts, listPlans, putPlan } from '../../store/accounts.ts';
import { listAudit } from '../../store/audit.ts';
import { changeSitesOf } from '../../store/sites.ts';
import { readSettings, writeSettings } from '../../store/settings.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';

/** Audit log, settings and plans. */
export function registerPlatform(server: FastifyInstance, context: ControlContext): void {
  const { database } = context;

  serve<'audit' | 'settings' | 'plans'>(server, {
    'audit.list': async ({ query }) => await listAudit(database, query.limit),

    'settings.get': async () => await readSettings(database),

    'settings.update': async ({ body, request }) => {
      if (body.signUpPlan !== undefined && !(await findPlan(database, body.signUpPlan))) {
        throw new HoldfastError('not-found', `There is no plan "${body.signUpPlan}".`, { field: 'signUpPlan' });
      }
      const settings = settingsSchema.parse({ ...(await readSettings(database)), ...body });
      await writeSettings(database, settings);
      await audit(context, actorOf(request), 'settings.change', 'platform', 'ok', JSON.stringify(body));
      return settings;
    },

    'plans.list': async () => [...(await listPlans(database))].map(([name, limits]) => ({ name, limits })),

    'plans.put': async ({ params, body, request }) => {
      const { name } = params;
      await database.transaction().execute(async (transaction) => {
        await putPlan(transaction, name, body);
        await forgetLimitsTold(transaction, name);
        for (const account of await listAccounts(transaction)) {
          if (account.plan === name) await changeSitesOf(transaction, account.id);
        }
      });
      await audit(context, actorOf(request), 'plan.change', name, 'ok', JSON.stringify(body));
      await context.desired.unfinished();
      return { name, limits: body };
    },
  });
}
