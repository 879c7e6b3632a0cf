import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { findAccount, type AccountRow } from '../../store/accounts.ts';
import { readSettings } from '../../store/settings.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, checkCsrf, isOperator } from '../identity.ts';
import { ApiAnswer, noPermission, notFound } from './errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The account in the path, which the sender may act for. Only behind `admit`. */
    owner: AccountRow;
  }
}

/**
 * Lets a request of the public API in: signed in, by token or by session with CSRF token; acting for its own account (an
 * operator for any); not too often.
 */
export async function admit(context: ControlContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { identity } = request;
  if (identity.kind === 'nobody') {
    void reply.header('www-authenticate', 'Token');
    throw new ApiAnswer(401, { detail: identity.refused ?? 'Authentication credentials were not provided.' });
  }
  try {
    checkCsrf(request);
  } catch {
    throw new ApiAnswer(403, { detail: 'CSRF Failed: CSRF token missing or incorrect.' });
  }
  if (identity.kind === 'session' && identity.account.must_change_password === 1) {
    throw new ApiAnswer(403, { detail: 'Please choose a password of your own first.' });
  }
  await slowDown(context, request, reply);
  const { username } = request.params as { username: string };
  request.owner = await ownerOf(context, request, username);
}

async function ownerOf(context: ControlContext, request: FastifyRequest, username: string): Promise<AccountRow> {
  const { identity } = request;
  const own = identity.kind === 'session' || identity.kind === 'token' ? identity.account : undefined;
  if (own?.name === username) {
    if (own.volume === null) throw noPermission();
    return own;
  }
  if (!isOperator(identity)) throw noPermission();
  const account = await findAccount(context.database, username);
  if (!account || account.volume === null || account.state === 'deleting') throw notFound();
  // The path says which of the member's files, when it is about one.
  await audit(context, actorOf(request), 'account.act-for', username, 'ok', `${request.method} ${request.url}`);
  return account;
}

/** A project is uploaded file by file: all that is asked of Files together may be so many times what one endpoint may be asked. */
const FILES_FACTOR = 100;
const OF_FILES = '/api/v0/user/:username/files/';

/** So many requests a minute for each endpoint and account; the words are Django REST framework's. */
async function slowDown(context: ControlContext, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { identity } = request;
  if (identity.kind === 'command-line' || identity.kind === 'nobody') return;
  const { apiRequestsPerMinute } = await readSettings(context.database);
  const { url = '' } = request.routeOptions;
  const files = url.startsWith(OF_FILES);
  const key = `${identity.account.name} ${files ? OF_FILES : url}`;
  const limit = files ? apiRequestsPerMinute * FILES_FACTOR : apiRequestsPerMinute;
  const wait = context.requests.take(key, limit, context.elapsed());
  if (wait === 0) return;
  void reply.header('retry-after', String(wait));
  throw new ApiAnswer(429, {
    detail: `Request was throttled. Expected available in ${wait} second${wait === 1 ? '' : 's'}.`,
  });
}
