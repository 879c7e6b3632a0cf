import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods, RouteOptions } from 'fastify';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const satisfies readonly HTTPMethods[];

/** Notes every route that is registered in this scope from now on: its address and its methods. */
export function noteRoutes(scope: FastifyInstance): Map<string, Set<string>> {
  const routes = new Map<string, Set<string>>();
  scope.addHook('onRoute', (route: RouteOptions) => {
    const methods = routes.get(usual(route.url)) ?? new Set<string>();
    for (const method of [route.method].flat()) methods.add(method);
    routes.set(usual(route.url), methods);
  });
  return routes;
}

/** Addresses are the same with and without a slash at the end. */
function usual(url: string): string {
  return url.length > 1 ? url.replace(/\/$/, '') : url;
}

/**
 * Answers the methods that an address does not have: 405, and `Allow` names those it has. They are routes like the others, so
 * whoever may not ask at all is told that first. `refuse` throws the answer in the words of its API.
 */
export function answerWrongMethods(
  scope: FastifyInstance,
  routes: ReadonlyMap<string, ReadonlySet<string>>,
  refuse: (method: string, allowed: readonly string[]) => never,
): void {
  for (const [url, has] of routes) {
    const allowed = METHODS.filter((method) => has.has(method));
    const missing = METHODS.filter((method) => !has.has(method));
    if (missing.length === 0) continue;
    const answer = (request: FastifyRequest, reply: FastifyReply): never => {
      void reply.header('allow', allowed.join(', '));
      return refuse(request.method, allowed);
    };
    scope.route({
      method: missing,
      url,
      schema: { hide: true },
      // Before the body is looked at.
      onRequest: async (request, reply) => {
        await Promise.resolve();
        answer(request, reply);
      },
      handler: answer,
    });
  }
}
