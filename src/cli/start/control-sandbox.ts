import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';

/** Every directory above these paths, outermost first. bwrap would make them for root only. */
function ancestors(paths: readonly string[]): string[] {
  const found = new Set<string>();
  for (const path of paths) {
    const above: string[] = [];
    for (let current = dirname(path); current !== '/'; current = dirname(current)) above.unshift(current);
    for (const directory of above) found.add(directory);
  }
  return [...found];
}

/**
 * The control plane runs as a user of its own, without capabilities, in a file tree that holds only what it needs: the
 * system's libraries, this repository (read-only, so it may lie below /root), its state, and the sockets. Volume mounts
 * are not part of that tree, so law 1 holds for it by construction.
 */
export function controlCommand(configuration: Configuration): { program: string; arguments: string[] } {
  const layout = layoutOf(configuration);
  const ids = idsOf(configuration.instance);
  const readOnly = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/ssl', '/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', '/etc/localtime', '/etc/host.conf', '/etc/gai.conf'];
  const bound = [...readOnly.filter((path) => existsSync(path)), configuration.source, layout.control, configuration.runDirectory];
  const inside = new Set(bound);
  return {
    program: 'bwrap',
    arguments: [
      // First, so that what is bound below may lie anywhere: a home or a repository in /tmp or /dev/shm would be covered by these.
      '--proc', '/proc',
      '--dev', '/dev',
      '--tmpfs', '/tmp',
      ...ancestors([...bound, '/run/postgresql'])
        .filter((directory) => !inside.has(directory))
        .flatMap((directory) => ['--perms', '0755', '--dir', directory]),
      ...readOnly.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', path, path]),
      ...(existsSync('/run/postgresql') ? ['--bind', '/run/postgresql', '/run/postgresql'] : []),
      '--ro-bind', configuration.source, configuration.source,
      '--bind', layout.control, layout.control,
      '--bind', configuration.runDirectory, configuration.runDirectory,
      '--unshare-ipc',
      '--unshare-uts',
      '--chdir', '/',
      '--',
      'setpriv',
      '--reuid', String(ids.control),
      '--regid', String(ids.control),
      // The gateway's group, so that the socket can be made for it; nothing else.
      '--groups', `${ids.control},${ids.gateway}`,
      '--bounding-set=-all',
      '--inh-caps=-all',
      '--no-new-privs',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--max-semi-space-size=2',
      join(configuration.source, 'src/control/main.ts'),
    ],
  };
} // prettier-ignore
