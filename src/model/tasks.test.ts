import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Schedule } from './schedule.ts';
import {
  AHEAD_MS,
  allowanceDay,
  alwaysOnLogName,
  believed,
  decideDue,
  LATE_AFTER_MS,
  restartAfter,
  taskLogName,
} from './tasks.ts';

const HOUR = 3_600_000;
const hourly: Schedule = { kind: 'hourly', minute: 0 };
const plain = { schedule: hourly, skipLate: false, overlap: false };
const AT = Date.UTC(2026, 10, 29, 10);

describe('what is due', () => {
  it('runs, and is late when nobody looked in time', () => {
    expect(decideDue(plain, { handled: AT - 1, busy: false }, AT)).toEqual({ act: 'run', due: AT, late: false });
    expect(decideDue(plain, { handled: AT - 1, busy: false }, AT + LATE_AFTER_MS + 1)).toEqual({
      act: 'run',
      due: AT,
      late: true,
    });
  });

  it('of several that passed unseen is the latest only', () => {
    const decision = decideDue(plain, { handled: AT - 5 * HOUR, busy: false }, AT + 10);
    expect(decision).toMatchObject({ act: 'run', due: AT });
  });

  it('is left out where the owner wants no late runs, and where the run before goes on', () => {
    const late = AT + 10 * 60_000;
    expect(decideDue({ ...plain, skipLate: true }, { handled: AT - 1, busy: false }, late)).toMatchObject({
      act: 'skip',
      reason: 'late',
    });
    expect(decideDue(plain, { handled: AT - 1, busy: true }, AT)).toMatchObject({ act: 'skip', reason: 'overlap' });
    expect(decideDue({ ...plain, overlap: true }, { handled: AT - 1, busy: true }, AT)).toMatchObject({ act: 'run' });
  });

  it('is decided once, whatever the clock does meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3 * HOUR, max: 3 * HOUR }), { maxLength: 40 }), (jumps) => {
        let now = AT;
        let handled = AT;
        const decided: number[] = [];
        for (const jump of jumps) {
          now += jump;
          const decision = decideDue(plain, { handled, busy: false }, now);
          if (decision.act === 'nothing') continue;
          decided.push(decision.due);
          expect(decision.due).toBeGreaterThan(handled);
          expect(decision.due).toBeLessThanOrEqual(now);
          handled = decision.due;
        }
        expect(new Set(decided).size).toBe(decided.length);
      }),
    );
  });

  it('is not put off for as long as a clock was wrong', () => {
    expect(believed(AT, AT - HOUR)).toBe(AT);
    expect(believed(AT + 365 * 24 * HOUR, AT)).toBe(AT);
    expect(believed(AT + AHEAD_MS, AT)).toBe(AT + AHEAD_MS);
  });
});

describe('names of logs', () => {
  it('are as PythonAnywhere has them, whatever stands in the command', () => {
    expect(taskLogName(126708, { kind: 'daily', hour: 16, minute: 0 }, 'echo foo')).toBe(
      'tasklog-126708-daily-at-1600-echo_foo.log',
    );
    expect(taskLogName(1, { kind: 'hourly', minute: 5 }, '/home/a/x.py')).toBe(
      'tasklog-1-hourly-at-05-home_a_x_py.log',
    );
    expect(alwaysOnLogName(3)).toBe('alwayson-log-3.log');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (command) => {
        expect(taskLogName(7, hourly, command)).toMatch(/^[A-Za-z0-9._-]{1,120}\.log$/);
      }),
    );
  });
});

describe('the pause before the next start', () => {
  it('grows while a task ends soon, is never longer than five minutes, and begins anew after a good run', () => {
    let ends = 0;
    const pauses: number[] = [];
    for (let turn = 0; turn < 12; turn++) {
      const next = restartAfter(ends, 10);
      ends = next.endsInARow;
      pauses.push(next.pauseMs);
    }
    expect(pauses.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(Math.max(...pauses)).toBe(300_000);
    expect(restartAfter(ends, 3_600_000)).toEqual({ endsInARow: 1, pauseMs: 1_000 });
  });
});

describe('the day of an allowance', () => {
  it('holds the moment that is asked about, lasts a day, and is the same all day', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100_000, max: 2 ** 31 }),
        fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2100, 0) }),
        (uid, now) => {
          const { start, end } = allowanceDay(uid, now);
          expect(start).toBeLessThanOrEqual(now);
          expect(end).toBeGreaterThan(now);
          expect(end - start).toBe(24 * HOUR);
          expect(start % 60_000).toBe(0);
          expect(allowanceDay(uid, end - 1)).toEqual({ start, end });
          expect(allowanceDay(uid, end).start).toBe(end);
        },
      ),
    );
  });
});
