import { readFile, readlink } from 'node:fs/promises';

/** Text of a small kernel file, or undefined when it is not there (a process that ended, a device that went away). */
export async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENODEV' || code === 'ENXIO' || code === 'ENOTDIR')
      return undefined;
    throw error;
  }
}

export async function linkOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}
