import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ErrorBody } from '../../protocol/errors.ts';
import { openBench, signedInBrowser, type Bench, type Browser } from '../testing/bench.ts';

const API = '/api/holdfast';

let bench: Bench;
let alice: Browser;

beforeEach(async () => {
  bench = await openBench();
  await bench.member('alice');
  alice = await signedInBrowser(bench, 'alice', "alice's long password");
});
afterEach(() => bench[Symbol.asyncDispose]());

const wrongPassword = {
  method: 'POST',
  url: `${API}/session`,
  payload: { username: 'alice', password: 'no' },
} as const;

it('a refusal says its sentence in `detail`, whatever it refuses, and keeps its other keys', async () => {
  const answers = [
    await bench.operator('POST', `${API}/volumes`, { name: '!' }),
    await bench.server.inject({ method: 'POST', url: `${API}/volumes`, headers: { 'content-type': 'application/json' }, payload: '{' }), // prettier-ignore
    await bench.server.inject({ method: 'POST', url: `${API}/session`, headers: { 'content-type': 'text/plain' }, payload: 'x' }), // prettier-ignore
    await bench.server.inject({ url: `${API}/sites` }),
    await bench.server.inject(wrongPassword),
    await alice.send('GET', `${API}/audit`),
    await bench.operator('GET', `${API}/nothing`),
    await bench.operator('PATCH', `${API}/status`),
    await bench.operator('POST', `${API}/volumes`, { name: 'x'.repeat(2_000_000) }),
  ];
  for (let count = 0; count < 30; count += 1) answers.push(await bench.server.inject(wrongPassword));
  for (const answer of answers) {
    const body = answer.json<ErrorBody>();
    expect({ status: answer.statusCode, body }).toMatchObject({ body: { detail: body.message } });
    expect(body).toMatchObject({ code: expect.any(String), message: expect.stringMatching(/\w/) });
  }
  const statuses = new Set(answers.map((answer) => answer.statusCode));
  expect([...statuses]).toEqual(expect.arrayContaining([400, 401, 403, 404, 405, 413, 429]));
});
