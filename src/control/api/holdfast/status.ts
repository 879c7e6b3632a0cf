import { statusSchema } from '../../../protocol/browser.ts';
import type { ControlContext } from '../../context.ts';
import { readPlatformStatus } from '../../platform/platform-status.ts';
import type { ZodServer } from '../zod-server.ts';

export function registerStatus(server: ZodServer, context: ControlContext): void {
  server.get('/api/holdfast/status', { schema: { response: { 200: statusSchema } } }, () =>
    readPlatformStatus(context),
  );
}
