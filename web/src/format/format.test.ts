import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  count,
  formatAgo,
  formatBytes,
  formatClock,
  formatDate,
  formatDuration,
  formatFrom,
  formatIdle,
  formatMilliseconds,
  formatOffset,
  formatRate,
  formatShare,
  formatTime,
  fullness,
  listing,
  parseBytes,
  readSentence,
  roomLeft,
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

test('what is left is what can still be written, not what is not used', () => {
  expect(roomLeft(30, 100)).toEqual({ left: 70, room: 100, kept: 0 });
  expect(roomLeft(120, 100)).toEqual({ left: 0, room: 100, kept: 0 });
  const { left, room, kept } = roomLeft(453, 512, 0);
  expect({ left, room, kept }).toEqual({ left: 0, room: 453, kept: 59 });
  expect(fullness(453, room)).toBe('full');
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
  expect(formatAgo('2026-03-04T10:00:06Z', now)).toBe('just now');
  expect(formatFrom('2026-03-18T10:00:00Z', now)).toBe('in 14 days');
  expect(formatFrom('2026-03-04T09:57:00Z', now)).toBe('3 min ago');
  expect(formatAgo('nonsense', now)).toBe('at an unknown time');
});

test('what was read was not read in the future, and what was never read says so', () => {
  const now = Date.parse('2026-03-04T10:00:00Z');
  expect(readSentence('2026-03-04T10:00:06Z', now)).toBe('Read just now.');
  expect(readSentence('1970-01-01T00:00:00.000Z', now)).toBe('Not read yet.');
  expect(readSentence('2026-03-04T09:57:00Z', now)).toBe('Read 3 min ago.');
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

test('short times keep the digits that matter', () => {
  expect(
    [0, 0.02, 0.42, 4, 9.96, 12.4, 999.4, 999.6, 1100, 9949, 38_000, 125_000].map((each) => formatMilliseconds(each)),
  ).toEqual([
    '0 ms',
    '< 0.1 ms',
    '0.4 ms',
    '4 ms',
    '10 ms',
    '12 ms',
    '999 ms',
    '1 s',
    '1.1 s',
    '9.9 s',
    '38 s',
    '2 min',
  ]);
  expect(formatMilliseconds(Number.NaN)).toBe('-');
});

test('a longer time never reads as a shorter one', () => {
  const inSeconds = (text: string): number => {
    const [value = '', unit = ''] = text.replace('< ', '').split(' ');
    return Number(value) * ({ ms: 0.001, s: 1, min: 60 }[unit] ?? Number.NaN);
  };
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 3_000_000, noNaN: true }),
      fc.double({ min: 0, max: 300_000, noNaN: true }),
      (time, more) => {
        expect(inSeconds(formatMilliseconds(time + more))).toBeGreaterThanOrEqual(inSeconds(formatMilliseconds(time)));
      },
    ),
  );
});

test('the time of a drill is told relative to the fault', () => {
  expect([-12_000, 0, 700, 19_960, 21_400, 59_960, 65_000, 600_000].map((each) => formatOffset(each))).toEqual([
    '-12.0 s', '+0.0 s', '+0.7 s', '+20 s', '+21 s', '+1 min 00 s', '+1 min 05 s', '+10 min 00 s',
  ]); // prettier-ignore
});

test('a time of today is a clock, an older one has its date', () => {
  const now = Date.parse('2026-03-04T20:00:00Z');
  expect(formatClock('2026-03-04T14:02:11Z', now)).toBe('14:02:11 UTC');
  expect(formatClock('2026-03-02T14:02:11Z', now)).toBe('2 Mar 2026, 14:02:11 UTC');
  expect(formatClock('never', now)).toBe('unknown');
});

test('a long list is cut short, but never to save a single name', () => {
  expect(listing([])).toBe('none');
  expect(listing(['a'])).toBe('a');
  expect(listing(['a', 'b'])).toBe('a and b');
  expect(listing(['a', 'b', 'c', 'd'])).toBe('a, b, c and d');
  expect(listing(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more');
});

test('rates have no needless digits', () => {
  expect([0, 0.34, 3, 12.6, 4321].map((each) => formatRate(each))).toEqual(['0', '0.3', '3', '13', '4,321']);
});
