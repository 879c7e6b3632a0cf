import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { isAlive, recordOf } from '../src/runtime/process-record.ts';
import { Platform } from './platform.ts';

const COUNTING_SITE = `
import os, json
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps({'ppid': os.getppid(), 'boot': BOOT}).encode()]
import os
# The server's own process, whichever worker answers: its id and when it began (proc(5), field 22).
BOOT = '%d since %s' % (os.getppid(), open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[19])
`;

describe('the platform is killed', () => {
  let platform: Platform;
  let account: { username: string; password: string; api_token: string };
  let domain: string;

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    account = await platform.account('alice');
    domain = await platform.wsgiSite(account, COUNTING_SITE);
  });

  afterAll(async () => {
    await platform?.remove();
  });

  async function boot(): Promise<string> {
    const answer = await platform.request(domain, '/');
    expect(answer.status, answer.text).toBe(200);
    return (JSON.parse(answer.text) as { boot: string }).boot;
  }

  /** All at once. Control runs in a sandbox: what answers is the sandbox's child, which is still dying when its parent is dead. */
  async function kill(...names: readonly ('agent' | 'control' | 'nginx')[]): Promise<void> {
    const pids = names.map((name) => platform.pidOf(name));
    const sandboxed = names.flatMap((name) => (name === 'control' ? childrenOf(platform.pidOf(name)) : []));
    const records = [...pids, ...sandboxed].map(recordOf);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until(
      () => !records.some((record) => record !== undefined && isAlive(record)),
      `the end of ${names.join(', ')}`,
      30_000,
    );
  }

  async function killAndReturn(name: 'agent' | 'control' | 'nginx'): Promise<void> {
    await kill(name);
    if (name !== 'nginx') await boot(); // The site goes on while the process is away.
    await until(
      async () => (await platform.holdfast('status')).code === 0,
      `the return of ${name}\n${platform.logs()}`,
      120_000,
      200,
    );
  }

  function childrenOf(pid: number): number[] {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  }

  const orders = [
    ['control', 'agent', 'nginx'],
    ['nginx', 'agent', 'control'],
    ['agent', 'nginx', 'control'],
  ] as const;
  it.each(orders)('goes on when %s, then %s, then %s get kill -9', async (...names) => {
    const before = await boot();
    for (const name of names) await killAndReturn(name);
    expect(await boot()).toBe(before); // The same process: adopted, not started again.
    const awake = await platform.holdfastJson<{ domain: string; status: { state: string; processes: number } }[]>(
      'site',
      'list',
    );
    expect(awake.find((site) => site.domain === domain)?.status.state).toBe('awake');
  });

  it('goes on when all three die at the same moment', async () => {
    const before = await boot();
    await kill('agent', 'control', 'nginx');
    await until(async () => (await platform.holdfast('status')).code === 0, 'the return of all', 120_000, 200);
    expect(await boot()).toBe(before);
  });

  it('is taken over by a new start when its supervisor was killed', async () => {
    const before = await boot();
    process.kill(platform.pidOf('supervisor'), 'SIGKILL');
    expect(await boot()).toBe(before);
    await platform.start();
    expect(await boot()).toBe(before);
  });

  it('comes back clean after a power cut, with accounts, sites and files', async () => {
    await platform.writeFile(account, '/home/alice/kept.txt', 'still here');
    await platform.powerCut();
    await platform.start();
    const file = await platform.api(account.api_token, 'v0/user/alice/files/path/home/alice/kept.txt');
    expect(file.text).toBe('still here');
    await boot();
  });

  it('stops everything although the agent is just being started again', async () => {
    await boot();
    process.kill(platform.pidOf('agent'), 'SIGKILL');
    await platform.stop();
    expect(platform.processes()).toEqual([]);
    await platform.start();
    await boot();
  });

  it('stops everything with Ctrl-C and resumes with the same state', async () => {
    await platform.stop();
    expect(platform.processes()).toEqual([]);
    await platform.start();
    await boot();
    const status = await platform.holdfastJson<{ ready: boolean; version: string }>('status');
    expect(status).toMatchObject({ ready: true, version: '0.1.0' });
  });
});
