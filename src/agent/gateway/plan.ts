import { domainProblem, normaliseDomain } from '../../model/names.ts';
import type { SiteSpec } from '../../protocol/sites.ts';
import type { Logger } from '../../runtime/log.ts';

/** One site as nginx needs it. Only checked values get here: see `checkedSpecs`. */
export interface GatewaySite {
  id: string;
  account: string;
  domain: string;
  volume: string | undefined;
  enabled: boolean;
  forceHttps: boolean;
  /** Its answers are passed on as they come: its server may be any, and nobody can tell which of its answers never end. */
  streams: boolean;
  /** A line of a password file, `user:hash`; "" lets nobody in. */
  passwordLine: string | undefined;
  /** File name below certificates/. */
  certificate: string;
}

/** Everything the configuration is made from. Same plan, same text, same generation. */
export interface GatewayPlan {
  /** <home>/gateway, <home>/logs and the run directory. */
  gateway: string;
  logs: string;
  run: string;
  controlSocket: string;
  domain: string;
  httpPort: number;
  httpsPort: number;
  ipv6: boolean;
  /** nginx 1.25.1 has its own directive for HTTP/2 and warns about the old form. */
  http2Directive: boolean;
  workers: number;
  connectionsPerWorker: number;
  platformCertificate: string;
  sites: readonly GatewaySite[];
}

const ACCOUNT = /^[a-z][a-z0-9]{1,29}$/;
/** Forms nginx checks: salted SHA-1 (RFC 2307), Apache's MD5, and what the C library's crypt(3) knows. */
const HASH = /^(\{SSHA\}[A-Za-z0-9+/=]+|\$apr1\$[^\s:$]+\$[^\s:$]+|\$(5|6|y|2[aby])\$[^\s:]+)$/;

/**
 * A line of a password file. A name or hash that cannot be written there yields the empty string: then nobody gets in,
 * rather than everybody.
 */
export function passwordLine(protection: { username: string; passwordHash: string }): string {
  // eslint-disable-next-line no-control-regex
  if (protection.username === '' || /[:\u0000-\u001f\u007f]/.test(protection.username)) return '';
  return HASH.test(protection.passwordHash) ? `${protection.username}:${protection.passwordHash}` : '';
}

/**
 * The specs that can go into a configuration, one for a domain. Names are checked here once more although the control
 * plane has checked them: what is written into a configuration file must not depend on somebody else's care.
 */
export function checkedSpecs(specs: readonly SiteSpec[], platformDomain: string, log: Logger): SiteSpec[] {
  const byDomain = new Map<string, SiteSpec>();
  for (const spec of specs) {
    const domain = normaliseDomain(spec.domain);
    const problem = ACCOUNT.test(spec.account)
      ? domainProblem(domain, spec.account, platformDomain)
      : `"${spec.account}" is not an account name.`;
    const before = byDomain.get(domain);
    if (problem !== undefined) {
      log.warn({ site: spec.id, problem }, 'A site is left out of the gateway.');
    } else if (before && before.revision >= spec.revision) {
      log.warn({ site: spec.id, domain, kept: before.id }, 'Two sites have one domain; the newer one is served.');
    } else {
      byDomain.set(domain, { ...spec, domain });
    }
  }
  return [...byDomain.values()].sort((a, b) => (a.domain < b.domain ? -1 : 1));
}
