import { z } from 'zod';
import {
  accountViewSchema,
  createAccountSchema,
  createdAccountSchema,
  type AccountView,
} from '../../../protocol/browser.ts';
import { changeAccount, deleteAccount, mustFindAccount, resetPassword } from '../../accounts/change-account.ts';
import { createAccount } from '../../accounts/create-account.ts';
import type { ControlContext } from '../../context.ts';
import { listAccounts, type AccountRow } from '../../store/accounts.ts';
import { countSites, countSitesByAccount } from '../../store/sites.ts';
import { readSettings } from '../../store/settings.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byName = z.object({ name: z.string() });

export function accountView(account: AccountRow, sites: number): AccountView {
  return {
    name: account.name,
    role: account.role,
    plan: account.plan,
    volume: account.volume,
    disabled: account.disabled === 1,
    sites,
    createdAt: account.created_at,
    state: account.state,
  };
}

export function registerAccounts(server: ZodServer, context: ControlContext): void {
  server.get(
    '/api/holdfast/accounts',
    { schema: { response: { 200: z.array(accountViewSchema) } } },
    async (request) => {
      requireOperator(request);
      const [accounts, sites] = await Promise.all([
        listAccounts(context.database),
        countSitesByAccount(context.database),
      ]);
      return accounts.map((account) => accountView(account, sites.get(account.id) ?? 0));
    },
  );

  server.post(
    '/api/holdfast/accounts',
    { schema: { body: createAccountSchema, response: { 201: createdAccountSchema } } },
    async (request, reply) => {
      requireOperator(request);
      const { username, password, volume } = request.body;
      const plan = request.body.plan ?? (await readSettings(context.database)).signUpPlan;
      const created = await createAccount(context, actorOf(request), {
        username,
        plan,
        ...(password === undefined ? {} : { password }),
        ...(volume === undefined ? {} : { volume }),
      });
      return reply
        .code(201)
        .send({ username, password: created.password, api_token: created.apiToken, state: created.state });
    },
  );

  server.patch(
    '/api/holdfast/accounts/:name',
    {
      schema: {
        params: byName,
        body: z.object({ plan: z.string().optional(), disabled: z.boolean().optional() }),
        response: { 200: accountViewSchema },
      },
    },
    async (request) => {
      requireOperator(request);
      const { plan, disabled } = request.body;
      await changeAccount(context, actorOf(request), request.params.name, {
        ...(plan === undefined ? {} : { plan }),
        ...(disabled === undefined ? {} : { disabled }),
      });
      const account = await mustFindAccount(context, request.params.name);
      return accountView(account, await countSites(context.database, account.id));
    },
  );

  server.delete(
    '/api/holdfast/accounts/:name',
    {
      schema: {
        params: byName,
        querystring: z.object({ confirm: z.string().optional() }),
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      requireOperator(request);
      await deleteAccount(context, actorOf(request), request.params.name, request.query.confirm);
      return reply.code(204).send(null);
    },
  );

  server.post(
    '/api/holdfast/accounts/:name/password',
    { schema: { params: byName, response: { 200: z.object({ password: z.string() }) } } },
    async (request) => {
      requireOperator(request);
      return { password: await resetPassword(context, actorOf(request), request.params.name) };
    },
  );
}
