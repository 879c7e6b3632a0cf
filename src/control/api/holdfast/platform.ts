import { z } from 'zod';
import { auditEntrySchema, planSchema, settingsSchema } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { PLAN_NAME } from '../../../model/plans.ts';
import { newPlanLimitsSchema } from '../../../protocol/sites.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { findPlan, forgetLimitsTold, listAccounts, listPlans, putPlan } from '../../store/accounts.ts';
import { listAudit } from '../../store/audit.ts';
import { changeSitesOf } from '../../store/sites.ts';
import { readSettings, writeSettings } from '../../store/settings.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

/** Audit log, settings and plans. */
export function registerPlatform(server: ZodServer, context: ControlContext): void {
  const { database } = context;

  server.get(
    '/api/holdfast/audit',
    {
      schema: {
        querystring: z.object({ limit: z.coerce.number().int().min(1).max(1000).default(100) }),
        response: { 200: z.array(auditEntrySchema) },
      },
    },
    async (request) => {
      requireOperator(request);
      return await listAudit(database, request.query.limit);
    },
  );

  server.get('/api/holdfast/settings', { schema: { response: { 200: settingsSchema } } }, async (request) => {
    requireOperator(request);
    return await readSettings(database);
  });

  server.patch(
    '/api/holdfast/settings',
    { schema: { body: settingsSchema.partial(), response: { 200: settingsSchema } } },
    async (request) => {
      requireOperator(request);
      if (request.body.signUpPlan !== undefined && !(await findPlan(database, request.body.signUpPlan))) {
        throw new HoldfastError('not-found', `There is no plan "${request.body.signUpPlan}".`, { field: 'signUpPlan' });
      }
      const settings = settingsSchema.parse({ ...(await readSettings(database)), ...request.body });
      await writeSettings(database, settings);
      await audit(context, actorOf(request), 'settings.change', 'platform', 'ok', JSON.stringify(request.body));
      return settings;
    },
  );

  server.get('/api/holdfast/plans', { schema: { response: { 200: z.array(planSchema) } } }, async (request) => {
    requireOperator(request);
    return [...(await listPlans(database))].map(([name, limits]) => ({ name, limits }));
  });

  server.put(
    '/api/holdfast/plans/:name',
    {
      schema: {
        params: z.object({
          name: z
            .string()
            .regex(
              PLAN_NAME,
              'A plan name has up to 30 lower-case letters, digits and hyphens, and begins with a letter.',
            ),
        }),
        body: newPlanLimitsSchema,
        response: { 200: planSchema },
      },
    },
    async (request) => {
      requireOperator(request);
      const { name } = request.params;
      await database.transaction().execute(async (transaction) => {
        await putPlan(transaction, name, request.body);
        await forgetLimitsTold(transaction, name);
        for (const account of await listAccounts(transaction)) {
          if (account.plan === name) await changeSitesOf(transaction, account.id);
        }
      });
      await audit(context, actorOf(request), 'plan.change', name, 'ok', JSON.stringify(request.body));
      await context.desired.unfinished();
      return { name, limits: request.body };
    },
  );
}
