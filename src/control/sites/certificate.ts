import { X509Certificate, createPrivateKey, type KeyObject } from 'node:crypto';
import { HoldfastError } from '../../protocol/errors.ts';
import { certificateBlocks, orderedChain } from '../../runtime/certificate-chain.ts';

/**
 * Checks a certificate that a member brings: PEM that can be read, the key belongs to it, it covers the domain and has not
 * ended. The chain may be in any order; it is returned in the one a server sends. Throws `input-invalid` with what is wrong.
 */
export function checkCertificate(
  pem: { certificatePem: string; privateKeyPem: string },
  domain: string,
  now: Date,
): { certificatePem: string; privateKeyPem: string } {
  const wrong = (message: string): HoldfastError =>
    new HoldfastError('input-invalid', message, { field: 'certificate' });
  if (pem.certificatePem.length > 100_000 || pem.privateKeyPem.length > 20_000)
    throw wrong('The certificate or the key is too long.');
  const blocks = certificateBlocks(pem.certificatePem);
  if (blocks.length === 0) throw wrong('The certificate is not PEM text that starts with -----BEGIN CERTIFICATE-----.');
  if (blocks.length > 10) throw wrong('The certificate chain has more than ten certificates.');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem.privateKeyPem);
  } catch {
    throw wrong('The private key is not PEM text, or it is protected by a passphrase. Remove the passphrase first.');
  }
  let chain: string[] | undefined;
  try {
    chain = orderedChain(pem.certificatePem, key);
  } catch {
    throw wrong('The certificate cannot be read. Copy the whole PEM text, the chain included.');
  }
  if (chain === undefined) {
    throw wrong(
      blocks.length === 1
        ? 'The private key does not belong to this certificate.'
        : `The private key belongs to none of these ${blocks.length} certificates.`,
    );
  }
  const certificate = new X509Certificate(chain[0] ?? '');
  if (certificate.validToDate.getTime() <= now.getTime()) {
    throw wrong(`The certificate ended on ${certificate.validToDate.toISOString().slice(0, 10)}.`);
  }
  if (certificate.checkHost(domain) === undefined) throw wrong(`The certificate is not for ${domain}.`);
  return { certificatePem: `${chain.join('\n')}\n`, privateKeyPem: `${pem.privateKeyPem.trim()}\n` };
}

/** What the pages show of a member's own certificate. */
export function describeCertificate(certificatePem: string): { notAfter: string; issuer: string; custom: boolean } {
  const certificate = new X509Certificate(certificatePem);
  return {
    notAfter: certificate.validToDate.toISOString(),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    custom: true,
  };
}

/** The names in a certificate, the common name where there is one. */
export function certificateNames(certificatePem: string): {
  notAfter: string;
  issuer: string;
  subject: string;
  alternativeNames: string[];
} {
  const certificate = new X509Certificate(certificatePem);
  return {
    notAfter: certificate.validToDate.toISOString(),
    issuer: commonName(certificate.issuer ?? ''),
    subject: commonName(certificate.subject ?? ''),
    alternativeNames: (certificate.subjectAltName ?? '')
      .split(', ')
      .filter((name) => name.startsWith('DNS:'))
      .map((name) => name.slice(4)),
  };
}

/** The common name out of a distinguished name, in either of the ways it is written; the whole when there is none. */
export function commonName(name: string): string {
  return /(?:^|[\n,]\s*)CN=([^,\n]*)/.exec(name)?.[1] ?? name;
}
