import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HoldfastError } from '../../protocol/errors.ts';
import { useSession, SESSION_LIFE_MS, type SignedIn } from '../accounts/sign-in.ts';
import type { Actor, ControlContext } from '../context.ts';
import { digestOf, sameSecret } from '../security/secrets.ts';
import { findAccount, type AccountRow } from '../store/accounts.ts';
import { findAccountByToken, type SessionRow } from '../store/sessions.ts';

/** Who sent a request. */
export type Identity =
  | { kind: 'nobody'; /** A token was sent and is not good. */ refused: string | null }
  | { kind: 'session'; account: AccountRow; session: SessionRow }
  | { kind: 'token'; account: AccountRow }
  /** The `holdfast` command of root on this machine. */
  | { kind: 'command-line' };

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity;
    /** The visitor's address: as nginx saw it, or `local` for who speaks to the socket directly. */
    address: string;
  }
  interface FastifyInstance {
    /** Token of the command line; set once at start. */
    operatorToken: string;
  }
}

/**
 * nginx sets `X-Real-IP` on every request it passes on. The socket is open to nginx and root only, so a request without it
 * comes from a program of root on this machine.
 */
function addressOf(request: FastifyRequest): string {
  const header = request.headers['x-real-ip'];
  return typeof header === 'string' && header !== '' ? header : 'local';
}

export function cookieName(context: ControlContext): string {
  // __Host-: no site under the same domain can set or overwrite it (RFC 6265bis). Ports share cookies, so the instance is in the name.
  return `__Host-holdfast-${context.configuration.instance}`;
}

export function setSessionCookie(context: ControlContext, reply: FastifyReply, signedIn: SignedIn): void {
  void reply.setCookie(cookieName(context), signedIn.secret, {
    path: '/',
    httpOnly: true,
    secure: true,
    sameSite: 'lax',
    maxAge: SESSION_LIFE_MS / 1000,
  });
}

export function clearSessionCookie(context: ControlContext, reply: FastifyReply): void {
  void reply.clearCookie(cookieName(context), { path: '/', httpOnly: true, secure: true, sameSite: 'lax' });
}

async function identify(server: FastifyInstance, context: ControlContext, request: FastifyRequest): Promise<Identity> {
  const authorization = request.headers.authorization;
  if (authorization !== undefined) {
    const token = /^(?:Token|Bearer)\s+(\S+)\s*$/i.exec(authorization)?.[1];
    if (token === undefined) return { kind: 'nobody', refused: 'Invalid token header. No credentials provided.' };
    if (request.address === 'local' && sameSecret(token, server.operatorToken)) return { kind: 'command-line' };
    const account = await findAccountByToken(context.database, digestOf(token.toLowerCase()));
    if (!account || account.state === 'deleting') return { kind: 'nobody', refused: 'Invalid token.' };
    if (account.disabled === 1) return { kind: 'nobody', refused: 'User inactive or deleted.' };
    return { kind: 'token', account };
  }
  const cookie = request.cookies[cookieName(context)];
  const found = cookie === undefined ? undefined : await useSession(context, cookie);
  return found ? { kind: 'session', ...found } : { kind: 'nobody', refused: null };
}

export function registerIdentity(server: FastifyInstance, context: ControlContext): void {
  server.decorate('operatorToken', '');
  server.decorateRequest('identity', null as never);
  server.decorateRequest('address', '');
  server.addHook('onRequest', async (request, reply) => {
    request.address = addressOf(request);
    request.identity = await identify(server, context, request);
    void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
  });
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A write of a browser needs the session's CSRF token, and must not come from another site. Throws `csrf-missing`. */
export function checkCsrf(request: FastifyRequest): void {
  if (request.identity.kind !== 'session' || READS.has(request.method)) return;
  const sent = request.headers['x-csrf-token'] ?? request.headers['x-csrftoken'];
  if (typeof sent !== 'string' || !sameSecret(sent, request.identity.session.csrf_token)) {
    throw new HoldfastError('csrf-missing', 'This page is out of date. Please load it again.');
  }
}

/** For requests without a session that change something (sign-in, sign-up): a browser says where they come from. */
export function checkSameOrigin(request: FastifyRequest): void {
  const from = request.headers['sec-fetch-site'];
  if (from !== undefined && from !== 'same-origin' && from !== 'none') {
    throw new HoldfastError('csrf-missing', 'This request came from another website.');
  }
}

export function isOperator(identity: Identity): boolean {
  if (identity.kind === 'command-line') return true;
  return identity.kind !== 'nobody' && identity.account.role === 'operator';
}

/** For the audit log. */
export function actorOf(request: FastifyRequest): Actor {
  const { identity } = request;
  const name =
    identity.kind === 'command-line'
      ? 'operator (command line)'
      : identity.kind === 'nobody'
        ? 'nobody'
        : identity.account.name;
  return { name, address: request.address };
}

/** The signed-in account. Throws `not-signed-in`, `token-invalid`, `csrf-missing`, `password-change-needed`. */
export function requireAccount(request: FastifyRequest): AccountRow {
  const { identity } = request;
  requireSomebody(request);
  if (identity.kind === 'session' || identity.kind === 'token') return identity.account;
  throw new HoldfastError('forbidden', 'The command line has no account of its own. Name one with --account.');
}

/** The session of a browser, also one whose password has to be changed first. Throws `not-signed-in` with the given sentence, `csrf-missing`. */
export function requireSession(
  request: FastifyRequest,
  refusal = 'Please sign in.',
): Extract<Identity, { kind: 'session' }> {
  const { identity } = request;
  if (identity.kind !== 'session') throw new HoldfastError('not-signed-in', refusal);
  checkCsrf(request);
  return identity;
}

/** Somebody who is signed in, or the command line. Throws like requireAccount. */
export function requireSomebody(request: FastifyRequest): void {
  const { identity } = request;
  if (identity.kind === 'nobody') {
    throw identity.refused === null
      ? new HoldfastError('not-signed-in', 'Please sign in.')
      : new HoldfastError('token-invalid', 'The API token is not valid. Make a new one on the Account page.');
  }
  checkCsrf(request);
  if (identity.kind === 'session' && identity.account.must_change_password === 1) {
    throw new HoldfastError('password-change-needed', 'Please choose a password of your own first.');
  }
}

/** Throws like requireAccount, and `forbidden` for members. */
export function requireOperator(request: FastifyRequest): void {
  requireSomebody(request);
  if (!isOperator(request.identity))
    throw new HoldfastError('forbidden', 'Only the operator of the platform may do this.');
}

/** The account a request is about: the own one, or for an operator the one that is named. Throws `not-found`. */
export async function accountInQuestion(
  context: ControlContext,
  request: FastifyRequest,
  named: string | undefined,
): Promise<AccountRow> {
  requireSomebody(request);
  const { identity } = request;
  const own = identity.kind === 'session' || identity.kind === 'token' ? identity.account : undefined;
  if (named === undefined || named === own?.name) return requireAccount(request);
  if (!isOperator(identity)) throw new HoldfastError('forbidden', 'This belongs to another account.');
  const account = await findAccount(context.database, named);
  if (!account) throw new HoldfastError('not-found', `There is no account "${named}".`);
  return account;
}
