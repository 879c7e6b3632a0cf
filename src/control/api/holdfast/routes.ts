import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { ControlContext } from '../../context.ts';
import { registerAccounts } from './accounts.ts';
import { registerDashboard } from './dashboard.ts';
import { registerDrills } from './drills.ts';
import { registerEvents } from './events.ts';
import { registerFiles } from './files.ts';
import { registerHealth } from './health.ts';
import { registerIncidents, registerNotifications } from './incidents.ts';
import { registerMetrics } from './metrics.ts';
import { registerPlatform } from './platform.ts';
import { registerRecovery } from './recovery.ts';
import { registerSpares } from './spares.ts';
import { registerSession } from './session.ts';
import { registerSites } from './sites.ts';
import { registerStatus } from './status.ts';
import { registerVolumes } from './volumes.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { answerWrongMethods, noteRoutes } from '../wrong-method.ts';

/** The browser API: what src/protocol/browser.ts lists. */
export async function registerHoldfast(server: FastifyInstance, context: ControlContext): Promise<void> {
  const scope = server.withTypeProvider<ZodTypeProvider>();
  // Only JSON: a form of another website can send neither JSON nor a token without asking first.
  scope.removeContentTypeParser('text/plain');
  // A DELETE or an action without a body may still say that it is JSON.
  scope.removeContentTypeParser('application/json');
  scope.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') {
      done(null, {});
      return;
    }
    try {
      done(null, JSON.parse(body as string));
    } catch {
      done(Object.assign(new Error('The body is not JSON.'), { statusCode: 400 }));
    }
  });
  const routes = noteRoutes(server);
  registerSession(scope, context);
  registerDashboard(scope, context);
  registerEvents(scope, context);
  registerSites(scope, context);
  await scope.register(async (files) => {
    await Promise.resolve(registerFiles(files.withTypeProvider<ZodTypeProvider>(), context));
  });
  registerAccounts(scope, context);
  registerVolumes(scope, context);
  registerRecovery(scope, context);
  registerSpares(scope, context);
  registerHealth(scope, context);
  registerIncidents(scope, context);
  registerNotifications(scope, context);
  registerDrills(scope, context);
  registerMetrics(scope, context);
  registerPlatform(scope, context);
  registerStatus(scope, context);
  answerWrongMethods(server, routes, (method, allowed) => {
    throw new HoldfastError('method-not-allowed', `${method} is not possible here, only ${allowed.join(', ')}.`);
  });
}
