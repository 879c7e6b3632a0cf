import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { Platform } from './platform.ts';

interface Run {
  number: number;
  cause: string;
  outcome: string;
  late: boolean;
  code: number | null;
}
interface TaskEntry {
  id: number;
  kind: string;
  status: { state: string; runs?: Run[] } | null;
}

describe('tasks', () => {
  let platform: Platform;
  let account: { username: string; password: string; api_token: string };
  const BASE = 'v0/user/alice/schedule/';

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    account = await platform.account('alice');
  });

  afterAll(async () => {
    await platform?.remove();
  });

  async function taskOf(id: number): Promise<TaskEntry | undefined> {
    const { tasks } = await platform.holdfastJson<{ tasks: TaskEntry[] }>('task', 'list', 'alice');
    return tasks.find((task) => task.id === id);
  }

  async function file(path: string): Promise<string> {
    const answer = await platform.api(account.api_token, `v0/user/alice/files/path${path}`);
    return answer.status === 200 ? answer.text : '';
  }

  it('are due while the control plane is away: each minute has its run, and the log is where the API says', async () => {
    const made = await platform.apiJson(account.api_token, BASE, 'POST', {
      command: 'date +%H:%M >> minutes; echo from the task',
      cron: '* * * * *',
    });
    expect(made.status, made.text).toBe(201);
    const { id, logfile } = JSON.parse(made.text) as { id: number; logfile: string };
    const control = platform.pidOf('control');
    process.kill(control, 'SIGKILL');
    await until(async () => (await file('/home/alice/minutes')) !== '', 'the first run', 120_000, 500);
    await until(
      async () => (await taskOf(id))?.status?.runs?.some((run) => run.outcome === 'succeeded') === true,
      'its record',
      60_000,
      500,
    );
    const [run] = (await taskOf(id))?.status?.runs ?? [];
    expect(run).toMatchObject({ cause: 'schedule', late: false, code: 0 });
    const log = await file(logfile.replace('/user/alice/files', ''));
    expect(log).toMatch(/^from the task\n.* -- Completed task, took \d+\.\d\d seconds, return code was 0\.$/m);
    const minutes = (await file('/home/alice/minutes')).trim().split('\n');
    expect(new Set(minutes).size).toBe(minutes.length);
    expect((await platform.api(account.api_token, `${BASE}${id}/`, { method: 'DELETE' })).status).toBe(204);
  });

  it('go on while agent and control plane are killed, and are not done twice', async () => {
    const made = await platform.apiJson(account.api_token, BASE, 'POST', {
      command: 'echo begun >> once; until [ -e go ]; do sleep 0.1; done; echo ended >> once; exit 3',
      interval: 'daily',
      hour: 0,
      minute: 0,
    });
    const { id } = JSON.parse(made.text) as { id: number };
    expect((await platform.holdfast('task', 'run', String(id))).code).toBe(0);
    await until(async () => (await file('/home/alice/once')).includes('begun'), 'the run', 60_000, 200);
    for (const name of ['agent', 'control'] as const) process.kill(platform.pidOf(name), 'SIGKILL');
    await until(async () => (await platform.holdfast('status')).code === 0, 'the return of both', 120_000, 200);
    await until(async () => (await taskOf(id))?.status?.state === 'running', 'the run, taken over', 60_000, 200);
    await platform.writeFile(account, '/home/alice/go', '');
    await until(
      async () => (await taskOf(id))?.status?.runs?.[0]?.outcome === 'failed',
      `the end of the run\n${platform.logs()}`,
      60_000,
      200,
    );
    expect((await taskOf(id))?.status?.runs).toMatchObject([{ number: 1, cause: 'asked', code: 3 }]);
    expect(await file('/home/alice/once')).toBe('begun\nended\n');
  });

  it('that are always on stay on over the death of the agent, and end with the platform', async () => {
    const made = await platform.apiJson(account.api_token, 'v0/user/alice/always_on/', 'POST', {
      command: 'echo begun >> always; exec sleep 100000',
    });
    expect(made.status, made.text).toBe(201);
    const { id } = JSON.parse(made.text) as { id: number };
    await until(async () => (await taskOf(id))?.status?.state === 'running', 'its start', 60_000, 200);
    process.kill(platform.pidOf('agent'), 'SIGKILL');
    await until(async () => (await platform.holdfast('status')).code === 0, 'the return of the agent', 120_000, 200);
    await until(async () => (await taskOf(id))?.status?.state === 'running', 'being known again', 60_000, 200);
    expect(await file('/home/alice/always')).toBe('begun\n');
    await platform.stop();
    expect(platform.processes()).toEqual([]);
    await platform.start();
    await until(async () => (await file('/home/alice/always')) === 'begun\nbegun\n', 'the next start', 60_000, 200);
  });
});
