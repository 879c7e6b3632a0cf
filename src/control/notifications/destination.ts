import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Configuration } from '../../runtime/config.ts';
import { HoldfastError } from '../../protocol/errors.ts';

/** Addresses that belong to no receiver: link-local ones (metadata services of clouds among them), "any", multicast. */
const NEVER = new BlockList();
NEVER.addSubnet('169.254.0.0', 16);
NEVER.addSubnet('0.0.0.0', 8);
NEVER.addSubnet('224.0.0.0', 3);
NEVER.addSubnet('fe80::', 10, 'ipv6');
NEVER.addAddress('::', 'ipv6');
NEVER.addSubnet('ff00::', 8, 'ipv6');

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

type Platform = Pick<Configuration, 'domain' | 'httpPort' | 'httpsPort'>;

/**
 * A receiver of alerts: http or https, without credentials in the address, and not on this platform, because it has to answer when
 * the platform does not. Throws `input-invalid`.
 */
export function checkWebhookUrl(text: string, platform: Platform): URL {
  const wrong = (message: string): HoldfastError =>
    new HoldfastError('input-invalid', message, { field: 'webhook.url' });
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw wrong('The address of a webhook begins with https:// or http://.');
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('Do not write a password into the address. Give it as the secret: it is sent as a bearer token.');
  }
  const host = url.hostname.replace(/\.$/, '');
  if (host === platform.domain || host.endsWith(`.${platform.domain}`)) {
    throw wrong('Name a receiver outside of this platform: it has to answer when the platform does not.');
  }
  const address = host.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0) {
    const why = addressProblem(address, portOf(url), platform);
    if (why !== undefined) throw wrong(why);
  }
  return url;
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}

/** Why nothing is sent to this address; undefined when it may be. Checked again for what a name turns out to mean. */
export function addressProblem(address: string, port: number, platform: Platform): string | undefined {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (NEVER.check(address, family)) return `Nothing is sent to ${address}: no receiver of alerts lives there.`;
  const gateway = port === platform.httpPort || port === platform.httpsPort;
  if (gateway && (LOOPBACK.check(address, family) || isOwn(address))) {
    return 'Name a receiver outside of this platform: it has to answer when the platform does not.';
  }
  return undefined;
}

function isOwn(address: string): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address) === true);
}
