import { z } from 'zod';

/**
 * Fields as Django REST framework takes and refuses them: clients send forms (everything is text) and JSON alike, and read
 * the words of the refusal.
 */
const REQUIRED = 'This field is required.';

const TRUE = new Set(['t', 'y', 'yes', 'true', 'on', '1']);
const FALSE = new Set(['f', 'n', 'no', 'false', 'off', '0']);

/** Text, or a number that stands for its digits. */
export const text = z
  .union([z.string(), z.number()], {
    error: (issue) =>
      issue.input === undefined
        ? REQUIRED
        : issue.input === null
          ? 'This field may not be null.'
          : 'Not a valid string.',
  })
  .transform(String);

/** Text that must hold something. */
export const filledText = text.refine((value) => value.trim() !== '', 'This field may not be blank.');

/** Text or a multipart part that came as a file. */
export const pem = z
  .union([z.string(), z.instanceof(Uint8Array)], {
    error: (issue) => (issue.input === undefined ? REQUIRED : 'Not a valid string.'),
  })
  .transform((value) => (typeof value === 'string' ? value : Buffer.from(value).toString('utf8')));

/** Text; a structure is kept as its JSON, because some clients send one where text is meant. */
export const looseText = z
  .union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.unknown()), z.array(z.unknown())], {
    error: (issue) => (issue.input === undefined ? REQUIRED : 'Not a valid string.'),
  })
  .transform((value) => (typeof value === 'string' ? value : JSON.stringify(value)));

/** Yes or no, in any of the ways that forms spell it; "" and null mean that nothing was chosen. */
export const yesNo = z
  .union([z.boolean(), z.string(), z.number(), z.null()], {
    error: (issue) => (issue.input === undefined ? REQUIRED : 'Must be a valid boolean.'),
  })
  .transform((value, context): boolean | undefined => {
    if (typeof value === 'boolean') return value;
    if (value === null || value === '') return undefined;
    const word = String(value).toLowerCase();
    if (TRUE.has(word)) return true;
    if (FALSE.has(word)) return false;
    context.issues.push({ code: 'custom', message: 'Must be a valid boolean.', input: value });
    return z.NEVER;
  });

/** A whole number in bounds, also as the digits that forms send. */
export function wholeNumber(least: number, most: number): z.ZodType<number> {
  return z
    .union([z.number(), z.string()], {
      error: (issue) => (issue.input === undefined ? REQUIRED : 'A valid integer is required.'),
    })
    .transform((value, context): number => {
      const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value;
      const refuse = (message: string): never => {
        context.issues.push({ code: 'custom', message, input: value });
        return z.NEVER;
      };
      if (typeof number !== 'number' || !Number.isInteger(number)) return refuse('A valid integer is required.');
      if (number < least) return refuse(`Ensure this value is greater than or equal to ${least}.`);
      if (number > most) return refuse(`Ensure this value is less than or equal to ${most}.`);
      return number;
    });
}

export const statusOk = z.object({ status: z.literal('OK') });
export const OK = { status: 'OK' } as const;

/** Routes of one member. */
export const ofUser = z.object({ username: z.string() });
