import type { ErrorBody } from '../../../src/protocol/errors.ts';

/** Everything the pages ask is below this address, on the host that served the page. */
export const API_BASE = '/api/holdfast/';

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

export function apiAddress(path: string, query: Record<string, string | number | undefined> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return `${API_BASE}${path}${text === '' ? '' : `?${text}`}`;
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
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  query?: Record<string, string | number | undefined>;
  json?: unknown;
  body?: BodyInit;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** Milliseconds until the call is given up. The longest agent call takes 120 s (a reload). */
  deadline?: number;
  /** A 401 here is about the password that was typed, not about the session. */
  keepSession?: boolean;
}

/**
 * One request. Resolves with the answer when it is a success, throws ApiError otherwise.
 * A CSRF token that has gone stale (another tab signed in again) is renewed once.
 */
export async function request(path: string, options: CallOptions = {}): Promise<Response> {
  const method = options.method ?? 'GET';
  for (let attempt = 0; ; attempt += 1) {
    const headers = new Headers({ accept: 'application/json', ...options.headers });
    if (options.json !== undefined) headers.set('content-type', 'application/json');
    else if (options.body !== undefined) headers.set('content-type', 'application/octet-stream');
    const csrf = hooks.csrfToken();
    if (method !== 'GET' && csrf !== null) headers.set('x-csrf-token', csrf);

    const deadline = AbortSignal.timeout(options.deadline ?? (method === 'GET' ? 30_000 : 130_000));
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    let answer: Response;
    try {
      const body = options.json === undefined ? options.body : JSON.stringify(options.json);
      answer = await fetch(apiAddress(path, options.query), {
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

/** One request whose answer is JSON of the given shape (the contract in src/protocol says which). */
export async function call<T>(path: string, options: CallOptions = {}): Promise<T> {
  const answer = await request(path, options);
  return (await answer.json()) as T;
}

/** One request whose answer has no content. */
export async function send(path: string, options: CallOptions = {}): Promise<void> {
  await request(path, options);
}
