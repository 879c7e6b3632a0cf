import { HoldfastError } from '../../protocol/errors.ts';

export interface MemberPath {
  /** Absolute, without doubled slashes, dots or a trailing slash. */
  path: string;
  /** /home/<name>, /tmp, /var/www or /var/log. */
  root: string;
  isRoot: boolean;
  /** Served from platform storage, read-only except for deleting. */
  isLog: boolean;
}

export const LOG_ROOT = '/var/log';

/** The directories an account has, as it sees them. */
export function rootsOf(account: string): string[] {
  return [`/home/${account}`, '/tmp', '/var/www', LOG_ROOT];
}

/**
 * Puts a member's path into its one form. Throws `input-invalid` for what is no absolute path, and `not-found` for what
 * lies outside the account's directories: for the member nothing is there.
 */
export function memberPath(account: string, given: string): MemberPath {
  if (!given.startsWith('/') || given.includes('\0')) {
    throw new HoldfastError('input-invalid', 'A path starts with / and has no NUL character.', { field: 'path' });
  }
  const parts = given.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..'))
    throw new HoldfastError('input-invalid', 'A path must not contain "..".', { field: 'path' });
  if (parts.some((part) => Buffer.byteLength(part) > 1020)) {
    throw new HoldfastError('input-invalid', 'A part of the path is too long. Use at most 255 characters.', {
      field: 'path',
    });
  }
  const path = `/${parts.join('/')}`;
  const root = rootOf(account, path);
  if (root === undefined) throw notFound(path);
  return { path, root, isRoot: path === root, isLog: root === LOG_ROOT };
}

/** The account's directory that a path lies in. */
export function rootOf(account: string, path: string): string | undefined {
  return rootsOf(account).find((root) => path === root || path.startsWith(`${root}/`));
}

/** For what is to be written: neither a root itself nor a log. */
export function writablePath(account: string, given: string): MemberPath {
  let path: MemberPath;
  try {
    path = memberPath(account, given);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'not-found') throw error;
    throw new HoldfastError('forbidden', `You can write below /home/${account}, /tmp and /var/www, not to ${given}.`);
  }
  if (path.isLog)
    throw new HoldfastError('forbidden', 'Logs are written by the platform. You can read and delete them.');
  if (path.isRoot)
    throw new HoldfastError('forbidden', `${path.path} itself stays where it is. You can change what is in it.`);
  return path;
}

export function notFound(path: string): HoldfastError {
  return new HoldfastError('not-found', `No such file or directory: ${path}`);
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
