import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ControlContext } from '../../context.ts';
import { certificateNames, commonName } from '../../sites/certificate.ts';
import { updateSite } from '../../sites/change-site.ts';
import { findSiteByDomain, type Site } from '../../store/sites.ts';
import { usualDomain } from '../../sites/site-rules.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { OK, pem, statusOk, text } from './fields.ts';
import { mustFindWebapp, ofDomain } from './webapps.ts';

const certificateSchema = z.object({
  cert_type: z.string().optional(),
  not_after: z.string(),
  issuer_name: z.string(),
  subject_name: z.string(),
  subject_alternate_names: z.array(z.string()),
});

const putSchema = z.looseObject({ cert: pem.optional(), private_key: pem.optional(), cert_type: text.optional() });

/** 20180824T171623Z, as PythonAnywhere writes it and its client parses it. */
function compactTime(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

async function describe(context: ControlContext, site: Site): Promise<z.infer<typeof certificateSchema>> {
  if (site.certificate_pem !== null) {
    const own = certificateNames(site.certificate_pem);
    return {
      not_after: compactTime(own.notAfter),
      issuer_name: own.issuer,
      subject_name: own.subject,
      subject_alternate_names: own.alternativeNames,
    };
  }
  const platform = await context.agent.call('sites.certificate', { domain: site.domain });
  const under = site.domain.endsWith(`.${context.configuration.domain}`);
  return {
    cert_type: under ? 'pythonanywhere-subdomain' : 'letsencrypt-auto-renew',
    not_after: compactTime(platform.notAfter),
    issuer_name: commonName(platform.issuer),
    subject_name: commonName(platform.subject),
    subject_alternate_names: platform.alternativeNames,
  };
}

/** A certificate of one's own (`cert`, `private_key`), or the platform's, which renews itself (`letsencrypt-auto-renew`). */
async function install(
  context: ControlContext,
  request: FastifyRequest,
  site: Site,
  body: z.infer<typeof putSchema>,
): Promise<void> {
  const own = body.cert !== undefined || body.private_key !== undefined;
  if (own) {
    if (!body.cert) throw new ApiAnswer(400, { cert: ['This field is required.'] });
    if (!body.private_key) throw new ApiAnswer(400, { private_key: ['This field is required.'] });
    const certificate = { certificatePem: body.cert, privateKeyPem: body.private_key };
    await updateSite(context, actorOf(request), request.owner, site, { certificate });
    return;
  }
  if (body.cert_type !== 'letsencrypt-auto-renew' && body.cert_type !== 'pythonanywhere-subdomain') {
    if (body.cert_type) throw new ApiAnswer(400, { cert_type: [`"${body.cert_type}" is not a valid choice.`] });
    throw new ApiAnswer(400, { cert: ['This field is required.'], private_key: ['This field is required.'] });
  }
  await updateSite(context, actorOf(request), request.owner, site, { certificate: null });
}

export function registerCertificates(server: ZodServer, context: ControlContext): void {
  const anySite = async (request: FastifyRequest, domain: string): Promise<Site> => {
    const site = await findSiteByDomain(context.database, usualDomain(domain));
    if (!site || site.account_id !== request.owner.id || site.state !== 'present') throw notFound();
    return site;
  };
  const webapp = async (request: FastifyRequest, domain: string): Promise<Site> =>
    await mustFindWebapp(context, request.owner, domain);
  const places = [
    { url: '/api/v0/user/:username/webapps/:domain/ssl/', find: webapp },
    { url: '/api/v1/user/:username/domains/:domain/ssl/', find: anySite },
  ];
  for (const { url, find } of places) {
    server.get(url, { schema: { params: ofDomain, response: { 200: certificateSchema } } }, async (request) =>
      describe(context, await find(request, request.params.domain)),
    );
    server.post(
      url,
      { schema: { params: ofDomain, body: putSchema, response: { 200: statusOk } } },
      async (request) => {
        await install(context, request, await find(request, request.params.domain), request.body);
        return OK;
      },
    );
    server.delete(url, { schema: { params: ofDomain, response: { 200: statusOk } } }, async (request) => {
      const site = await find(request, request.params.domain);
      await updateSite(context, actorOf(request), request.owner, site, { certificate: null });
      return OK;
    });
  }
}
