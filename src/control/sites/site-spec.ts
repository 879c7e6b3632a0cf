import type { PlanLimits } from '../../model/plans.ts';
import type { SiteSpec } from '../../protocol/sites.ts';
import type { Site } from '../store/sites.ts';

/** No password has this hash: crypt(3) never answers it. Protection that is on but has no password yet lets nobody in. */
const NOBODY = '!';

/** What the agent is told of a site. */
export function siteSpec(site: Site, limits: PlanLimits): SiteSpec {
  return {
    id: site.id,
    account: site.account,
    domain: site.domain,
    kind: site.kind,
    enabled: site.enabled === 1 && !site.accountDisabled,
    pythonVersion: site.python_version,
    virtualenv: site.virtualenv,
    sourceDirectory: site.source_directory,
    workingDirectory: site.working_directory,
    command: site.command,
    forceHttps: site.force_https === 1,
    protection:
      site.protection_enabled === 1
        ? { username: site.protection_username || site.account, passwordHash: site.protection_hash || NOBODY }
        : null,
    staticFiles: site.staticFiles.map(({ id, url, path }) => ({ id, url, path })),
    staticHeaders: site.staticHeaders.map(({ id, url, name, value }) => ({ id, url, name, value })),
    stopFirst: site.stop_first === 1,
    workers: Math.min(site.workers, limits.workers),
    certificate:
      site.certificate_pem !== null && site.private_key_pem !== null
        ? { certificatePem: site.certificate_pem, privateKeyPem: site.private_key_pem }
        : null,
    revision: site.revision,
  };
}
