import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../protocol/errors.ts';
import { openBench, signedInBrowser, tokenClient, type Bench, type Browser, type Client } from '../testing/bench.ts';

const HOME = '/home/alice';

/** The connection to the agent breaks in the middle, as it does when the agent answers early or dies: the stream is destroyed by a raw error. */
describe('an upload that the agent does not take', () => {
  let bench: Bench;
  let browser: Browser;
  let client: Client;

  beforeEach(async () => {
    bench = await openBench();
    client = tokenClient(bench, (await bench.member('alice')).apiToken);
    browser = await signedInBrowser(bench, 'alice', "alice's long password");
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  function breaks(raw: string, reason: HoldfastError): void {
    bench.agent.writeFile = async (_account, _path, stream) => {
      stream.once('data', () => stream.destroy(Object.assign(new Error(`write ${raw}`), { code: raw })));
      await new Promise<void>((resolve) => stream.once('close', resolve));
      throw reason;
    };
  }

  it.each([
    ['EPIPE', 507, new HoldfastError('no-room', 'The volume your files live on is full.')],
    ['EPIPE', 507, new HoldfastError('quota-exceeded', 'Your disk space is used up.')],
    [
      'ECONNREFUSED',
      503,
      new HoldfastError('agent-unreachable', 'The host does not answer right now.', { retryAfterSeconds: 2 }),
    ],
  ])('after %s the answer is %i with its reason, in both APIs', async (raw, status, reason) => {
    breaks(raw, reason);
    const large = Buffer.alloc(3_000_000, 'x');
    const put = await bench.server.inject({
      method: 'PUT',
      url: `/api/holdfast/files/content?path=${HOME}/a`,
      headers: { cookie: browser.cookie, 'x-csrf-token': browser.csrf, 'x-real-ip': '192.0.2.50' },
      payload: large,
    });
    expect([put.statusCode, put.json()]).toMatchObject([status, { code: reason.code, message: reason.message }]);
    const form = new FormData();
    form.set('content', new Blob([large]), 'a');
    const posted = await client('POST', `/api/v0/user/alice/files/path${HOME}/a`, form);
    expect([posted.statusCode, posted.json()]).toEqual([status, { detail: reason.message }]);
    for (const answer of [put, posted]) {
      expect(answer.headers['retry-after']).toBe(reason.retryAfterSeconds === undefined ? undefined : '2');
    }
  });
});

describe('while the agent starts again', () => {
  it('everything that needs it answers 503 and when to try again', async () => {
    await using bench = await openBench();
    const client = tokenClient(bench, (await bench.member('alice')).apiToken);
    const gone = async (): Promise<never> =>
      await Promise.reject(
        new HoldfastError('agent-unreachable', 'The host does not answer right now.', { retryAfterSeconds: 2 }),
      );
    for (const method of ['files.stat', 'files.list', 'files.remove'] as const) bench.agent.instead.set(method, gone);
    bench.agent.readFile = gone;
    for (const [verb, path] of [
      ['GET', `files/path${HOME}/x.py`],
      ['GET', `files/path${HOME}`],
      ['DELETE', `files/path${HOME}/x.py`],
    ] as const) {
      const answer = await client(verb, `/api/v0/user/alice/${path}`);
      expect([verb, answer.statusCode, answer.headers['retry-after']]).toEqual([verb, 503, '2']);
    }
  });
});
