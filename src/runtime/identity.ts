import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { writeWhole } from './whole-file.ts';

/**
 * Identities of the platform's own processes for mutual TLS. This authority is separate from the one visitors trust:
 * it never signs a name outside `.holdfast.internal`, and nothing outside the platform needs to know it.
 */
x509.cryptoProvider.set(webcrypto as unknown as Crypto);

export type ProcessName = 'agent' | 'control';

export interface Identity {
  /** PEM: the authority that both ends trust. */
  authority: string;
  certificate: string;
  privateKey: string;
}

export const AGENT_SERVER_NAME = 'agent.holdfast.internal';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const YEAR = 365 * 24 * 3600 * 1000;

async function pemOfPrivateKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key as webcrypto.CryptoKey), 'PRIVATE KEY');
}

/**
 * Makes the internal authority and one identity per process, once. Directories: `<directoryOf(name)>/tls/` with
 * authority.pem, certificate.pem and key.pem (0600, owned by the process's uid). The authority's key is not kept: a new
 * host gets a new set of identities through `renew`.
 */
export async function ensureIdentities(
  directories: Record<ProcessName, { path: string; uid: number }>,
  renew = false,
): Promise<void> {
  const names = Object.keys(directories) as ProcessName[];
  const complete = names.every((name) => {
    const file = join(directories[name].path, 'tls', 'certificate.pem');
    if (!existsSync(file)) return false;
    const certificate = new x509.X509Certificate(readFileSync(file, 'utf8'));
    return certificate.notAfter.getTime() - Date.now() > YEAR / 12;
  });
  const authorities = new Set(
    names.map((name) => {
      const file = join(directories[name].path, 'tls', 'authority.pem');
      return existsSync(file) ? readFileSync(file, 'utf8') : name;
    }),
  );
  if (complete && authorities.size === 1 && !renew) return;

  const authorityKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - 3600_000);
  const notAfter = new Date(Date.now() + 10 * YEAR);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(12))).toString('hex'),
    name: 'CN=Holdfast internal authority',
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys: authorityKeys as { publicKey: CryptoKey; privateKey: CryptoKey },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  for (const name of names) {
    const { path, uid } = directories[name];
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(12))).toString('hex'),
      subject: `CN=${name}`,
      issuer: authority.subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey as CryptoKey,
      signingKey: authorityKeys.privateKey as CryptoKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension(
          [name === 'agent' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth],
          true,
        ),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: `${name}.holdfast.internal` }]),
      ],
    });
    const directory = join(path, 'tls');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
    chownSync(directory, uid, uid);
    await writeWhole(join(directory, 'authority.pem'), authority.toString('pem'), { mode: 0o600, uid, gid: uid });
    await writeWhole(join(directory, 'key.pem'), await pemOfPrivateKey(keys.privateKey as CryptoKey), {
      mode: 0o600,
      uid,
      gid: uid,
    });
    await writeWhole(join(directory, 'certificate.pem'), certificate.toString('pem'), { mode: 0o600, uid, gid: uid });
  }
}

/** Reads the identity of one process; throws when set-up has not made it yet. */
export function readIdentity(directory: string): Identity {
  const at = (name: string): string => readFileSync(join(directory, 'tls', name), 'utf8');
  return { authority: at('authority.pem'), certificate: at('certificate.pem'), privateKey: at('key.pem') };
}
