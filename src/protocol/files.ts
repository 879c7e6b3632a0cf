import { z } from 'zod';

/** Paths as the member sees them, absolute: /home/<name>/..., /tmp/..., /var/www/..., /var/log/... */
export const memberPathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => path.startsWith('/') && !path.includes('\0'), 'A path starts with / and has no NUL.')
  .refine((path) => !path.split('/').includes('..'), 'A path must not contain "..".');

/**
 * What a write takes the place of: the SHA-256 of the bytes that were read, in lower-case hexadecimal, or `nothing` where no file may be.
 * With it a write changes only what its writer has seen.
 */
export const insteadOfSchema = z.union([z.literal('nothing'), z.string().regex(/^[0-9a-f]{64}$/)]);
export type InsteadOf = z.infer<typeof insteadOfSchema>;

/** A file up to this size can be written in place of what was read: it is read once more to be sure. Bytes. */
export const COMPARED_BYTES = 16 * 1024 ** 2;

export const fileEntrySchema = z.object({
  name: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number(),
  modifiedAt: z.string(),
  mode: z.number(),
});
export type FileEntry = z.infer<typeof fileEntrySchema>;
