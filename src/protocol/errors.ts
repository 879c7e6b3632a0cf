import { z } from 'zod';

/**
 * The one catalogue of errors: a stable code, the HTTP status it becomes, and whether trying again later can help.
 * Messages are for people, say what to do next, and never hold a secret or a path of the platform.
 */
export const ERRORS = {
  'input-invalid': { status: 400, retry: false },
  'not-signed-in': { status: 401, retry: false },
  'wrong-password': { status: 401, retry: false },
  'token-invalid': { status: 401, retry: false },
  'csrf-missing': { status: 403, retry: false },
  'password-change-needed': { status: 403, retry: false },
  forbidden: { status: 403, retry: false },
  'not-found': { status: 404, retry: false },
  'method-not-allowed': { status: 405, retry: false },
  conflict: { status: 409, retry: false },
  'file-changed': { status: 409, retry: false },
  'name-taken': { status: 409, retry: false },
  'domain-taken': { status: 409, retry: false },
  'limit-reached': { status: 403, retry: false },
  'confirmation-needed': { status: 400, retry: false },
  'too-large': { status: 413, retry: false },
  'quota-exceeded': { status: 507, retry: false },
  'too-many-requests': { status: 429, retry: true },
  'site-start-failed': { status: 502, retry: false },
  'site-disabled': { status: 409, retry: false },
  'disk-not-empty': { status: 409, retry: false },
  'disk-unusable': { status: 400, retry: false },
  'volume-in-use': { status: 409, retry: false },
  'volume-closed': { status: 409, retry: true },
  'last-replica': { status: 409, retry: false },
  'no-room': { status: 507, retry: true },
  'storage-repair': { status: 503, retry: true },
  'deadline-passed': { status: 504, retry: true },
  'agent-unreachable': { status: 503, retry: true },
  'not-ready': { status: 503, retry: true },
  'command-failed': { status: 500, retry: false },
  'set-up-missing': { status: 500, retry: false },
  'state-too-new': { status: 500, retry: false },
  'port-in-use': { status: 500, retry: false },
  internal: { status: 500, retry: true },
} as const satisfies Record<string, { status: number; retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

export const errorCodeSchema = z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]);

export const errorBodySchema = z.object({
  code: errorCodeSchema,
  message: z.string(),
  /** The message again, in answers of the API: whoever writes a client for both APIs reads one thing. */
  detail: z.string().optional(),
  /** Which input field is wrong, when one is. */
  field: z.string().optional(),
  /** Extra lines for the owner or operator: a step's output, what was ruled out. */
  details: z.array(z.string()).optional(),
  retryAfterSeconds: z.number().optional(),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;

export interface HoldfastErrorOptions {
  field?: string;
  details?: string[];
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** Every expected failure is one of these; anything else that is thrown is a defect and becomes `internal`. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly details: string[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.code = code;
    this.field = options.field;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.details === undefined ? {} : { details: this.details }),
      ...(this.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: this.retryAfterSeconds }),
    };
  }

  static fromBody(body: ErrorBody): HoldfastError {
    return new HoldfastError(body.code, body.message, body);
  }
}
