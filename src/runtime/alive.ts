import { request } from 'node:http';
import { addressParts, apiAddresses } from '../protocol/api/addresses.ts';

/**
 * Whether the process behind a Unix socket answers a request, and not only whether the kernel takes the connection for it: that it does for a
 * process that hangs, too. Never throws, never takes longer than `deadlineMs`.
 */
export async function answersHttp(socketPath: string, path: string, deadlineMs: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const asked = request(
      { socketPath, path, headers: { host: 'internal', connection: 'close' }, signal: AbortSignal.timeout(deadlineMs) },
      (response) => {
        response.on('error', () => resolve(false));
        response.on('end', () => resolve(response.statusCode === 200));
        response.resume();
      },
    );
    // No socket, nobody listening, or too late: all mean that it does not answer now.
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

/** Where the control plane says that it is there. */
export const ALIVE_PATH = addressParts(apiAddresses['platform.alive']).path;
/** Where nginx says which configuration it runs. */
export const GATEWAY_ALIVE_PATH = '/generation';
