import { X509Certificate, type KeyObject } from 'node:crypto';

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** More than any chain has; each costs a signature check for each other. */
const MOST = 10;

/** The certificates of a PEM text, one by one. */
export function certificateBlocks(pem: string): string[] {
  return pem.match(BLOCK) ?? [];
}

/**
 * The certificates in the order a server has to send them: the one the key belongs to, then its issuer, then that one's. People
 * paste them as their authority lists them, often the other way round. What belongs to none of them stays at the end. Undefined when the key
 * belongs to none, or when there are more than ten. Throws when a block is no certificate.
 */
export function orderedChain(pem: string, key: KeyObject): string[] | undefined {
  const blocks = certificateBlocks(pem);
  if (blocks.length > MOST) return undefined;
  const left = blocks.map((text) => ({ text, certificate: new X509Certificate(text) }));
  const chain: string[] = [];
  let next = left.findIndex(({ certificate }) => certificate.checkPrivateKey(key));
  if (next < 0) return undefined;
  while (next >= 0) {
    const [one] = left.splice(next, 1);
    if (one === undefined) break;
    chain.push(one.text);
    next = left.findIndex(({ certificate }) => one.certificate.checkIssued(certificate));
  }
  return [...chain, ...left.map(({ text }) => text)];
}
