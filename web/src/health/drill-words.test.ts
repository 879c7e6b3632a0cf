import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DrillResult } from '../../../src/protocol/drills.ts';
import { compareWith2020, logShare, secondsText, timesShorter, volumeMood } from './drill-words.ts';

const result: DrillResult = {
  drill: 'outage-2020', engine: 'local', hang_at: '2026-11-23T04:00:00Z', located_s: 0.64, culprit: 'home3/r2 (/x/r2.img)',
  affected: { accounts: 8, requests: 16_180, failed: 0, longest_wait_s: 1.08 },
  unaffected: {
    accounts: 32, requests: 64_912, failed: 0, p99_before_ms: 19.1, p99_during_ms: 19.9, starts: 64, starts_failed: 0, reloads_failed: 0,
    tasks_missed: null, console_stalls: null,
  },
  redundancy_restored_s: 20.7, rebuild_bytes: 1024 ** 3, acknowledged_writes: 12_402, lost_writes: 0, operator_commands: 0, reboots: 0,
  programs_restarted: 0,
}; // prettier-ignore

test("the report's figures stand there from the beginning; ours when they are measured", () => {
  expect(compareWith2020(null).every((row) => row.ours === null && row.report.value !== '')).toBe(true);
  const rows = compareWith2020(result);
  expect(rows.map((row) => row.ours?.value)).toEqual(['0.6 s', '1.1 s', 'Nobody', 'Nothing', 'None', '21 s', 'None']);
  expect(rows[0]?.report.value).toBe('72 min');
});

test('a run that went wrong is not made to look well', () => {
  const bad = compareWith2020({
    ...result,
    located_s: null,
    culprit: null,
    unaffected: { ...result.unaffected, failed: 12 },
    redundancy_restored_s: null,
    lost_writes: 3,
    operator_commands: 1,
    reboots: 2,
  });
  expect(bad.map((row) => row.ours?.value)).toEqual([
    'never',
    '1.1 s',
    '12 failed requests',
    '1 command',
    '2',
    'Not yet',
    '3 writes',
  ]);
});

test('a longer time is never drawn shorter, and every time is seen', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }), (a, b) => {
      const [short, long] = a <= b ? [a, b] : [b, a];
      expect(logShare(long)).toBeGreaterThanOrEqual(logShare(short));
      expect(logShare(short)).toBeGreaterThan(0);
      expect(logShare(long)).toBeLessThanOrEqual(1);
    }),
  );
});

test('times are compared without boasting', () => {
  expect(timesShorter(4320, 0.64)).toBe('6,700 times shorter');
  expect(timesShorter(10, 4)).toBe('2 times shorter');
  expect(timesShorter(1, 2)).toBeUndefined();
  expect(timesShorter(null, 1)).toBeUndefined();
  expect(timesShorter(4320, null)).toBeUndefined();
});

test('times are told in the unit people use', () => {
  expect([0.64, 1.08, 20.7, 99, 300, 4320, null].map((each) => secondsText(each))).toEqual([
    '0.6 s', '1.1 s', '21 s', '2 min', '5 min', '1 h 12 min', 'never',
  ]); // prettier-ignore
});

test('a volume whose members wait never serves as always', () => {
  expect(volumeMood({ waiting: 3, oldestWaitMs: 0, redundancy: 'full', state: 'trouble', progress: null }).tone).toBe(
    'bad',
  );
  expect(volumeMood({ waiting: 3, oldestWaitMs: 900, redundancy: 'full', state: 'open', progress: null }).tone).toBe(
    'bad',
  );
  expect(volumeMood({ waiting: 3, oldestWaitMs: 12, redundancy: 'full', state: 'open', progress: null }).tone).toBe(
    'good',
  );
  expect(
    volumeMood({ waiting: 0, oldestWaitMs: 0, redundancy: 'rebuilding', state: 'open', progress: 0.529 }).word,
  ).toBe('rebuilding 52 %');
  expect(volumeMood({ waiting: 0, oldestWaitMs: 0, redundancy: 'full', state: 'open', progress: null }).tone).toBe(
    'good',
  );
});
