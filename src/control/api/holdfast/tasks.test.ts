import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskViewSchema, type TaskView } from '../../../protocol/api/tasks.ts';
import { openBench, signedInBrowser, type Bench, type Browser } from '../../testing/bench.ts';

let bench: Bench;
let alice: Browser;

beforeEach(async () => {
  bench = await openBench();
  await bench.member('alice');
  alice = await signedInBrowser(bench, 'alice', "alice's long password");
});
afterEach(() => bench[Symbol.asyncDispose]());

const NEW = { kind: 'scheduled', command: 'echo hello', schedule: { kind: 'hourly', minute: 5 } };
const send: Browser['send'] = async (method, url, body) => await alice.send(method, `/api/holdfast/${url}`, body);

describe('tasks', () => {
  it('are made, listed with what the plan allows, changed and deleted', async () => {
    const made = await send('POST', 'tasks', NEW);
    expect(made.statusCode).toBe(201);
    expect(taskViewSchema.parse(made.json())).toMatchObject({
      id: 1,
      enabled: true,
      description: '',
      log: '/var/log/tasklog-1-hourly-at-05-echo_hello.log',
      status: { state: 'idle' },
    });
    expect((await send('GET', 'tasks')).json()).toMatchObject({
      tasks: [made.json()],
      most: { scheduled: 20, alwaysOn: 2 },
      longestSeconds: 43_200,
      cpu: { usedSeconds: 12.345, limitSeconds: 2000 },
    });
    const changed = await send('PATCH', 'tasks/1', { enabled: false });
    expect(changed.json()).toMatchObject({ enabled: false, command: 'echo hello', status: { state: 'disabled' } });
    expect((await send('DELETE', 'tasks/1?running=end')).statusCode).toBe(204);
    expect((await send('GET', 'tasks')).json<{ tasks: TaskView[] }>().tasks).toEqual([]);
  });

  it('say which field is wrong, and why, in words', async () => {
    const wrong = await send('POST', 'tasks', {
      ...NEW,
      schedule: { kind: 'cron', expression: '61 * * * *', zone: 'UTC' },
    });
    expect([wrong.statusCode, wrong.json()]).toMatchObject([400, { code: 'input-invalid', field: 'schedule' }]);
    const blank = await send('POST', 'tasks', { ...NEW, command: '  ' });
    expect([blank.statusCode, blank.json()]).toMatchObject([400, { field: 'command' }]);
  });

  it('of somebody else do not exist, except for the operator', async () => {
    await bench.member('bob');
    await send('POST', 'tasks', NEW);
    const bob = await signedInBrowser(bench, 'bob', "bob's long password");
    for (const [method, path] of [
      ['GET', 'tasks/1'],
      ['PATCH', 'tasks/1'],
      ['DELETE', 'tasks/1'],
      ['POST', 'tasks/1/run'],
      ['GET', 'tasks/1/runs/1/output'],
    ] as const)
      expect((await bob.send(method, `/api/holdfast/${path}`, method === 'PATCH' ? {} : undefined)).statusCode).toBe(
        404,
      );
    expect((await bench.operator('GET', '/api/holdfast/tasks?account=alice')).json()).toMatchObject({
      tasks: [{ id: 1, account: 'alice' }],
    });
  });

  it('are run, stopped and restarted by their kind only', async () => {
    await send('POST', 'tasks', NEW);
    await send('POST', 'tasks', { kind: 'always-on', command: 'python3 bot.py' });
    expect((await send('POST', 'tasks/1/run')).statusCode).toBe(200);
    expect((await send('POST', 'tasks/1/stop')).json()).toEqual({ stopped: 0 });
    expect((await send('POST', 'tasks/2/restart')).json()).toMatchObject({ kind: 'always-on' });
    expect((await send('POST', 'tasks/1/restart')).statusCode).toBe(400);
    expect((await send('POST', 'tasks/2/run')).statusCode).toBe(400);
    expect((await send('PATCH', 'tasks/2', { schedule: NEW.schedule })).statusCode).toBe(400);
    expect((await send('GET', 'tasks/1/runs/1/output')).json()).toEqual({
      run: null,
      text: 'a line of a task\n',
      complete: true,
    });
  });

  it('are listed while the agent does not answer, without what is not known', async () => {
    await send('POST', 'tasks', NEW);
    bench.agent.online = false;
    expect((await send('GET', 'tasks')).json()).toMatchObject({ tasks: [{ id: 1, status: null }], cpu: null });
  });
});
