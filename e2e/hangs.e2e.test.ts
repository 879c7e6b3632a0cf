import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { isAlive, recordOf, startTimeOf } from '../src/runtime/process-record.ts';
import { Platform } from './platform.ts';

const SITE = `
import os
# The server's own process, whichever worker answers: its id and when it began (proc(5), field 22).
BOOT = '%d since %s' % (os.getppid(), open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[19])
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [BOOT.encode()]
`;

interface Summary {
  status: { indicator: string; description: string };
  components: { name: string; status: string }[];
}

describe('a part of the platform hangs', () => {
  let platform: Platform;
  let domain: string;
  let boot: string;
  const stopped: number[] = [];

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    domain = await platform.wsgiSite(await platform.account('alice'), SITE);
    boot = (await platform.request(domain, '/')).text;
  });
  afterAll(async () => {
    for (const pid of stopped) if (startTimeOf(pid) !== undefined) process.kill(pid, 'SIGCONT');
    await platform?.remove();
  });

  /** The control plane runs in a sandbox: the process that works is the sandbox's child. */
  function workingPid(name: 'agent' | 'control'): number {
    const pid = platform.pidOf(name);
    if (name === 'agent') return pid;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]);
  }

  async function summary(): Promise<Summary> {
    const answer = await platform.request('localhost', '/status/api/v2/summary.json');
    return JSON.parse(answer.text) as Summary;
  }

  it.each([
    ['control', 'Sign-in, pages and API'],
    ['agent', 'Watching and repair'],
  ] as const)(
    'a hung %s is told of on the status page, and another one takes its place; sites do not notice',
    async (name, component) => {
      const statusOf = async (): Promise<string | undefined> =>
        (await summary()).components.find((one) => one.name === component)?.status;
      await until(async () => (await statusOf()) === 'operational', 'the page being content', 120_000, 500);
      // It has been seen to work: what hangs while it starts is given longer.
      await until(async () => (await platform.holdfast('status')).code === 0, 'the platform being ready', 120_000, 500);
      const pid = workingPid(name);
      const record = recordOf(pid);
      process.kill(pid, 'SIGSTOP');
      stopped.push(pid);
      await until(
        async () => (await statusOf()) === 'major_outage',
        `the page saying so\n${platform.logs()}`,
        120_000,
        100,
      );
      expect((await summary()).status.indicator).not.toBe('none');
      expect((await platform.request(domain, '/')).text).toBe(boot);
      await until(() => record !== undefined && !isAlive(record), 'the end of the one that hangs', 120_000);
      await until(
        async () => (await platform.holdfast('status')).code === 0,
        `another one\n${platform.logs()}`,
        120_000,
        200,
      );
      await until(async () => (await statusOf()) === 'operational', 'the page being content again', 120_000, 200);
      expect((await platform.request(domain, '/')).text).toBe(boot);
    },
  );

  it('a hung supervisor is told of by those it watches', async () => {
    const supervisor = JSON.parse(
      readFileSync(join(platform.configuration.runDirectory, 'supervisor.json'), 'utf8'),
    ) as {
      pid: number;
    };
    process.kill(supervisor.pid, 'SIGSTOP');
    stopped.push(supervisor.pid);
    const notices = async (): Promise<string> =>
      JSON.stringify(await platform.holdfastJson('status').catch(() => undefined));
    await until(async () => /"supervisor":"silent"/.test(await notices()), 'being told', 120_000, 500);
    process.kill(supervisor.pid, 'SIGCONT');
    await until(async () => /"supervisor":"watching"/.test(await notices()), 'being told again', 120_000, 500);
    expect((await platform.request(domain, '/')).text).toBe(boot);
  });
});
