import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { HoldfastError } from '../../protocol/errors.ts';
import { COMPARED_BYTES, type FileEntry, type InsteadOf } from '../../protocol/files.ts';
import { Turns } from './turns.ts';
import { lostToMember, type FileWorkers } from './file-workers.ts';
import { memberPath, notFound, parentOf, rootOf, writablePath } from './member-paths.ts';
import { decodeName, encodeName, hasRawBytes } from './names.ts';
import { CHUNK_BYTES, SftpError, type Handle, type SftpClient } from './sftp-client.ts';
import { OpenFlag, Status, type Attributes } from './sftp-protocol.ts';

/** Runs a command in the account's sandbox to its end, for what SFTP cannot do or say. */
export type SandboxRun = (
  account: string,
  command: readonly string[],
  deadlineMs: number,
) => Promise<{ code: number | null; stdout: string; stderr: string }>;

const LIST_LIMIT = 10_000;
const READS_AHEAD = 8;
const WRITES_AHEAD = 16;
const FILE_TYPE = 0o170000;
const TYPES: Record<number, FileEntry['type']> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'symlink' };

export function entryOf(name: string, attributes: Attributes): FileEntry {
  return {
    name,
    type: TYPES[attributes.mode & FILE_TYPE] ?? 'other',
    size: attributes.size,
    modifiedAt: new Date(attributes.modified * 1000).toISOString(),
    mode: attributes.mode & 0o7777,
  };
}

const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Files below /home/<name>, /tmp and /var/www: everything is done by a process of the account, in its sandbox. */
export class MemberFiles {
  readonly #workers: FileWorkers;
  readonly #run: SandboxRun;
  /** Looking at what a write takes the place of, and taking it, are one step for everybody who comes through here. */
  readonly #replacing = new Turns();

  constructor(workers: FileWorkers, run: SandboxRun) {
    this.#workers = workers;
    this.#run = run;
  }

  async stat(account: string, given: string): Promise<FileEntry> {
    const { path } = memberPath(account, given);
    return await this.#use(account, path, async (client) => {
      const found = entryOf(baseOf(path), await client.lstat(encodeName(path)));
      return found;
    });
  }

  /** Of a plain file, by its own name: a link is none. Throws `not-found`, `input-invalid`. */
  async fileSize(account: string, given: string): Promise<number> {
    const { path } = memberPath(account, given);
    if (hasRawBytes(path)) {
      throw new HoldfastError('input-invalid', 'This cannot be done with a name that is not UTF-8. Rename it first.', {
        field: 'path',
      });
    }
    const { type, size } = await this.stat(account, path);
    if (type !== 'file') throw new HoldfastError('input-invalid', `${path} is not a plain file.`, { field: 'path' });
    return size;
  }

  async list(account: string, given: string): Promise<{ entries: FileEntry[]; truncated: boolean }> {
    const { path } = memberPath(account, given);
    return await this.#use(account, path, async (client) => {
      await mustBeDirectory(client, path);
      const { entries, truncated } = await readAll(client, path, LIST_LIMIT);
      return { entries, truncated };
    });
  }

  async tree(account: string, given: string, limit: number): Promise<{ paths: string[] }> {
    const { path } = memberPath(account, given);
    return await this.#use(account, path, async (client) => {
      await mustBeDirectory(client, path);
      const paths: string[] = [];
      const walk = async (directory: string): Promise<void> => {
        const { entries } = await readAll(client, directory, LIST_LIMIT);
        for (const entry of entries) {
          if (paths.length >= limit) return;
          if (entry.name.startsWith('.')) continue;
          const full = `${directory}/${entry.name}`;
          if (entry.type === 'file') paths.push(full);
          if (entry.type !== 'directory') continue;
          paths.push(`${full}/`);
          try {
            await walk(full);
          } catch (error) {
            if (!(error instanceof SftpError)) throw error; // Closed to its own owner, or gone meanwhile: shown, not entered.
          }
        }
      };
      await walk(path);
      return { paths };
    });
  }

  async makeDirectory(account: string, given: string): Promise<{ created: boolean }> {
    const { path, root } = writablePath(account, given);
    return await this.#use(account, path, async (client) => {
      const before = await lookUp(client, path);
      if (before) {
        if (before.type === 'directory') return { created: false };
        throw new HoldfastError('conflict', `${path} is there already, and it is not a directory.`);
      }
      await this.#makeParents(account, client, root, path);
      return { created: true };
    });
  }

  async remove(account: string, given: string): Promise<{ removed: boolean }> {
    const { path } = writablePath(account, given);
    const directory = await this.#use(account, path, async (client) => {
      const entry = entryOf('', await client.lstat(encodeName(path)));
      if (entry.type !== 'directory') {
        await client.remove(encodeName(path));
        return undefined;
      }
      if (!hasRawBytes(path)) return path;
      // Its name cannot be given to a command, so it gets one that can.
      const parent = await client.realpath(encodeName(parentOf(path)));
      const renamed = `${hasRawBytes(parentOf(path)) ? rootOf(account, path) : decodeName(parent)}/.removing-${randomBytes(6).toString('hex')}`;
      await client.rename(encodeName(path), encodeName(renamed));
      return renamed;
    });
    if (directory === undefined) return { removed: true };
    const result = await this.#run(account, ['/bin/rm', '-rf', '--', directory], 55_000).catch((error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'deadline-passed') {
        throw new HoldfastError('deadline-passed', `Deleting ${path} takes long. Delete it again to go on.`);
      }
      throw error;
    });
    if (result.code !== 0) {
      throw new HoldfastError('forbidden', `Not everything in ${path} could be deleted.`, {
        details: result.stderr.trim().split('\n').slice(-5),
      });
    }
    return { removed: true };
  }

  async rename(account: string, givenFrom: string, givenTo: string): Promise<void> {
    const from = writablePath(account, givenFrom);
    const to = writablePath(account, givenTo);
    if (to.path.startsWith(`${from.path}/`)) {
      throw new HoldfastError('input-invalid', 'A directory cannot be moved into itself.', { field: 'to' });
    }
    const done = await this.#use(account, from.path, async (client) => {
      await client.lstat(encodeName(from.path));
      if (from.path === to.path) return true;
      if (await lookUp(client, to.path))
        throw new HoldfastError('conflict', `${to.path} is there already. Choose another name.`);
      const parent = await lookUp(client, parentOf(to.path));
      if (!parent) throw notFound(parentOf(to.path));
      await this.#resolve(account, client, to.path);
      if (from.root !== to.root) return false;
      await client.rename(encodeName(from.path), encodeName(to.path));
      return true;
    });
    if (done) return;
    // /home, /tmp and /var/www are mounts of their own inside: moving between them copies.
    if (hasRawBytes(from.path) || hasRawBytes(to.path)) {
      throw new HoldfastError('input-invalid', 'A name that is not UTF-8 can only be changed within its directory.', {
        field: 'from',
      });
    }
    const result = await this.#run(account, ['/bin/mv', '-n', '-T', '--', from.path, to.path], 13_000);
    if (result.code !== 0) {
      throw (
        writeProblem(result.stderr) ??
        new HoldfastError('forbidden', `${from.path} could not be moved.`, { details: [result.stderr.trim()] })
      );
    }
  }

  async readFile(account: string, given: string): Promise<{ size: number; stream: Readable }> {
    const { path } = memberPath(account, given);
    const { client, release } = await this.#workers.borrow(account);
    try {
      // Looked at before it is opened: opening a pipe would wait for its other end.
      const attributes = await client.stat(encodeName(path));
      const { type, size } = entryOf('', attributes);
      if (type === 'directory') throw new HoldfastError('input-invalid', `${path} is a directory.`, { field: 'path' });
      if (type !== 'file')
        throw new HoldfastError('input-invalid', `${path} is not a file that can be read.`, { field: 'path' });
      const handle = await client.open(encodeName(path), OpenFlag.read);
      return { size, stream: fileStream(client, handle, size, release) };
    } catch (error) {
      release();
      throw this.#memberError(error, path);
    }
  }

  /**
   * Writes a whole file: to a temporary name in the same directory, to the disk, then over the old name. Whatever goes
   * wrong before that, the old file stays as it was. Throws `file-changed` when something else is there than the writer has seen.
   */
  async writeFile(
    account: string,
    given: string,
    content: NodeJS.ReadableStream,
    expectedBytes: number | undefined,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }> {
    const { path, root } = writablePath(account, given);
    if (given.endsWith('/'))
      throw new HoldfastError('input-invalid', 'The name of a file does not end in /.', { field: 'path' });
    return await this.#use(account, path, async (client) => {
      const parent = parentOf(path);
      if (!(await lookUp(client, parent))) await this.#makeParents(account, client, root, parent);
      const target = await this.#resolve(account, client, path);
      const before = await lookUp(client, target);
      if (before?.type === 'directory') throw new HoldfastError('conflict', `${path} is a directory.`);
      if (before && before.type !== 'file')
        throw new HoldfastError('conflict', `${path} is not a file that can be written.`);
      // Looked at now, too, so that nobody uploads something long only to be refused.
      if (insteadOf !== undefined) await mustBe(client, target, path, insteadOf);
      const temporary = `${parentOf(target)}/.upload-${randomBytes(8).toString('hex')}`;
      const handle = await client
        .open(encodeName(temporary), OpenFlag.write | OpenFlag.create | OpenFlag.exclusive, 0o644)
        .catch(async (error: unknown) => {
          throw await this.#explain(account, error, temporary, path);
        });
      try {
        const written = await writeAll(client, handle, content, expectedBytes).catch(async (error: unknown) => {
          throw await this.#explain(account, error, temporary, path);
        });
        if (expectedBytes !== undefined && written !== expectedBytes) {
          throw new HoldfastError(
            'input-invalid',
            `The upload was cut off: ${written} of ${expectedBytes} bytes came. The file is as before.`,
          );
        }
        await client.setMode(handle, before?.mode ?? 0o644);
        await client.sync(handle).catch(async (error: unknown) => {
          throw await this.#explain(account, error, temporary, path);
        });
        await this.#replacing.take(`${account}:${target}`, async () => {
          if (insteadOf !== undefined) await mustBe(client, target, path, insteadOf);
          await client.rename(encodeName(temporary), encodeName(target));
        });
        // Once more under its new name: until then a power cut could bring back the temporary one (btrfs logs the names a
        // file has when it is synced), and an upload that was answered would be gone.
        await client.sync(handle);
        await client.close(handle);
        return { created: before === undefined };
      } catch (error) {
        await this.#discard(client, handle, temporary);
        throw error;
      }
    });
  }

  async #discard(client: SftpClient, handle: Handle, temporary: string): Promise<void> {
    for (const step of [() => client.close(handle), () => client.remove(encodeName(temporary))]) {
      try {
        await step();
      } catch {
        // Closed already, or the server is gone; the error that brought us here is the one to tell.
      }
    }
  }

  /** Follows links as the kernel would and refuses to leave the account's directories. Returns the path behind them. */
  async #resolve(account: string, client: SftpClient, path: string): Promise<string> {
    const parent = decodeName(await client.realpath(encodeName(parentOf(path))));
    const direct = `${parent}/${baseOf(path)}`;
    const entry = await lookUp(client, direct);
    const target = entry?.type === 'symlink' ? decodeName(await client.realpath(encodeName(direct))) : direct;
    const root = rootOf(account, target);
    if (root === undefined || root === target || root === '/var/log') {
      throw new HoldfastError('forbidden', `${path} leads out of your directories through a link.`);
    }
    return target;
  }

  async #makeParents(account: string, client: SftpClient, root: string, path: string): Promise<void> {
    const parts = path.slice(root.length + 1).split('/');
    for (let count = 1; count <= parts.length; count++) {
      const directory = `${root}/${parts.slice(0, count).join('/')}`;
      const entry = await lookUp(client, directory, true);
      if (entry?.type === 'directory') continue;
      if (entry) throw new HoldfastError('conflict', `${directory} is not a directory.`);
      await this.#resolve(account, client, directory);
      await client.makeDirectory(encodeName(directory), 0o755).catch(async (error: unknown) => {
        // Another upload to the same new directory was quicker: that is as good.
        const now = await lookUp(client, directory, true);
        if (now?.type === 'directory') return;
        throw await this.#explain(
          account,
          error,
          `${parentOf(directory)}/.upload-${randomBytes(8).toString('hex')}`,
          directory,
        );
      });
    }
  }

  /**
   * The file server only says "Failure". Whether the quota or the volume is full is found out by writing once more with a
   * program that prints the kernel's reason.
   */
  async #explain(account: string, error: unknown, scratch: string, path: string): Promise<unknown> {
    if (!(error instanceof SftpError) || error.status !== Status.failure) return error;
    const script =
      'dd if=/dev/zero of="$1" bs=65536 count=16 conv=notrunc,fsync oflag=append; code=$?; rm -f -- "$1"; exit $code';
    const result = await this.#run(account, ['/bin/sh', '-c', script, 'sh', scratch], 10_000);
    return (
      writeProblem(result.stderr) ?? new HoldfastError('conflict', `${path} could not be written.`, { cause: error })
    );
  }

  async #use<T>(account: string, path: string, work: (client: SftpClient) => Promise<T>): Promise<T> {
    try {
      return await this.#workers.use(account, work);
    } catch (error) {
      throw this.#memberError(error, path);
    }
  }

  #memberError(error: unknown, path: string): unknown {
    if (!(error instanceof SftpError)) return lostToMember(error);
    if (error.status === Status.noSuchFile) return notFound(path);
    if (error.status === Status.permissionDenied) {
      return new HoldfastError('forbidden', `You do not have permission for ${path}. Check its mode.`, {
        cause: error,
      });
    }
    if (error.status === Status.badMessage) {
      return new HoldfastError('input-invalid', `"${baseOf(path)}" cannot be a name. Use at most 255 characters.`, {
        field: 'path',
        cause: error,
      });
    }
    return new HoldfastError('conflict', `That could not be done with ${path}.`, { cause: error });
  }
}

/** What the C library says, in the words a member can act on. */
export function writeProblem(output: string): HoldfastError | undefined {
  if (/Disk quota exceeded/i.test(output)) {
    return new HoldfastError(
      'quota-exceeded',
      'Your disk space is used up. Delete a file you no longer need, then try again; deleting works, making a file shorter does not. The file is as before. A database file that is written to in place is charged up to twice its size: "Give room back" beside it on the Files page ends that.',
    );
  }
  if (/No space left on device/i.test(output)) {
    return new HoldfastError(
      'no-room',
      'The volume your files live on is full. The operator sees this; try again later.',
    );
  }
  return undefined;
}

/** What is at a path, or undefined. `follow` looks behind a link. */
async function lookUp(client: SftpClient, path: string, follow = false): Promise<FileEntry | undefined> {
  try {
    const name = encodeName(path);
    return entryOf(baseOf(path), await (follow ? client.stat(name) : client.lstat(name)));
  } catch (error) {
    if (error instanceof SftpError && error.status === Status.noSuchFile) return undefined;
    throw error;
  }
}

/** Throws `file-changed` unless the file is, byte by byte, what the writer has seen. */
async function mustBe(client: SftpClient, target: string, path: string, insteadOf: InsteadOf): Promise<void> {
  const there = await lookUp(client, target);
  if (insteadOf === 'nothing') {
    if (!there) return;
    throw new HoldfastError('file-changed', `${path} is there already. Open it, or choose another name.`);
  }
  if (!there) {
    throw new HoldfastError('file-changed', `${path} was deleted or renamed since you opened it. Nothing was saved.`);
  }
  if (there.type === 'file' && there.size <= COMPARED_BYTES && (await digestOf(client, target)) === insteadOf) return;
  throw new HoldfastError('file-changed', `${path} was changed since you opened it. Nothing was saved.`);
}

async function digestOf(client: SftpClient, path: string): Promise<string> {
  const handle = await client.open(encodeName(path), OpenFlag.read);
  const hash = createHash('sha256');
  try {
    for (let offset = 0; offset <= COMPARED_BYTES;) {
      const part = await client.read(handle, offset, CHUNK_BYTES);
      if (!part) return hash.digest('hex');
      hash.update(part);
      offset += part.length;
    }
    return ''; // It has grown past what is compared: not what anybody has read.
  } finally {
    await client.close(handle).catch(() => undefined); // The server is gone, and its handles with it.
  }
}

async function mustBeDirectory(client: SftpClient, path: string): Promise<void> {
  const entry = entryOf('', await client.stat(encodeName(path)));
  if (entry.type !== 'directory')
    throw new HoldfastError('input-invalid', `${path} is not a directory`, { field: 'path' });
}

async function readAll(
  client: SftpClient,
  path: string,
  limit: number,
): Promise<{ entries: FileEntry[]; truncated: boolean }> {
  const handle = await client.openDirectory(encodeName(path));
  const entries: FileEntry[] = [];
  let truncated = false;
  try {
    for (;;) {
      const some = await client.readDirectory(handle);
      if (!some) break;
      for (const { name, ...attributes } of some) {
        const text = decodeName(name);
        if (text === '.' || text === '..') continue;
        if (entries.length < limit) entries.push(entryOf(text, attributes));
        else truncated = true;
      }
      if (truncated) break;
    }
  } finally {
    await client.close(handle).catch(() => undefined); // The server is gone, and its handles with it.
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { entries, truncated };
}

/** Writes with several requests under way; never holds more than those in memory. Returns the bytes written. */
async function writeAll(
  client: SftpClient,
  handle: Handle,
  content: NodeJS.ReadableStream,
  expectedBytes: number | undefined,
): Promise<number> {
  const ahead: Promise<void>[] = [];
  let offset = 0;
  try {
    for await (const chunk of content) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      if (expectedBytes !== undefined && offset + bytes.length > expectedBytes) {
        throw new HoldfastError(
          'input-invalid',
          `More than the announced ${expectedBytes} bytes came. The file is as before.`,
        );
      }
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        const piece = bytes.subarray(at, at + CHUNK_BYTES);
        const write = client.write(handle, offset, piece);
        write.catch(() => undefined); // Awaited below, maybe after another one failed first.
        ahead.push(write);
        offset += piece.length;
        if (ahead.length >= WRITES_AHEAD) await ahead.shift();
      }
    }
  } catch (error) {
    await Promise.allSettled(ahead);
    if (error instanceof HoldfastError || error instanceof SftpError || lostToMember(error) !== error) throw error;
    throw new HoldfastError('input-invalid', 'The upload was cut off. The file is as before.', { cause: error });
  }
  await Promise.all(ahead);
  return offset;
}

/** The bytes of an open file, exactly `size` of them, read ahead. Closes the file and gives the worker back at its end. */
function fileStream(client: SftpClient, handle: Handle, size: number, release: () => void): Readable {
  let asked = 0;
  let closed = false;
  const ahead: Promise<Buffer>[] = [];
  const readExactly = async (offset: number, length: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for (let done = 0; done < length;) {
      const part = await client.read(handle, offset + done, length - done);
      if (!part) throw new HoldfastError('conflict', 'The file became shorter while it was read.');
      parts.push(part);
      done += part.length;
    }
    return Buffer.concat(parts);
  };
  const finish = (): void => {
    if (closed) return;
    closed = true;
    client.close(handle).catch(() => undefined).finally(release); // prettier-ignore
  };
  return new Readable({
    highWaterMark: CHUNK_BYTES,
    read() {
      while (ahead.length < READS_AHEAD && asked < size) {
        const length = Math.min(CHUNK_BYTES, size - asked);
        const part = readExactly(asked, length);
        part.catch(() => undefined);
        ahead.push(part);
        asked += length;
      }
      const next = ahead.shift();
      if (!next) {
        this.push(null);
        return;
      }
      next.then(
        (bytes) => this.push(bytes),
        (error: unknown) => this.destroy(lostToMember(error) as Error),
      );
    },
    destroy(error, callback) {
      finish();
      callback(error);
    },
  });
}
