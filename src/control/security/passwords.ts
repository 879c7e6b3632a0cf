import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import { HoldfastError } from '../../protocol/errors.ts';
import { runCommand } from '../../runtime/command.ts';

/** OWASP's recommendation for argon2id, which is the library's default kind (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane. */
const OPTIONS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hashes at the same time: each needs 19 MiB and one of libuv's four threads. */
const AT_ONCE = 2;
/** Sign-ins that may wait for their turn; the next is told to come back. */
const WAITING = 50;

let running = 0;
const queue: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (queue.length >= WAITING) {
      throw new HoldfastError(
        'too-many-requests',
        'Too many people are signing in right now. Please try again in a few seconds.',
        {
          retryAfterSeconds: 5,
        },
      );
    }
    // The turn is handed over by whoever finishes, so `running` does not change here.
    await new Promise<void>((resolve) => queue.push(resolve));
  } else {
    running += 1;
  }
  try {
    return await work();
  } finally {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  }
}

export async function hashPassword(password: string): Promise<string> {
  return await inTurn(() => hash(password, OPTIONS));
}

let decoy: Promise<string> | undefined;

/**
 * Whether a password is right. Without a hash (no such account) it does the same work and says no, so that the time it
 * takes does not tell which accounts exist.
 */
export async function checkPassword(passwordHash: string | undefined, password: string): Promise<boolean> {
  if (passwordHash === undefined) {
    decoy ??= hashPassword('nobody has this password');
    const against = await decoy;
    await inTurn(() => verify(against, password));
    return false;
  }
  return await inTurn(() => verify(passwordHash, password));
}

/** What is wrong with a new password, as a sentence, or undefined. NIST SP 800-63B: length counts, composition does not. */
export function passwordProblem(password: string, account: string): string | undefined {
  if (password.length < 8) return 'A password needs at least 8 characters.';
  if (password.length > 200) return 'A password may have at most 200 characters.';
  const plain = password.toLowerCase();
  if (plain === account.toLowerCase()) return 'The password must not be the account name.';
  if (/^(.)\1+$/.test(plain) || COMMON.has(plain))
    return 'This password is one of the first that anybody would try. Please choose another.';
  return undefined;
}

const COMMON = new Set([
  'password', 'password1', 'password123', 'passw0rd', '12345678', '123456789', '1234567890', '11111111', 'qwertyui',
  'qwertyuiop', 'qwerty123', 'iloveyou', 'letmein1', 'welcome1', 'sunshine', 'princess', 'football', 'baseball', 'trustno1',
  'superman', 'administrator', 'changeme', 'holdfast', 'abcd1234', 'abc12345', '1q2w3e4r', 'q1w2e3r4', 'zaq12wsx', 'asdfghjkl',
]); // prettier-ignore

/**
 * The hash of a site's visitors' password in the form nginx's `auth_basic` hands to crypt(3): SHA-512 crypt, the strongest
 * one that both know. OpenSSL makes it in a process of its own; the password goes through standard input.
 */
export async function hashVisitorPassword(password: string): Promise<string> {
  // OpenSSL reads one line and cuts it at 256 bytes: what it would not see must not be part of a password.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(password)) {
    throw new HoldfastError('input-invalid', 'The password of a protected site must not contain control characters.', {
      field: 'protection',
    });
  }
  if (Buffer.byteLength(password) > 250) {
    throw new HoldfastError('input-invalid', 'The password of a protected site may have at most 250 bytes.', {
      field: 'protection',
    });
  }
  // nginx checks it on every request, in workers that all sites share: 1,000 rounds cost it 0.5 ms, the usual 5,000 of
  // SHA-512 crypt 3 ms (measured). It guards a page, not an account; accounts have argon2id.
  const salt = `rounds=1000$${randomBytes(12).toString('hex').slice(0, 16)}`;
  const result = await runCommand('openssl', ['passwd', '-5', '-salt', salt, '-stdin'], {
    deadlineMs: 10_000,
    input: `${password}\n`,
  });
  const line = result.stdout.trim();
  if (result.code !== 0 || !line.startsWith('$5$')) {
    throw new HoldfastError('command-failed', 'The password could not be hashed by openssl.', {
      details: result.stderr.trim().split('\n').slice(-3),
    });
  }
  return line;
}
