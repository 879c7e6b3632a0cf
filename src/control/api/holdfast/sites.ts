import { z } from 'zod';
import { createSiteSchema, siteViewSchema, updateSiteSchema } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { FastifyRequest } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { deleteSite, goBack, mustFindSite, reloadSite, switchSite, updateSite } from '../../sites/change-site.ts';
import { createSite } from '../../sites/create-site.ts';
import { siteView } from '../../sites/site-view.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { listSites, type Site } from '../../store/sites.ts';
import { accountInQuestion, actorOf, isOperator, requireAccount } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byId = z.object({ id: z.string().regex(/^[0-9a-f]{12}$/, 'A site id has 12 hexadecimal characters.') });
const ofAccount = z.object({ account: z.string().optional() });

/** The site and its account. A site of somebody else does not exist, as far as a member can tell. */
async function ownSite(
  context: ControlContext,
  request: FastifyRequest,
  id: string,
): Promise<{ site: Site; account: AccountRow }> {
  if (!isOperator(request.identity)) requireAccount(request);
  const site = await mustFindSite(context, id);
  if (!isOperator(request.identity) && site.account_id !== requireAccount(request).id) {
    throw new HoldfastError('not-found', 'This site does not exist (any more).');
  }
  return { site, account: await accountInQuestion(context, request, site.account) };
}

export function registerSites(server: ZodServer, context: ControlContext): void {
  server.get(
    '/api/holdfast/sites',
    { schema: { querystring: ofAccount, response: { 200: z.array(siteViewSchema) } } },
    async (request) => {
      const named = request.query.account;
      const everybody = named === undefined && isOperator(request.identity);
      const filter = everybody ? {} : { accountId: (await accountInQuestion(context, request, named)).id };
      if (everybody && request.identity.kind === 'session') requireAccount(request);
      const sites = await listSites(context.database, { ...filter, state: 'present' });
      return sites.map((site) => siteView(context, site));
    },
  );

  server.post(
    '/api/holdfast/sites',
    { schema: { querystring: ofAccount, body: createSiteSchema, response: { 201: siteViewSchema } } },
    async (request, reply) => {
      const account = await accountInQuestion(context, request, request.query.account);
      const site = await createSite(context, actorOf(request), account, request.body);
      return reply.code(201).send(siteView(context, site));
    },
  );

  server.get(
    '/api/holdfast/sites/:id',
    { schema: { params: byId, response: { 200: siteViewSchema } } },
    async (request) => siteView(context, (await ownSite(context, request, request.params.id)).site),
  );

  server.patch(
    '/api/holdfast/sites/:id',
    { schema: { params: byId, body: updateSiteSchema, response: { 200: siteViewSchema } } },
    async (request) => {
      const { site, account } = await ownSite(context, request, request.params.id);
      return siteView(context, await updateSite(context, actorOf(request), account, site, request.body));
    },
  );

  server.delete(
    '/api/holdfast/sites/:id',
    { schema: { params: byId, response: { 204: z.null() } } },
    async (request, reply) => {
      const { site } = await ownSite(context, request, request.params.id);
      await deleteSite(context, actorOf(request), site);
      return reply.code(204).send(null);
    },
  );

  server.post(
    '/api/holdfast/sites/:id/reload',
    { schema: { params: byId, response: { 200: siteViewSchema } } },
    async (request) => {
      const { site } = await ownSite(context, request, request.params.id);
      await reloadSite(context, actorOf(request), site);
      return siteView(context, await mustFindSite(context, site.id));
    },
  );

  server.post(
    '/api/holdfast/sites/:id/back',
    { schema: { params: byId, response: { 200: siteViewSchema } } },
    async (request) => {
      const { site } = await ownSite(context, request, request.params.id);
      await goBack(context, actorOf(request), site);
      return siteView(context, await mustFindSite(context, site.id));
    },
  );

  for (const [action, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    server.post(
      `/api/holdfast/sites/:id/${action}`,
      { schema: { params: byId, response: { 200: siteViewSchema } } },
      async (request) => {
        const { site, account } = await ownSite(context, request, request.params.id);
        return siteView(context, await switchSite(context, actorOf(request), account, site, enabled));
      },
    );
  }

  server.get(
    '/api/holdfast/sites/:id/logs/:kind',
    {
      schema: {
        params: byId.extend({ kind: z.enum(['access', 'error', 'server']) }),
        querystring: z.object({ lines: z.coerce.number().int().min(1).max(2000).default(200) }),
        response: { 200: z.object({ lines: z.array(z.string()), sizeBytes: z.number() }) },
      },
    },
    async (request) => {
      const { site, account } = await ownSite(context, request, request.params.id);
      const { kind } = request.params;
      const { lines } = request.query;
      // Logs are outside of member storage: they can be read also while the volume is being repaired.
      return await context.logCalls.run(account.volume ?? '', () =>
        context.agent.call('logs.tail', { account: site.account, domain: site.domain, kind, lines }),
      );
    },
  );
}
