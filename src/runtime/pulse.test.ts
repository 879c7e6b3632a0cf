import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PulseWatch, writePulse } from './pulse.ts';

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), 'pulse-'));
});
afterEach(() => rmSync(run, { recursive: true, force: true }));

const beat = (
  number: number,
  silent: { agent: string | null; control: string | null } = { agent: null, control: null },
) => writePulse(run, { pid: 7, beat: number, at: `2026-01-01T00:00:0${number}.000Z`, silent });

test('a supervisor whose heart stops is silent since its last beat, and is back with the next', async () => {
  const watch = new PulseWatch(run);
  const told: (string | null)[] = [];
  watch.onChange(({ silentSince }) => told.push(silentSince));
  await beat(1);
  let now = 0;
  const look = async (): Promise<void> => await watch.look((now += 1000), '2026-01-01T01:00:00.000Z');
  await look();
  for (let turn = 0; turn < 4; turn++) await look();
  expect(watch.view().silentSince).toBeNull();
  await look();
  expect(watch.view()).toEqual({ silentSince: '2026-01-01T00:00:01.000Z', says: null });
  await beat(2, { agent: '2026-01-01T00:00:00.000Z', control: null });
  await look();
  expect(watch.view()).toEqual({ silentSince: null, says: { agent: '2026-01-01T00:00:00.000Z', control: null } });
  expect(told).toEqual([null, '2026-01-01T00:00:01.000Z', null]);
});

test('whoever was stopped himself does not call the supervisor silent when he goes on', async () => {
  const watch = new PulseWatch(run);
  await beat(1);
  await watch.look(0, 'x');
  for (const now of [1000, 2000, 3_600_000]) await watch.look(now, 'x');
  expect(watch.view().silentSince).toBeNull();
});

test('a file that cannot be read is no beat', async () => {
  const watch = new PulseWatch(run);
  for (let turn = 0; turn < 6; turn++) await watch.look(turn * 1000, '2026-01-01T02:00:00.000Z');
  expect(watch.view().silentSince).toBe('2026-01-01T02:00:00.000Z');
});
