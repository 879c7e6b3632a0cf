import { constants } from 'node:fs';
import { chmod, open, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';

/** A line of /proc/net/unix that has a path. */
export interface UnixSocket {
  inode: string;
  path: string;
  listening: boolean;
  /** Connected and not yet accepted: the server has not taken it from its queue. */
  pending: boolean;
  connected: boolean;
}

/** Parses /proc/net/unix (net/unix/af_unix.c, unix_seq_show): address, references, protocol, flags, type, state, inode, path. */
export function parseUnixSockets(text: string): UnixSocket[] {
  const sockets: UnixSocket[] = [];
  for (const line of text.split('\n')) {
    const match = line.match(/^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ ([0-9A-F]+) +(\d+) (.+)$/i);
    if (match === null) continue;
    const [, flags = '', state = '', inode = '', path = ''] = match;
    sockets.push({
      inode,
      path,
      listening: (Number.parseInt(flags, 16) & 0x10000) !== 0,
      pending: state === '02',
      connected: state === '03',
    });
  }
  return sockets;
}

/**
 * The server's ends of connections to a site. Sockets carry the path they were bound to, which is the one seen inside the
 * sandbox: all generations of a site share it.
 */
export async function connectionsOf(domain: string): Promise<UnixSocket[]> {
  const path = `/var/sockets/${domain}/app.sock`;
  // Thousands of lines are other sockets': they are passed over unread.
  const own = (await readFile('/proc/net/unix', 'utf8')).split('\n').filter((line) => line.endsWith(path));
  return parseUnixSockets(own.join('\n')).filter((socket) => socket.path === path && !socket.listening);
}

/** Whether something accepts connections there. Never throws. */
export async function accepts(socketPath: string, deadlineMs: number): Promise<boolean> {
  return (await knock(socketPath, deadlineMs)) === 'open';
}

/**
 * `full`: somebody listens, but its queue holds all it can (EAGAIN, see unix(7)): its workers are busy, or wait for their disk. `gone`: nobody
 * listens. Only the second is a reason to start it anew. Never throws.
 */
export async function knock(socketPath: string, deadlineMs: number): Promise<'open' | 'full' | 'gone'> {
  return await new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (answer: 'open' | 'full' | 'gone'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle('full'), deadlineMs);
    socket.once('connect', () => settle('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code === 'EAGAIN' ? 'full' : 'gone'));
  });
}

/**
 * Sends a first request: GET / as a visitor of the domain would.
 * Returns the status, or undefined when the connection was refused or broke off.
 */
export async function answers(socketPath: string, domain: string, deadlineMs: number): Promise<number | undefined> {
  return await new Promise<number | undefined>((resolve) => {
    const outgoing = request({
      socketPath,
      path: '/',
      method: 'GET',
      agent: false,
      headers: {
        host: domain,
        'user-agent': 'Holdfast start check',
        // As the gateway does: programs look at these.
        'x-real-ip': '127.0.0.1',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'https',
        connection: 'close',
      },
    });
    const timer = setTimeout(() => {
      outgoing.destroy();
      resolve(undefined);
    }, deadlineMs);
    outgoing.on('response', (response) => {
      clearTimeout(timer);
      resolve(response.statusCode);
      // Reads the body for a moment, so that the application does not fail on writing it.
      const end = setTimeout(() => outgoing.destroy(), 1000);
      end.unref();
      response.on('error', () => undefined);
      response.on('close', () => clearTimeout(end));
      response.resume();
    });
    outgoing.on('error', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
    outgoing.end();
  });
}

/** O_PATH of Linux (asm-generic/fcntl.h), which Node does not name. */
const O_PATH = 0x200000;

/**
 * Lets the directory's group (the gateway) connect: a server makes its socket with the member's umask, which keeps the
 * group out. The file is pinned before it is looked at, so that a symlink put in its place is never followed.
 * Returns false when there is no socket.
 */
export async function openToGateway(socketPath: string): Promise<boolean> {
  try {
    const handle = await open(socketPath, O_PATH | constants.O_NOFOLLOW);
    try {
      if (!(await handle.stat()).isSocket()) return false;
      await chmod(`/proc/self/fd/${handle.fd}`, 0o770);
      return true;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
