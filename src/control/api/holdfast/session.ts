import type { FastifyInstance } from 'fastify';
import { count } from '../../../model/words.ts';
import type { Session } from '../../../protocol/browser.ts';
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
  requireSession,
  setSessionCookie,
} from '../identity.ts';
import { serve } from './serve.ts';

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

export function registerSession(server: FastifyInstance, context: ControlContext): void {
  serve<'session'>(server, {
    'session.get': async ({ request }) => {
      const { identity } = request;
      if (identity.kind === 'session') return await sessionView(context, identity.account, identity.session);
      return await sessionView(context, identity.kind === 'token' ? identity.account : undefined, undefined);
    },

    'session.signIn': async ({ body, request, reply }) => {
      checkSameOrigin(request);
      const signedIn = await signIn(context, request.address, body.username.trim().toLowerCase(), body.password);
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },

    'session.signOut': async ({ request, reply }) => {
      if (request.identity.kind === 'session') {
        checkCsrf(request);
        await signOut(context, actorOf(request), request.identity.session);
      }
      clearSessionCookie(context, reply);
    },

    'session.changePassword': async ({ body, request, reply }) => {
      const { account } = requireSession(request);
      const signedIn = await changePassword(context, actorOf(request), account, body.current, body.next);
      if (account.role === 'operator') {
        await keepFirstPassword(context, { name: account.name, oneTimePassword: null });
      }
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },

    'session.signUp': async ({ body, request, reply }) => {
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
      const actor = { name: body.username, address: request.address };
      const { account } = await createAccount(context, actor, {
        username: body.username,
        password: body.password,
        plan: settings.signUpPlan,
        withoutToken: true,
      });
      await audit(context, actor, 'account.sign-up', account.name);
      const signedIn = await openSession(context, account);
      setSessionCookie(context, reply, signedIn);
      return await sessionView(context, signedIn.account, signedIn.session);
    },

    'session.renewToken': async ({ request }) => ({
      token: await renewToken(context, actorOf(request), requireAccount(request)),
    }),
  });
}
