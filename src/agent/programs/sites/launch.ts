import { wsgiFileName } from '../../../model/names.ts';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { SHIM_DIRECTORY } from '../sandbox-arguments.ts';
import { frontConfiguration } from './static-server.ts';

/** A virtualenv as an absolute path: a bare name means one of virtualenvwrapper's, as on PythonAnywhere. */
export function virtualenvPath(virtualenv: string, account: string): string {
  if (virtualenv === '' || virtualenv.startsWith('/')) return virtualenv.replace(/\/+$/, '');
  if (virtualenv === '~' || virtualenv.startsWith('~/')) return `/home/${account}${virtualenv.slice(1)}`;
  return `/home/${account}/.virtualenvs/${virtualenv}`;
}

/** The command of a site inside its sandbox (see shim/launch.sh for the order) and what it finds in its environment. */
export function launchOf(
  site: SiteSpec,
  account: AccountSpec,
  pluginVersion: string,
): { command: string[]; environment: Record<string, string> } {
  const home = `/home/${account.name}`;
  const directory = site.workingDirectory || home;
  const command = [
    '/bin/sh',
    `${SHIM_DIRECTORY}/launch.sh`,
    site.kind,
    String(site.workers),
    String(account.limits.requestTimeoutSeconds),
    site.pythonVersion,
    pluginVersion,
    virtualenvPath(site.virtualenv, account.name),
    directory,
    site.command,
    frontConfiguration(site, directory) ?? '',
  ];
  const environment: Record<string, string> = { HOST_NAME: site.domain };
  // uvicorn and gunicorn believe what the gateway says of the visitor; nobody else reaches their socket. See shim/holdfast_servers.py.
  if (site.kind === 'command') environment['FORWARDED_ALLOW_IPS'] = '*';
  if (site.kind === 'wsgi') {
    environment['WSGI_MODULE'] = wsgiFileName(site.domain).replace(/\.py$/, '');
    if (site.sourceDirectory !== '') environment['HOLDFAST_SOURCE_DIRECTORY'] = site.sourceDirectory;
  }
  return { command, environment };
}
