import { z } from 'zod';
import { statusSchema } from '../../../protocol/browser.ts';
import { ALIVE_PATH } from '../../../runtime/alive.ts';
import type { ControlContext } from '../../context.ts';
import { readPlatformStatus } from '../../platform/platform-status.ts';
import type { ZodServer } from '../zod-server.ts';

export function registerStatus(server: ZodServer, context: ControlContext): void {
  // For whoever watches the control plane from outside. It asks nobody: that it is answered at all is the answer.
  server.get(ALIVE_PATH, { schema: { response: { 200: z.object({ version: z.string() }) } } }, () => ({
    version: context.configuration.version,
  }));
  server.get('/api/holdfast/status', { schema: { response: { 200: statusSchema } } }, () =>
    readPlatformStatus(context),
  );
}
