import { wsgiFileName } from '../../model/names.ts';
import type { SiteView } from '../../protocol/browser.ts';
import type { ControlContext } from '../context.ts';
import { describeCertificate } from './certificate.ts';
import type { Site } from '../store/sites.ts';

/** The address a visitor types. */
export function siteUrl(context: Pick<ControlContext, 'configuration'>, domain: string): string {
  const port = context.configuration.httpsPort;
  return `https://${domain}${port === 443 ? '' : `:${port}`}/`;
}

export function siteView(context: Pick<ControlContext, 'configuration' | 'world'>, site: Site): SiteView {
  return {
    id: site.id,
    account: site.account,
    domain: site.domain,
    url: siteUrl(context, site.domain),
    kind: site.kind,
    enabled: site.enabled === 1,
    pythonVersion: site.python_version,
    virtualenv: site.virtualenv,
    sourceDirectory: site.source_directory,
    workingDirectory: site.working_directory,
    wsgiFile: site.kind === 'wsgi' ? `/var/www/${wsgiFileName(site.domain)}` : null,
    command: site.command,
    forceHttps: site.force_https === 1,
    protection: site.protection_enabled === 1 ? { username: site.protection_username || site.account } : null,
    staticFiles: site.staticFiles.map(({ id, url, path }) => ({ id, url, path })),
    staticHeaders: site.staticHeaders.map(({ id, url, name, value }) => ({ id, url, name, value })),
    stopFirst: site.stop_first === 1,
    workers: site.workers,
    createdAt: site.created_at,
    status: context.world.statuses.get(site.id) ?? null,
    storage: site.volume === null ? 'serving' : context.world.serviceOf(site.volume),
    certificate: site.certificate_pem === null ? null : describeCertificate(site.certificate_pem),
  };
}
