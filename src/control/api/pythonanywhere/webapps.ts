import { z } from 'zod';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { deleteSite, reloadSite, switchSite, updateSite, type SiteChange } from '../../sites/change-site.ts';
import { createSite } from '../../sites/create-site.ts';
import { availablePythons, matchPython, usualDomain } from '../../sites/site-rules.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { findSiteByDomain, listSites, type Site } from '../../store/sites.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, noPermission } from './errors.ts';
import { filledText, OK, ofUser, statusOk, text, yesNo } from './fields.ts';

export const ofDomain = ofUser.extend({ domain: z.string() });

const webappSchema = z.object({
  id: z.number(),
  user: z.string(),
  domain_name: z.string(),
  enabled: z.boolean(),
  python_version: z.string(),
  source_directory: z.string(),
  working_directory: z.string(),
  virtualenv_path: z.string(),
  expiry: z.null(),
  force_https: z.boolean(),
  password_protection_enabled: z.boolean(),
  password_protection_username: z.string(),
  password_protection_password: z.literal(''),
});

function webapp(site: Site): z.infer<typeof webappSchema> {
  return {
    id: site.number,
    user: site.account,
    domain_name: site.domain,
    enabled: site.enabled === 1,
    python_version: site.python_version,
    source_directory: site.source_directory,
    working_directory: site.working_directory,
    virtualenv_path: site.virtualenv,
    // Sites do not expire here.
    expiry: null,
    force_https: site.force_https === 1,
    password_protection_enabled: site.protection_enabled === 1,
    password_protection_username: site.protection_username,
    // Only its hash is kept, and nobody is told it. Sent back as it is ("" = not set), it changes nothing.
    password_protection_password: '',
  };
}

const createSchema = z.looseObject({ domain_name: filledText, python_version: text.optional() });
// Clients send back what they have read, or null for what they do not want to change.
const changeSchema = z.looseObject({
  python_version: text.nullable().optional(),
  source_directory: text.nullable().optional(),
  working_directory: text.nullable().optional(),
  virtualenv_path: text.nullable().optional(),
  force_https: yesNo.optional(),
  password_protection_enabled: yesNo.optional(),
  password_protection_username: text.nullable().optional(),
  password_protection_password: text.nullable().optional(),
});

/** The member's WSGI or static site at a domain; PythonAnywhere answers 403 when there is none. */
export async function mustFindWebapp(context: ControlContext, owner: AccountRow, domain: string): Promise<Site> {
  const site = await findSiteByDomain(context.database, usualDomain(domain));
  if (!site || site.account_id !== owner.id || site.state !== 'present' || site.kind === 'command')
    throw noPermission();
  return site;
}

/** The interpreter a client asked for. Throws Django's refusal of a choice. */
function choosePython(context: ControlContext, asked: string): string {
  const version = matchPython(asked, availablePythons(context));
  if (version === undefined) throw new ApiAnswer(400, { python_version: [`"${asked}" is not a valid choice.`] });
  return version;
}

function domainNameError(message: string): ApiAnswer {
  return new ApiAnswer(400, { status: 'ERROR', error_type: 'domain_name_error', error_message: message });
}

async function createWebapp(
  context: ControlContext,
  request: Parameters<typeof actorOf>[0],
  body: z.infer<typeof createSchema>,
): Promise<void> {
  const pythonVersion = body.python_version ? choosePython(context, body.python_version) : undefined;
  const holder = await findSiteByDomain(context.database, usualDomain(body.domain_name));
  if (holder && holder.account_id === request.owner.id && holder.kind === 'command') {
    throw new ApiAnswer(403, {
      detail: 'You do not have permission to perform this action. A website of yours already has this domain.',
    });
  }
  try {
    await createSite(context, actorOf(request), request.owner, {
      domain: body.domain_name,
      quickstart: 'manual',
      ...(pythonVersion === undefined ? {} : { pythonVersion }),
    });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'domain-taken' || error.field === 'domain') throw domainNameError(error.message);
    if (error.code === 'limit-reached') {
      throw new ApiAnswer(400, { status: 'ERROR', error_type: 'limit_error', error_message: error.message });
    }
    throw error;
  }
}

/** An empty path as Python's pathlib writes it: clients that wrap every path in a `Path` send this for "none". */
const EMPTY_PYTHON_PATH = '.';

function toChange(context: ControlContext, body: z.infer<typeof changeSchema>): SiteChange {
  const change: SiteChange = {};
  if (body.python_version) change.pythonVersion = choosePython(context, body.python_version);
  if (typeof body.source_directory === 'string' && body.source_directory !== EMPTY_PYTHON_PATH)
    change.sourceDirectory = body.source_directory;
  if (body.working_directory) change.workingDirectory = body.working_directory;
  if (body.virtualenv_path !== undefined)
    change.virtualenv = body.virtualenv_path === EMPTY_PYTHON_PATH ? '' : (body.virtualenv_path ?? '');
  if (body.force_https !== undefined) change.forceHttps = body.force_https;
  if (body.password_protection_enabled !== undefined) change.protectionEnabled = body.password_protection_enabled;
  if (typeof body.password_protection_username === 'string')
    change.protectionUsername = body.password_protection_username;
  if (body.password_protection_password) change.protectionPassword = body.password_protection_password;
  return change;
}

export function registerWebapps(server: ZodServer, context: ControlContext): void {
  const base = '/api/v0/user/:username/webapps';

  server.get(`${base}/`, { schema: { params: ofUser, response: { 200: z.array(webappSchema) } } }, async (request) => {
    const sites = await listSites(context.database, { accountId: request.owner.id, state: 'present' });
    return sites.filter((site) => site.kind !== 'command').map(webapp);
  });

  server.post(
    `${base}/`,
    { schema: { params: ofUser, body: createSchema, response: { 201: statusOk } } },
    async (request, reply) => {
      await createWebapp(context, request, request.body);
      return reply.code(201).send(OK);
    },
  );

  server.get(`${base}/:domain/`, { schema: { params: ofDomain, response: { 200: webappSchema } } }, async (request) =>
    webapp(await mustFindWebapp(context, request.owner, request.params.domain)),
  );

  // PUT changes only what it names, too: clients use it like that.
  for (const method of ['PATCH', 'PUT'] as const) {
    server.route({
      method,
      url: `${base}/:domain/`,
      schema: { params: ofDomain, body: changeSchema, response: { 200: webappSchema } },
      handler: async (request) => {
        const site = await mustFindWebapp(context, request.owner, request.params.domain);
        const change = toChange(context, request.body);
        return webapp(await updateSite(context, actorOf(request), request.owner, site, change));
      },
    });
  }

  server.delete(
    `${base}/:domain/`,
    { schema: { params: ofDomain, response: { 204: z.null() } } },
    async (request, reply) => {
      await deleteSite(context, actorOf(request), await mustFindWebapp(context, request.owner, request.params.domain));
      return reply.code(204).send(null);
    },
  );

  server.post(
    `${base}/:domain/reload/`,
    { schema: { params: ofDomain, response: { 200: statusOk } } },
    async (request) => {
      const site = await mustFindWebapp(context, request.owner, request.params.domain);
      await reloadForClient(context, request, site);
      return OK;
    },
  );

  for (const [action, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const) {
    server.post(
      `${base}/:domain/${action}/`,
      { schema: { params: ofDomain, response: { 200: statusOk } } },
      async (request) => {
        const site = await mustFindWebapp(context, request.owner, request.params.domain);
        try {
          await switchSite(context, actorOf(request), request.owner, site, enabled);
        } catch (error) {
          if (error instanceof HoldfastError && error.code === 'limit-reached')
            throw new ApiAnswer(400, { error: error.message });
          throw error;
        }
        return OK;
      },
    );
  }
}

/** Reloads; every failure has a JSON body with `error`. A disabled site is a 500, which clients know from PythonAnywhere. */
export async function reloadForClient(
  context: ControlContext,
  request: Parameters<typeof actorOf>[0],
  site: Site,
): Promise<void> {
  try {
    await reloadSite(context, actorOf(request), site);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const status = error.code === 'site-disabled' ? 500 : error.status;
    throw new ApiAnswer(status, {
      status: 'error',
      error: error.message,
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}
