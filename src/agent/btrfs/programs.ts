import { join } from 'node:path';

const program = (name: string): string => join(import.meta.dirname, 'kernel', name);

/**
 * The small Python programs that ask the kernel's btrfs directly (ioctl, /proc), each a throw-away process: whoever waits for a disk there
 * waits alone. What each takes and prints stands at its head.
 */
export const PROGRAMS = {
  copyStatus: program('copy_status.py'),
  forget: program('forget.py'),
  keepChecksums: program('keep_checksums.py'),
  replace: program('replace.py'),
  scrub: program('scrub.py'),
  waits: program('kernel_waits.py'),
} as const;
