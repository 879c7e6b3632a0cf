import { fastify } from 'fastify';
import * as fc from 'fast-check';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addressParts, apiAddresses, streamAddresses, type ApiMethod } from '../../../protocol/api/addresses.ts';
import { apiRequest } from '../../../protocol/api/request.ts';
import type { ErrorBody } from '../../../protocol/errors.ts';
import { openBench, type Bench } from '../../testing/bench.ts';
import { registerHoldfast } from './routes.ts';

const METHODS: readonly ApiMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

/** The table: every path with its methods. */
function inTable(): Map<string, Set<string>> {
  const table = new Map<string, Set<string>>();
  for (const address of Object.values({ ...apiAddresses, ...streamAddresses })) {
    const { method, path } = addressParts(address);
    table.set(path, (table.get(path) ?? new Set()).add(method));
  }
  return table;
}

/** The paths at which the control plane registers anything at all. */
async function registeredPaths(): Promise<string[]> {
  const paths = new Set<string>();
  await using server = fastify();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.addHook('onRoute', (route) => void paths.add(route.url));
  await server.register(async (scope) => {
    await registerHoldfast(scope, bench.context);
  });
  await server.ready();
  return [...paths].sort();
}

describe('the table of the API and the routes of the control plane', () => {
  it('have the same paths, and at each the same methods', async () => {
    const table = inTable();
    const paths = await registeredPaths();
    expect(paths).toEqual([...table.keys()].sort());
    for (const path of paths) {
      const url = path.replaceAll(/:\w+/g, 'x');
      const served: string[] = [];
      for (const method of METHODS) {
        // Nobody is signed in: nothing is done. What an address does not have is refused before that is looked at.
        const { statusCode } = await bench.server.inject({ method, url, headers: { 'x-real-ip': '192.0.2.1' } });
        if (statusCode !== 405) served.push(method);
      }
      expect({ path, served }).toEqual({ path, served: METHODS.filter((method) => table.get(path)?.has(method)) });
    }
  });

  it('are described in openapi.json under the names of the rows', () => {
    const paths = bench.server.swagger().paths ?? {};
    const names = Object.values(paths).flatMap((methods) =>
      Object.values(methods ?? {}).map((one) => (one as { operationId?: string }).operationId),
    );
    expect(names).toEqual(expect.arrayContaining([...Object.keys(apiAddresses), ...Object.keys(streamAddresses)]));
  });
});

it('any name in an address arrives as it was', async () => {
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value !== '.' && value !== '..');
  await fc.assert(
    fc.asyncProperty(text, async (name) => {
      const { method, path } = apiRequest('accounts.resetPassword', { params: { name } });
      const answer = await bench.operator(method, path);
      expect(answer.json<ErrorBody>().message).toBe(`There is no account "${name}".`);
    }),
    { numRuns: 60 },
  );
});
