import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Platform } from '../e2e/platform.ts';
import { DEFAULT_PLANS } from '../src/model/plans.ts';
import { renderTable, judge, type Figure } from './measure/figures.ts';
import { pssOf } from './measure/memory.ts';
import { processorMs } from './measure/processor.ts';
import { median, percentile } from './measure/statistics.ts';
import { SteadyLoad } from './measure/steady-load.ts';
import { inParallel, Members, type Member } from './sites/members.ts';

export interface TasksBench {
  /** Defined in all; a tenth as many accounts have them. */
  tasks: number;
  /** Due in one minute. */
  burst: number;
  say: (line: string) => void;
}

const IDLE_MS = 30_000;
const REQUESTS_PER_SECOND = 20;
/** Tasks whose start is compared with the minute they are due at. */
const PRECISE = 40;
const MINUTE_MS = 60_000;
const AT_ONCE = 8;

/** What scheduled tasks cost while nothing is due, how exactly they start, and what many at once do to visitors. False when a goal is missed. */
export async function benchTasks(options: TasksBench): Promise<boolean> {
  const { say } = options;
  const platform = await Platform.make();
  const figures: Figure[] = [];
  try {
    await platform.start();
    using members = new Members(platform);
    const large = DEFAULT_PLANS['large'];
    if (large === undefined) throw new Error('There is no plan to begin with.');
    await members.operator('plans.put', {
      params: { name: 'tasks' },
      body: { ...large, tasks: options.tasks, diskBytes: 64 * 1024 ** 2 },
    });
    const visited = await members.createSite(await members.create('visited', 'large'), 'flask');
    await members.reload(visited);
    const agent = platform.pidOf('agent');

    say('At rest without tasks ...');
    const without = await atRest(agent);
    const owners = await makeTasks(members, options);
    say(`At rest with ${options.tasks} tasks ...`);
    const idle = await atRest(agent);
    figures.push(
      {
        name: 'agent at rest, share of one processor',
        unit: '%',
        platform: idle.percent,
        baseline: without.percent,
        goal: { of: 'difference', at: 'most', value: 1 },
      },
      {
        name: 'agent, memory',
        unit: 'MiB',
        platform: idle.mebibytes,
        baseline: without.mebibytes,
        goal: { of: 'difference', at: 'most', value: 40 },
      },
    );

    const precise = await starts(members, owners, PRECISE, say);
    figures.push(
      { name: `start after the minute, ${PRECISE} due, p50`, unit: 'ms', platform: percentile(precise, 0.5) },
      {
        name: `start after the minute, ${PRECISE} due, p99`,
        unit: 'ms',
        platform: percentile(precise, 0.99),
        goal: { of: 'platform', at: 'most', value: 1_000 },
      },
    );

    const target = members.site(visited.domain);
    const calm = new SteadyLoad(target, REQUESTS_PER_SECOND);
    calm.start();
    await pause(IDLE_MS);
    const before = await calm.stop();
    const load = new SteadyLoad(target, REQUESTS_PER_SECOND);
    load.start();
    const burst = await starts(members, owners, options.burst, say);
    const during = await load.stop();
    figures.push(
      {
        name: `${options.burst} due at once: started`,
        unit: '',
        platform: burst.length,
        goal: { of: 'platform', at: 'least', value: options.burst },
      },
      { name: `${options.burst} due at once: the last start`, unit: 'ms', platform: Math.max(...burst) },
      {
        name: "another account's site meanwhile, p99",
        unit: 'ms',
        platform: percentile(during.latencies, 0.99),
        baseline: percentile(before.latencies, 0.99),
        goal: { of: 'ratio', at: 'most', value: 1.2 },
        note: `${during.failures.length} of ${during.sent} failed`,
      },
    );
    if (!existsSync('/usr/sbin/cron')) say("Debian's cron is not installed, so its start is not measured beside.");
  } finally {
    await platform.remove();
  }
  const judged = figures.map(judge);
  say(renderTable(judged));
  return judged.every((figure) => figure.met !== false);
}

async function atRest(pid: number): Promise<{ percent: number; mebibytes: number }> {
  // What came just before is done.
  await pause(IDLE_MS / 3);
  const shares: number[] = [];
  for (let round = 0; round < 3; round++) {
    const began = performance.now();
    const used = processorMs([pid]);
    await pause(IDLE_MS / 3);
    shares.push(((processorMs([pid]) - used) / (performance.now() - began)) * 100);
  }
  return { percent: median(shares), mebibytes: (pssOf(pid) ?? 0) / 1024 ** 2 };
}

interface Owner {
  member: Member;
  tasks: number[];
}

/** Tasks that are due on the first of January, in accounts of a hundred each. */
async function makeTasks(members: Members, { tasks, say }: TasksBench): Promise<Owner[]> {
  const accounts = Math.max(1, Math.ceil(tasks / 100));
  say(`Making ${accounts} accounts with ${tasks} tasks ...`);
  const each = Math.ceil(tasks / accounts);
  return await inParallel(
    Array.from({ length: accounts }, (_, index) => `task${index}`),
    4,
    async (name) => {
      const member = await members.create(name, 'tasks');
      const made: number[] = [];
      for (let task = 0; task < each; task++) {
        const { id } = await members.operator('tasks.create', {
          query: { account: name },
          body: {
            kind: 'scheduled',
            command: 'true',
            schedule: { kind: 'cron', expression: '0 0 1 1 *', zone: 'UTC' },
          },
        });
        made.push(id);
      }
      return { member, tasks: made };
    },
  );
}

/** Makes so many tasks due at one minute; milliseconds from that minute until each ran. */
async function starts(
  members: Members,
  owners: readonly Owner[],
  count: number,
  say: (line: string) => void,
): Promise<number[]> {
  const chosen = Array.from({ length: count }, (_, index) => {
    const owner = owners[index % owners.length];
    const id = owner?.tasks[Math.floor(index / owners.length)];
    if (owner === undefined || id === undefined) throw new Error('There are fewer tasks than are to be due.');
    return { id, owner };
  });
  // Far enough ahead that all of them are told before it.
  const due = Math.ceil((Date.now() + 20_000 + count * 40) / MINUTE_MS) * MINUTE_MS;
  const at = new Date(due);
  say(`${count} tasks due at ${at.toISOString().slice(11, 16)} ...`);
  await inParallel(chosen, AT_ONCE, async ({ id }) => {
    await members.operator('tasks.update', {
      params: { id },
      body: {
        command: 'date +%s%3N',
        schedule: { kind: 'daily', hour: at.getUTCHours(), minute: at.getUTCMinutes() },
      },
    });
  });
  const late = Date.now() - due;
  if (late > 0) throw new Error(`Telling of the tasks took ${late} ms longer than there was time.`);
  await pause(due - Date.now());
  return await inParallel(chosen, 2, async ({ id }) => {
    const end = Date.now() + 10 * MINUTE_MS;
    for (;;) {
      const task = await members.operator('tasks.get', { params: { id } });
      const run =
        task.kind === 'scheduled'
          ? task.status?.runs.find((one) => one.due !== null && Date.parse(one.due) === due)
          : undefined;
      if (run !== undefined && run.outcome !== 'running') {
        const { text } = await members.operator('tasks.output', { params: { id, number: run.number } });
        return Number(text.trim()) - due;
      }
      if (Date.now() > end) throw new Error(`Task ${id} was not started within ten minutes.`);
      await pause(2_000);
    }
  });
}
