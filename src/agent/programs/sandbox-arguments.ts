import { join } from 'node:path';
import type { AccountSpec } from '../../protocol/sites.ts';
import type { AccountHome } from '../context.ts';
import { asArgument } from '../member-argument.ts';
import { CA_BUNDLE, ETC_BINDS } from './etc.ts';

/** Where our own scripts are inside a sandbox, read-only. */
export const SHIM_DIRECTORY = '/opt/holdfast';
const OPEN_FILES = 4096;

export interface SandboxRequest {
  account: AccountSpec;
  home: AccountHome;
  /** Names its cgroup: `site-<id>-<generation>`, `files`, `job-<random>`. One running sandbox per name. */
  program: string;
  /** Absolute path of the program and its arguments. */
  command: readonly string[];
  /** Working directory inside; /home/<name> by default, which always exists. */
  directory?: string;
  /** On top of the clean standard environment. */
  environment?: Readonly<Record<string, string>>;
  /** A site's generation directory, seen inside as /var/sockets/<domain>/. */
  socket?: { domain: string; directory: string };
  /**
   * A descriptor of ours, open for appending, to which bwrap writes what happens: a line with `child-pid` before anything of the command
   * may run, one with `exit-code` at its end. Nothing inside the sandbox has it. See bwrap(1), --json-status-fd.
   */
  status?: number;
  /** Kills it when the agent dies. For throw-away work; programs outlive the agent. */
  dieWithAgent?: boolean;
}

/** What `sandboxArguments` needs beside the request. Paths on the host. */
export interface SandboxGround {
  etc: string;
  logs: string;
  shim: string;
  /** Present when the gateway has made it. */
  caBundle: string | undefined;
  procsFiles: readonly string[];
  /** The descriptors of the filter, of bwrap's options, and of its status, follow those of the program itself. */
  firstDescriptor: number;
  /** Descriptors to close, see inheritedDescriptors. */
  inherited: readonly number[];
  domain: string;
  httpsPort: number;
}

/** The standard environment of everything that runs for an account. Nothing is inherited from the agent. */
export function sandboxEnvironment(request: SandboxRequest, ground: SandboxGround): Record<string, string> {
  const { name } = request.account;
  const trust: Record<string, string> =
    ground.caBundle === undefined ? {} : { SSL_CERT_FILE: CA_BUNDLE, REQUESTS_CA_BUNDLE: CA_BUNDLE };
  const socket: Record<string, string> =
    request.socket === undefined ? {} : { DOMAIN_SOCKET: `/var/sockets/${request.socket.domain}/app.sock` };
  return {
    HOME: `/home/${name}`,
    USER: name,
    LOGNAME: name,
    SHELL: '/bin/bash',
    PATH: `/home/${name}/.local/bin:/usr/local/bin:/usr/bin:/bin:${SHIM_DIRECTORY}/bin`,
    LANG: 'C.UTF-8',
    WORKON_HOME: `/home/${name}/.virtualenvs`,
    PYTHONANYWHERE_SITE: `www.${ground.domain}:${ground.httpsPort}`,
    PYTHONANYWHERE_DOMAIN: ground.domain,
    ...trust,
    ...socket,
    ...request.environment,
  };
}

/**
 * The whole chain, from the shell that joins the cgroup to the member's command. Building it touches no storage; the
 * paths under a home are opened by bwrap only, a process of this one account.
 */
export function sandboxArguments(
  request: SandboxRequest,
  ground: SandboxGround,
): { argv: string[]; options: string[] } {
  const { account, home } = request;
  const uid = String(account.uid);
  const inside = `/home/${account.name}`;
  const bind = (kind: 'bind' | 'ro-bind' | 'ro-bind-try', from: string, to: string): string[] => [
    `--${kind}`,
    from,
    to,
  ];
  const options = [
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    '--hostname',
    'holdfast',
    ...(request.dieWithAgent === true ? ['--die-with-parent'] : []),
    ...(request.status === undefined ? [] : ['--json-status-fd', String(ground.firstDescriptor + 2)]),
    // Parents that bwrap makes by itself are closed to everybody but root.
    ...['/opt', '/home', '/var', '/var/sockets'].flatMap((path) => ['--perms', '0755', '--dir', path]),
    ...bind('ro-bind', '/usr', '/usr'),
    '--symlink',
    'usr/bin',
    '/bin',
    '--symlink',
    'usr/sbin',
    '/sbin',
    '--symlink',
    'usr/lib',
    '/lib',
    '--symlink',
    'usr/lib32',
    '/lib32',
    '--symlink',
    'usr/lib64',
    '/lib64',
    ...bind('ro-bind', ground.etc, '/etc'),
    ...ETC_BINDS.flatMap((name) => bind('ro-bind-try', `/etc/${name}`, `/etc/${name}`)),
    ...(ground.caBundle === undefined ? [] : bind('ro-bind', ground.caBundle, CA_BUNDLE)),
    ...bind('ro-bind', ground.shim, SHIM_DIRECTORY),
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '1777',
    '--tmpfs',
    '/dev/shm',
    ...bind('bind', asArgument(home.home), inside),
    ...bind('bind', asArgument(home.tmp), '/tmp'),
    '--symlink',
    '/tmp',
    '/var/tmp',
    ...bind('bind', asArgument(home.www), '/var/www'),
    ...bind('ro-bind', ground.logs, '/var/log'),
    ...(request.socket === undefined
      ? []
      : bind('bind', request.socket.directory, `/var/sockets/${request.socket.domain}`)),
    '--remount-ro',
    '/',
    '--chdir',
    request.directory ?? inside,
    '--seccomp',
    String(ground.firstDescriptor),
  ];
  // The uid changes last and inside: bwrap needs root to bind what only root may reach.
  const identity = [
    '/usr/bin/setpriv',
    '--reuid',
    uid,
    '--regid',
    uid,
    '--clear-groups',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--no-new-privs',
    '--',
  ];
  const argv = [
    // Only bash can close a descriptor above 9, and dash starts faster.
    ground.inherited.length > 0 ? '/bin/bash' : '/bin/sh',
    join(import.meta.dirname, 'enter-cgroup.sh'),
    String(OPEN_FILES),
    ground.inherited.join(' '),
    ...ground.procsFiles,
    '--',
    // Options come through a descriptor: process 1 of the sandbox is bwrap, and its command line is readable inside.
    '/usr/bin/bwrap',
    '--args',
    String(ground.firstDescriptor + 1),
    '--',
    ...identity,
    ...request.command,
  ];
  return { argv, options };
}
