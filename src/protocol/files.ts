import { z } from 'zod';

/** Paths as the member sees them, absolute: /home/<name>/..., /tmp/..., /var/www/..., /var/log/... */
export const memberPathSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => path.startsWith('/') && !path.includes('\0'), 'A path starts with / and has no NUL.')
  .refine((path) => !path.split('/').includes('..'), 'A path must not contain "..".');

export const fileEntrySchema = z.object({
  name: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number(),
  modifiedAt: z.string(),
  mode: z.number(),
});
export type FileEntry = z.infer<typeof fileEntrySchema>;
