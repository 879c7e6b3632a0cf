import type { AlwaysOnView, ScheduledTaskView } from '../../src/protocol/api/tasks.ts';
import { taskLogName } from '../../src/model/tasks.ts';
import { nextRun } from '../../src/model/schedule.ts';
import type { AlwaysOnStatus, TaskRun } from '../../src/protocol/tasks.ts';
import { ago, base, busyWorld, repairWorld, type World } from './scenarios.ts';

const MiB = 1024 ** 2;

export function scheduledTask(id: number, more: Partial<ScheduledTaskView> = {}): ScheduledTaskView {
  const made: ScheduledTaskView = {
    kind: 'scheduled',
    id,
    account: 'alice',
    command: 'python3 /home/alice/mysite/cleanup.py',
    description: '',
    enabled: true,
    schedule: { kind: 'daily', hour: 6, minute: 0 },
    skipLate: false,
    overlap: false,
    log: '',
    createdAt: ago(86_400 * 9),
    status: null,
    ...more,
  };
  const next = nextRun(made.schedule, Date.now());
  return {
    ...made,
    log: `/var/log/${taskLogName(id, made.schedule, made.command)}`,
    status: {
      account: 'alice',
      id,
      state: made.enabled ? 'idle' : 'disabled',
      waiting: null,
      next: made.enabled && next !== undefined ? new Date(next).toISOString() : null,
      runs: [],
      ...made.status,
    },
  };
}

export function taskRun(number: number, startedSecondsAgo: number, more: Partial<TaskRun> = {}): TaskRun {
  const running = more.outcome === 'running';
  return {
    number,
    cause: 'schedule',
    due: ago(startedSecondsAgo + 1),
    late: false,
    startedAt: ago(startedSecondsAgo),
    endedAt: running ? null : ago(startedSecondsAgo - 12.4),
    outcome: 'succeeded',
    code: running ? null : 0,
    signal: null,
    message: null,
    cpuSeconds: running ? null : 3.2,
    peakMemoryBytes: running ? null : 41 * MiB,
    ...more,
  };
}

function withRuns(
  task: ScheduledTaskView,
  runs: TaskRun[],
  more: Partial<ScheduledTaskView['status']> = {},
): ScheduledTaskView {
  if (task.status === null) throw new Error('A task of the workshop has a status.');
  const running = runs.some((run) => run.outcome === 'running');
  return { ...task, status: { ...task.status, runs, ...(running ? { state: 'running' as const } : {}), ...more } };
}

export function alwaysOnTask(
  id: number,
  state: AlwaysOnStatus['state'],
  more: Partial<AlwaysOnView> = {},
): AlwaysOnView {
  const runs = state === 'running' || state === 'starting';
  return {
    kind: 'always-on',
    id,
    account: 'alice',
    command: 'python3 -u bot.py',
    description: '',
    enabled: state !== 'paused',
    log: `/var/log/alwayson-log-${id}.log`,
    createdAt: ago(86_400 * 3),
    status: {
      account: 'alice',
      id,
      state,
      since: ago(11_000),
      lastEnd: null,
      restartAt: null,
      starts: 1,
      memoryBytes: runs ? 64 * MiB : null,
      cpuSeconds: runs ? 51.3 : null,
    },
    ...more,
  };
}

const TRACEBACK = [
  'Reading 3 feeds',
  'Traceback (most recent call last):',
  '  File "/home/alice/mysite/report.py", line 31, in <module>',
  '    main()',
  '  File "/home/alice/mysite/report.py", line 22, in main',
  '    send(report, to=os.environ["REPORT_TO"])',
  "KeyError: 'REPORT_TO'",
  '',
].join('\n');

/** A member with tasks of every usual kind; all is well. */
function tasksWorld(): World {
  const world = busyWorld();
  world.tasks = [
    withRuns(
      scheduledTask(1, {
        description: 'Nightly backup',
        command: '/home/alice/bin/backup.sh --to /home/alice/backups',
        schedule: { kind: 'cron', expression: '30 2 * * MON-FRI', zone: 'Europe/Berlin' },
      }),
      [taskRun(8, 30_000), taskRun(7, 116_400, { late: true, due: ago(118_000) }), taskRun(6, 202_800)],
    ),
    withRuns(scheduledTask(2, { schedule: { kind: 'hourly', minute: 15 } }), [
      taskRun(41, 75, { outcome: 'running' }),
      taskRun(40, 3675),
      taskRun(39, 5000, {
        cause: 'asked',
        due: null,
        outcome: 'stopped',
        code: null,
        signal: 'SIGTERM',
        message: 'It was stopped on request.',
      }),
      taskRun(38, 7275),
    ]),
    withRuns(
      scheduledTask(3, {
        enabled: false,
        description: 'Monthly bills',
        schedule: { kind: 'cron', expression: '0 8 1 * *', zone: 'UTC' },
      }),
      [],
    ),
  ];
  world.tasks.push(
    alwaysOnTask(4, 'running', { description: 'Chat bot' }),
    alwaysOnTask(5, 'paused', { command: '/home/alice/.virtualenvs/queue/bin/celery -A queue worker' }),
  );
  world.taskOutput = {
    '1/8': 'Copied 214 files, 38.2 MiB.\nDone.\n',
    '1/7': 'Copied 3 files, 1.2 MiB.\nDone.\n',
    '2/41': 'Looking for old sessions ...\n',
    '2/40': '',
    '2/38': 'Removed 12 sessions.\n',
  };
  if (world.cpu !== null) world.cpu.usedSeconds = 412.6;
  return world;
}

/** Everything that can be wrong with a task. */
function failingWorld(): World {
  const world = busyWorld();
  world.tasks = [
    withRuns(scheduledTask(1, { description: 'Weekly report', command: 'python3 /home/alice/mysite/report.py' }), [
      taskRun(31, 5400, { outcome: 'failed', code: 1 }),
      taskRun(30, 91_800, {
        outcome: 'too-long',
        code: null,
        signal: 'SIGKILL',
        message: 'It ran longer than the plan allows and was ended.',
        endedAt: ago(91_800 - 43_200),
        cpuSeconds: 40_100,
      }),
      taskRun(29, 178_200, {
        outcome: 'failed',
        code: null,
        signal: 'SIGKILL',
        message: 'A process of it needed more than the 1 GiB of the plan and was stopped by the system.',
        peakMemoryBytes: 1024 * MiB,
      }),
      taskRun(28, 264_600, {
        outcome: 'skipped',
        code: null,
        cpuSeconds: null,
        peakMemoryBytes: null,
        message: 'Left out: the run before it had not ended.',
      }),
      taskRun(27, 351_000, {
        outcome: 'cut-off',
        code: null,
        message: 'It was ended together with the platform or its storage.',
      }),
      taskRun(26, 437_400, {
        outcome: 'not-started',
        code: null,
        cpuSeconds: null,
        peakMemoryBytes: null,
        message:
          "The sandbox could not be made. Nothing is wrong with the task; the operator finds the reason in the agent's log.",
      }),
      taskRun(25, 523_800, { late: true, due: ago(530_000) }),
    ]),
    withRuns(
      scheduledTask(2, {
        schedule: { kind: 'hourly', minute: 15 },
        description:
          'a-really-very-long-description-without-any-space-that-somebody-has-typed-for-their-task-because-nobody-stopped-them',
      }),
      [taskRun(3, 3675)],
      { state: 'waiting', waiting: { since: ago(75), reason: 'turn' } },
    ),
  ];
  const failing = alwaysOnTask(4, 'failing', { description: 'Chat bot' });
  const waiting = alwaysOnTask(5, 'waiting', { command: 'python3 -u worker.py' });
  world.tasks.push(
    {
      ...failing,
      status: failing.status && {
        ...failing.status,
        since: ago(20),
        lastEnd: 'It ended with code 1.',
        restartAt: ago(-250),
        starts: 14,
      },
    },
    {
      ...waiting,
      status: waiting.status && {
        ...waiting.status,
        since: ago(2),
        lastEnd: 'It was ended by SIGSEGV.',
        restartAt: ago(-40),
        starts: 3,
      },
    },
  );
  world.taskOutput = { '1/31': TRACEBACK, '1/30': 'still reading\n'.repeat(40) };
  world.cpu = world.cpu && { ...world.cpu, usedSeconds: 2240, setBack: true };
  return world;
}

/** Tasks of a member whose volume is out of service. */
function tasksRepairWorld(): World {
  const world = repairWorld();
  const { tasks } = tasksWorld();
  world.tasks = tasks.map((task) =>
    task.id === 1 && task.kind === 'scheduled'
      ? withRuns(task, task.status?.runs ?? [], { state: 'waiting', waiting: { since: ago(95), reason: 'storage' } })
      : task,
  );
  return world;
}

/** The agent does not answer: what was known before is old, and a fresh question brings nothing of what runs. */
function silentWorld(): World {
  const world = tasksWorld();
  world.tasks = world.tasks.map((task) => ({ ...task, status: null }));
  world.cpu = null;
  world.agentSilentSince = ago(12);
  return world;
}

export const TASK_SCENARIOS: Readonly<Record<string, () => World>> = {
  tasks: tasksWorld,
  'tasks-failing': failingWorld,
  'tasks-repair': tasksRepairWorld,
  'tasks-silent': silentWorld,
  'tasks-none-allowed': () => ({ ...base('alice'), mostTasks: { scheduled: 0, alwaysOn: 0 } }),
};
