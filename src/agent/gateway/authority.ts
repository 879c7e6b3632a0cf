import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeWhole } from '../../runtime/whole-file.ts';

/** Gives out server certificates. The local authority is one; ACME becomes another. */
export interface CertificateIssuer {
  /** A private key and the certificate chain for these names, both PEM. The first name is the main one. */
  issue(names: readonly string[]): Promise<{ privateKeyPem: string; certificatePem: string }>;
}

const DAY = 24 * 3600 * 1000;
const AUTHORITY_YEARS = 10;
/** Browsers of Apple refuse more than 825 days from a private authority; a year and a month is plenty, as renewal is ours. */
const SERVER_DAYS = 397;
const KEY = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const { subtle } = webcrypto;

function pem(label: string, bytes: ArrayBuffer): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** 16 random bytes, positive (RFC 5280 4.1.2.2). */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString('hex');
}

export interface LocalAuthority extends CertificateIssuer {
  certificatePem: string;
}

/**
 * Opens the instance's own certificate authority, making it the first time. The key is one file that only root reads; the
 * certificate is beside it, and both are in the same file so that they can never disagree.
 */
export async function openAuthority(directory: string, instance: string): Promise<LocalAuthority> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'authority.pem');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    text = await makeAuthority(instance);
    await writeWhole(file, text, { mode: 0o600 });
  }
  const keyBlock = /-----BEGIN PRIVATE KEY-----([\s\S]+?)-----END PRIVATE KEY-----/.exec(text)?.[1];
  const certificatePem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n?/.exec(text)?.[0];
  if (keyBlock === undefined || certificatePem === undefined) {
    throw new Error(`${file} is damaged. Restore it from a backup, or remove it to make a new certificate authority.`);
  }
  const key = await subtle.importKey('pkcs8', Buffer.from(keyBlock, 'base64'), KEY, false, ['sign']);
  const authority = new x509.X509Certificate(certificatePem);
  return {
    certificatePem,
    async issue(names) {
      const keys = await subtle.generateKey(KEY, true, ['sign', 'verify']);
      const now = Date.now();
      const main = names[0] ?? 'localhost';
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        issuer: authority.subject,
        // A common name has at most 64 characters (RFC 5280, ub-common-name); clients read the alternative names anyway.
        subject: `CN=${main.length <= 64 ? main : 'Holdfast site'}`,
        notBefore: new Date(now - DAY),
        notAfter: new Date(Math.min(now + SERVER_DAYS * DAY, authority.notAfter.getTime())),
        publicKey: keys.publicKey,
        signingKey: key,
        signingAlgorithm: KEY,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
          ),
          await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
          await x509.AuthorityKeyIdentifierExtension.create(authority),
        ],
      });
      return {
        privateKeyPem: pem('PRIVATE KEY', await subtle.exportKey('pkcs8', keys.privateKey)),
        certificatePem: `${certificate.toString('pem')}\n`,
      };
    },
  };
}

async function makeAuthority(instance: string): Promise<string> {
  const keys = await subtle.generateKey(KEY, true, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Holdfast local authority ${instance}, O=Holdfast`,
    notBefore: new Date(now - DAY),
    notAfter: new Date(now + AUTHORITY_YEARS * 365.25 * DAY),
    keys,
    signingAlgorithm: KEY,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pem('PRIVATE KEY', await subtle.exportKey('pkcs8', keys.privateKey)) + `${certificate.toString('pem')}\n`;
}
