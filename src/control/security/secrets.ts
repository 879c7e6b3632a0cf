import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';

/** 256 bits, for cookies and CSRF tokens. */
export function newSessionSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** 40 hexadecimal characters: some of PythonAnywhere's clients insist on exactly that. 160 bits. */
export function newApiToken(): string {
  return randomBytes(20).toString('hex');
}

/** Unguessable part of a shared file's link. */
export function newShareToken(): string {
  return randomBytes(12).toString('hex');
}

/** 12 hexadecimal characters, names a site's directories, sockets and cgroups. */
export function newSiteId(): string {
  return randomBytes(6).toString('hex');
}

/** How secrets of many random bits are stored: SHA-256 is enough, because they cannot be guessed. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares without telling by its duration where the difference is. */
export function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

// No 0/o, 1/l/i: people type these from a screen.
const READABLE = 'abcdefghjkmnpqrstuvwxyz23456789';

/** A password to be typed once, then changed: 5 groups of 4, 99 bits. */
export function newOneTimePassword(): string {
  const group = (): string => Array.from({ length: 4 }, () => READABLE[randomInt(READABLE.length)]).join('');
  return Array.from({ length: 5 }, group).join('-');
}
