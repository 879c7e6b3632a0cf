import { X509Certificate, createPrivateKey } from 'node:crypto';
import { HoldfastError } from '../../protocol/errors.ts';

/**
 * Checks a certificate that a member brings: PEM that can be read, the key belongs to it, it covers the domain and has not
 * ended. Throws `input-invalid` with what is wrong.
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
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem.certificatePem);
  } catch {
    throw wrong('The certificate is not PEM text that starts with -----BEGIN CERTIFICATE-----.');
  }
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(pem.privateKeyPem));
  } catch {
    throw wrong('The private key is not PEM text, or it is protected by a passphrase. Remove the passphrase first.');
  }
  if (!matches) throw wrong('The private key does not belong to this certificate.');
  if (certificate.validToDate.getTime() <= now.getTime()) {
    throw wrong(`The certificate ended on ${certificate.validToDate.toISOString().slice(0, 10)}.`);
  }
  if (certificate.checkHost(domain) === undefined) throw wrong(`The certificate is not for ${domain}.`);
  return { certificatePem: `${pem.certificatePem.trim()}\n`, privateKeyPem: `${pem.privateKeyPem.trim()}\n` };
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
