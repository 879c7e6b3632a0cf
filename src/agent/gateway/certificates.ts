import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import type { CertificateIssuer } from './authority.ts';
import { writeWhole } from '../../runtime/whole-file.ts';

const DAY = 24 * 3600 * 1000;
/** A certificate is replaced this long before its end. */
const RENEW_BEFORE = 30 * DAY;
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export interface CertificatePair {
  certificatePem: string;
  privateKeyPem: string;
}

export interface CertificateFacts {
  notAfter: string;
  issuer: string;
  subject: string;
  alternativeNames: string[];
  custom: boolean;
}

function refuse(message: string, field: string): never {
  throw new HoldfastError('input-invalid', message, { field });
}

/**
 * Checks a certificate that a member brings: readable, for this domain, in force, and with its own key. Throws
 * `input-invalid` with a sentence that says what to bring instead. Returns the leaf.
 */
export function checkCustomCertificate(domain: string, pair: CertificatePair, now = new Date()): X509Certificate {
  const blocks = pair.certificatePem.match(BLOCK);
  if (!blocks) refuse('The certificate is not PEM text. It starts with -----BEGIN CERTIFICATE-----.', 'certificatePem');
  if (blocks.length > 10) refuse('The certificate chain has more than ten certificates.', 'certificatePem');
  const chain = blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      return refuse('The certificate cannot be read. Copy the whole PEM text, the chain included.', 'certificatePem');
    }
  });
  const leaf = chain[0];
  if (!leaf) refuse('The certificate is empty.', 'certificatePem');
  let key;
  try {
    key = createPrivateKey(pair.privateKeyPem);
  } catch (error) {
    const locked =
      (error as NodeJS.ErrnoException).code === 'ERR_MISSING_PASSPHRASE' || /ENCRYPTED/.test(pair.privateKeyPem);
    refuse(
      locked
        ? 'The private key is protected by a passphrase. Bring it without one.'
        : 'The private key is not PEM text. It starts with -----BEGIN PRIVATE KEY-----.',
      'privateKeyPem',
    );
  }
  if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    refuse('The private key is too short. Use RSA with at least 2048 bits, or ECDSA.', 'privateKeyPem');
  }
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec' && key.asymmetricKeyType !== 'ed25519') {
    refuse('The private key is of a kind that browsers do not accept. Use RSA or ECDSA.', 'privateKeyPem');
  }
  if (!leaf.checkPrivateKey(key)) {
    refuse(
      'The private key does not belong to the first certificate. Put the certificate of your domain first, then its chain.',
      'privateKeyPem',
    );
  }
  if (leaf.checkHost(domain, { subject: 'never' }) === undefined) {
    refuse(
      `The certificate is not for ${domain}. It is for: ${namesOf(leaf).join(', ') || 'no name'}.`,
      'certificatePem',
    );
  }
  if (leaf.validToDate <= now)
    refuse(`The certificate ended on ${leaf.validToDate.toISOString().slice(0, 10)}.`, 'certificatePem');
  if (leaf.validFromDate > now) {
    refuse(`The certificate is only valid from ${leaf.validFromDate.toISOString().slice(0, 10)}.`, 'certificatePem');
  }
  return leaf;
}

function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
    .filter((name) => name !== '');
}

function lineOf(name: string): string {
  return name.split('\n').join(', ');
}

interface StoredCertificate {
  file: string;
  notAfter: number;
  facts: CertificateFacts;
}

/**
 * The certificates nginx serves, one file for a domain with key and chain in it, so that the two can never disagree. Only
 * root writes them, the gateway's group reads them. File names are hashes: a domain may be longer than a file name.
 */
export class CertificateStore {
  readonly #directory: string;
  readonly #gatewayGid: number;
  readonly #issuer: CertificateIssuer;
  readonly #known = new Map<string, StoredCertificate>();

  constructor(directory: string, gatewayGid: number, issuer: CertificateIssuer) {
    this.#directory = directory;
    this.#gatewayGid = gatewayGid;
    this.#issuer = issuer;
  }

  /** The platform's own certificate for these names; made, or made anew 30 days before its end. Returns the file name. */
  async ensure(names: readonly string[]): Promise<string> {
    const main = names[0] ?? '';
    const file = `${createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 32)}.pem`;
    const known = this.#known.get(main);
    if (known?.file === file && known.notAfter - RENEW_BEFORE > Date.now()) return file;
    let stored = await this.#read(file, false);
    if (!stored || stored.notAfter - RENEW_BEFORE <= Date.now()) {
      const issued = await this.#issuer.issue(names);
      await this.#write(file, issued);
      stored = await this.#read(file, false);
      if (!stored) throw new Error(`The certificate for ${main} was written but cannot be read.`);
    }
    this.#known.set(main, stored);
    return file;
  }

  /** Puts a member's own certificate in place. Throws `input-invalid` when it cannot be served. Returns the file name. */
  async install(domain: string, pair: CertificatePair): Promise<string> {
    checkCustomCertificate(domain, pair);
    const content = createHash('sha256').update(domain).update(pair.certificatePem).update(pair.privateKeyPem);
    const file = `${content.digest('hex').slice(0, 32)}.custom.pem`;
    if (this.#known.get(domain)?.file !== file) {
      const stored = (await this.#read(file, true)) ?? (await this.#write(file, pair), await this.#read(file, true));
      if (!stored) throw new Error(`The certificate for ${domain} was written but cannot be read.`);
      this.#known.set(domain, stored);
    }
    return file;
  }

  facts(domain: string): CertificateFacts | undefined {
    return this.#known.get(domain)?.facts;
  }

  /** Whether any certificate of ours is due for renewal. */
  renewalDue(): boolean {
    return [...this.#known.values()].some(
      (stored) => !stored.facts.custom && stored.notAfter - RENEW_BEFORE <= Date.now(),
    );
  }

  /** Removes the files no configuration names any more. */
  async keepOnly(files: ReadonlySet<string>, domains: ReadonlySet<string>): Promise<void> {
    for (const domain of this.#known.keys()) if (!domains.has(domain)) this.#known.delete(domain);
    for (const file of await readdir(this.#directory)) {
      if (!files.has(file)) await rm(join(this.#directory, file), { force: true });
    }
  }

  async prepare(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
  }

  async #write(file: string, pair: CertificatePair): Promise<void> {
    const chain = pair.certificatePem.match(BLOCK)?.join('\n') ?? '';
    await writeWhole(join(this.#directory, file), `${pair.privateKeyPem.trim()}\n${chain}\n`, {
      mode: 0o640,
      gid: this.#gatewayGid,
      durable: false,
    });
  }

  async #read(file: string, custom: boolean): Promise<StoredCertificate | undefined> {
    let leaf: X509Certificate;
    try {
      const text = await readFile(join(this.#directory, file), 'utf8');
      leaf = new X509Certificate(text.match(BLOCK)?.[0] ?? '');
      if (!leaf.checkPrivateKey(createPrivateKey(text))) return undefined;
    } catch {
      return undefined; // Missing, or cut short by a power failure: made again.
    }
    return {
      file,
      notAfter: leaf.validToDate.getTime(),
      facts: {
        notAfter: leaf.validToDate.toISOString(),
        issuer: lineOf(leaf.issuer),
        subject: lineOf(leaf.subject),
        alternativeNames: namesOf(leaf),
        custom,
      },
    };
  }
}
