import { Transform, type Readable } from 'node:stream';
import { formatBytes } from '../../model/words.ts';
import { isMemberPath, memberRoots, tidyPath } from '../../model/paths.ts';
import { memberPathSchema, type FileEntry, type InsteadOf } from '../../protocol/files.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { AgentFile } from '../agent-client.ts';
import type { ControlContext } from '../context.ts';
import type { AccountRow } from '../store/accounts.ts';

/** How long the first answer to a read, and the answer after the last byte of a write, may take. */
const ANSWER_MS = 30_000;

function volumeOf(account: AccountRow): string {
  if (account.volume === null) throw new HoldfastError('forbidden', 'The operator has no home and no files.');
  return account.volume;
}

/** A path of the member, in its usual form. Throws `input-invalid` for what is no path, `not-found` outside the member's directories. */
export function checkMemberPath(account: AccountRow, path: string): string {
  const parsed = memberPathSchema.safeParse(path);
  if (!parsed.success) {
    throw new HoldfastError('input-invalid', parsed.error.issues[0]?.message ?? 'This is not a path.', {
      field: 'path',
    });
  }
  const tidy = tidyPath(parsed.data);
  if (!isMemberPath(tidy, account.name)) throw noSuchFile(tidy);
  return tidy;
}

export function noSuchFile(path: string): HoldfastError {
  return new HoldfastError('not-found', `No such file or directory: ${path}`, { field: 'path' });
}

/** The member's own top directories cannot be removed or renamed. */
export function isMemberRoot(account: AccountRow, path: string): boolean {
  return memberRoots(account.name).includes(path);
}

export async function statFile(context: ControlContext, account: AccountRow, path: string): Promise<FileEntry> {
  return await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.stat', { account: account.name, path }),
  );
}

/** Undefined when there is nothing at this path. */
export async function findFile(
  context: ControlContext,
  account: AccountRow,
  path: string,
): Promise<FileEntry | undefined> {
  try {
    return await statFile(context, account, path);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'not-found') return undefined;
    throw error;
  }
}

export async function listDirectory(
  context: ControlContext,
  account: AccountRow,
  path: string,
): Promise<{ entries: FileEntry[]; truncated: boolean }> {
  return await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.list', { account: account.name, path }),
  );
}

export async function listTree(
  context: ControlContext,
  account: AccountRow,
  path: string,
  limit: number,
): Promise<string[]> {
  const { paths } = await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.tree', { account: account.name, path, limit }),
  );
  return paths;
}

export async function removeFile(context: ControlContext, account: AccountRow, path: string): Promise<void> {
  if (isMemberRoot(account, path)) throw new HoldfastError('forbidden', 'You do not have permission to delete this');
  const { removed } = await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.remove', { account: account.name, path }),
  );
  if (!removed) throw noSuchFile(path);
}

export async function renameFile(
  context: ControlContext,
  account: AccountRow,
  from: string,
  to: string,
): Promise<void> {
  if (isMemberRoot(account, from) || isMemberRoot(account, to)) {
    throw new HoldfastError('forbidden', 'Your top directories cannot be renamed.');
  }
  await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.rename', { account: account.name, from, to }),
  );
}

/** Writes a file anew in one piece. Answers how many bytes the account holds less then. */
export async function compactFile(context: ControlContext, account: AccountRow, path: string): Promise<number> {
  const { freedBytes } = await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.compact', { account: account.name, path }),
  );
  return Math.max(0, freedBytes);
}

/** Makes the directory and the missing ones above it. Whether it is new. */
export async function makeDirectory(context: ControlContext, account: AccountRow, path: string): Promise<boolean> {
  if (isMemberRoot(account, path)) return false;
  const { created } = await context.fileCalls.run(volumeOf(account), account.name, () =>
    context.agent.call('files.makeDirectory', { account: account.name, path }),
  );
  return created;
}

/**
 * A file's bytes as a stream, which holds a place of the volume until it ends. Throws `storage-repair` when the volume's
 * places are taken, `too-many-requests` beyond the member's share of them.
 */
export async function openFile(context: ControlContext, account: AccountRow, path: string): Promise<AgentFile> {
  const leave = await context.fileStreams.enter(volumeOf(account), account.name);
  const opening = context.agent.readFile(account.name, path);
  try {
    const file = await within(ANSWER_MS, 'Opening the file', opening);
    // A transfer that stands still is ended by the connection to the agent, so the place always comes back.
    file.stream.once('close', leave);
    return file;
  } catch (error) {
    leave();
    // Should it open after all, nobody is there to read it.
    opening.then(
      (late) => late.stream.destroy(),
      () => undefined,
    );
    throw error;
  }
}

/**
 * Writes a file from a stream; the old one stays whole unless everything arrives. Missing directories above it are made.
 * `insteadOf`: what the writer has seen of it; throws `file-changed` when something else is there.
 * Throws `too-large` beyond `limitBytes`, `storage-repair` when the volume's places are taken, `too-many-requests` beyond the
 * member's share of them.
 */
export async function saveFile(
  context: ControlContext,
  account: AccountRow,
  path: string,
  content: Readable,
  options: { expectedBytes?: number; limitBytes: number; insteadOf?: InsteadOf },
): Promise<{ created: boolean }> {
  const { expectedBytes, limitBytes } = options;
  if (expectedBytes !== undefined && expectedBytes > limitBytes) throw tooLarge(limitBytes);
  const leave = await context.fileStreams.enter(volumeOf(account), account.name);
  const measured = content.pipe(limitedTo(limitBytes));
  // A sender that goes away mid-way closes, with or without an error, but without an end: that must reach the agent as a
  // failure, not as a short file.
  const cutOff = (cause?: unknown): void => {
    if (content.readableEnded) return;
    const known = cause instanceof HoldfastError ? cause : undefined;
    measured.destroy(
      known ?? new HoldfastError('input-invalid', 'The upload was cut off; the old file is unchanged.', { cause }),
    );
  };
  content.once('error', cutOff);
  content.once('close', cutOff);
  // Whoever awaits the upload sees the failure; without a listener it would end the process.
  measured.on('error', () => undefined);
  // Only what went wrong on this side. When the agent takes no more, `written` tells why.
  const failed = new Promise<never>((_resolve, reject) =>
    measured.once('error', (error) => {
      if (error instanceof HoldfastError) reject(error);
    }),
  );
  try {
    const sent = new Promise<void>((resolve) => measured.once('close', resolve));
    const written = context.agent.writeFile(account.name, path, measured, expectedBytes, options.insteadOf);
    await Promise.race([written, failed, sent]);
    return await Promise.race([within(ANSWER_MS, 'Writing the file', written), failed]);
  } catch (error) {
    measured.destroy();
    throw measured.errored instanceof HoldfastError ? measured.errored : error;
  } finally {
    content.off('error', cutOff);
    content.off('close', cutOff);
    content.on('error', () => undefined);
    // What the sender still sends is read and dropped, so that it gets to read the answer.
    content.unpipe(measured);
    content.resume();
    failed.catch(() => undefined);
    leave();
  }
}

export function tooLarge(limitBytes: number): HoldfastError {
  return new HoldfastError('too-large', `A file sent here may have at most ${formatBytes(limitBytes)}.`);
}

function limitedTo(limitBytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > limitBytes) done(tooLarge(limitBytes));
      else done(null, chunk);
    },
  });
}
