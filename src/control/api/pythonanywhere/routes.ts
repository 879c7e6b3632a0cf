import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { ControlContext } from '../../context.ts';
import { registerAccountEndpoints } from './account.ts';
import { admit } from './admit.ts';
import { missingBodyIsEmpty, takeJsonAndForms, takeMultipartFields } from './bodies.ts';
import { answerApiError, wrongMethod } from './errors.ts';
import { registerFileEndpoints } from './files.ts';
import { registerLater } from './later.ts';
import { registerAlwaysOn } from './always-on.ts';
import { registerSchedule } from './schedule.ts';
import { registerSharing } from './sharing.ts';
import { registerShareView } from './share-view.ts';
import { registerStaticMappings } from './static-mappings.ts';
import { registerCertificates } from './certificates.ts';
import { registerUploads } from './uploads.ts';
import { registerWebapps } from './webapps.ts';
import { registerWebsites } from './websites.ts';
import { answerWrongMethods, noteRoutes } from '../wrong-method.ts';

/** PythonAnywhere's public API, /api/v0 and /api/v1: its clients talk to Holdfast unchanged. */
export async function registerPythonAnywhere(server: FastifyInstance, context: ControlContext): Promise<void> {
  server.decorateRequest('owner', null as never);
  server.setErrorHandler(answerApiError);
  await server.register(async (shares) => {
    await Promise.resolve(registerShareView(shares, context));
  });
  await server.register(async (scope) => {
    scope.addHook('onRequest', (request, reply) => admit(context, request, reply));
    const routes = noteRoutes(scope);
    await scope.register(async (fields) => {
      takeJsonAndForms(fields);
      await takeMultipartFields(fields);
      missingBodyIsEmpty(fields);
      const typed = fields.withTypeProvider<ZodTypeProvider>();
      registerWebapps(typed, context);
      registerStaticMappings(typed, context);
      registerCertificates(typed, context);
      registerWebsites(typed, context);
      registerFileEndpoints(typed, context);
      registerSharing(typed, context);
      registerAccountEndpoints(typed, context);
      registerSchedule(typed, context);
      registerAlwaysOn(typed, context);
      registerLater(typed);
    });
    await scope.register(async (uploads) => {
      await registerUploads(uploads, context);
    });
    answerWrongMethods(scope, routes, wrongMethod);
  });
}
