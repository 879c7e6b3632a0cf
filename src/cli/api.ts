import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { ApiAnswer, ApiArguments, StreamInput } from '../protocol/api.ts';
import type { ApiName, StreamName } from '../protocol/api/addresses.ts';
import { readAnswer } from '../protocol/api/answer.ts';
import { buildApiRequest, streamRequest, type ApiRequest } from '../protocol/api/request.ts';
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
 * Asks the control plane over its socket, with the operator's rights. Throws HoldfastError; `not-ready` when the platform does not run.
 */
export async function api<N extends ApiName>(
  configuration: Configuration,
  name: N,
  ...[input, options]: ApiArguments<N, [options?: ApiOptions]>
): Promise<ApiAnswer<N>> {
  const request = made(() => buildApiRequest(name, input));
  const { status, text } = await send(configuration, request, options);
  return readAnswer(name, status, parsed(text));
}

/** A stream of the table that is text, as a whole. Throws like `api`. */
export async function apiText<N extends StreamName>(
  configuration: Configuration,
  name: N,
  input: StreamInput<N>,
): Promise<string> {
  const request = made(() => ({ ...streamRequest(name, input), body: undefined }));
  return (await send(configuration, request)).text;
}

/** A name that no address can carry is wrong input of whoever typed it. */
function made(make: () => ApiRequest): ApiRequest {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HoldfastError('input-invalid', error.message, { cause: error });
  }
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readToken(configuration: Configuration): string {
  try {
    return readFileSync(operatorTokenFile(configuration), 'utf8').trim();
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
}

/** Sends one request; a success with its text. */
async function send(
  configuration: Configuration,
  { method, path, body }: ApiRequest,
  options: ApiOptions = {},
): Promise<{ status: number; text: string }> {
  const token = readToken(configuration);
  return await new Promise((resolve, reject) => {
    const call = httpRequest({
      socketPath: layoutOf(configuration).controlSocket,
      path,
      method,
      headers: {
        host: configuration.domain,
        authorization: `Token ${token}`,
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
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
        const text = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) {
          resolve({ status, text });
          return;
        }
        const refused = errorBodySchema.safeParse(parsed(text));
        reject(
          refused.success
            ? HoldfastError.fromBody(refused.data)
            : new HoldfastError('internal', `The platform answered ${status}.`),
        );
      });
    });
    call.end(body);
  });
}
