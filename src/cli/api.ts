import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { errorBodySchema, HoldfastError } from '../protocol/errors.ts';
import { readRecord } from '../runtime/process-record.ts';
import { layoutOf, type Configuration } from '../runtime/config.ts';

/** File with the command line's own token; only root can read it. */
export function operatorTokenFile(configuration: Configuration): string {
  return join(layoutOf(configuration).control, 'operator-token');
}

/** Names the supervisor for as long as it lives. */
export function supervisorRecordFile(configuration: Configuration): string {
  return join(configuration.runDirectory, 'supervisor.json');
}

export interface ApiOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  /** Milliseconds for the whole call. */
  deadlineMs?: number;
}

/** The control plane alone may be away for some seconds: whoever is told to start the platform then is told that there is one already. */
function whyDown(configuration: Configuration): string {
  const supervisor = readRecord(supervisorRecordFile(configuration));
  return supervisor === undefined
    ? `The platform at ${configuration.home} is not running. Start it with npm start.`
    : `The control plane of ${configuration.home} does not run just now. The supervisor (pid ${supervisor.pid}) starts it; try again in a few seconds. Sites do not need it.`;
}

/**
 * One call of the platform's own API (paths as in src/protocol/browser.ts, without the prefix) over the control plane's
 * socket with the operator's rights; text that is no JSON comes as it is. Throws HoldfastError; `not-ready` when the platform does not run.
 */
export async function api(configuration: Configuration, path: string, options: ApiOptions = {}): Promise<unknown> {
  let token: string;
  try {
    token = readFileSync(operatorTokenFile(configuration), 'utf8').trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES')
      throw new HoldfastError('forbidden', 'The holdfast command needs root. Run it with sudo.', { cause: error });
    throw new HoldfastError(
      'not-ready',
      `No platform has been started for ${configuration.home} yet. Run npm start first, or set HOLDFAST_HOME.`,
      { cause: error },
    );
  }
  const text = options.body === undefined ? undefined : JSON.stringify(options.body);
  return await new Promise<unknown>((resolve, reject) => {
    const call = request({
      socketPath: layoutOf(configuration).controlSocket,
      path: `/api/holdfast/${path}`,
      method: options.method ?? 'GET',
      headers: {
        host: configuration.domain,
        authorization: `Token ${token}`,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
      signal: AbortSignal.timeout(options.deadlineMs ?? 150_000),
    });
    call.on('error', (error: NodeJS.ErrnoException) => {
      const down = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      reject(
        down
          ? new HoldfastError('not-ready', whyDown(configuration), { cause: error })
          : new HoldfastError('deadline-passed', `The platform did not answer: ${error.message}`, { cause: error }),
      );
    });
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        let parsed: unknown;
        try {
          parsed = answer === '' ? undefined : JSON.parse(answer);
        } catch {
          parsed = undefined;
        }
        if (status >= 200 && status < 300) {
          const isText = response.headers['content-type']?.startsWith('text/') === true;
          resolve(isText ? answer : parsed);
          return;
        }
        const body = errorBodySchema.safeParse(parsed);
        reject(
          body.success
            ? HoldfastError.fromBody(body.data)
            : new HoldfastError('internal', `The platform answered ${status}.`),
        );
      });
    });
    call.end(text);
  });
}
