import type { FastifyInstance } from 'fastify';
import type { ControlContext } from '../../context.ts';
import { readPlatformStatus } from '../../platform/platform-status.ts';
import { serve } from './serve.ts';

export function registerStatus(server: FastifyInstance, context: ControlContext): void {
  serve<'platform'>(server, {
    'platform.status': async () => await readPlatformStatus(context),
    // For whoever watches the control plane from outside. It asks nobody: that it is answered at all is the answer.
    'platform.alive': () => ({ version: context.configuration.version }),
  });
}
