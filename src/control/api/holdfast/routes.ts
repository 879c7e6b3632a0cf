import type { FastifyInstance } from 'fastify';
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
import { registerSpares } from './spares.ts';
import { registerSession } from './session.ts';
import { registerSites } from './sites.ts';
import { registerTasks } from './tasks.ts';
import { registerStatus } from './status.ts';
import { registerVolumes } from './volumes.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { answerWrongMethods, noteRoutes } from '../wrong-method.ts';

/** The API of the pages and the command line: what src/protocol/api.ts lists, and nothing else. */
export async function registerHoldfast(server: FastifyInstance, context: ControlContext): Promise<void> {
  // Only JSON: a form of another website can send neither JSON nor a token without asking first.
  server.removeContentTypeParser('text/plain');
  // A DELETE or an action without a body may still say that it is JSON.
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
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
  registerSession(server, context);
  registerDashboard(server, context);
  registerEvents(server, context);
  registerSites(server, context);
  registerTasks(server, context);
  await server.register((files, _options, done) => {
    registerFiles(files, context);
    done();
  });
  registerAccounts(server, context);
  registerVolumes(server, context);
  registerSpares(server, context);
  registerHealth(server, context);
  registerIncidents(server, context);
  registerNotifications(server, context);
  registerDrills(server, context);
  registerMetrics(server, context);
  registerPlatform(server, context);
  registerStatus(server, context);
  answerWrongMethods(server, routes, (method, allowed) => {
    throw new HoldfastError('method-not-allowed', `${method} is not possible here, only ${allowed.join(', ')}.`);
  });
}
