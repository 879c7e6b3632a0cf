import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';

/** PythonAnywhere's public API. */
export async function registerPythonAnywhere(server: FastifyInstance, context: ControlContext): Promise<void> {
  await Promise.resolve();
  void server;
  void context;
}
