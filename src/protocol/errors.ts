import { z } from 'zod';

/** Whether a repair that meets an error needs a person: never (it passes by itself), at once (the sentence says what to do), or when it comes again. */
export type Person = 'no' | 'now' | 'if-again';

/**
 * The one catalogue of errors: a stable code, the HTTP status it becomes, whether trying again later can help, and whether somebody has to act.
 * Messages are for people, say what to do next, and never hold a secret or a path of the platform.
 */
export const ERRORS = {
  'input-invalid': { status: 400, retry: false, person: 'now' },
  'not-signed-in': { status: 401, retry: false, person: 'now' },
  'wrong-password': { status: 401, retry: false, person: 'now' },
  'token-invalid': { status: 401, retry: false, person: 'now' },
  'csrf-missing': { status: 403, retry: false, person: 'now' },
  'password-change-needed': { status: 403, retry: false, person: 'now' },
  forbidden: { status: 403, retry: false, person: 'now' },
  'not-found': { status: 404, retry: false, person: 'now' },
  'method-not-allowed': { status: 405, retry: false, person: 'now' },
  conflict: { status: 409, retry: false, person: 'no' },
  'file-changed': { status: 409, retry: false, person: 'now' },
  'name-taken': { status: 409, retry: false, person: 'now' },
  'domain-taken': { status: 409, retry: false, person: 'now' },
  'limit-reached': { status: 403, retry: false, person: 'now' },
  'confirmation-needed': { status: 400, retry: false, person: 'now' },
  'too-large': { status: 413, retry: false, person: 'now' },
  'quota-exceeded': { status: 507, retry: false, person: 'now' },
  'too-many-requests': { status: 429, retry: true, person: 'no' },
  'site-start-failed': { status: 502, retry: false, person: 'now' },
  'site-disabled': { status: 409, retry: false, person: 'now' },
  'disk-not-empty': { status: 409, retry: false, person: 'now' },
  'disk-unusable': { status: 400, retry: false, person: 'now' },
  'volume-in-use': { status: 409, retry: false, person: 'no' },
  'volume-closed': { status: 409, retry: true, person: 'no' },
  'last-replica': { status: 409, retry: false, person: 'now' },
  'data-damaged': { status: 409, retry: false, person: 'now' },
  'no-room': { status: 507, retry: true, person: 'now' },
  'storage-repair': { status: 503, retry: true, person: 'no' },
  'deadline-passed': { status: 504, retry: true, person: 'no' },
  'agent-unreachable': { status: 503, retry: true, person: 'no' },
  'not-ready': { status: 503, retry: true, person: 'no' },
  'command-failed': { status: 500, retry: false, person: 'if-again' },
  'set-up-missing': { status: 500, retry: false, person: 'now' },
  'state-too-new': { status: 500, retry: false, person: 'now' },
  'port-in-use': { status: 500, retry: false, person: 'now' },
  internal: { status: 500, retry: true, person: 'no' },
} as const satisfies Record<string, { status: number; retry: boolean; person: Person }>;

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
