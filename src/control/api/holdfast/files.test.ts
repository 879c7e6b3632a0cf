import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

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

describe('files', () => {
  it('lists, writes, reads, renames, makes and removes', async () => {
    const put = await bench.server.inject({
      method: 'PUT',
      url: `${API}/files/content?path=/home/alice/new/a.html`,
      headers: { cookie: alice.cookie, 'x-csrf-token': alice.csrf, ...visitor, 'content-type': 'text/html' },
      payload: Buffer.from([0, 255, 1]),
    });
    expect([put.statusCode, put.json()]).toEqual([200, { created: true }]);
    const read = await alice.send('GET', `${API}/files/content?path=/home/alice/new/a.html&download=1`);
    expect([...read.rawPayload]).toEqual([0, 255, 1]);
    expect(read.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': "attachment; filename*=UTF-8''a.html",
      'x-content-type-options': 'nosniff',
    });
    const listed = await alice.send('GET', `${API}/files?path=/home/alice/new/`);
    expect(listed.json()).toMatchObject({
      path: '/home/alice/new',
      entries: [{ name: 'a.html', size: 3 }],
      writable: true,
    });
    expect(
      (await alice.send('POST', `${API}/files/rename`, { from: '/home/alice/new/a.html', to: '/home/alice/b' }))
        .statusCode,
    ).toBe(200);
    expect((await alice.send('POST', `${API}/files/directory`, { path: '/home/alice/x/y' })).json()).toEqual({
      created: true,
    });
    expect((await alice.send('POST', `${API}/files/directory`, { path: '/home/alice/x/y' })).json()).toEqual({
      created: false,
    });
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice/x`)).statusCode).toBe(204);
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice/x`)).json()).toMatchObject({ code: 'not-found' });
    expect((await alice.send('DELETE', `${API}/files?path=/home/alice`)).json()).toMatchObject({ code: 'forbidden' });
    expect((await alice.send('GET', `${API}/files?path=/etc`)).json()).toMatchObject({ code: 'not-found' });
    expect((await alice.send('GET', `${API}/files?path=/home/alice/../bob`)).json()).toMatchObject({
      code: 'input-invalid',
    });
  });

  it('saves only in place of what was read, and makes a new file only where there is none', async () => {
    const put = async (text: string, condition: Record<string, string>): Promise<unknown> => {
      const answer = await bench.server.inject({
        method: 'PUT',
        url: `${API}/files/content?path=/home/alice/two-tabs.py`,
        headers: { cookie: alice.cookie, 'x-csrf-token': alice.csrf, ...visitor, ...condition },
        payload: Buffer.from(text),
      });
      return [answer.statusCode, answer.json<{ code?: string }>().code];
    };
    const seen = (text: string): Record<string, string> => ({
      'if-match': `"${createHash('sha256').update(text).digest('hex')}"`,
    });
    expect(await put('one', { 'if-none-match': '*' })).toEqual([200, undefined]);
    expect(await put('', { 'if-none-match': '*' })).toEqual([409, 'file-changed']);
    expect(await put('two', seen('one'))).toEqual([200, undefined]);
    expect(await put('TWO', seen('one'))).toEqual([409, 'file-changed']);
    expect((await alice.send('GET', `${API}/files/content?path=/home/alice/two-tabs.py`)).payload).toBe('two');
    const odd: Record<string, string>[] = [{ 'if-match': '*' }, { 'if-match': 'W/"x"' }, { 'if-none-match': '"abc"' }];
    for (const wrong of odd) expect(await put('three', wrong)).toEqual([400, 'input-invalid']);
    expect(await put('three', {})).toEqual([200, undefined]);
  });

  it('takes an empty file and one without a content type', async () => {
    const headers = { cookie: alice.cookie, 'x-csrf-token': alice.csrf, ...visitor };
    for (const payload of [undefined, Buffer.from('')]) {
      const put = await bench.server.inject({
        method: 'PUT',
        url: `${API}/files/content?path=/tmp/empty`,
        headers,
        ...(payload ? { payload } : {}),
      });
      expect(put.statusCode).toBe(200);
    }
    expect(bench.agent.files.get('alice:/tmp/empty')).toEqual(Buffer.alloc(0));
  });

  it('refuses more than the limit, and an upload without a CSRF token', async () => {
    await bench.operator('PATCH', `${API}/settings`, { uploadLimitBytes: 10 });
    const url = `${API}/files/content?path=/home/alice/a`;
    const headers = { cookie: alice.cookie, ...visitor, 'content-type': 'application/octet-stream' };
    expect((await bench.server.inject({ method: 'PUT', url, headers, payload: Buffer.alloc(3) })).statusCode).toBe(403);
    const large = await bench.server.inject({
      method: 'PUT',
      url,
      headers: { ...headers, 'x-csrf-token': alice.csrf },
      payload: Buffer.alloc(11),
    });
    expect([large.statusCode, large.json<{ code: string }>().code]).toEqual([413, 'too-large']);
    expect(bench.agent.files.has('/home/alice/a')).toBe(false);
  });
});
