import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { until, within } from '../../../runtime/deadline.ts';
import type { Checkpoint } from './generation.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, livingGenerations, openTestGround, runDirectoryOf, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 90_000;

let ground: TestGround;
let owner: AccountSpec;
let site: SiteSpec;
let programs: Programs | undefined;

const APPLICATION = `import os
open("/tmp/starts", "a").write("x")
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alive"]
`;

beforeEach(async () => {
  ground = await openTestGround();
  owner = await ground.account('survivor');
  site = siteSpec(owner, 'survivor.localhost');
  await ground.write(owner, '/var/www/survivor_localhost_wsgi.py', APPLICATION);
}, SLOW);

afterEach(async () => {
  await programs?.stop('stop');
  programs = undefined;
  await ground.close();
}, SLOW);

/** How often the member's code was imported. */
async function starts(): Promise<number> {
  try {
    return (await readFile(join(ground.pathsOf(owner.name).tmp, 'starts'), 'utf8')).length;
  } catch {
    return 0;
  }
}

/** Runs another agent until it has killed itself. */
async function agentThatDies(action: 'wake' | 'reload', dieAt: Checkpoint | 'done'): Promise<void> {
  const orders = join(ground.context.configuration.home, 'orders.json');
  const { home } = ground.context.configuration;
  await writeFile(orders, JSON.stringify({ home, accounts: [owner], sites: [site], action, dieAt }));
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'test-agent.ts'), orders], {
    stdio: 'inherit',
  });
  const signal = await new Promise((resolve) => child.once('exit', (_code, how) => resolve(how)));
  expect(signal).toBe('SIGKILL');
}

async function nextAgent(): Promise<Programs> {
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 50 });
  await programs.start();
  return programs;
}

async function awake(agent: Programs): Promise<void> {
  await until(
    async () => {
      const [status] = await agent.handlers['sites.statuses']({});
      return status?.state === 'awake' && (await livingGenerations(ground.context, site)).length === 1;
    },
    'one living generation that is awake',
    60_000,
  );
}

const BEFORE_IT_ANSWERED: Checkpoint[] = ['intent-written', 'process-started', 'process-recorded', 'answered'];
const AFTER_IT_ANSWERED: Checkpoint[] = ['answer-recorded', 'gateway-pointed'];

describe('an agent killed in the middle of a start', () => {
  test.each(BEFORE_IT_ANSWERED)(
    'at %s: the half-started generation is ended and the start done again',
    async (dieAt) => {
      await agentThatDies('wake', dieAt);
      await awake(await nextAgent());
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      expect((await programs!.handlers['sites.statuses']({}))[0]?.generation).toBe(2);
      expect((await runDirectoryOf(ground.context).readAll()).map((record) => record.generation)).toEqual([2]);
    },
    SLOW,
  );

  test.each(AFTER_IT_ANSWERED)(
    'at %s: the generation is adopted, nothing is started twice',
    async (dieAt) => {
      await agentThatDies('wake', dieAt);
      const before = await ground.processesOf(site);
      await awake(await nextAgent());
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      expect(await starts()).toBe(1);
      expect(await ground.processesOf(site)).toEqual(before);
      expect(await programs!.wakeDomain(site.domain)).toMatchObject({ generation: 1, state: 'awake' });
    },
    SLOW,
  );
});

describe('an agent killed in the middle of a reload', () => {
  test.each(BEFORE_IT_ANSWERED)(
    'at %s: the old generation goes on answering, and the reload is done again',
    async (dieAt) => {
      await agentThatDies('reload', dieAt);
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      const agent = await nextAgent();
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      await until(async () => (await agent.handlers['sites.statuses']({}))[0]?.generation === 3, 'the reload', 60_000);
      await awake(agent);
    },
    SLOW,
  );

  test.each(AFTER_IT_ANSWERED)(
    'at %s: the new generation is adopted and the old one drained',
    async (dieAt) => {
      await agentThatDies('reload', dieAt);
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      await awake(await nextAgent());
      expect(await livingGenerations(ground.context, site)).toEqual([2]);
      expect(await starts()).toBe(2);
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
    },
    SLOW,
  );
});

describe('an adopted site', () => {
  test(
    'is watched: its crash is noticed, it sleeps and reloads',
    async () => {
      await agentThatDies('wake', 'done');
      const agent = await nextAgent();
      await awake(agent);
      expect(await starts()).toBe(1);
      const [pid] = await ground.processesOf(site);
      process.kill(pid!, 'SIGKILL');
      await until(async () => (await agent.handlers['sites.statuses']({}))[0]?.generation === 2, 'the restart', 60_000);
      await awake(agent);
      expect(await agent.handlers['sites.reload']({ id: site.id })).toMatchObject({ state: 'awake', generation: 3 });
      expect(await agent.handlers['sites.sleep']({ id: site.id })).toMatchObject({ state: 'asleep' });
      expect(await livingGenerations(ground.context, site)).toEqual([]);
    },
    SLOW,
  );

  test(
    'is left running by an agent that is asked to leave, and stopped by one that is asked to stop',
    async () => {
      const first = await nextAgent();
      await first.sync([owner], [site]);
      await first.wakeDomain(site.domain);
      await first.stop('leave');
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      const second = await nextAgent();
      expect((await second.handlers['sites.statuses']({}))[0]).toMatchObject({ state: 'awake', generation: 1 });
      await second.stop('stop');
      expect(await livingGenerations(ground.context, site)).toEqual([]);
    },
    SLOW,
  );

  test(
    'that is no longer defined is ended',
    async () => {
      await agentThatDies('wake', 'done');
      const { rm } = await import('node:fs/promises');
      await rm(join(ground.context.layout.agent, 'programs', 'sites'), { recursive: true });
      await nextAgent();
      expect(await livingGenerations(ground.context, site)).toEqual([]);
      expect(await runDirectoryOf(ground.context).sites()).toEqual([]);
    },
    SLOW,
  );

  test(
    'that was ended by a power loss is asleep, whatever its record says',
    async () => {
      await agentThatDies('wake', 'done');
      const run = runDirectoryOf(ground.context);
      for (const record of await run.readAll()) await run.write({ ...record, boot: 'another' });
      const agent = await nextAgent();
      expect((await agent.handlers['sites.statuses']({}))[0]).toMatchObject({ state: 'asleep' });
      expect(await livingGenerations(ground.context, site)).toEqual([]);
      expect(await agent.wakeDomain(site.domain)).toMatchObject({ state: 'awake' });
    },
    SLOW,
  );
});

describe('what the kernel holds back', () => {
  /** A cgroup with another one inside cannot be removed: for the agent it looks like a process that does not end. */
  const held = Array.from({ length: 12 }, (_value, index) => `files-1-${index}`);
  const top = (): string => {
    const root = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    return join(root, 'holdfast', ground.context.configuration.instance, owner.name);
  };

  afterEach(async () => {
    for (const program of held) await rmdir(join(top(), program, 'held')).catch(() => undefined);
  });

  test(
    'does not hold up a start, nor the sites of others',
    async () => {
      for (const program of held) await mkdir(join(top(), program, 'held'), { recursive: true });
      programs = createPrograms(ground.context, ground.storage);
      await within(60_000, 'the start beside programs that do not end', programs.start());
      await programs.sync([owner], [site]);
      expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake' });
      expect(held.every((program) => existsSync(join(top(), program)))).toBe(true);
    },
    SLOW * 2,
  );
});

test('what is asked before the stored definitions are read is not forgotten by the reading', async () => {
  const first = await nextAgent();
  await first.sync([owner], [site]);
  await first.stop('leave');
  programs = createPrograms(ground.context, ground.storage);
  const told = programs.sync([owner], []);
  const removed = programs.handlers['sites.remove']({ id: site.id });
  await programs.start();
  await Promise.all([told, removed]);
  expect(programs.specs()).toEqual([]);
});

test('an older revision of a definition is ignored', async () => {
  const agent = await nextAgent();
  expect(await agent.sync([owner], [{ ...site, revision: 5 }])).toBe(1);
  expect(await agent.sync([owner], [{ ...site, revision: 4, enabled: false }])).toBe(0);
  expect(agent.specs()[0]).toMatchObject({ revision: 5, enabled: true });
  expect(await agent.sync([owner], [])).toBe(1);
  expect(agent.specs()).toEqual([]);
});

describe('storage', () => {
  test(
    'in trouble is said at once, blames the site for nothing, and a site on it wakes when it is back',
    async () => {
      let trouble = true;
      const agent = createPrograms(ground.context, {
        onVolumeChange: () => undefined,
        homeOf: (name) => {
          if (trouble) throw new HoldfastError('storage-repair', 'The storage of this account is being repaired.');
          return ground.storage.homeOf(name);
        },
      });
      programs = agent;
      await agent.start();
      await agent.sync([owner], [site]);
      await expect(agent.wakeDomain(site.domain)).rejects.toMatchObject({ code: 'storage-repair' });
      expect((await agent.handlers['sites.statuses']({}))[0]).toMatchObject({
        state: 'failed',
        failure: { step: 'storage' },
      });
      trouble = false;
      expect(await agent.wakeDomain(site.domain)).toMatchObject({ state: 'awake', failure: null });
    },
    SLOW,
  );

  test(
    'that closes takes its sites down, and that is in trouble leaves them',
    async () => {
      let code: 'volume-closed' | 'storage-repair' | undefined;
      let tell: (volume: string, usable: boolean) => void = () => undefined;
      const agent = createPrograms(ground.context, {
        onVolumeChange: (listener) => {
          tell = listener;
        },
        homeOf: (name) => {
          if (code !== undefined) throw new HoldfastError(code, 'no');
          return ground.storage.homeOf(name);
        },
      });
      programs = agent;
      await agent.start();
      await agent.sync([owner], [site]);
      await agent.wakeDomain(site.domain);
      code = 'storage-repair';
      tell('v1', false);
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      code = 'volume-closed';
      tell('another', false);
      expect((await ask(ground.context, site, '/')).body).toBe('alive');
      tell('v1', false);
      await until(
        async () => (await agent.handlers['sites.statuses']({}))[0]?.state === 'asleep',
        'the end of the site',
        30_000,
      );
      expect(await livingGenerations(ground.context, site)).toEqual([]);
    },
    SLOW,
  );
});
