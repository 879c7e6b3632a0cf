import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { allowanceDay } from '../../model/tasks.ts';
import { DEFAULT_PLANS } from '../../model/plans.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import { Allowance } from './allowance.ts';

const limits = { ...DEFAULT_PLANS['starter'], cpuSecondsPerDay: 100 } as AccountSpec['limits'];
const alice: AccountSpec = { name: 'alice', uid: 123_456, volume: 'v1', limits };
const NOON = allowanceDay(alice.uid, Date.UTC(2026, 10, 29, 12)).start + 3_600_000;
const DAY = 86_400_000;

let directory: string;
let seconds: number;
let group: string;
let acts: [string, boolean][];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-allowance-'));
  seconds = 0;
  group = 'a';
  acts = [];
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

async function open(): Promise<Allowance> {
  const cgroups = {
    counted: async () => await Promise.resolve([{ account: 'alice', seconds, group }]),
    setBack: async (account: string, back: boolean) => {
      acts.push([account, back]);
      await Promise.resolve();
    },
  };
  const allowance = new Allowance(cgroups, join(directory, 'cpu.json'), () => alice, pino({ level: 'silent' }));
  await allowance.load();
  return allowance;
}

const used = (allowance: Allowance, now: number): number => allowance.uses([alice], now)[0]?.usedSeconds ?? NaN;

it('counts on over a restart of the agent, and nothing twice', async () => {
  const first = await open();
  seconds = 10;
  await first.measure(NOON);
  seconds = 25;
  // What was used while no agent ran counts, too.
  const second = await open();
  await second.measure(NOON + 1_000);
  await second.measure(NOON + 2_000);
  expect(used(second, NOON + 2_000)).toBe(25);
});

it('goes on when the group is another one: the machine was started anew, or everything had ended', async () => {
  const allowance = await open();
  seconds = 40;
  await allowance.measure(NOON);
  group = 'b';
  seconds = 50;
  await allowance.measure(NOON + 1_000);
  expect(used(allowance, NOON + 1_000)).toBe(90);
});

it('sets an account back above its allowance, and gives it its share again when the day is over', async () => {
  const allowance = await open();
  seconds = 101;
  await allowance.measure(NOON);
  expect(acts).toEqual([['alice', true]]);
  expect(allowance.uses([alice], NOON)[0]).toMatchObject({ setBack: true, limitSeconds: 100 });
  await allowance.measure(NOON + 1_000);
  expect(acts).toHaveLength(1);
  seconds = 102;
  await allowance.measure(NOON + DAY);
  expect(acts).toEqual([
    ['alice', true],
    ['alice', false],
  ]);
  expect(used(allowance, NOON + DAY)).toBe(1);
});

it('sets it back again in a new agent, which has told the kernel nothing yet', async () => {
  const first = await open();
  seconds = 200;
  await first.measure(NOON);
  acts = [];
  const second = await open();
  await second.measure(NOON + 1_000);
  expect(acts).toEqual([['alice', true]]);
});
