import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  count,
  formatAgo,
  formatBytes,
  formatDate,
  formatDuration,
  formatIdle,
  formatShare,
  formatTime,
  fullness,
  parseBytes,
} from './format.ts';

describe('formatBytes', () => {
  test('uses the unit people would use, without needless digits', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(1023)).toBe('1023 B');
    expect(formatBytes(1024)).toBe('1 KiB');
    expect(formatBytes(1536)).toBe('1.5 KiB');
    expect(formatBytes(10.25 * 1024 ** 2)).toBe('10.3 MiB');
    expect(formatBytes(512 * 1024 ** 2)).toBe('512 MiB');
    expect(formatBytes(8 * 1024 ** 3)).toBe('8 GiB');
    expect(formatBytes(1024 ** 2 - 1)).toBe('1 MiB');
  });

  test('says nothing wrong about figures that are none', () => {
    expect(formatBytes(Number.NaN)).toBe('-');
    expect(formatBytes(-1)).toBe('-');
  });

  test('what it writes, parseBytes reads back to within its own rounding', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => {
        const read = parseBytes(formatBytes(bytes));
        expect(read).toBeDefined();
        expect(Math.abs((read ?? 0) - bytes) / bytes).toBeLessThanOrEqual(0.006);
      }),
    );
  });
});

test('parseBytes takes what people type and refuses the rest', () => {
  expect(parseBytes('10 GiB')).toBe(10 * 1024 ** 3);
  expect(parseBytes('512m')).toBe(512 * 1024 ** 2);
  expect(parseBytes('1,5 gb')).toBe(1.5 * 1024 ** 3);
  expect(parseBytes('1024')).toBe(1024);
  for (const text of ['', '0', 'much', '-5 GiB', '5 apples', '1e9']) expect(parseBytes(text)).toBeUndefined();
});

test('a share never claims to be full while something is left', () => {
  expect(formatShare(0, 100)).toBe('0 %');
  expect(formatShare(1, 1000)).toBe('< 1 %');
  expect(formatShare(999, 1000)).toBe('99 %');
  expect(formatShare(1000, 1000)).toBe('100 %');
  expect(formatShare(5, 0)).toBe('-');
});

test('fullness turns to low while there is still time to act', () => {
  expect(fullness(84, 100)).toBe('fine');
  expect(fullness(85, 100)).toBe('low');
  expect(fullness(98, 100)).toBe('full');
  expect(fullness(120, 100)).toBe('full');
  expect(fullness(1, 0)).toBe('fine');
});

test('durations and ages read like speech', () => {
  expect(formatDuration(45)).toBe('45 s');
  expect(formatDuration(300)).toBe('5 min');
  expect(formatDuration(3600)).toBe('1 h');
  expect(formatDuration(12_000)).toBe('3 h 20 min');
  expect(formatDuration(86_400 * 3)).toBe('3 days');
  expect(formatIdle(0)).toBe('never');
  const now = Date.parse('2026-03-04T10:00:00Z');
  expect(formatAgo('2026-03-04T09:59:58Z', now)).toBe('just now');
  expect(formatAgo('2026-03-04T09:57:00Z', now)).toBe('3 min ago');
  expect(formatAgo('2026-03-18T10:00:00Z', now)).toBe('in 14 days');
  expect(formatAgo('nonsense', now)).toBe('at an unknown time');
});

test('times are UTC, whatever the browser thinks', () => {
  expect(formatTime('2026-03-04T09:15:02.123+02:00')).toBe('2026-03-04 07:15:02 UTC');
  expect(formatDate('2026-03-04T23:59:59Z')).toBe('4 Mar 2026');
  expect(formatTime('')).toBe('unknown');
});

test('count finds the plural', () => {
  expect(count(1, 'site')).toBe('1 site');
  expect(count(0, 'site')).toBe('0 sites');
  expect(count(1200, 'entry', 'entries')).toBe('1,200 entries');
});
