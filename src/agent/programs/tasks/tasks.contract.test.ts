import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AccountSpec } from '../../../protocol/sites.ts';
import type { AccountTasks, TaskRun, TaskSpec, TaskStatus } from '../../../protocol/tasks.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs, type ProgramsOptions } from '../programs.ts';
import { openTestGround, type TestGround } from '../test-ground.ts';
import type { TaskCheckpoint } from './task.ts';

const SLOW = 120_000;
const HOUR_MS = 3_600_000;

let ground: TestGround;
let programs: Programs | undefined;
let owner: AccountSpec;

beforeEach(async () => {
  ground = await openTestGround();
  owner = await ground.account('alice', { taskSeconds: 600, stopGraceSeconds: 1 });
}, SLOW);

afterEach(async () => {
  await programs?.stop('stop');
  programs = undefined;
  await ground.close();
}, SLOW);

const spec = (command: string, change: Partial<TaskSpec> = {}): TaskSpec => ({
  id: 1,
  command,
  enabled: true,
  schedule: { kind: 'cron', expression: '0 0 1 1 *', zone: 'UTC' },
  pythonVersion: '3',
  log: 'tasklog-1-cron-test.log',
  skipLate: false,
  overlap: false,
  ...change,
});

const every = (tasks: TaskSpec[], revision = 1): AccountTasks => ({ account: 'alice', revision, tasks, alwaysOn: [] });

async function agentWith(tasks: TaskSpec[], options: ProgramsOptions = {}): Promise<Programs> {
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 50, ...options });
  await programs.start();
  await programs.sync([owner], [], [every(tasks)]);
  return programs;
}

async function statusOf(agent: Programs, id = 1): Promise<TaskStatus> {
  const { tasks } = await agent.handlers['tasks.statuses']({ account: 'alice' });
  const status = tasks.find((one) => one.id === id);
  if (status === undefined) throw new Error(`task ${id} is not known`);
  return status;
}

/** The newest run, when it has ended. */
async function ended(agent: Programs, id = 1): Promise<TaskRun> {
  let run: TaskRun | undefined;
  await until(
    async () => {
      run = (await statusOf(agent, id)).runs[0];
      return run !== undefined && run.outcome !== 'running';
    },
    'the end of a run',
    60_000,
  );
  if (run === undefined) throw new Error('no run');
  return run;
}

const fileOf = (name: string): string => join(ground.pathsOf('alice').home, name);
async function linesOf(name: string): Promise<string[]> {
  return existsSync(fileOf(name)) ? (await readFile(fileOf(name), 'utf8')).split('\n').filter(Boolean) : [];
}
const logOf = async (): Promise<string> =>
  await readFile(join(ground.context.layout.logs, 'alice', 'tasklog-1-cron-test.log'), 'utf8');

/** What an earlier agent knew: nothing was decided since so long ago. */
async function decidedUntil(task: TaskSpec, when: number): Promise<void> {
  const directory = join(ground.context.layout.agent, 'programs', 'task-states');
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, `alice.${task.id}.json`),
    JSON.stringify({
      account: 'alice',
      id: task.id,
      handled: when,
      about: JSON.stringify([task.enabled, task.schedule]),
      waiting: null,
      lastNumber: 0,
      runs: [],
    }),
  );
}

describe('a run', () => {
  it(
    'is done by bash as the account, in its home, with what .profile sets, and leaves its output, exit code and cost',
    async () => {
      await ground.write(owner, '/home/alice/.profile', 'export FROM_PROFILE=seen\n');
      const agent = await agentWith([
        spec('echo "$FROM_PROFILE $(id -un) $PWD"; python3 -c "sum(range(3000000))"; [[ x == x ]] && exit 3'),
      ]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      const run = await ended(agent);
      expect(run).toMatchObject({ number: 1, cause: 'asked', outcome: 'failed', code: 3, late: false, due: null });
      expect(run.cpuSeconds).toBeGreaterThan(0.01);
      expect(run.peakMemoryBytes).toBeGreaterThan(1024 ** 2);
      expect(await logOf()).toMatch(
        /^seen alice \/home\/alice\n.* -- Completed task, took \d+\.\d\d seconds, return code was 3\.\n$/,
      );
      expect(await agent.handlers['tasks.output']({ account: 'alice', id: 1, number: 1 })).toEqual({
        text: 'seen alice /home/alice\n',
        complete: true,
      });
    },
    SLOW,
  );

  it(
    'of a command that is only the path of a Python script is done by Python, executable or not',
    async () => {
      await ground.write(owner, '/home/alice/say it.py', 'print("python", __file__)\n');
      await ground.write(owner, '/home/alice/say.py', 'print("python", __file__)\n');
      const agent = await agentWith([spec('/home/alice/say.py'), spec('~/say.py', { id: 2, log: 'two.log' })]);
      for (const id of [1, 2]) await agent.handlers['tasks.run']({ account: 'alice', id });
      expect(await ended(agent)).toMatchObject({ outcome: 'succeeded' });
      expect(await ended(agent, 2)).toMatchObject({ outcome: 'succeeded' });
      expect(await logOf()).toContain('python /home/alice/say.py');
    },
    SLOW,
  );

  it(
    'of a command that does not exist fails with the words of the shell',
    async () => {
      const agent = await agentWith([spec('no-such-command --now')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      expect(await ended(agent)).toMatchObject({ outcome: 'failed', code: 127 });
      expect(await logOf()).toContain('no-such-command: command not found');
    },
    SLOW,
  );

  it(
    'takes along what it left behind when it ends, and says so',
    async () => {
      const agent = await agentWith([spec('(setsid sleep 600 &) ; sleep 0.2; echo done')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      const run = await ended(agent);
      expect(run).toMatchObject({ outcome: 'succeeded', code: 0 });
      expect(run.message).toContain('left 1 process running');
      expect(await agent.sandboxes.cgroups.list()).toEqual([]);
    },
    SLOW,
  );

  it(
    'that takes longer than the plan allows is ended, also when it does not listen',
    async () => {
      owner = { ...owner, limits: { ...owner.limits, taskSeconds: 1 } };
      const agent = await agentWith([spec("trap '' TERM; echo begun; while :; do sleep 0.1; done")]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      expect(await ended(agent)).toMatchObject({ outcome: 'too-long' });
    },
    SLOW,
  );

  it(
    'that needs more memory than the plan has is told so',
    async () => {
      owner = { ...owner, limits: { ...owner.limits, memoryBytes: 64 * 1024 ** 2 } };
      const agent = await agentWith([spec('python3 -c "x = bytearray(200 * 1024 ** 2)"')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      const run = await ended(agent);
      expect(run.outcome).toBe('failed');
      expect(run.message).toContain('64 MiB');
    },
    SLOW,
  );

  it(
    'is stopped on request, and does not overlap itself',
    async () => {
      const agent = await agentWith([spec('echo begun >> begun; sleep 600')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      await until(async () => (await linesOf('begun')).length === 1, 'the run', 30_000);
      await expect(agent.handlers['tasks.run']({ account: 'alice', id: 1 })).rejects.toMatchObject({
        code: 'conflict',
      });
      expect(await agent.handlers['tasks.stop']({ account: 'alice', id: 1 })).toEqual({ stopped: 1 });
      expect(await statusOf(agent)).toMatchObject({ state: 'idle', runs: [{ outcome: 'stopped' }] });
    },
    SLOW,
  );

  it(
    'goes on when its task is deleted, and the agent forgets it at its end',
    async () => {
      const agent = await agentWith([spec('echo begun >> begun; sleep 1; echo end >> begun')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      await until(async () => (await linesOf('begun')).length === 1, 'the run', 30_000);
      await agent.handlers['tasks.put'](every([], 2));
      expect((await agent.handlers['tasks.statuses']({})).tasks).toEqual([]);
      const state = join(ground.context.layout.agent, 'programs', 'task-states', 'alice.1.json');
      await until(() => Promise.resolve(!existsSync(state)), 'the end of what was known of it', 30_000);
      expect(await linesOf('begun')).toEqual(['begun', 'end']);
    },
    SLOW,
  );

  it(
    'finds nothing of the platform: no descriptor beside its own three',
    async () => {
      const agent = await agentWith([spec('ls /proc/self/fd | wc -l')]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      await ended(agent);
      // The three, and the one of the listing.
      expect((await logOf()).split('\n')[0]).toBe('4');
    },
    SLOW,
  );
});

describe('what is due', () => {
  const due = spec('echo ran >> ran', { schedule: { kind: 'hourly', minute: 0 } });

  it(
    'while no agent was there runs once, however often it was due, and is marked late',
    async () => {
      await decidedUntil(due, Date.now() - 5 * HOUR_MS);
      const agent = await agentWith([due]);
      const run = await ended(agent);
      const hour = new Date(Date.now() - (Date.now() % HOUR_MS)).toISOString();
      expect(run).toMatchObject({ cause: 'schedule', outcome: 'succeeded', due: hour });
      expect(run.late).toBe(Date.now() - Date.parse(hour) > 60_000);
      expect(await linesOf('ran')).toEqual(['ran']);
      const { next } = await statusOf(agent);
      expect(Date.parse(next ?? '')).toBe(Date.parse(hour) + HOUR_MS);
    },
    SLOW,
  );

  it(
    'is owed while its storage is being repaired, and runs when that is back',
    async () => {
      await decidedUntil(due, Date.now() - 2 * HOUR_MS);
      let usable = false;
      const told: ((volume: string, usable: boolean) => void)[] = [];
      const storage = {
        homeOf: (account: string) => {
          if (usable) return ground.storage.homeOf(account);
          throw new HoldfastError('storage-repair', 'Your storage is being repaired.');
        },
        onVolumeChange: (listener: (volume: string, usable: boolean) => void) => void told.push(listener),
      };
      programs = createPrograms(ground.context, storage, { lookEveryMs: 50 });
      await programs.start();
      await programs.sync([owner], [], [every([due])]);
      const agent = programs;
      await until(async () => (await statusOf(agent)).waiting?.reason === 'storage', 'waiting', 30_000);
      expect(await statusOf(agent)).toMatchObject({ state: 'waiting', runs: [] });
      usable = true;
      for (const listener of told) listener('v1', true);
      expect(await ended(agent)).toMatchObject({ outcome: 'succeeded', late: true });
      expect(await linesOf('ran')).toEqual(['ran']);
    },
    SLOW,
  );

  it(
    'is not made up for by a task that skips late runs, and its history says so',
    async () => {
      const task = { ...due, skipLate: true, schedule: { kind: 'daily', ...hoursAgo(3) } as const };
      await decidedUntil(task, Date.now() - 20 * HOUR_MS);
      const agent = await agentWith([task]);
      const run = await ended(agent);
      expect(run.outcome).toBe('skipped');
      expect(run.message).toContain('skips late runs');
      expect(await linesOf('ran')).toEqual([]);
    },
    SLOW,
  );

  it(
    'is nobody’s business when its schedule has just been made or changed',
    async () => {
      const agent = await agentWith([due]);
      await agent.handlers['tasks.put'](every([{ ...due, schedule: { kind: 'daily', ...hoursAgo(1) } }], 2));
      const { runs, next } = await statusOf(agent);
      expect(runs).toEqual([]);
      expect(Date.parse(next ?? '')).toBeGreaterThan(Date.now());
    },
    SLOW,
  );
});

describe('what is known of a task', () => {
  it(
    'is on disk from its making on, so that what is due while the agent is away is owed; the end of the platform adds nothing',
    async () => {
      const agent = await agentWith([spec('true')]);
      const file = join(ground.context.layout.agent, 'programs', 'task-states', 'alice.1.json');
      const made = JSON.parse(await readFile(file, 'utf8')) as { handled: number };
      expect(Math.abs(Date.now() - made.handled)).toBeLessThan(60_000);
      const before = await stat(file);
      await agent.stop('stop');
      expect((await stat(file)).ino).toBe(before.ino);
    },
    SLOW,
  );

  it(
    'is told once for each change, and not for every task at a start',
    async () => {
      await (await agentWith([spec('true'), spec('true', { id: 2, log: 'two.log' })])).stop('leave');
      ground.events.length = 0;
      const agent = await agentWith([spec('true'), spec('true', { id: 2, log: 'two.log' })]);
      expect(ground.events.filter((event) => event.type === 'task')).toEqual([]);
      await agent.handlers['tasks.put'](every([spec('false'), spec('true', { id: 2, log: 'two.log' })], 2));
      expect(ground.events.filter((event) => event.type === 'task').map((event) => event.task.id)).toEqual([1]);
    },
    SLOW,
  );
});

function hoursAgo(hours: number): { hour: number; minute: number } {
  const then = new Date(Date.now() - hours * HOUR_MS);
  return { hour: then.getUTCHours(), minute: then.getUTCMinutes() };
}

const POINTS: TaskCheckpoint[] = ['decided', 'intent-written', 'process-started', 'ended', 'end-recorded'];

describe('an agent killed', () => {
  it.each(POINTS)(
    'at "%s" of a due run: it is neither lost nor done twice',
    async (dieAt) => {
      const task = spec('echo ran >> ran; sleep 0.3; echo end >> ran', { schedule: { kind: 'hourly', minute: 0 } });
      await decidedUntil(task, Date.now() - 2 * HOUR_MS);
      const orders = join(ground.context.configuration.home, 'orders.json');
      const { home } = ground.context.configuration;
      await writeFile(
        orders,
        JSON.stringify({ home, accounts: [owner], sites: [], tasks: [every([task])], action: 'tasks', dieAt }),
      );
      const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'test-agent.ts'), orders], {
        stdio: 'inherit',
      });
      const signal = await new Promise((resolve) => child.once('exit', (_code, how) => resolve(how)));
      expect(signal).toBe('SIGKILL');
      const agent = await agentWith([task]);
      const run = await ended(agent);
      expect(run).toMatchObject({ cause: 'schedule', outcome: 'succeeded', code: 0 });
      expect(await linesOf('ran')).toEqual(['ran', 'end']);
      expect((await statusOf(agent)).runs).toHaveLength(1);
    },
    SLOW,
  );

  it(
    'while a run goes on: the next one takes it over, and counts what it costs to its end',
    async () => {
      const first = await agentWith([
        spec('python3 -c "sum(range(2000000))"; echo begun >> ran; until [ -e go ]; do sleep 0.05; done; exit 7'),
      ]);
      await first.handlers['tasks.run']({ account: 'alice', id: 1 });
      await until(async () => (await linesOf('ran')).length === 1, 'the run', 30_000);
      await first.stop('leave');
      const agent = await agentWith([spec('true')]);
      expect(await statusOf(agent)).toMatchObject({ state: 'running' });
      await ground.write(owner, '/home/alice/go', '');
      const run = await ended(agent);
      expect(run).toMatchObject({ number: 1, outcome: 'failed', code: 7 });
      expect(run.cpuSeconds).toBeGreaterThan(0.01);
    },
    SLOW,
  );

  it(
    'leaves what the account used counted once',
    async () => {
      const first = await agentWith([spec('python3 -c "sum(range(9000000))"')]);
      await first.handlers['tasks.run']({ account: 'alice', id: 1 });
      const { cpuSeconds } = await ended(first);
      await first.stop('leave');
      const agent = await agentWith([]);
      let used = 0;
      await until(
        async () => {
          used = (await agent.handlers['cpu.use']({ account: 'alice' }))[0]?.usedSeconds ?? 0;
          return used >= (cpuSeconds ?? Infinity);
        },
        'the count',
        30_000,
      );
      expect(used).toBeLessThan((cpuSeconds ?? 0) + 0.5);
    },
    SLOW,
  );
});

describe('above its allowance of processor time', () => {
  it(
    'an account is set back, and nothing of it is ended; sites keep their share',
    async () => {
      owner = { ...owner, limits: { ...owner.limits, cpuSecondsPerDay: 0 } };
      const agent = await agentWith([
        spec('python3 -c "sum(range(3000000))"; echo ran >> ran; until [ -e go ]; do sleep 0.05; done'),
      ]);
      await agent.handlers['tasks.run']({ account: 'alice', id: 1 });
      await until(
        async () => (await agent.handlers['cpu.use']({ account: 'alice' }))[0]?.setBack === true,
        'being set back',
        30_000,
      );
      expect(await statusOf(agent)).toMatchObject({ state: 'running' });
      await ground.write(owner, '/home/alice/go', '');
      expect(await ended(agent)).toMatchObject({ outcome: 'succeeded' });
    },
    SLOW,
  );
});
