import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentContext, HealthPart, StoragePart } from '../context.ts';
import { createStorage } from '../volumes/storage.ts';
import { contextOf, makeHome } from '../volumes/testing/context.ts';
import { createHealth } from './health.ts';
import { newMemory, TroubleJournal } from './trouble-journal.ts';

describe('the health of a host without volumes', () => {
  let home: string;
  let context: AgentContext;
  let storage: StoragePart;
  let running: HealthPart[];

  beforeEach(async () => {
    home = makeHome();
    context = contextOf(home);
    storage = createStorage(context);
    await storage.start();
    running = [];
  });
  afterEach(async () => {
    for (const health of running) await health.stop();
    await storage.stop();
    await rm(home, { recursive: true, force: true });
  });

  async function start(environment: NodeJS.ProcessEnv): Promise<HealthPart> {
    const health = createHealth(context, { storage }, environment);
    running.push(health);
    await health.start();
    return health;
  }

  const reacts = async (health: HealthPart): Promise<boolean> => (await health.handlers['health.now']({})).reaction;

  test('HOLDFAST_REACTION=off wins over what was stored, and over whoever switches it on meanwhile', async () => {
    const first = await start({});
    expect(await first.handlers['health.setReaction']({ enabled: true })).toEqual({ enabled: true });
    await first.stop();
    const forced = await start({ HOLDFAST_REACTION: 'off' });
    expect(await reacts(forced)).toBe(false);
    expect(await forced.handlers['health.setReaction']({ enabled: true })).toEqual({ enabled: false });
    expect(await reacts(forced)).toBe(false);
    await forced.stop();
    expect(await reacts(await start({}))).toBe(true);
  });

  test('what was switched off stays off after a start', async () => {
    const first = await start({});
    await first.handlers['health.setReaction']({ enabled: false });
    await first.stop();
    expect(await reacts(await start({}))).toBe(false);
  });

  test('whoever asks for troubles before they are read waits for them', async () => {
    const at = new Date().toISOString();
    const journal = new TroubleJournal(join(context.layout.agent, 'troubles'), context.log);
    await journal.load(Date.now());
    await journal.save({
      trouble: {
        id: '20260101000000-abcdef',
        key: 'disk:one:r1',
        state: 'open',
        diagnosis: {
          culprit: { kind: 'disk', volume: 'one', replica: 'r1', disk: '/dev/sdb' },
          fault: 'hung',
          evidence: [],
          ruledOut: [],
        },
        volume: 'one',
        service: 'serving',
        since: at,
        namedAt: at,
        resolvedAt: null,
        doing: '',
        mustAct: null,
        timeline: [],
        operation: null,
      },
      memory: newMemory(),
    });
    const health = createHealth(context, { storage }, {});
    running.push(health);
    const asked = health.handlers['troubles.list']({});
    await health.start();
    expect((await asked).map(({ id }) => id)).toEqual(['20260101000000-abcdef']);
  });
});
