import fastifyCookie from '@fastify/cookie';
import fastifySwagger from '@fastify/swagger';
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ControlContext } from '../context.ts';
import { registerEarlyAnswers } from './early-answers.ts';
import { registerIdentity } from './identity.ts';
import { answerError, answerUnknown } from './errors.ts';
import { registerHoldfast } from './holdfast/routes.ts';
import { registerPythonAnywhere } from './pythonanywhere/routes.ts';

/** Bodies that are kept in memory: JSON, forms. Files go through as streams and have their own limit. */
const BODY_LIMIT = 1024 * 1024;
/** More than nginx passes on, which refuses longer heads in the form of the API. */
const HEAD_LIMIT = 128 * 1024;

/** The control plane's HTTP server, not yet listening. */
export async function buildServer(context: ControlContext): Promise<FastifyInstance> {
  const server = fastify({
    loggerInstance: context.log as FastifyBaseLogger,
    // nginx writes the access log.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT,
    http: { maxHeaderSize: HEAD_LIMIT },
    // Files may come and go slowly, and events have no end; a transfer that stands still is ended by whoever moves it.
    requestTimeout: 0,
    connectionTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: true,
    routerOptions: {
      // PythonAnywhere's clients send paths with and without a slash at the end, and with doubled ones.
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      maxParamLength: 5000,
    },
    frameworkErrors: (error, request, reply) => {
      void answerError(error, request, reply);
    },
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler(answerError);
  server.setNotFoundHandler(answerUnknown);
  await server.register(fastifyCookie);
  await server.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', version: context.configuration.version },
      components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'Authorization' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  registerEarlyAnswers(server);
  registerIdentity(server, context);
  await server.register(async (scope) => {
    await registerHoldfast(scope, context);
  });
  await server.register(async (scope) => {
    await registerPythonAnywhere(scope, context);
  });
  server.get('/api/openapi.json', { schema: { hide: true } }, () => server.swagger());
  await server.ready();
  return server;
}
