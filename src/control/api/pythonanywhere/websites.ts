import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { deleteSite, switchSite } from '../../sites/change-site.ts';
import { createSite } from '../../sites/create-site.ts';
import { findSiteByDomain, listSites, type Site } from '../../store/sites.ts';
import { usualDomain } from '../../sites/site-rules.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { filledText, OK, ofUser, statusOk, yesNo } from './fields.ts';
import { ofDomain, reloadForClient } from './webapps.ts';

const domainSchema = z.object({ domain_name: z.string(), enabled: z.boolean(), cname: z.string().optional() });
const websiteSchema = z.object({
  id: z.number(),
  user: z.string(),
  domain_name: z.string(),
  enabled: z.boolean(),
  webapp: z.object({ id: z.number(), command: z.string(), domains: z.array(domainSchema) }),
  logfiles: z.object({ access: z.string(), server: z.string(), error: z.string() }),
});

const required = {
  error: (issue: { input: unknown }): string =>
    issue.input === undefined ? 'This field is required.' : 'Invalid data. Expected a dictionary.',
};
const createSchema = z.looseObject({
  domain_name: filledText,
  enabled: yesNo.optional(),
  webapp: z.looseObject({ command: filledText }, required),
});
const changeSchema = z.looseObject({ enabled: yesNo.optional() });

function website(context: ControlContext, site: Site): z.infer<typeof websiteSchema> {
  const { domain } = site;
  const enabled = site.enabled === 1;
  const platform = context.configuration.domain;
  // What the owner of a custom domain points it to.
  const cname = domain.endsWith(`.${platform}`) ? {} : { cname: `${site.account}.${platform}` };
  return {
    id: site.number,
    user: site.account,
    domain_name: domain,
    enabled,
    webapp: { id: site.number, command: site.command, domains: [{ domain_name: domain, enabled, ...cname }] },
    logfiles: {
      access: `/var/log/${domain}.access.log`,
      server: `/var/log/${domain}.server.log`,
      error: `/var/log/${domain}.error.log`,
    },
  };
}

async function mustFindWebsite(context: ControlContext, request: FastifyRequest, domain: string): Promise<Site> {
  const site = await findSiteByDomain(context.database, usualDomain(domain));
  if (!site || site.account_id !== request.owner.id || site.state !== 'present' || site.kind !== 'command')
    throw notFound();
  return site;
}

/** Command-based sites of the v1 API. */
export function registerWebsites(server: ZodServer, context: ControlContext): void {
  const base = '/api/v1/user/:username/websites';

  server.get(`${base}/`, { schema: { params: ofUser, response: { 200: z.array(websiteSchema) } } }, async (request) => {
    const sites = await listSites(context.database, { accountId: request.owner.id, state: 'present' });
    return sites.filter((site) => site.kind === 'command').map((site) => website(context, site));
  });

  server.post(
    `${base}/`,
    { schema: { params: ofUser, body: createSchema, response: { 201: websiteSchema } } },
    async (request, reply) => {
      const { domain_name: domain, enabled, webapp } = request.body;
      try {
        const site = await createSite(context, actorOf(request), request.owner, {
          domain,
          quickstart: 'command',
          command: webapp.command,
          enabled: enabled ?? true,
        });
        return await reply.code(201).send(website(context, site));
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (error.code === 'domain-taken')
          throw new ApiAnswer(400, { domain_name: ['domain with this domain name already exists.'] });
        if (error.code === 'limit-reached') throw new ApiAnswer(400, { non_field_errors: [error.message] });
        throw error;
      }
    },
  );

  server.get(`${base}/:domain/`, { schema: { params: ofDomain, response: { 200: websiteSchema } } }, async (request) =>
    website(context, await mustFindWebsite(context, request, request.params.domain)),
  );

  // PUT changes only what it names, too: clients send back what they have read.
  for (const method of ['PATCH', 'PUT'] as const) {
    server.route({
      method,
      url: `${base}/:domain/`,
      schema: { params: ofDomain, body: changeSchema, response: { 200: websiteSchema } },
      handler: async (request) => {
        const site = await mustFindWebsite(context, request, request.params.domain);
        const { enabled } = request.body;
        if (enabled === undefined || enabled === (site.enabled === 1)) return website(context, site);
        try {
          return website(context, await switchSite(context, actorOf(request), request.owner, site, enabled));
        } catch (error) {
          if (error instanceof HoldfastError && error.code === 'limit-reached')
            throw new ApiAnswer(400, { error: error.message });
          throw error;
        }
      },
    });
  }

  server.delete(
    `${base}/:domain/`,
    { schema: { params: ofDomain, response: { 204: z.null() } } },
    async (request, reply) => {
      await deleteSite(context, actorOf(request), await mustFindWebsite(context, request, request.params.domain));
      return reply.code(204).send(null);
    },
  );

  server.post(
    `${base}/:domain/reload/`,
    { schema: { params: ofDomain, response: { 200: statusOk } } },
    async (request) => {
      await reloadForClient(context, request, await mustFindWebsite(context, request, request.params.domain));
      return OK;
    },
  );
}
