import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { HoldfastError } from '../../protocol/errors.ts';
import { layoutOf, type Configuration } from '../../runtime/config.ts';

/** The format of the state directory. Grows when an older program could misread what a newer one wrote. */
export const STATE_FORMAT = 1;

/** Refuses to run where it cannot work, with what to do about it. */
export function checkMachine(): void {
  if (process.platform !== 'linux')
    throw new HoldfastError('set-up-missing', 'Holdfast runs on Linux (Debian 12 or 13).');
  if (process.getuid?.() !== 0) {
    throw new HoldfastError(
      'forbidden',
      'Holdfast mounts disks and makes sandboxes, so it must be started as root: sudo npm start',
    );
  }
  if (!existsSync('/dev/loop-control')) {
    throw new HoldfastError(
      'set-up-missing',
      'This machine has no loop devices (/dev/loop-control). Load the kernel module: modprobe loop',
    );
  }
  if (!existsSync('/dev/fuse')) {
    throw new HoldfastError(
      'set-up-missing',
      'This machine has no FUSE (/dev/fuse). Load the kernel module: modprobe fuse',
    );
  }
}

/** Refuses a state directory that a newer program wrote. */
export function checkState(configuration: Configuration): void {
  const file = layoutOf(configuration).versionFile;
  if (!existsSync(file)) return;
  let state: { format?: unknown; version?: unknown };
  try {
    state = JSON.parse(readFileSync(file, 'utf8')) as { format?: unknown; version?: unknown };
  } catch (error) {
    throw new HoldfastError('internal', `${file} cannot be read. Restore it from a backup of ${configuration.home}.`, {
      cause: error,
    });
  }
  if (typeof state.format === 'number' && state.format > STATE_FORMAT) {
    throw new HoldfastError(
      'state-too-new',
      `${configuration.home} was written by Holdfast ${String(state.version)}, which is newer than this one (${configuration.version}). Start that version instead; nothing was changed.`,
    );
  }
}

export interface PortOwner {
  pid: number;
  name: string;
}

/** Socket inodes that listen on a TCP port, from /proc/net/tcp and tcp6 (state 0A = LISTEN). */
function listeningInodes(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    if (!existsSync(table)) continue;
    for (const line of readFileSync(table, 'utf8').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A' && fields[1]?.endsWith(`:${wanted}`) && fields[9] !== undefined) inodes.add(fields[9]);
    }
  }
  return inodes;
}

/** Who listens on a TCP port of this machine: undefined when nobody does. The owner's pid is 0 when it cannot be seen. */
export function whoListens(port: number): PortOwner | undefined {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return undefined;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      for (const descriptor of readdirSync(`/proc/${entry}/fd`)) {
        const match = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${entry}/fd/${descriptor}`));
        if (match?.[1] !== undefined && inodes.has(match[1])) {
          return { pid: Number(entry), name: readFileSync(`/proc/${entry}/comm`, 'utf8').trim() };
        }
      }
    } catch {
      continue; // The process ended while we looked.
    }
  }
  return { pid: 0, name: 'a process of another container' };
}

/** Refuses to start on ports that others use; our own gateway from an earlier start does not count. */
export function checkPorts(configuration: Configuration, own: (pid: number) => boolean): void {
  const wanted = [
    { port: configuration.httpPort, variable: 'HOLDFAST_HTTP_PORT' },
    { port: configuration.httpsPort, variable: 'HOLDFAST_HTTPS_PORT' },
  ];
  if (configuration.httpPort === configuration.httpsPort) {
    throw new HoldfastError('port-in-use', 'HOLDFAST_HTTP_PORT and HOLDFAST_HTTPS_PORT must be two different ports.');
  }
  for (const { port, variable } of wanted) {
    const owner = whoListens(port);
    if (owner !== undefined && !own(owner.pid)) {
      throw new HoldfastError(
        'port-in-use',
        `Port ${port} is used by ${owner.name} (pid ${owner.pid}). Stop it, or choose another port with ${variable}=...`,
      );
    }
  }
}

/** The Unix id a process runs as; undefined when it has ended. */
export function userOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return undefined; // It ended while we looked, so it holds no port.
  }
}
