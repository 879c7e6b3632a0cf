import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { SiteView } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { deleteSite, goBack, mustFindSite, reloadSite, switchSite, updateSite } from '../../sites/change-site.ts';
import { createSite } from '../../sites/create-site.ts';
import { siteView } from '../../sites/site-view.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { listSites, type Site } from '../../store/sites.ts';
import { accountInQuestion, actorOf, isOperator, requireAccount } from '../identity.ts';
import { serve } from './serve.ts';

/** The site and its account. A site of somebody else does not exist, as far as a member can tell. */
async function ownSite(
  context: ControlContext,
  request: FastifyRequest,
  id: string,
): Promise<{ site: Site; account: AccountRow }> {
  const site = await mustFindSite(context, id);
  if (!isOperator(request.identity) && site.account_id !== requireAccount(request).id) {
    throw new HoldfastError('not-found', 'This site does not exist (any more).');
  }
  return { site, account: await accountInQuestion(context, request, site.account) };
}

export function registerSites(server: FastifyInstance, context: ControlContext): void {
  const switched = async (request: FastifyRequest, id: string, enabled: boolean): Promise<SiteView> => {
    const { site, account } = await ownSite(context, request, id);
    return siteView(context, await switchSite(context, actorOf(request), account, site, enabled));
  };

  serve<'sites'>(server, {
    'sites.list': async ({ query, request }) => {
      const everybody = query.account === undefined && isOperator(request.identity);
      const filter = everybody ? {} : { accountId: (await accountInQuestion(context, request, query.account)).id };
      const sites = await listSites(context.database, { ...filter, state: 'present' });
      return sites.map((site) => siteView(context, site));
    },

    'sites.create': async ({ query, body, request }) => {
      const account = await accountInQuestion(context, request, query.account);
      return siteView(context, await createSite(context, actorOf(request), account, body));
    },

    'sites.get': async ({ params, request }) => siteView(context, (await ownSite(context, request, params.id)).site),

    'sites.update': async ({ params, body, request }) => {
      const { site, account } = await ownSite(context, request, params.id);
      return siteView(context, await updateSite(context, actorOf(request), account, site, body));
    },

    'sites.delete': async ({ params, request }) => {
      const { site } = await ownSite(context, request, params.id);
      await deleteSite(context, actorOf(request), site);
    },

    'sites.reload': async ({ params, request }) => {
      const { site } = await ownSite(context, request, params.id);
      await reloadSite(context, actorOf(request), site);
      return siteView(context, await mustFindSite(context, site.id));
    },

    'sites.back': async ({ params, request }) => {
      const { site } = await ownSite(context, request, params.id);
      await goBack(context, actorOf(request), site);
      return siteView(context, await mustFindSite(context, site.id));
    },

    'sites.enable': async ({ params, request }) => await switched(request, params.id, true),
    'sites.disable': async ({ params, request }) => await switched(request, params.id, false),

    'sites.log': async ({ params, query, request }) => {
      const { site, account } = await ownSite(context, request, params.id);
      const { kind } = params;
      const { lines } = query;
      // Logs are outside of member storage: they can be read also while the volume is being repaired.
      return await context.logCalls.run(account.volume ?? '', () =>
        context.agent.call('logs.tail', { account: site.account, domain: site.domain, kind, lines }),
      );
    },
  });
}
