import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** A log of a program, open for its process to append to, and where it ended when it was opened. */
export interface OpenLog {
  handle: FileHandle;
  path: string;
  offset: number;
}

/** Opens <home>/logs/<account>/<domain>.<kind>.log, see openLogFile. */
export async function openLog(
  directory: string,
  domain: string,
  kind: 'error' | 'server',
  gid: number,
): Promise<OpenLog> {
  return await openLogFile(join(directory, `${domain}.${kind}.log`), gid);
}

/**
 * Opens a log in an account's directory of logs: root's, readable by the account. The directory is root's too, so nobody
 * can put a link there; O_NOFOLLOW all the same.
 */
export async function openLogFile(path: string, gid: number): Promise<OpenLog> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(path, flags, 0o640);
  try {
    await handle.chown(0, gid);
    await handle.chmod(0o640);
    return { handle, path, offset: (await handle.stat()).size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const MOST_BYTES = 64 * 1024;
/** holdfast_wsgi.py's word for a traceback that stands in the log already. */
const SAME = '(as above, with the same traceback)';

/** The last lines written to a log since `offset`; platform storage, so the agent may read it. */
export async function linesSince(log: Pick<OpenLog, 'path' | 'offset'>, lines: number): Promise<string[]> {
  let handle: FileHandle;
  try {
    handle = await open(log.path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = await handle.stat();
    // A rotation in between makes the file shorter than where we were.
    const from = Math.max(size < log.offset ? 0 : log.offset, size - MOST_BYTES);
    const buffer = Buffer.alloc(Math.max(0, size - from));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    const text = buffer.subarray(0, bytesRead).toString('utf8');
    const found = text.split('\n').filter((line) => line !== '');
    if (!found.some((line) => line.endsWith(SAME))) return found.slice(-lines);
    const whole = Buffer.alloc(Math.min(size, MOST_BYTES));
    const read = await handle.read(whole, 0, whole.length, size - whole.length);
    return entryAbove(whole.subarray(0, read.bytesRead).toString('utf8'), found).slice(-lines);
  } finally {
    await handle.close();
  }
}

/** The lines, with the traceback that they only refer to before them: it is indented, below the head of its entry. */
function entryAbove(text: string, found: readonly string[]): string[] {
  const lines = text.split('\n');
  const head = lines.findLastIndex((line) => line.endsWith(': Error running WSGI application'));
  if (head < 0) return [...found];
  const end = lines.findIndex((line, index) => index > head + 1 && !line.startsWith('  '));
  return [...lines.slice(head, end < 0 ? undefined : end), ...found];
}

/** When a file was last written to, or null when it is not there. */
export async function modifiedAt(path: string): Promise<Date | null> {
  try {
    return (await stat(path)).mtime;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
