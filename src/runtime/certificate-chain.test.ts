import 'reflect-metadata';
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, expect, test } from 'vitest';
import { orderedChain } from './certificate-chain.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const provider = webcrypto as never;
const pair = async (): Promise<webcrypto.CryptoKeyPair> =>
  await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);

let chain: string[];
let other: string;
let key: ReturnType<typeof createPrivateKey>;

beforeAll(async () => {
  const [root, middle, leaf, stranger] = await Promise.all([pair(), pair(), pair(), pair()]);
  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + 3_600_000);
  const issue = async (subject: string, issuer: string, publicKey: webcrypto.CryptoKey, signingKey: webcrypto.CryptoKey): Promise<string> =>
    (
      await x509.X509CertificateGenerator.create(
        { subject: `CN=${subject}`, issuer: `CN=${issuer}`, notBefore, notAfter, publicKey, signingKey, signingAlgorithm: algorithm, extensions: [new x509.BasicConstraintsExtension(subject !== 'leaf', undefined, true)] } as never,
        provider,
      )
    ).toString('pem');
  chain = [
    await issue('leaf', 'middle', leaf.publicKey, middle.privateKey),
    await issue('middle', 'root', middle.publicKey, root.privateKey),
    await issue('root', 'root', root.publicKey, root.privateKey),
  ];
  other = await issue('stranger', 'stranger', stranger.publicKey, stranger.privateKey);
  key = createPrivateKey(x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', leaf.privateKey), 'PRIVATE KEY'));
}); // prettier-ignore

const subjects = (pems: string[] | undefined): string[] | undefined =>
  pems?.map((pem) => new X509Certificate(pem).subject.replace('CN=', ''));

test('a chain in any order is put into the one that servers send', () => {
  const [leaf = '', middle = '', root = ''] = chain;
  for (const order of [
    [leaf, middle, root],
    [root, middle, leaf],
    [middle, leaf, root],
    [middle, root, leaf],
  ])
    expect(subjects(orderedChain(order.join('\n'), key))).toEqual(['leaf', 'middle', 'root']);
  expect(subjects(orderedChain([other, middle, leaf].join('\n'), key))).toEqual(['leaf', 'middle', 'stranger']);
});

test('a key that belongs to none of them, and more certificates than a chain has', () => {
  expect(orderedChain(other, key)).toBeUndefined();
  expect(orderedChain(Array(11).fill(chain[0]).join('\n'), key)).toBeUndefined();
  expect(() => orderedChain('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', key)).toThrow(
    /asn1|PEM|pem|ASN|bad|wrong|error/,
  );
});
