import { z } from 'zod';
import { count } from '../../../model/words.ts';
import { sessionSchema, type Session } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { createAccount } from '../../accounts/create-account.ts';
import { keepFirstPassword } from '../../accounts/first-password.ts';
import { changePassword, openSession, renewToken, signIn, signOut } from '../../accounts/sign-in.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { hasToken, type SessionRow } from '../../store/sessions.ts';
import { readSettings } from '../../store/settings.ts';
import {
  actorOf,
  checkCsrf,
  checkSameOrigin,
  clearSessionCookie,
  requireAccount,
  setSessionCookie,
} from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const credentialsSchema = z.object({ username: z.string().max(100), password: z.string().max(200) });

async function sessionView(
  context: ControlContext,
  account: AccountRow | undefined,
  session: SessionRow | undefined,
): Promise<Session> {
  const { domain, httpPort, httpsPort, version } = context.configuration;
  return {
    account: account
      ? {
          name: account.name,
          role: account.role,
          plan: account.plan,
          mustChangePassword: account.must_change_password === 1,
          hasToken: await hasToken(context.database, account.id),
        }
      : null,
    csrfToken: session?.csrf_token ?? null,
    signUpOpen: (await readSettings(context.database)).signUpOpen,
    platform: { domain, httpPort, httpsPort, version },
  };
}

export function registerSession(server: ZodServer, context: ControlContext): void {
  server.get('/api/holdfast/session', { schema: { response: { 200: sessionSchema } } }, async (request) => {
    const { identity } = request;
    if (identity.kind === 'session') return await sessionView(context, identity.account, identity.session);
    return await sessionView(context, identity.kind === 'token' ? identity.account : undefined, undefined);
  });

  server.post(
    '/api/holdfast/session',
    { schema: { body: credentialsSchema, response: { 200: sessionSchema } } },
    async (request, reply) => {
      checkSameOrigin(request);
      const signedIn = await signIn(
        context,
        request.address,
        request.body.username.trim().toLowerCase(),
        request.body.password,
      );
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },
  );

  server.delete('/api/holdfast/session', { schema: { response: { 204: z.null() } } }, async (request, reply) => {
    if (request.identity.kind === 'session') {
      checkCsrf(request);
      await signOut(context, actorOf(request), request.identity.session);
    }
    clearSessionCookie(context, reply);
    return reply.code(204).send(null);
  });

  server.post(
    '/api/holdfast/session/password',
    {
      schema: {
        body: z.object({ current: z.string().max(200), next: z.string().max(200) }),
        response: { 200: sessionSchema },
      },
    },
    async (request, reply) => {
      const { identity } = request;
      if (identity.kind !== 'session')
        throw new HoldfastError('not-signed-in', 'Please sign in to change your password.');
      checkCsrf(request);
      const { current, next } = request.body;
      const signedIn = await changePassword(context, actorOf(request), identity.account, current, next);
      if (identity.account.role === 'operator') {
        await keepFirstPassword(context, { name: identity.account.name, oneTimePassword: null });
      }
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },
  );

  server.post(
    '/api/holdfast/sign-up',
    { schema: { body: credentialsSchema, response: { 200: sessionSchema } } },
    async (request, reply) => {
      checkSameOrigin(request);
      const settings = await readSettings(context.database);
      if (!settings.signUpOpen) {
        throw new HoldfastError('forbidden', 'Sign-up is closed. Ask the operator of this platform for an account.');
      }
      const wait = context.requests.take(`sign-up ${request.address}`, 5, context.elapsed());
      if (wait > 0) {
        throw new HoldfastError('too-many-requests', `Please try again in ${count(wait, 'second')}.`, {
          retryAfterSeconds: wait,
        });
      }
      const actor = { name: request.body.username, address: request.address };
      const { account } = await createAccount(context, actor, {
        username: request.body.username,
        password: request.body.password,
        plan: settings.signUpPlan,
        withoutToken: true,
      });
      await audit(context, actor, 'account.sign-up', account.name);
      const signedIn = await openSession(context, account);
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },
  );

  server.post(
    '/api/holdfast/token',
    { schema: { response: { 200: z.object({ token: z.string() }) } } },
    async (request) => {
      const account = requireAccount(request);
      return { token: await renewToken(context, actorOf(request), account) };
    },
  );
}
