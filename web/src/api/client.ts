import type { ApiAnswer, ApiArguments, StreamInput } from '../../../src/protocol/api.ts';
import type { ApiName, StreamName } from '../../../src/protocol/api/addresses.ts';
import { type ApiRequest, buildApiRequest, streamRequest } from '../../../src/protocol/api/request.ts';
import type { ErrorBody } from '../../../src/protocol/errors.ts';

/** An answer that is not a success, in the words of the control plane (or ours, when it gave none). */
export class ApiError extends Error {
  /** HTTP status; 0 when there was no answer at all. */
  readonly status: number;
  readonly code: ErrorBody['code'] | 'no-answer';
  readonly field: string | undefined;
  readonly details: readonly string[];
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: ErrorBody['code'] | 'no-answer', message: string, body?: Partial<ErrorBody>) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.field = body?.field;
    this.details = body?.details ?? [];
    this.retryAfterSeconds = body?.retryAfterSeconds;
  }
}

/** What the client needs from outside; set once at start so that this module stays free of React. */
interface ClientHooks {
  csrfToken: () => string | null;
  /** The session ended: the pages go to the sign-in page. */
  onSignedOut: () => void;
  /** Fetches the session again, because its CSRF token or its rights changed. */
  refreshSession: () => Promise<void>;
}

let hooks: ClientHooks = { csrfToken: () => null, onSignedOut: () => {}, refreshSession: () => Promise.resolve() };

export function connectClient(next: ClientHooks): void {
  hooks = next;
}

export function currentCsrfToken(): string | null {
  return hooks.csrfToken();
}

/** Where a stream is, on the host that served the page. */
export function streamAddress<N extends StreamName>(name: N, input: StreamInput<N>): string {
  return streamRequest(name, input).path;
}

function isErrorBody(value: unknown): value is ErrorBody {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}

/** Turns any unsuccessful answer into an ApiError with a sentence that can be shown. */
export function errorFromAnswer(status: number, text: string): ApiError {
  try {
    const body: unknown = JSON.parse(text);
    if (isErrorBody(body)) return new ApiError(status, body.code, body.message, body);
  } catch {
    // Not JSON: something between the browser and the control plane answered, for example the gateway.
  }
  if (status === 413)
    return new ApiError(status, 'too-large', 'That is larger than the platform takes. Send less at once.');
  if (status === 502 || status === 503 || status === 504) {
    return new ApiError(
      status,
      'not-ready',
      'The control plane is not answering just now. Your sites do not need it. Try again in a moment.',
    );
  }
  return new ApiError(
    status,
    'internal',
    `The platform answered with status ${status} and no explanation. Try again; if it stays, tell the operator.`,
  );
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call is given up. The longest agent call takes 120 s (a reload). */
  deadline?: number;
  /** A 401 here is about the password that was typed, not about the session. */
  keepSession?: boolean;
}

export interface StreamOptions extends Pick<CallOptions, 'signal'> {
  /** What is uploaded. */
  body?: BodyInit;
  headers?: Readonly<Record<string, string>>;
}

interface Sent extends CallOptions {
  request: Omit<ApiRequest, 'body'>;
  body: BodyInit | undefined;
  contentType: string;
  headers?: Readonly<Record<string, string>>;
}

/** What no address can carry names nothing that there is. */
function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ApiError(404, 'not-found', 'There is nothing at this address.');
  }
}

/**
 * One request. Resolves with the answer when it is a success, throws ApiError otherwise.
 * A CSRF token that has gone stale (another tab signed in again) is renewed once.
 */
async function send({ request: { method, path }, body, contentType, ...options }: Sent): Promise<Response> {
  for (let attempt = 0; ; attempt += 1) {
    const headers = new Headers({ accept: 'application/json', ...options.headers });
    if (body !== undefined) headers.set('content-type', contentType);
    const csrf = hooks.csrfToken();
    if (method !== 'GET' && csrf !== null) headers.set('x-csrf-token', csrf);

    const deadline = AbortSignal.timeout(options.deadline ?? (method === 'GET' ? 30_000 : 130_000));
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    let answer: Response;
    try {
      answer = await fetch(path, {
        method,
        headers,
        signal,
        credentials: 'same-origin',
        ...(body === undefined ? {} : { body }),
      });
    } catch (error) {
      if (options.signal?.aborted === true) throw error;
      if (deadline.aborted) {
        throw new ApiError(
          504,
          'deadline-passed',
          'There was no answer in time. Nothing is lost; look again in a moment.',
        );
      }
      throw new ApiError(
        0,
        'no-answer',
        'The platform cannot be reached from here. Check the connection and try again.',
      );
    }
    if (answer.ok) return answer;
    const error = errorFromAnswer(answer.status, await answer.text());
    if (error.code === 'csrf-missing' && attempt === 0) {
      await hooks.refreshSession();
      continue;
    }
    if (error.code === 'password-change-needed') await hooks.refreshSession();
    if (answer.status === 401 && options.keepSession !== true) hooks.onSignedOut();
    throw error;
  }
}

/** Asks one question of the table and reads its answer; null where that has no content. */
export async function call<N extends ApiName>(
  name: N,
  ...[input, options]: ApiArguments<N, [options?: CallOptions]>
): Promise<ApiAnswer<N>> {
  const { body, ...request } = made(() => buildApiRequest(name, input));
  const answer = await send({ request, body, contentType: 'application/json', ...options });
  const text = await answer.text();
  // The control plane makes every answer by the same row. It is not looked at again here: a page that is older than the control plane
  // goes on with an answer that has something new in it.
  return (text === '' ? null : JSON.parse(text)) as ApiAnswer<N>;
}

/** Opens a stream of the table: an upload with its body, or a download. */
export async function openStream<N extends StreamName>(
  name: N,
  input: StreamInput<N>,
  { body, ...options }: StreamOptions = {},
): Promise<Response> {
  const request = made(() => streamRequest(name, input));
  return await send({ request, body, contentType: 'application/octet-stream', ...options });
}
