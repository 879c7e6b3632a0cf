import type { FastifyInstance } from 'fastify';
import type { AccountView } from '../../../protocol/browser.ts';
import { changeAccount, deleteAccount, mustFindAccount, resetPassword } from '../../accounts/change-account.ts';
import { createAccount } from '../../accounts/create-account.ts';
import type { ControlContext } from '../../context.ts';
import { listAccounts, type AccountRow } from '../../store/accounts.ts';
import { countSites, countSitesByAccount } from '../../store/sites.ts';
import { readSettings } from '../../store/settings.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';

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

export function registerAccounts(server: FastifyInstance, context: ControlContext): void {
  serve<'accounts'>(server, {
    'accounts.list': async () => {
      const [accounts, sites] = await Promise.all([
        listAccounts(context.database),
        countSitesByAccount(context.database),
      ]);
      return accounts.map((account) => accountView(account, sites.get(account.id) ?? 0));
    },

    'accounts.create': async ({ body, request }) => {
      const { username, password, volume } = body;
      const plan = body.plan ?? (await readSettings(context.database)).signUpPlan;
      const created = await createAccount(context, actorOf(request), {
        username,
        plan,
        ...(password === undefined ? {} : { password }),
        ...(volume === undefined ? {} : { volume }),
      });
      return { username, password: created.password, api_token: created.apiToken, state: created.state };
    },

    'accounts.update': async ({ params, body, request }) => {
      const { plan, disabled } = body;
      await changeAccount(context, actorOf(request), params.name, {
        ...(plan === undefined ? {} : { plan }),
        ...(disabled === undefined ? {} : { disabled }),
      });
      const account = await mustFindAccount(context, params.name);
      return accountView(account, await countSites(context.database, account.id));
    },

    'accounts.delete': async ({ params, query, request }) => {
      await deleteAccount(context, actorOf(request), params.name, query.confirm);
    },

    'accounts.resetPassword': async ({ params, request }) => ({
      password: await resetPassword(context, actorOf(request), params.name),
    }),
  });
}
