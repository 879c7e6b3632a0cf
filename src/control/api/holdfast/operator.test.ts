import { readFile } from 'node:fs/promises';

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DEFAULT_PLANS } from '../../../model/plans.ts';
import { ensureOperator } from '../../accounts/ensure-operator.ts';
import { openBench, signedInBrowser, type Bench, type Browser } from '../../testing/bench.ts';

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

describe('the operator', () => {
  it('gets a new one-time password at each start until it has been changed', async () => {
    const file = join(bench.configuration.home, 'control/first-password.json');
    const first = JSON.parse(await readFile(file, 'utf8')) as { name: string; oneTimePassword: string };
    expect(first.name).toBe('operator');
    const second = (await ensureOperator(bench.context)).oneTimePassword ?? '';
    expect(second).not.toBe(first.oneTimePassword);
    const operator = await signedInBrowser(bench, 'operator', second);
    const early = await operator.send('GET', `${API}/accounts`);
    expect([early.statusCode, early.json<{ code: string }>().code]).toEqual([403, 'password-change-needed']);
    const body = { current: second, next: 'my own long password' };
    expect((await operator.send('POST', `${API}/session/password`, body)).statusCode).toBe(200);
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await ensureOperator(bench.context)).toEqual({ name: 'operator', oneTimePassword: null });
  });

  it('is the only one who may use its routes', async () => {
    const routes: [string, string, unknown?][] = [
      ['GET', 'accounts'],
      ['POST', 'accounts', { username: 'eve1' }],
      ['PATCH', 'accounts/alice', { plan: 'large' }],
      ['DELETE', 'accounts/alice?confirm=alice'],
      ['POST', 'accounts/alice/password'],
      ['GET', 'volumes'],
      ['POST', 'volumes', { name: 'x', disks: [] }],
      ['POST', 'volumes/v1/close'],
      ['DELETE', 'volumes/v1?confirm=v1'],
      ['GET', 'operations'],
      ['GET', 'audit'],
      ['GET', 'settings'],
      ['PATCH', 'settings', { signUpOpen: true }],
      ['GET', 'plans'],
      ['GET', 'sites?account=bob'],
      ['GET', 'files?path=/home/bob&account=bob'],
    ];
    await bench.member('bob');
    for (const [method, path, body] of routes) {
      const answer = await alice.send(method, `${API}/${path}`, body);
      expect([path, answer.statusCode, answer.json<{ code: string }>().code]).toEqual([path, 403, 'forbidden']);
      const nobody = await bench.server.inject({
        method: method as 'GET',
        url: `${API}/${path}`,
        headers: visitor,
        ...(body ? { payload: body } : {}),
      });
      expect([path, nobody.statusCode]).toEqual([path, 401]);
    }
  });

  it.each([
    ['processes', 1],
    ['memoryBytes', 1024 ** 2],
    ['diskBytes', 4096],
    ['requestTimeoutSeconds', 1],
    ['workers', 100],
  ])('cannot make a plan with which no site would start: %s %i', async (field, value) => {
    const answer = await bench.operator('PUT', `${API}/plans/tight`, { ...DEFAULT_PLANS['standard'], [field]: value });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'input-invalid']);
    const names = (await bench.operator('GET', `${API}/plans`)).json<{ name: string }[]>().map(({ name }) => name);
    expect(names).not.toContain('tight');
  });
});
