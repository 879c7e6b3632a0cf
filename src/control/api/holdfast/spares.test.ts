import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../../protocol/browser.ts';
import { openBench, tokenClient, type Bench } from '../../testing/bench.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench[Symbol.asyncDispose]());

const URL = '/api/holdfast/spares';

describe('spare disks', () => {
  it('are added, listed and removed by the operator, and it is written down', async () => {
    expect((await bench.operator('GET', URL)).json()).toEqual([]);
    const added = await bench.operator('POST', URL, { disk: '/dev/sdx' });
    expect([added.statusCode, added.json()]).toEqual([201, [expect.objectContaining({ disk: '/dev/sdx' })]]);
    expect((await bench.operator('POST', URL, { disk: 'sdx' })).statusCode).toBe(400);
    expect((await bench.operator('DELETE', `${URL}?disk=${encodeURIComponent('/dev/sdx')}`)).json()).toEqual([]);
    const acts = (await bench.operator('GET', '/api/holdfast/audit')).json<AuditEntry[]>().map((entry) => entry.action);
    expect(acts).toEqual(expect.arrayContaining(['spare.add', 'spare.remove']));
  });

  it('are nothing for members', async () => {
    const { apiToken } = await bench.member('alice');
    const member = tokenClient(bench, apiToken);
    expect((await member('GET', URL)).statusCode).toBe(403);
    expect((await member('POST', URL, { disk: '/dev/sdx' })).statusCode).toBe(403);
  });
});
