import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sessionSchema, type AuditEntry } from '../../../protocol/browser.ts';

import { cookieOf, openBench, signedInBrowser, type Bench, type Browser } from '../../testing/bench.ts';

let bench: Bench;
let alice: Browser;

beforeEach(async () => {
  bench = await openBench();
  await bench.member('alice');
  alice = await signedInBrowser(bench, 'alice', "alice's long password");
});
afterEach(() => bench[Symbol.asyncDispose]());

const API = '/api/holdfast';
const visitor = { 'x-real-ip': '192.0.2.50' };

async function auditActions(): Promise<string[]> {
  const entries = (await bench.operator('GET', `${API}/audit`)).json<AuditEntry[]>();
  return entries.map((entry) => `${entry.actor} ${entry.action} ${entry.subject} ${entry.outcome}`);
}

describe('session', () => {
  const signIn = (username: string, password: string, headers: Record<string, string> = visitor) =>
    bench.server.inject({ method: 'POST', url: `${API}/session`, headers, payload: { username, password } });

  it('answers also to somebody who is not signed in', async () => {
    const answer = await bench.server.inject({ url: `${API}/session`, headers: visitor });
    expect(answer.statusCode).toBe(200);
    expect(sessionSchema.parse(answer.json())).toMatchObject({ account: null, csrfToken: null, signUpOpen: false });
  });

  it('signs in with a cookie that scripts cannot read and other sites cannot send', async () => {
    const answer = await signIn('alice', "alice's long password");
    expect(answer.cookies).toEqual([
      expect.objectContaining({
        name: expect.stringMatching(/^__Host-/),
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
        path: '/',
      }),
    ]);
    expect(sessionSchema.parse(answer.json())).toMatchObject({
      account: { name: 'alice', role: 'member', hasToken: true },
    });
    expect(await auditActions()).toContain('alice session.sign-in alice ok');
  });

  it('answers the same to a wrong password and to an unknown name', async () => {
    const [wrong, unknown] = [await signIn('alice', 'wrong'), await signIn('nobody', 'wrong')];
    expect(wrong.statusCode).toBe(401);
    expect(wrong.json()).toEqual(unknown.json());
    expect(wrong.json()).toMatchObject({ code: 'wrong-password' });
    expect(await auditActions()).toContain('alice session.sign-in alice refused');
  });

  it('slows down guessing on one account and says how long to wait', async () => {
    for (let count = 0; count < 6; count += 1) expect((await signIn('alice', 'wrong')).statusCode).toBe(401);
    const answer = await signIn('alice', "alice's long password");
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '2']);
    expect(answer.json()).toMatchObject({ code: 'too-many-requests', retryAfterSeconds: 2 });
    bench.clock.ahead += 3_000;
    expect((await signIn('alice', "alice's long password")).statusCode).toBe(200);
  });

  it('slows down guessing on many accounts from one address, and not others', async () => {
    for (let count = 0; count < 21; count += 1) await signIn(`name${count}`, 'wrong');
    expect((await signIn('alice', "alice's long password")).statusCode).toBe(429);
    expect((await signIn('alice', "alice's long password", { 'x-real-ip': '192.0.2.51' })).statusCode).toBe(200);
  });

  it('refuses a sign-in that another website sends', async () => {
    expect(
      (await signIn('alice', "alice's long password", { ...visitor, 'sec-fetch-site': 'cross-site' })).statusCode,
    ).toBe(403);
    const form = await bench.server.inject({
      method: 'POST',
      url: `${API}/session`,
      headers: { ...visitor, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'username=alice&password=x',
    });
    expect(form.statusCode).toBe(400);
  });

  it('ends by signing out, by age, and when nobody uses it', async () => {
    expect((await alice.send('DELETE', `${API}/session`)).statusCode).toBe(204);
    expect((await alice.send('GET', `${API}/dashboard`)).json()).toMatchObject({ code: 'not-signed-in' });
    const day = 86_400_000;
    const used = await signedInBrowser(bench, 'alice', "alice's long password");
    const idle = await signedInBrowser(bench, 'alice', "alice's long password");
    for (let days = 0; days < 13; days += 1) {
      bench.clock.ahead += day;
      expect((await used.send('GET', `${API}/sites`)).statusCode).toBe(200);
    }
    expect((await idle.send('GET', `${API}/sites`)).statusCode).toBe(401);
    bench.clock.ahead += day;
    expect((await used.send('GET', `${API}/sites`)).statusCode).toBe(401);
  });

  it('needs the CSRF token for every write', async () => {
    const body = { domain: 'alice.holdfast.test', quickstart: 'flask' };
    for (const token of ['', 'x'.repeat(43)]) {
      const answer = await alice.send('POST', `${API}/sites`, body, { 'x-csrf-token': token });
      expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([403, 'csrf-missing']);
    }
    expect((await alice.send('DELETE', `${API}/session`, undefined, { 'x-csrf-token': '' })).statusCode).toBe(403);
  });

  it('changes the password, which ends the other sessions', async () => {
    const other = await signedInBrowser(bench, 'alice', "alice's long password");
    const change = (current: string, next: string) => alice.send('POST', `${API}/session/password`, { current, next });
    expect((await change('wrong', 'another long one')).json()).toMatchObject({
      code: 'wrong-password',
      field: 'current',
    });
    expect((await change("alice's long password", 'short')).json()).toMatchObject({
      code: 'input-invalid',
      field: 'next',
    });
    const answer = await change("alice's long password", 'another long one');
    expect(answer.statusCode).toBe(200);
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(401);
    expect((await other.send('GET', `${API}/sites`)).statusCode).toBe(401);
    alice.cookie = cookieOf(answer);
    expect((await alice.send('GET', `${API}/sites`)).statusCode).toBe(200);
    expect((await signIn('alice', 'another long one')).statusCode).toBe(200);
  });
});
