import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeSchedule, lastDue, nextRun, nextRuns, type Schedule, scheduleProblem } from './schedule.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

function cron(expression: string, zone = 'UTC'): Schedule {
  return { kind: 'cron', expression, zone };
}

function moments(...isos: string[]): number[] {
  return isos.map((iso) => Date.parse(`${iso}Z`));
}

/** From one moment of UTC to another, the first one included. */
function runsBetween(schedule: Schedule, from: string, until: string): string[] {
  const end = Date.parse(`${until}Z`);
  return nextRuns(schedule, Date.parse(`${from}Z`) - 1, 200)
    .filter((run) => run < end)
    .map((run) => new Date(run).toISOString().slice(0, 16));
}

/** The same, as the time of day that the clock of the zone shows; what it shows twice stands there twice. */
function wallTimes(expression: string, zone: string, from: string, until: string): string {
  const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });
  return runsBetween(cron(expression, zone), from, until)
    .map((iso) => clock.format(Date.parse(`${iso}Z`)))
    .join(' ');
}

describe('a schedule', () => {
  test('daily and hourly are in UTC', () => {
    const after = Date.parse('2026-03-28T16:00Z');
    expect(nextRuns({ kind: 'daily', hour: 16, minute: 0 }, after, 2)).toEqual(
      moments('2026-03-29T16:00', '2026-03-30T16:00'),
    );
    expect(nextRun({ kind: 'daily', hour: 16, minute: 0 }, after - 1)).toBe(after);
    expect(nextRuns({ kind: 'hourly', minute: 5 }, after, 3)).toEqual(
      moments('2026-03-28T16:05', '2026-03-28T17:05', '2026-03-28T18:05'),
    );
  });

  test.each<[schedule: Schedule, words: string]>([
    [{ kind: 'daily', hour: 16, minute: 0 }, 'every day at 16:00 UTC'],
    [{ kind: 'daily', hour: 4, minute: 5 }, 'every day at 04:05 UTC'],
    [{ kind: 'hourly', minute: 5 }, 'every hour at 5 minutes past'],
    [{ kind: 'hourly', minute: 1 }, 'every hour at 1 minute past'],
    [cron(' 0 3  * *\t1-5', 'Europe/Berlin'), 'cron 0 3 * * 1-5 in Europe/Berlin'],
    [cron('@daily'), 'cron @daily in UTC'],
  ])('%j is "%s"', (schedule, words) => {
    expect(describeSchedule(schedule)).toBe(words);
  });

  test.each<[schedule: Schedule, problem: string | undefined]>([
    [{ kind: 'daily', hour: 0, minute: 0 }, undefined],
    [{ kind: 'daily', hour: 23, minute: 59 }, undefined],
    [{ kind: 'daily', hour: 24, minute: 0 }, 'The hour of a daily task is a whole number from 0 to 23, in UTC.'],
    [{ kind: 'daily', hour: 1.5, minute: 0 }, 'The hour of a daily task is a whole number from 0 to 23, in UTC.'],
    [{ kind: 'daily', hour: 1, minute: -1 }, 'The minute of a task is a whole number from 0 to 59.'],
    [{ kind: 'hourly', minute: 60 }, 'The minute of a task is a whole number from 0 to 59.'],
    [{ kind: 'hourly', minute: Number.NaN }, 'The minute of a task is a whole number from 0 to 59.'],
    [cron('0 3 * * *', 'Europe/Berlin'), undefined],
    [cron('0 3 * * *', 'europe/berlin'), undefined],
    [cron('0 3 * * *', 'Etc/GMT+5'), undefined],
    [cron('0 3 * * *', 'Berlin'), 'This time zone is not known here. Write Europe/Berlin if that is meant.'],
    [cron('0 3 * * *', 'new york'), 'This time zone is not known here. Write America/New_York if that is meant.'],
    [
      cron('0 3 * * *', '+02:00'),
      'This time zone is not known here. Write a name such as Europe/Berlin or America/New_York, or UTC.',
    ],
    [
      cron('0 3 * * *', ''),
      'This time zone is not known here. Write a name such as Europe/Berlin or America/New_York, or UTC.',
    ],
    [cron('0 25 * * *'), 'There is no hour 25: write 0 to 23.'],
  ])('%j: %s', (schedule, problem) => {
    expect(scheduleProblem(schedule)).toBe(problem);
    if (problem !== undefined) {
      expect(nextRun(schedule, 0)).toBeUndefined();
      expect(nextRuns(schedule, 0, 3)).toEqual([]);
      expect(lastDue(schedule, 0, DAY_MS * 400)).toBeUndefined();
    }
  });

  test('29 February waits for the next leap year, with a day of the week for up to 40 years', () => {
    expect(nextRuns(cron('0 12 29 2 *', 'Europe/Berlin'), Date.parse('2026-01-01T00:00Z'), 2)).toEqual(
      moments('2028-02-29T11:00', '2032-02-29T11:00'),
    );
    // 2100 is no leap year. Saturdays and Sundays: a step of a star, so the day of the week must fit as well.
    expect(nextRuns(cron('0 0 29 2 */6'), Date.parse('2072-01-01T00:00Z'), 2)).toEqual(
      moments('2076-02-29T00:00', '2088-02-29T00:00'),
    );
    expect(nextRun(cron('0 0 29 2 *'), Date.parse('2096-03-01T00:00Z'))).toBe(Date.parse('2104-02-29T00:00Z'));
  });

  test('the 13th and each Friday, and the Friday that is an odd day', () => {
    expect(runsBetween(cron('0 0 13 * FRI'), '2026-10-01T00:00', '2026-10-24T00:00')).toEqual(
      ['02', '09', '13', '16', '23'].map((day) => `2026-10-${day}T00:00`),
    );
    expect(runsBetween(cron('0 0 */2 * FRI'), '2026-10-01T00:00', '2026-10-31T00:00')).toEqual(
      ['09', '23'].map((day) => `2026-10-${day}T00:00`),
    );
  });

  test('moments that are none lead nowhere', () => {
    for (const after of [Number.NaN, Infinity, Date.UTC(10_000, 0, 1)]) {
      expect(nextRun(cron('* * * * *', 'Europe/Berlin'), after)).toBeUndefined();
    }
    expect(nextRun(cron('0 0 1 1 *', 'Europe/Berlin'), Date.UTC(9999, 5, 1))).toBeUndefined();
    expect(nextRun(cron('* * * * *'), -1e18)).toBe(0);
    expect(nextRuns(cron('* * * * *'), 0, 0)).toEqual([]);
    expect(lastDue(cron('* * * * *'), 0, Infinity)).toBe(Date.UTC(9999, 11, 31));
  });
});

/** The table in docs/schedules.md, row by row. */
describe('nights when the clock changes in Europe/Berlin', () => {
  const NIGHTS = {
    '29 March 2026': ['2026-03-29T00:00', '2026-03-29T03:00'],
    '25 October 2026': ['2026-10-24T23:00', '2026-10-25T03:00'],
    '28 March 2027': ['2027-03-28T00:00', '2027-03-28T03:00'],
    '31 October 2027': ['2027-10-30T23:00', '2027-10-31T03:00'],
  } as const;

  /** From 01:00 to before 05:00 in spring, to before 04:00 in autumn. */
  test.each<[line: string, spring: string, autumn: string]>([
    ['30 2 * * *', '03:00', '02:30'],
    ['0,30 2 * * *', '03:00', '02:00 02:30'],
    ['0 1-4 * * *', '01:00 03:00 04:00', '01:00 02:00 03:00'],
    ['30 3 * * *', '03:30', '03:30'],
    ['*/30 2 * * *', '', '02:00 02:30 02:00 02:30'],
    ['0 * * * *', '01:00 03:00 04:00', '01:00 02:00 02:00 03:00'],
    ['*/30 * * * *', '01:00 01:30 03:00 03:30 04:00 04:30', '01:00 01:30 02:00 02:30 02:00 02:30 03:00 03:30'],
    ['15 */2 * * *', '04:15', '02:15 02:15'],
  ])('%s runs at %s in spring and at %s in autumn', (line, spring, autumn) => {
    expect(wallTimes(line, 'Europe/Berlin', ...NIGHTS['29 March 2026'])).toBe(spring);
    expect(wallTimes(line, 'Europe/Berlin', ...NIGHTS['28 March 2027'])).toBe(spring);
    expect(wallTimes(line, 'Europe/Berlin', ...NIGHTS['25 October 2026'])).toBe(autumn);
    expect(wallTimes(line, 'Europe/Berlin', ...NIGHTS['31 October 2027'])).toBe(autumn);
  });

  test('a fixed time runs in the first pass, in summer time, and at the moment of the jump', () => {
    expect(runsBetween(cron('30 2 * * *', 'Europe/Berlin'), '2026-10-24T22:00', '2026-10-25T22:00')).toEqual([
      '2026-10-25T00:30',
    ]);
    expect(runsBetween(cron('30 2 * * *', 'Europe/Berlin'), '2026-03-29T00:00', '2026-03-29T22:00')).toEqual([
      '2026-03-29T01:00',
    ]);
  });

  test('what was skipped and what is due at that moment anyway are one run', () => {
    expect(runsBetween(cron('0,30 2-3 * * *', 'Europe/Berlin'), '2026-03-29T00:00', '2026-03-29T22:00')).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T01:30',
    ]);
  });

  test('a day that is not named is not made up for by the jump', () => {
    // 29 March 2026 is a Sunday.
    expect(wallTimes('30 2 * * 1-6', 'Europe/Berlin', '2026-03-28T22:00', '2026-03-29T22:00')).toBe('');
  });
});

describe('other jumps', () => {
  test('half an hour, on Lord Howe Island', () => {
    const night = ['2026-10-03T14:30', '2026-10-03T17:00'] as const;
    expect(wallTimes('15 2 * * *', 'Australia/Lord_Howe', ...night)).toBe('02:30');
    expect(wallTimes('*/15 * * * *', 'Australia/Lord_Howe', ...night)).toBe(
      '01:00 01:15 01:30 01:45 02:30 02:45 03:00 03:15 03:30 03:45',
    );
    const back = ['2026-04-04T14:00', '2026-04-04T16:00'] as const;
    expect(wallTimes('45 1 * * *', 'Australia/Lord_Howe', ...back)).toBe('01:45');
    expect(runsBetween(cron('45 1 * * *', 'Australia/Lord_Howe'), ...back)).toEqual(['2026-04-04T14:45']);
    expect(wallTimes('45 * * * *', 'Australia/Lord_Howe', ...back)).toBe('01:45 01:45');
  });

  test('at midnight, where the day begins at 01:00', () => {
    expect(wallTimes('0 0 * * *', 'America/Santiago', '2026-09-06T03:00', '2026-09-07T03:30')).toBe('01:00 00:00');
    expect(wallTimes('@daily', 'Asia/Beirut', '2026-03-28T12:00', '2026-03-29T12:00')).toBe('01:00');
    // And back, where the last hour of Saturday comes twice.
    expect(wallTimes('30 23 * * *', 'America/Santiago', '2026-04-05T01:00', '2026-04-05T12:00')).toBe('23:30');
    expect(wallTimes('30 23 * * SAT', 'America/Santiago', '2026-04-05T01:00', '2026-04-05T12:00')).toBe('23:30');
    expect(wallTimes('30 * * * SAT', 'America/Santiago', '2026-04-05T02:00', '2026-04-05T12:00')).toBe('23:30 23:30');
  });

  test('a repeated hour is found by a line that names nothing else that week', () => {
    // From 02:45 of the first pass, the next wall time that fits is a week away, and the clock shows 02:30 before that.
    const sunday = cron('30 2-2,*/23 * * SUN', 'Europe/Berlin');
    expect(nextRuns(sunday, Date.parse('2026-10-25T00:45Z'), 2)).toEqual(
      moments('2026-10-25T01:30', '2026-10-25T22:30'),
    );
    expect(nextRun(cron('*/30 2 * * SUN', 'Europe/Berlin'), Date.parse('2026-10-25T00:45Z'))).toBe(
      Date.parse('2026-10-25T01:00Z'),
    );
  });

  test('a whole day, in Samoa: 30 December 2011 did not exist', () => {
    const after = ['2011-12-29T00:00', '2012-01-01T09:00'] as const;
    expect(runsBetween(cron('0 12 * * *', 'Pacific/Apia'), ...after)).toEqual([
      '2011-12-29T22:00', // the 29th
      '2011-12-30T10:00', // what the 30th owed, as the 31st begins
      '2011-12-30T22:00', // the 31st
      '2011-12-31T22:00',
    ]);
    expect(runsBetween(cron('0 12 30 12 *', 'Pacific/Apia'), ...after)).toEqual(['2011-12-30T10:00']);
    expect(runsBetween(cron('0 * 30 12 *', 'Pacific/Apia'), ...after)).toEqual([]);
  });

  test('offsets with three quarters of an hour', () => {
    expect(nextRun(cron('0 0 * * *', 'Asia/Kathmandu'), Date.parse('2026-06-01T00:00Z'))).toBe(
      Date.parse('2026-06-01T18:15Z'),
    );
    expect(nextRun(cron('0 12 * * *', 'Pacific/Chatham'), Date.parse('2026-06-01T00:00Z'))).toBe(
      Date.parse('2026-06-01T23:15Z'),
    );
  });

  test('a zone that stops changing its clock at the turn of a year', () => {
    // Monrovia left its 44 and a half minutes on 7 January 1972; Kiritimati left out 31 December 1994.
    expect(nextRun(cron('0 0 1 2 *', 'Africa/Monrovia'), 0)).toBe(Date.parse('1970-02-01T00:45Z'));
    expect(runsBetween(cron('0 0 31 12 *', 'Pacific/Kiritimati'), '1994-12-30T00:00', '1995-01-02T00:00')).toEqual([
      '1994-12-31T10:00',
    ]);
  });
});

/**
 * A slow reference: a clock on the wall that is looked at every minute for two years. It shares nothing with the code: not the parsed line (each
 * has a test of the wall time beside it), not the offsets, not the search.
 */
describe('against a clock that is looked at every minute', () => {
  const START = Date.parse('2025-12-31T23:00Z');
  const MINUTES = 2 * 365 * 24 * 60;

  interface Wall {
    minute: number;
    hour: number;
    day: number;
    month: number;
    weekday: number;
  }
  interface Line {
    line: string;
    fixed: boolean;
    fits: (wall: Wall) => boolean;
  }

  const LINES: Line[] = [
    { line: '30 2 * * *', fixed: true, fits: ({ minute, hour }) => minute === 30 && hour === 2 },
    { line: '0,30 2 * * *', fixed: true, fits: ({ minute, hour }) => minute % 30 === 0 && hour === 2 },
    { line: '15 0-3 * * *', fixed: true, fits: ({ minute, hour }) => minute === 15 && hour <= 3 },
    { line: '@daily', fixed: true, fits: ({ minute, hour }) => minute === 0 && hour === 0 },
    {
      line: '45 1,23 * * SAT,SUN',
      fixed: true,
      fits: ({ minute, hour, weekday }) => minute === 45 && (hour === 1 || hour === 23) && weekday % 6 === 0,
    },
    {
      line: '0 12 29 2 *',
      fixed: true,
      fits: ({ minute, hour, day, month }) => minute === 0 && hour === 12 && day === 29 && month === 2,
    },
    {
      line: '5 4 13 * FRI',
      fixed: true,
      fits: ({ minute, hour, day, weekday }) => minute === 5 && hour === 4 && (day === 13 || weekday === 5),
    },
    {
      line: '5 4 1-7 * */2',
      fixed: true,
      fits: ({ minute, hour, day, weekday }) => minute === 5 && hour === 4 && day <= 7 && weekday % 2 === 0,
    },
    { line: '*/30 * * * *', fixed: false, fits: ({ minute }) => minute % 30 === 0 },
    { line: '15 */2 * * *', fixed: false, fits: ({ minute, hour }) => minute === 15 && hour % 2 === 0 },
    {
      line: '*/20 2 * * SUN',
      fixed: false,
      fits: ({ minute, hour, weekday }) => minute % 20 === 0 && hour === 2 && weekday === 0,
    },
    {
      line: '50 * 1-7 3,4,9,OCT,nov 0',
      fixed: false,
      fits: ({ minute, day, month, weekday }) =>
        minute === 50 && [3, 4, 9, 10, 11].includes(month) && (day <= 7 || weekday === 0),
    },
  ];

  /** What the clock shows, as minutes since 1970 on the wall: asked anew every quarter of an hour, which is when clocks change. */
  function clockOf(zone: string): Int32Array {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
    const shown = new Int32Array(MINUTES + 1);
    for (let at = 0; at <= MINUTES; at += 1) {
      shown[at] =
        at % 15 === 0
          ? Date.parse(`${format.format(START + at * MINUTE_MS).replace(' ', 'T')}Z`) / MINUTE_MS
          : (shown[at - 1] ?? 0) + 1;
    }
    return shown;
  }

  /** Which minutes on the wall fit, from a day before the first that is shown. */
  function fitting(line: Line, first: number): Uint8Array {
    const fits = new Uint8Array(MINUTES + 4 * 24 * 60);
    let date = new Date(0);
    for (let at = 0; at < fits.length; at += 1) {
      const wall = first + at;
      if (at === 0 || wall % 1440 === 0) date = new Date(wall * MINUTE_MS);
      fits[at] = Number(
        line.fits({
          minute: wall % 60,
          hour: Math.floor((wall % 1440) / 60),
          day: date.getUTCDate(),
          month: date.getUTCMonth() + 1,
          weekday: date.getUTCDay(),
        }),
      );
    }
    return fits;
  }

  function expectedRuns(line: Line, shown: Int32Array): number[] {
    const first = (shown[0] ?? 0) - 1440;
    const fits = fitting(line, first);
    const runs: number[] = [];
    let reached = shown[0] ?? 0;
    for (let at = 1; at <= MINUTES; at += 1) {
      const now = shown[at] ?? 0;
      let runsNow = false;
      if (line.fixed) {
        for (let wall = reached + 1; wall <= now; wall += 1) runsNow ||= fits[wall - first] === 1;
        reached = Math.max(reached, now);
      } else {
        runsNow = fits[now - first] === 1;
      }
      if (runsNow) runs.push(START + at * MINUTE_MS);
    }
    return runs;
  }

  test.each([
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Santiago',
    'Africa/Casablanca',
    'UTC',
    'Asia/Kolkata',
  ])('%s', { timeout: 120_000 }, (zone) => {
    const shown = clockOf(zone);
    for (const line of LINES) {
      const expected = expectedRuns(line, shown);
      const found = nextRuns(cron(line.line, zone), START, expected.length + 1);
      const end = START + MINUTES * MINUTE_MS;
      // Compared as text: a first difference is found at once, and not by a diff of a year of half hours.
      expect(found.filter((run) => run <= end).join(), `${line.line} in ${zone}`).toBe(expected.join());
    }
  });
});

describe('of all schedules', () => {
  const ZONES = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Santiago',
    'Asia/Kathmandu',
    'Pacific/Apia',
  ];

  function fieldBetween(lowest: number, highest: number): fc.Arbitrary<string> {
    const value = fc.integer({ min: lowest, max: highest });
    const range = fc.tuple(value, value).map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`);
    const step = fc.integer({ min: 2, max: 5 }).map((width) => `*/${width}`);
    const item = fc.oneof(value.map(String), range, step);
    return fc.oneof(
      fc.constant('*'),
      item,
      fc.array(item, { minLength: 2, maxLength: 3 }).map((items) => items.join(',')),
    );
  }

  const lines = fc
    .tuple(fieldBetween(0, 59), fieldBetween(0, 23), fieldBetween(1, 31), fieldBetween(1, 12), fieldBetween(0, 7))
    .map((fields) => fields.join(' '));
  const schedules: fc.Arbitrary<Schedule> = fc
    .oneof(
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('daily' as const), hour: fc.nat(23), minute: fc.nat(59) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('hourly' as const), minute: fc.nat(59) }) },
      {
        weight: 6,
        arbitrary: fc.record({
          kind: fc.constant('cron' as const),
          expression: lines,
          zone: fc.constantFrom(...ZONES),
        }),
      },
    )
    .filter((schedule) => scheduleProblem(schedule) === undefined);
  /** Half of them in the nights when a clock of these zones changes. */
  const afters = fc.oneof(
    fc.integer({ min: 0, max: Date.UTC(2090, 0, 1) }),
    fc
      .tuple(
        fc.constantFrom(
          ...moments(
            '2026-03-29T01:00',
            '2026-10-25T01:00',
            '2026-04-04T15:00',
            '2026-10-03T15:30',
            '2026-04-05T03:00',
            '2026-09-06T04:00',
            '2011-12-30T10:00',
          ),
        ),
        fc.integer({ min: -90, max: 90 }),
        fc.integer({ min: 0, max: MINUTE_MS - 1 }),
      )
      .map(([night, minutes, rest]) => night + minutes * MINUTE_MS + rest),
  );

  test('the next run is a whole minute after the moment, and none is left out between two', () => {
    fc.assert(
      fc.property(schedules, afters, fc.double({ min: 0, max: 1, noNaN: true }), (schedule, after, share) => {
        const next = nextRun(schedule, after) ?? 0;
        expect(next).toBeGreaterThan(after);
        expect(next % MINUTE_MS).toBe(0);
        // Asked at any moment before it, the answer is the same.
        expect(nextRun(schedule, Math.floor(after + (next - 1 - after) * share))).toBe(next);
      }),
      { numRuns: 400 },
    );
  });

  test('the clock shows a time of the line, or has just jumped over one', () => {
    fc.assert(
      fc.property(lines, fc.constantFrom(...ZONES), afters, (expression, zone, after) => {
        const next = nextRun(cron(expression, zone), after + DAY_MS);
        if (next === undefined) return;
        const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' });
        const wallAt = (moment: number) => Date.parse(`${clock.format(moment).replace(' ', 'T')}Z`);
        const wall = wallAt(next);
        const [minute = '', hour = ''] = expression.split(' ');
        const jumped = wall - wallAt(next - MINUTE_MS) > MINUTE_MS;
        // The same line in UTC runs at what the clock of the zone shows.
        const shown = nextRun(cron(expression), wall - 1) === wall;
        expect(shown || (jumped && !minute.includes('*') && !hour.includes('*'))).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('runs follow one another', () => {
    fc.assert(
      fc.property(schedules, afters, (schedule, after) => {
        const runs = nextRuns(schedule, after, 12);
        expect(runs).toHaveLength(12);
        let last = after;
        for (const run of runs) {
          expect(run).toBe(nextRun(schedule, last));
          expect(run).toBeGreaterThan(last);
          last = run;
        }
      }),
      { numRuns: 200 },
    );
  });

  test('what was missed is the last run before a moment, and nothing runs between them', () => {
    fc.assert(
      fc.property(schedules, afters, fc.integer({ min: 0, max: 800 * DAY_MS }), (schedule, after, away) => {
        const before = after + away;
        const due = lastDue(schedule, after, before);
        const first = nextRun(schedule, after) ?? 0;
        if (due === undefined) {
          expect(first).toBeGreaterThan(before);
          return;
        }
        expect(due).toBeGreaterThanOrEqual(first);
        expect(due).toBeLessThanOrEqual(before);
        expect(nextRun(schedule, due - 1)).toBe(due);
        expect(nextRun(schedule, due)).toBeGreaterThan(before);
      }),
      { numRuns: 200 },
    );
    const hourly: Schedule = { kind: 'hourly', minute: 0 };
    const [nine = 0] = moments('2026-05-01T09:00');
    expect(lastDue(hourly, nine - 1, nine)).toBe(nine);
    expect(lastDue(hourly, nine, nine)).toBeUndefined();
    expect(lastDue(hourly, nine - 5 * HOUR_MS, nine + HOUR_MS - 1)).toBe(nine);
    expect(lastDue(hourly, nine, nine - HOUR_MS)).toBeUndefined();
  });

  test('no string makes it throw', () => {
    // Lone halves of characters among them.
    const strings = fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes));
    const words = fc.oneof(strings, fc.string());
    fc.assert(
      fc.property(words, words, (expression, zone) => {
        scheduleProblem(cron(expression, zone));
        scheduleProblem(cron('@daily', zone));
        scheduleProblem(cron(expression));
        nextRun(cron('@daily', zone), 0);
        describeSchedule(cron(expression, zone));
      }),
    );
  });
});
