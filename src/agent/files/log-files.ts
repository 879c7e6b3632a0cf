import { constants } from 'node:fs';
import { open, readdir, rm, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { HoldfastError } from '../../protocol/errors.ts';
import type { FileEntry } from '../../protocol/files.ts';
import { LOG_ROOT, notFound } from './member-paths.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,250}\.log(\.\d(\.gz)?)?$/;
const LIVE = /\.log$/;
const ACCOUNT = /^[a-z][a-z0-9]{1,29}$/;
/** Most bytes looked through for the last lines of a log, and how many at a time. */
const TAIL_BYTES = 16 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
/** Bytes shown of one line: a program that prints a whole file must not hide what stands beside it. */
const LINE_BYTES = 4096;
const DOMAIN = /^[a-z0-9][a-z0-9.-]{0,252}$/;

/** The account's logs, seen by it as /var/log. Platform storage: the agent itself may open them, never through a link. */
export class LogFiles {
  readonly #logs: string;

  constructor(logs: string) {
    this.#logs = logs;
  }

  async stat(account: string, path: string): Promise<FileEntry> {
    if (path === LOG_ROOT)
      return { name: 'log', type: 'directory', size: 0, modifiedAt: new Date(0).toISOString(), mode: 0o755 };
    return await this.#with(account, path, constants.O_RDONLY, async (file) => await entryOf(nameIn(path), file));
  }

  async list(account: string): Promise<FileEntry[]> {
    let names: string[];
    try {
      names = await readdir(this.#directory(account));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const entries = await Promise.all(
      names
        .filter((name) => NAME.test(name))
        .sort()
        .map(async (name) => await this.stat(account, `${LOG_ROOT}/${name}`).catch(ignoreMissing)),
    );
    return entries.filter((entry) => entry !== undefined);
  }

  async tree(account: string, path: string, limit: number): Promise<string[]> {
    if (path !== LOG_ROOT) throw new HoldfastError('input-invalid', `${path} is not a directory`, { field: 'path' });
    return (await this.list(account)).slice(0, limit).map((entry) => `${LOG_ROOT}/${entry.name}`);
  }

  async read(account: string, path: string): Promise<{ size: number; stream: Readable }> {
    if (path === LOG_ROOT) throw new HoldfastError('input-invalid', `${path} is a directory.`, { field: 'path' });
    const file = await this.#open(account, path, constants.O_RDONLY);
    const { size } = await file.stat();
    // Exactly what was there when it was opened: a log goes on growing.
    const stream = file.createReadStream({ start: 0, ...(size > 0 ? { end: size - 1 } : {}), autoClose: true });
    return { size, stream };
  }

  /** Deletes an old log. One that is being written is emptied: its writer goes on in the same file. */
  async remove(account: string, path: string): Promise<{ removed: boolean }> {
    if (path === LOG_ROOT)
      throw new HoldfastError('forbidden', `${LOG_ROOT} itself stays. You can delete the logs in it.`);
    if (LIVE.test(path)) await this.#with(account, path, constants.O_WRONLY, async (file) => await file.truncate(0));
    else {
      await this.stat(account, path);
      await unlink(join(this.#directory(account), nameIn(path)));
    }
    return { removed: true };
  }

  /** For an account that is being removed. */
  async removeAll(account: string): Promise<void> {
    await rm(this.#directory(account), { recursive: true, force: true });
  }

  /** The last lines of a site's log; when it was turned over just now, those before it too. */
  async tail(
    account: string,
    domain: string,
    kind: string,
    lines: number,
  ): Promise<{ lines: string[]; sizeBytes: number }> {
    if (!DOMAIN.test(domain))
      throw new HoldfastError('input-invalid', `"${domain}" is not a domain name.`, { field: 'domain' });
    const name = `${domain}.${kind}.log`;
    const live = await this.#lastLines(account, name, lines);
    if (live.lines.length >= lines) return live;
    const older = await this.#lastLines(account, `${name}.1`, lines - live.lines.length);
    return { lines: [...older.lines, ...live.lines], sizeBytes: live.sizeBytes };
  }

  async #lastLines(account: string, name: string, lines: number): Promise<{ lines: string[]; sizeBytes: number }> {
    try {
      return await this.#with(account, `${LOG_ROOT}/${name}`, constants.O_RDONLY, async (file) => {
        const { size } = await file.stat();
        return { lines: lines > 0 ? await lastLines(file, size, lines) : [], sizeBytes: size };
      });
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'not-found') return { lines: [], sizeBytes: 0 };
      throw error;
    }
  }

  #directory(account: string): string {
    if (!ACCOUNT.test(account)) throw notFound(LOG_ROOT);
    return join(this.#logs, account);
  }

  async #open(account: string, path: string, flags: number): Promise<FileHandle> {
    const name = nameIn(path);
    if (!NAME.test(name) || path !== `${LOG_ROOT}/${name}`) throw notFound(path);
    try {
      return await open(join(this.#directory(account), name), flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw notFound(path);
      throw error;
    }
  }

  async #with<T>(account: string, path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await this.#open(account, path, flags);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }
}

/** From the end towards the beginning, until there are enough lines or TAIL_BYTES are read; what stands before that is left out. */
async function lastLines(file: FileHandle, size: number, wanted: number): Promise<string[]> {
  const found: string[] = [];
  const piece = Buffer.alloc(Math.min(PIECE_BYTES, size));
  const stop = Math.max(0, size - TAIL_BYTES);
  // The line whose beginning is not read yet: its first bytes so far, and how long it is.
  let head: Buffer = Buffer.alloc(0);
  let length = 0;
  let end = size;
  while (end > stop && found.length < wanted) {
    const from = Math.max(stop, end - PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, end - from, from);
    // Emptied meanwhile.
    if (bytesRead < end - from) break;
    let lineEnd = bytesRead;
    while (found.length < wanted) {
      const newline = lineEnd > 0 ? piece.lastIndexOf(10, lineEnd - 1) : -1;
      const part = piece.subarray(newline + 1, lineEnd);
      head = Buffer.concat([part.subarray(0, LINE_BYTES), head]).subarray(0, LINE_BYTES);
      length += part.length;
      if (newline < 0) break;
      // What follows the last newline is a line only when there is something.
      if (length > 0 || newline + from < size - 1) found.unshift(shown(head, length));
      head = Buffer.alloc(0);
      length = 0;
      lineEnd = newline;
    }
    end = from;
  }
  if (end === 0 && found.length < wanted && size > 0) found.unshift(shown(head, length));
  return found;
}

function shown(head: Buffer, length: number): string {
  const text = head.toString('utf8');
  // A character that was cut in two is left out.
  return length > head.length ? `${text.replace(/\ufffd$/, '')} ... (this line has ${length} bytes)` : text;
}

const nameIn = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

async function entryOf(name: string, file: FileHandle): Promise<FileEntry> {
  const found = await file.stat();
  return {
    name,
    type: found.isFile() ? 'file' : 'other',
    size: found.size,
    modifiedAt: found.mtime.toISOString(),
    mode: found.mode & 0o777,
  };
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof HoldfastError && error.code === 'not-found') return undefined; // Deleted meanwhile.
  throw error;
}
