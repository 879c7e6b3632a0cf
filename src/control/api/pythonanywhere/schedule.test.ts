import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBench, tokenClient, type Bench, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Client;

beforeEach(async () => {
  bench = await openBench();
  alice = tokenClient(bench, (await bench.member('alice')).apiToken);
});
afterEach(() => bench[Symbol.asyncDispose]());

const BASE = '/api/v0/user/alice/schedule/';
const DAILY = { command: 'echo foo', enabled: true, interval: 'daily', hour: 16, minute: 0, description: 'says foo' };

describe('v0 schedule/', () => {
  it('makes a task and tells the agent; every field of the reference is there', async () => {
    expect((await alice('GET', BASE)).json()).toEqual([]);
    const made = await alice('POST', BASE, DAILY);
    expect(made.statusCode).toBe(201);
    expect(made.json()).toEqual({
      id: 1,
      url: '/api/v0/user/alice/schedule/1/',
      user: 'alice',
      command: 'echo foo',
      expiry: null,
      enabled: true,
      logfile: '/user/alice/files/var/log/tasklog-1-daily-at-1600-echo_foo.log',
      extend_url: '/user/alice/schedule/task/1/extend',
      interval: 'daily',
      hour: 16,
      minute: 0,
      printable_time: '16:00',
      can_enable: false,
      description: 'says foo',
      cron: null,
      zone: null,
      skip_late: false,
      overlap: false,
    });
    expect((await alice('GET', BASE)).json()).toEqual([made.json()]);
    expect((await alice('GET', `${BASE}1/`)).json()).toEqual(made.json());
    expect(bench.agent.tasks.get('alice')).toMatchObject({
      account: 'alice',
      tasks: [{ id: 1, command: 'echo foo', enabled: true, schedule: { kind: 'daily', hour: 16, minute: 0 } }],
    });
  });

  it('takes forms, with numbers as digits', async () => {
    const made = await alice('POST', BASE, 'command=echo+hi&enabled=True&interval=hourly&minute=05&description=');
    expect([made.statusCode, made.json()]).toMatchObject([
      201,
      { interval: 'hourly', hour: null, minute: 5, printable_time: '05 minutes past', command: 'echo hi' },
    ]);
  });

  it('names what is missing, in the words that clients know', async () => {
    const answer = await alice('POST', BASE, {});
    expect([answer.statusCode, answer.json()]).toMatchObject([
      400,
      {
        command: ['This field is required.'],
        interval: ['This field is required.'],
        minute: ['This field is required.'],
      },
    ]);
    const hourly = await alice('POST', BASE, { ...DAILY, interval: 'hourly' });
    expect([hourly.statusCode, hourly.json()]).toMatchObject([
      400,
      { non_field_errors: ['Hourly tasks must not have an hour.'] },
    ]);
    expect((await alice('POST', BASE, { ...DAILY, hour: undefined })).json()).toMatchObject({
      hour: ['This field is required.'],
    });
    expect((await alice('POST', BASE, { ...DAILY, interval: 'weekly' })).json()).toMatchObject({
      interval: ['"weekly" is not a valid choice.'],
    });
    expect((await alice('POST', BASE, { ...DAILY, minute: 60 })).json()).toMatchObject({
      minute: ['Ensure this value is less than or equal to 59.'],
    });
    expect((await alice('POST', BASE, { ...DAILY, hour: 'noon' })).json()).toMatchObject({
      hour: ['A valid integer is required.'],
    });
  });

  it('refuses more tasks than the plan has', async () => {
    const bob = tokenClient(bench, (await bench.member('bob', 'starter')).apiToken);
    const base = '/api/v0/user/bob/schedule/';
    expect((await bob('POST', base, DAILY)).statusCode).toBe(201);
    const second = await bob('POST', base, DAILY);
    expect([second.statusCode, second.json()]).toEqual([
      403,
      { detail: 'You have reached your maximum number of scheduled tasks' },
    ]);
  });

  it('changes what is named, and nothing else', async () => {
    await alice('POST', BASE, DAILY);
    const switched = await alice('PATCH', `${BASE}1/`, { enabled: false });
    expect([switched.statusCode, switched.json()]).toMatchObject([200, { enabled: false, hour: 16, can_enable: true }]);
    const hourly = await alice('PATCH', `${BASE}1/`, 'interval=hourly&minute=30&command=echo+bar&enabled=true');
    expect(hourly.json()).toMatchObject({
      interval: 'hourly',
      hour: null,
      minute: 30,
      command: 'echo bar',
      enabled: true,
    });
    const whole = await alice('PUT', `${BASE}1/`, hourly.json());
    expect([whole.statusCode, whole.json()]).toEqual([200, hourly.json()]);
    expect(bench.agent.tasks.get('alice')?.tasks).toMatchObject([{ schedule: { kind: 'hourly', minute: 30 } }]);
  });

  it('takes cron lines with a time zone, as our own extension, and says in words what is wrong with one', async () => {
    const made = await alice('POST', BASE, { command: 'x', cron: '0 3 * * 1-5', zone: 'Europe/Berlin' });
    expect([made.statusCode, made.json()]).toMatchObject([
      201,
      { interval: 'cron', cron: '0 3 * * 1-5', zone: 'Europe/Berlin', hour: null, minute: null },
    ]);
    const wrong = await alice('POST', BASE, { command: 'x', cron: '0 3 30 2 *' });
    expect(wrong.statusCode).toBe(400);
    expect(wrong.json<{ cron: string[] }>().cron[0]).toMatch(/never/);
    expect((await alice('POST', BASE, { command: 'x', cron: '0 3 * * *', zone: 'Mars/Olympus' })).statusCode).toBe(400);
  });

  it('refuses a command that cannot be run', async () => {
    for (const command of ['', '   ', 'x'.repeat(65_537), 'echo \0'])
      expect((await alice('POST', BASE, { ...DAILY, command })).statusCode, JSON.stringify(command.slice(0, 9))).toBe(
        400,
      );
  });

  it('deletes, and knows nothing of what is gone, of words and of other people’s', async () => {
    await alice('POST', BASE, DAILY);
    const bob = tokenClient(bench, (await bench.member('bob')).apiToken);
    expect((await bob('GET', '/api/v0/user/bob/schedule/1/')).statusCode).toBe(404);
    expect((await bob('DELETE', `${BASE}1/`)).statusCode).toBe(403);
    expect((await alice('DELETE', `${BASE}1/`)).statusCode).toBe(204);
    for (const id of ['1', 'x', '0', '-1', '9'.repeat(30)]) {
      const answer = await alice('GET', `${BASE}${id}/`);
      expect([answer.statusCode, answer.json()]).toEqual([404, { detail: 'Not found.' }]);
    }
    expect(bench.agent.tasks.get('alice')?.tasks).toEqual([]);
  });

  it('is told to the agent later when the agent is away, and loses nothing', async () => {
    bench.agent.online = false;
    expect((await alice('POST', BASE, DAILY)).statusCode).toBe(201);
    bench.agent.online = true;
    await bench.context.desired.tasks('alice');
    expect(bench.agent.tasks.get('alice')?.tasks).toHaveLength(1);
  });

  it('rests while its account is switched off', async () => {
    await alice('POST', BASE, DAILY);
    await bench.operator('PATCH', '/api/holdfast/accounts/alice', { disabled: true });
    await bench.context.desired.tasks('alice');
    expect(bench.agent.tasks.get('alice')?.tasks).toMatchObject([{ enabled: false }]);
  });
});

describe('v0 always_on/', () => {
  const ALWAYS = '/api/v0/user/alice/always_on/';

  it('makes, lists, changes, restarts and deletes', async () => {
    const made = await alice('POST', ALWAYS, 'command=python+bot.py&description=bot&enabled=true');
    expect([made.statusCode, made.json()]).toEqual([
      201,
      {
        id: 1,
        url: '/api/v0/user/alice/always_on/1/',
        user: 'alice',
        command: 'python bot.py',
        description: 'bot',
        enabled: true,
        logfile: '/user/alice/files/var/log/alwayson-log-1.log',
        state: 'running',
        can_enable: false,
      },
    ]);
    expect((await alice('GET', ALWAYS)).json()).toEqual([made.json()]);
    expect((await alice('PATCH', `${ALWAYS}1/`, { enabled: false })).json()).toMatchObject({
      enabled: false,
      command: 'python bot.py',
      state: 'paused',
    });
    const restarted = await alice('POST', `${ALWAYS}1/restart/`);
    expect([restarted.statusCode, restarted.json()]).toEqual([200, { status: 'OK' }]);
    expect((await alice('DELETE', `${ALWAYS}1/`)).statusCode).toBe(204);
    expect((await alice('GET', `${ALWAYS}1/`)).json()).toEqual({ detail: 'Not found.' });
  });

  it('is no scheduled task, and the other way round', async () => {
    await alice('POST', ALWAYS, { command: 'x' });
    expect((await alice('GET', `${BASE}1/`)).statusCode).toBe(404);
    expect((await alice('GET', BASE)).json()).toEqual([]);
  });

  it('refuses what has no command, and more than the plan has', async () => {
    expect((await alice('POST', ALWAYS, {})).json()).toMatchObject({ command: ['This field is required.'] });
    for (let made = 0; made < 2; made++) expect((await alice('POST', ALWAYS, { command: 'x' })).statusCode).toBe(201);
    expect((await alice('POST', ALWAYS, { command: 'x' })).json()).toEqual({
      detail: 'You have reached your maximum number of always-on tasks',
    });
  });
});

describe('v0 cpu/', () => {
  it('tells what was used today, and when the day ends', async () => {
    expect((await alice('GET', '/api/v0/user/alice/cpu/')).json()).toEqual({
      daily_cpu_limit_seconds: 2000,
      next_reset_time: '2030-01-02T03:04:05',
      daily_cpu_total_usage_seconds: 12.35,
    });
  });
});
