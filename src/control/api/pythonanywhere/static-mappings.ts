import { z } from 'zod';
import { staticHeaderSchema, staticMappingSchema } from '../../../protocol/sites.ts';
import type { ControlContext } from '../../context.ts';
import { touchSite } from '../../sites/change-site.ts';
import { checkHeader, checkMapping } from '../../sites/site-rules.ts';
import {
  deleteStaticFile, deleteStaticHeader, insertStaticFile, insertStaticHeader, updateStaticFile, updateStaticHeader,
  type Site, type StaticFileRow, type StaticHeaderRow,
} from '../../store/sites.ts'; // prettier-ignore
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { filledText, looseText } from './fields.ts';
import { mustFindWebapp, ofDomain } from './webapps.ts';

const MAPPINGS_PER_SITE = 100;

const withId = ofDomain.extend({ id: z.string() });
const fileFields = z.looseObject({ url: filledText, path: filledText });
/** For changes: what is null is not changed. */
const fileChanges = z.looseObject({ url: filledText.nullish(), path: filledText.nullish() });
const headerChanges = z.looseObject({
  url: filledText.nullish(),
  name: filledText.nullish(),
  value: looseText.nullish(),
});
const headerFields = z.looseObject({ url: filledText, name: filledText, value: looseText });

function viewFile({ id, url, path }: StaticFileRow): { id: number; url: string; path: string } {
  return { id, url, path };
}

function viewHeader({ id, url, name, value }: StaticHeaderRow): {
  id: number;
  url: string;
  name: string;
  value: string;
} {
  return { id, url, name, value };
}

/** The URL part starts with a slash, whatever was typed. */
function usualUrl(url: string): string {
  const trimmed = url.trim();
  return trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
}

function byId<T extends { id: number }>(rows: readonly T[], id: string): T {
  const row = rows.find((candidate) => String(candidate.id) === id);
  if (!row) throw notFound();
  return row;
}

function refuseTooMany(count: number): void {
  if (count >= MAPPINGS_PER_SITE) {
    throw new ApiAnswer(400, { non_field_errors: [`A site may have at most ${MAPPINGS_PER_SITE} of these.`] });
  }
}

/** static_files and static_headers of a web app. */
export function registerStaticMappings(server: ZodServer, context: ControlContext): void {
  registerFiles(server, context);
  registerHeaders(server, context);
}

function registerFiles(server: ZodServer, context: ControlContext): void {
  const { database } = context;
  const base = '/api/v0/user/:username/webapps/:domain/static_files';
  const find = async (request: { owner: Parameters<typeof mustFindWebapp>[1] }, domain: string): Promise<Site> =>
    await mustFindWebapp(context, request.owner, domain);

  server.get(
    `${base}/`,
    { schema: { params: ofDomain, response: { 200: z.array(staticMappingSchema) } } },
    async (request) => (await find(request, request.params.domain)).staticFiles.map(viewFile),
  );

  server.post(
    `${base}/`,
    { schema: { params: ofDomain, body: fileFields, response: { 201: staticMappingSchema } } },
    async (request, reply) => {
      const site = await find(request, request.params.domain);
      refuseTooMany(site.staticFiles.length);
      const typed = { url: usualUrl(request.body.url), path: request.body.path };
      const mapping = checkMapping(typed, request.owner.name);
      const row = await insertStaticFile(database, { site_id: site.id, ...mapping });
      await touchSite(context, actorOf(request), site, 'staticFiles');
      return reply.code(201).send(viewFile(row));
    },
  );

  server.get(`${base}/:id/`, { schema: { params: withId, response: { 200: staticMappingSchema } } }, async (request) =>
    viewFile(byId((await find(request, request.params.domain)).staticFiles, request.params.id)),
  );

  for (const method of ['PUT', 'PATCH'] as const) {
    server.route({
      method,
      url: `${base}/:id/`,
      schema: { params: withId, body: fileChanges, response: { 200: staticMappingSchema } },
      handler: async (request) => {
        const site = await find(request, request.params.domain);
        const row = byId(site.staticFiles, request.params.id);
        const typed = { ...row, url: usualUrl(request.body.url ?? row.url), path: request.body.path ?? row.path };
        const changed = checkMapping(typed, request.owner.name);
        await updateStaticFile(database, row.id, { url: changed.url, path: changed.path });
        await touchSite(context, actorOf(request), site, 'staticFiles');
        return viewFile(changed);
      },
    });
  }

  server.delete(`${base}/:id/`, { schema: { params: withId, response: { 204: z.null() } } }, async (request, reply) => {
    const site = await find(request, request.params.domain);
    await deleteStaticFile(database, byId(site.staticFiles, request.params.id).id);
    await touchSite(context, actorOf(request), site, 'staticFiles');
    return reply.code(204).send(null);
  });
}

function registerHeaders(server: ZodServer, context: ControlContext): void {
  const { database } = context;
  const base = '/api/v0/user/:username/webapps/:domain/static_headers';
  const find = async (request: { owner: Parameters<typeof mustFindWebapp>[1] }, domain: string): Promise<Site> =>
    await mustFindWebapp(context, request.owner, domain);

  server.get(
    `${base}/`,
    { schema: { params: ofDomain, response: { 200: z.array(staticHeaderSchema) } } },
    async (request) => (await find(request, request.params.domain)).staticHeaders.map(viewHeader),
  );

  server.post(
    `${base}/`,
    { schema: { params: ofDomain, body: headerFields, response: { 201: staticHeaderSchema } } },
    async (request, reply) => {
      const site = await find(request, request.params.domain);
      refuseTooMany(site.staticHeaders.length);
      const header = { url: usualUrl(request.body.url), name: request.body.name.trim(), value: request.body.value };
      checkHeader(header);
      const row = await insertStaticHeader(database, { site_id: site.id, ...header });
      await touchSite(context, actorOf(request), site, 'staticHeaders');
      return reply.code(201).send(viewHeader(row));
    },
  );

  server.get(`${base}/:id/`, { schema: { params: withId, response: { 200: staticHeaderSchema } } }, async (request) =>
    viewHeader(byId((await find(request, request.params.domain)).staticHeaders, request.params.id)),
  );

  for (const method of ['PUT', 'PATCH'] as const) {
    server.route({
      method,
      url: `${base}/:id/`,
      schema: { params: withId, body: headerChanges, response: { 200: staticHeaderSchema } },
      handler: async (request) => {
        const site = await find(request, request.params.domain);
        const row = byId(site.staticHeaders, request.params.id);
        const changed = {
          ...row,
          url: usualUrl(request.body.url ?? row.url),
          name: (request.body.name ?? row.name).trim(),
          value: request.body.value ?? row.value,
        };
        checkHeader(changed);
        await updateStaticHeader(database, row.id, { url: changed.url, name: changed.name, value: changed.value });
        await touchSite(context, actorOf(request), site, 'staticHeaders');
        return viewHeader(changed);
      },
    });
  }

  server.delete(`${base}/:id/`, { schema: { params: withId, response: { 204: z.null() } } }, async (request, reply) => {
    const site = await find(request, request.params.domain);
    await deleteStaticHeader(database, byId(site.staticHeaders, request.params.id).id);
    await touchSite(context, actorOf(request), site, 'staticHeaders');
    return reply.code(204).send(null);
  });
}
