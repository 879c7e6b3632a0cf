import { execFileSync } from 'node:child_process';
import { array, assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoginThrottle, PER_ACCOUNT, type ThrottleRule } from './login-throttle.ts';
import { checkPassword, hashPassword, hashVisitorPassword, passwordProblem } from './passwords.ts';
import { RequestThrottle } from './request-throttle.ts';
import { newApiToken, newOneTimePassword, newSiteId, sameSecret } from './secrets.ts';

const rule: ThrottleRule = {
  freeFailures: 3,
  firstWaitSeconds: 2,
  longestWaitSeconds: 60,
  forgetAfterSeconds: 600,
  keys: 50,
};

describe('the throttle of sign-ins', () => {
  it('lets some wrong passwords pass, then doubles the wait up to the longest', () => {
    const throttle = new LoginThrottle(rule);
    const waits = Array.from({ length: 10 }, () => {
      throttle.failed('alice', 0);
      return throttle.waitSeconds('alice', 0);
    });
    expect(waits).toEqual([0, 0, 0, 2, 4, 8, 16, 32, 60, 60]);
    expect(throttle.waitSeconds('alice', 30_000)).toBe(30);
    expect(throttle.waitSeconds('alice', 60_000)).toBe(0);
    expect(throttle.waitSeconds('bob', 0)).toBe(0);
  });

  it('forgets after a success, and after a long time', () => {
    const throttle = new LoginThrottle(rule);
    for (let count = 0; count < 9; count += 1) throttle.failed('alice', 0);
    throttle.succeeded('alice');
    expect(throttle.waitSeconds('alice', 0)).toBe(0);
    for (let count = 0; count < 9; count += 1) throttle.failed('alice', 0);
    expect(throttle.waitSeconds('alice', 600_000)).toBe(0);
    throttle.failed('alice', 600_000);
    expect(throttle.waitSeconds('alice', 600_000)).toBe(0);
  });

  it('takes back one try without forgetting the others', () => {
    const throttle = new LoginThrottle(rule);
    for (let count = 0; count < 5; count += 1) throttle.failed('1.2.3.4', 0);
    throttle.takeBack('1.2.3.4');
    expect(throttle.waitSeconds('1.2.3.4', 0)).toBe(2);
  });

  it('remembers a bounded number of keys', () => {
    const throttle = new LoginThrottle(rule);
    for (let count = 0; count < 500; count += 1) throttle.failed(String(count), 0);
    expect(throttle.size).toBe(50);
  });

  it('never lets more guesses through than the rule allows, however they are timed', () => {
    assert(
      property(array(integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 200 }), (gaps) => {
        const throttle = new LoginThrottle(PER_ACCOUNT);
        let now = 0;
        let sinceLast = 0;
        let failures = 0;
        for (const gap of gaps) {
          now += gap;
          sinceLast += gap;
          if (throttle.waitSeconds('x', now) > 0) continue;
          const over = failures - PER_ACCOUNT.freeFailures;
          const due = Math.min(PER_ACCOUNT.firstWaitSeconds * 2 ** (over - 1), PER_ACCOUNT.longestWaitSeconds);
          expect(over <= 0 || sinceLast >= (due - 1) * 1000).toBe(true);
          throttle.failed('x', now);
          failures += 1;
          sinceLast = 0;
        }
      }),
    );
  });
});

describe('the throttle of requests', () => {
  it('never lets more than the limit through in any minute, and says truly when it will', () => {
    assert(
      property(
        integer({ min: 1, max: 10 }),
        array(integer({ min: 0, max: 30_000 }), { maxLength: 100 }),
        (limit, gaps) => {
          const throttle = new RequestThrottle();
          const passed: number[] = [];
          let now = 1_000_000;
          for (const gap of gaps) {
            now += gap;
            const wait = throttle.take('k', limit, now);
            if (wait === 0) passed.push(now);
            const recent = passed.filter((time) => now - time < 60_000);
            expect(recent.length).toBeLessThanOrEqual(limit);
            const later = now + wait * 1000;
            const stillCounted = passed.filter((time) => later - time < 60_000).length;
            expect(wait === 0 || (recent.length === limit && wait <= 60 && stillCounted < limit)).toBe(true);
          }
        },
      ),
    );
  });

  it('keeps accounts and endpoints apart, and has no limit at 0', () => {
    const throttle = new RequestThrottle();
    expect(throttle.take('a', 1, 0)).toBe(0);
    expect(throttle.take('a', 1, 0)).toBe(60);
    expect(throttle.take('b', 1, 0)).toBe(0);
    for (let count = 0; count < 100; count += 1) expect(throttle.take('a', 0, 0)).toBe(0);
  });
});

describe('passwords', () => {
  it('are kept as argon2id with 19 MiB and two passes, and checked', async () => {
    const hash = await hashPassword('correct horse');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await checkPassword(hash, 'correct horse')).toBe(true);
    expect(await checkPassword(hash, 'wrong horse')).toBe(false);
    expect(await checkPassword(undefined, 'nobody has this password')).toBe(false);
  });

  it('are hashed a few at a time, and refused when too many wait', async () => {
    const results = await Promise.allSettled(Array.from({ length: 80 }, () => hashPassword('x')));
    const refused = results.filter((result) => result.status === 'rejected');
    expect(results.length - refused.length).toBe(52);
    for (const result of refused)
      expect(result.reason).toMatchObject({ code: 'too-many-requests', retryAfterSeconds: 5 });
    expect(await hashPassword('x')).toContain('argon2id');
  });

  it.each([
    ['short', true],
    ['alice', true],
    ['aaaaaaaaaaaa', true],
    ['PassWord123', true],
    ['x'.repeat(201), true],
    ['correct horse battery', false],
  ])('%s is refused: %s', (password, refused) => {
    expect(passwordProblem(password, 'alice') !== undefined).toBe(refused);
  });

  it("of a site's visitors are hashed as crypt(3) checks them", async () => {
    const hash = await hashVisitorPassword('Pässwörd $1');
    const [, , rounds = '', salt = ''] = hash.split('$');
    const again = execFileSync('openssl', ['passwd', '-5', '-salt', `${rounds}$${salt}`, '-stdin'], {
      input: 'Pässwörd $1\n',
      encoding: 'utf8',
    });
    expect(again.trim()).toBe(hash);
    await expect(hashVisitorPassword('two\nlines')).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(hashVisitorPassword('ü'.repeat(200))).rejects.toMatchObject({ code: 'input-invalid' });
  });
});

describe('secrets', () => {
  it('have the forms that others rely on', () => {
    expect(newApiToken()).toMatch(/^[0-9a-f]{40}$/);
    expect(newSiteId()).toMatch(/^[0-9a-f]{12}$/);
    expect(newOneTimePassword()).toMatch(/^([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}$/);
    expect(new Set(Array.from({ length: 1000 }, newOneTimePassword)).size).toBe(1000);
  });

  it('are compared whole', () => {
    expect(sameSecret('abc', 'abc')).toBe(true);
    expect(sameSecret('abc', 'abcd')).toBe(false);
    expect(sameSecret('', 'x')).toBe(false);
  });
});
