import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountSpec } from '../../../protocol/sites.ts';
import type { AccountTasks, AlwaysOnSpec, AlwaysOnStatus } from '../../../protocol/tasks.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { openTestGround, type TestGround } from '../test-ground.ts';

const SLOW = 120_000;

let ground: TestGround;
let programs: Programs | undefined;
let owner: AccountSpec;

beforeEach(async () => {
  ground = await openTestGround();
  owner = await ground.account('alice', { stopGraceSeconds: 2 });
}, SLOW);

afterEach(async () => {
  await programs?.stop('stop');
  programs = undefined;
  await ground.close();
}, SLOW);

const spec = (command: string, change: Partial<AlwaysOnSpec> = {}): AlwaysOnSpec => ({
  id: 1,
  command,
  enabled: true,
  pythonVersion: '3',
  log: 'alwayson-log-1.log',
  ...change,
});
const every = (alwaysOn: AlwaysOnSpec[], revision = 1): AccountTasks => ({
  account: 'alice',
  revision,
  tasks: [],
  alwaysOn,
});

async function agentWith(tasks: AlwaysOnSpec[]): Promise<Programs> {
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 50 });
  await programs.start();
  await programs.sync([owner], [], [every(tasks)]);
  return programs;
}

async function statusOf(agent: Programs): Promise<AlwaysOnStatus | undefined> {
  return (await agent.handlers['tasks.statuses']({ account: 'alice' })).alwaysOn[0];
}

async function linesOf(name: string): Promise<string[]> {
  const file = join(ground.pathsOf('alice').home, name);
  return existsSync(file) ? (await readFile(file, 'utf8')).split('\n').filter(Boolean) : [];
}

const STAYS = 'echo $$ >> begun; exec sleep 600';

describe('an always-on task', () => {
  it(
    'runs, and is started again when it ends; its log says why',
    async () => {
      const agent = await agentWith([spec('echo begun >> begun; echo out; sleep 0.1; exit 5')]);
      await until(async () => (await linesOf('begun')).length >= 2, 'a second start', 60_000);
      expect((await statusOf(agent))?.lastEnd).toBe('It ended with code 5.');
      const log = await readFile(join(ground.context.layout.logs, 'alice', 'alwayson-log-1.log'), 'utf8');
      expect(log).toMatch(/^out\n.* -- It ended with code 5\. It is started again in \d s\.\nout\n/);
    },
    SLOW,
  );

  it(
    'waits longer each time, and is started at once on its owner’s word',
    async () => {
      const agent = await agentWith([spec('echo begun >> begun; exit 1')]);
      await until(async () => (await linesOf('begun')).length === 3, 'the third start', 60_000);
      await until(async () => (await statusOf(agent))?.state === 'waiting', 'its end', 30_000);
      const { restartAt } = (await statusOf(agent)) ?? {};
      // The third pause is four seconds; some of it has passed.
      expect(Date.parse(restartAt ?? '') - Date.now()).toBeLessThanOrEqual(4_000);
      await agent.handlers['always-on.restart']({ account: 'alice', id: 1 });
      expect((await linesOf('begun')).length).toBeGreaterThanOrEqual(3);
      await until(async () => (await linesOf('begun')).length >= 4, 'the asked start', 30_000);
    },
    SLOW,
  );

  it(
    'survives its agent: the next one takes it over and does not restart it',
    async () => {
      const first = await agentWith([spec(STAYS)]);
      await until(async () => (await linesOf('begun')).length === 1, 'its start', 30_000);
      await first.stop('leave');
      const agent = await agentWith([spec(STAYS)]);
      expect((await statusOf(agent))?.state).toMatch(/starting|running/);
      await until(async () => (await statusOf(agent))?.state === 'running', 'being called running', 30_000);
      expect(await linesOf('begun')).toHaveLength(1);
      // And it is watched: when it ends now, it is started again.
      const [program] = (await agent.sandboxes.cgroups.list()).filter((one) => one.program.startsWith('always-1-'));
      await agent.sandboxes.end('alice', program?.program ?? '');
      await until(async () => (await linesOf('begun')).length === 2, 'the next start', 60_000);
    },
    SLOW,
  );

  it(
    'that is paused is asked to end, and stays ended until it is switched on',
    async () => {
      const agent = await agentWith([
        spec("trap 'echo asked >> begun; exit 0' TERM; echo begun >> begun; while :; do sleep 0.05; done"),
      ]);
      await until(async () => (await linesOf('begun')).length === 1, 'its start', 30_000);
      await agent.handlers['tasks.put'](every([spec('true', { enabled: false })], 2));
      await until(async () => (await statusOf(agent))?.state === 'paused', 'the pause', 30_000);
      expect(await linesOf('begun')).toEqual(['begun', 'asked']);
      expect(await agent.sandboxes.cgroups.list()).toEqual([]);
      await agent.handlers['tasks.put'](every([spec(STAYS)], 3));
      await until(async () => (await linesOf('begun')).length === 3, 'the start', 30_000);
    },
    SLOW,
  );

  it(
    'with another command runs that one instead of the old one',
    async () => {
      const agent = await agentWith([spec(STAYS)]);
      await until(async () => (await linesOf('begun')).length === 1, 'its start', 30_000);
      await agent.handlers['tasks.put'](every([spec('echo other >> other; exec sleep 600')], 2));
      await until(async () => (await linesOf('other')).length === 1, 'the other command', 30_000);
      expect((await agent.sandboxes.cgroups.list()).length).toBe(1);
    },
    SLOW,
  );

  it(
    'that is deleted, with its account even, leaves nothing behind',
    async () => {
      const agent = await agentWith([spec(STAYS)]);
      await until(async () => (await linesOf('begun')).length === 1, 'its start', 30_000);
      await agent.removeAccount('alice');
      expect(await agent.sandboxes.cgroups.list()).toEqual([]);
      expect(existsSync(join(ground.context.layout.agent, 'programs', 'always-on-states', 'alice.1.json'))).toBe(false);
    },
    SLOW,
  );
});
