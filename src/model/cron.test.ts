import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LONGEST_CRON_LINE, parseCron } from './cron.ts';

type Part = 'minutes' | 'hours' | 'days' | 'months' | 'weekdays';

function timesOf(line: string) {
  const parsed = parseCron(line);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.times;
}

function valuesOf(line: string, part: Part): number[] {
  return timesOf(line)[part].flatMap((runs, value) => (runs ? [value] : []));
}

function problemOf(line: string): string {
  const parsed = parseCron(line);
  return 'problem' in parsed ? parsed.problem : '';
}

describe('a cron line', () => {
  test.each<[line: string, part: Part, values: number[]]>([
    ['5 * * * *', 'minutes', [5]],
    ['05 * * * *', 'minutes', [5]],
    ['0,30 * * * *', 'minutes', [0, 30]],
    ['10-12 * * * *', 'minutes', [10, 11, 12]],
    ['*/15 * * * *', 'minutes', [0, 15, 30, 45]],
    ['*/40 * * * *', 'minutes', [0, 40]],
    ['5-50/20 * * * *', 'minutes', [5, 25, 45]],
    ['1-3,2,50,40-44/2 * * * *', 'minutes', [1, 2, 3, 40, 42, 44, 50]],
    ['0 */6 * * *', 'hours', [0, 6, 12, 18]],
    ['0 0 1-31/10 * *', 'days', [1, 11, 21, 31]],
    ['0 0 1 jan,Jun-AUG,12 *', 'months', [1, 6, 7, 8, 12]],
    ['0 0 1 */3 *', 'months', [1, 4, 7, 10]],
    ['0 0 * * *', 'weekdays', [0, 1, 2, 3, 4, 5, 6]],
    ['0 0 * * 0', 'weekdays', [0]],
    ['0 0 * * 7', 'weekdays', [0]],
    ['0 0 * * 5-7', 'weekdays', [0, 5, 6]],
    ['0 0 * * 5-0', 'weekdays', [0, 5, 6]],
    ['0 0 * * sat-Sun', 'weekdays', [0, 6]],
    ['0 0 * * SUN-TUE', 'weekdays', [0, 1, 2]],
    ['0 0 * * SUN-SUN', 'weekdays', [0]],
    ['0 0 * * 0-7', 'weekdays', [0, 1, 2, 3, 4, 5, 6]],
    ['0 0 * * */2', 'weekdays', [0, 2, 4, 6]],
    ['0 0 * * MON,wed,5', 'weekdays', [1, 3, 5]],
    ['  0\t4  * *   1-5 ', 'weekdays', [1, 2, 3, 4, 5]],
  ])('%s means the %s %j', (line, part, values) => {
    expect(valuesOf(line, part)).toEqual(values);
  });

  test.each([
    ['@hourly', '0 * * * *'],
    ['@daily', '0 0 * * *'],
    ['@midnight', '0 0 * * *'],
    ['@Weekly', '0 0 * * 0'],
    ['@monthly', '0 0 1 * *'],
    ['@yearly', '0 0 1 1 *'],
    ['@annually', '0 0 1 1 *'],
  ])('%s stands for %s', (macro, line) => {
    expect(parseCron(macro)).toEqual(parseCron(line));
  });

  test.each([
    ['0 0 13 * FRI', true],
    ['0 0 13 * *', false],
    ['0 0 * * FRI', false],
    ['0 0 */2 * FRI', false],
    ['0 0 1-31/2 * FRI', true],
    ['0 0 13 * */2', false],
  ])('%s: one of the two days is enough: %s', (line, either) => {
    expect(timesOf(line).eitherDay).toBe(either);
  });

  test.each([
    ['30 2 * * *', true],
    ['0,30 1-3 * * *', true],
    ['0-59/30 2 * * *', true],
    ['*/30 2 * * *', false],
    ['5,*/30 2 * * *', false],
    ['30 * * * *', false],
    ['15 */2 * * *', false],
    ['@daily', true],
    ['@hourly', false],
  ])('%s names wall times: %s', (line, fixed) => {
    expect(timesOf(line).fixed).toBe(fixed);
  });

  test.each([
    ['', 'Write five fields: minute, hour, day of the month, month, day of the week.'],
    ['   ', 'Write five fields'],
    ['5', 'There is one field here, and five are needed'],
    ['0 3 * *', 'There are 4 fields here, and five are needed'],
    ['0 0 3 * * *', 'If the first one is meant for seconds, leave it out'],
    ['0 0 12 ? * MON-FRI', 'If the first one is meant for seconds, leave it out'],
    ['0 3 * * * python3 task.py', 'Write the command in its own place.'],
    ['0 3 * * * /home/me/task.py', 'Write the command in its own place.'],
    ['CRON_TZ=Europe/Berlin 0 3 * * *', 'The time zone and variables are no part of the line.'],
    ['0 3 * *\n*', 'There are 4 fields here'],
    [`${'0,'.repeat(LONGEST_CRON_LINE)}0 * * * *`, 'at most 256 characters'],
    ['@reboot', 'Make an always-on task'],
    ['@every 5m', 'Write one of @hourly, @daily'],
    ['60 * * * *', 'There is no minute 60: write 0 to 59.'],
    ['0 24 * * *', 'There is no hour 24: write 0 to 23.'],
    ['0 0 0 * *', 'There is no day of the month 0: write 1 to 31.'],
    ['0 0 1 13 *', 'There is no month 13: write 1 to 12.'],
    ['0 0 * * 8', 'There is no day of the week 8: write 0 to 7.'],
    ['x * * * *', '"x" cannot be read as the minute: write, for example, 5, 0,30 or */15.'],
    ['-5 * * * *', '"-5" cannot be read'],
    ['1-2-3 * * * *', '"1-2-3" cannot be read'],
    ['*-5 * * * *', '"*-5" cannot be read'],
    ['1/2/3 * * * *', '"1/2/3" cannot be read'],
    ['*/x * * * *', '"*/x" cannot be read'],
    ['/5 * * * *', '"/5" cannot be read'],
    ['1.5 * * * *', '"1.5" cannot be read'],
    ['0 MON * * *', '"MON" cannot be read as the hour'],
    ['1,,2 * * * *', 'There is a comma too many in "1,,2"'],
    ['0 0 * * monday', 'Write MON instead of "monday"'],
    ['0 0 1 September *', 'Write SEP instead of "September"'],
    ['*/0 * * * *', 'A step of 0'],
    ['*/60 * * * *', '"*/60" would only ever be 0, for steps begin anew each hour. Write "0"'],
    ['*/90 * * * *', '"*/90" would only ever be 0'],
    ['0 0 1 */12 *', '"*/12" would only ever be 1, for steps begin anew each year.'],
    ['0 0 * * */7', '"*/7" would only ever be 0, for steps begin anew each week.'],
    ['5-10/6 * * * *', '"5-10/6" would only ever be 5'],
    ['3/10 * * * *', 'Write "3-59/10" for steps of 10, or "3" for that minute alone.'],
    ['3/90 * * * *', 'Write "3" for that minute alone.'],
    ['0 22-2 * * *', 'runs backwards. Write "22-23,0-2" for the hour.'],
    ['0 23-0 * * *', 'runs backwards. Write "23,0" for the hour.'],
    ['0 22-4/3 * * *', 'runs backwards. Write "22,1,4" for the hour.'],
    ['0 0 28-3 * *', 'runs backwards. Write "28-31,1-3"'],
    ['0 0 1 NOV-feb *', 'runs backwards. Write "NOV-DEC,JAN-FEB" for the month.'],
    ['0 0 * * SAT-MON', 'runs backwards. Write "SAT-SUN,MON" for the day of the week.'],
    ['0 0 * * 7-2', 'runs backwards. Write "SUN-TUE" for the day of the week.'],
    ['0 0 * * 6-1/2', 'runs backwards. Write "6,1" for the day of the week.'],
    ['0 0 ? * MON', 'Write "*" instead of "?" for the day of the month.'],
    ['0 0 L * *', 'Cron knows no last day. Write 28-31'],
    ['0 0 LW * *', 'Cron knows no last day.'],
    ['0 0 L-3 * *', 'Cron knows no last day.'],
    ['0 0 * * 5L', 'Cron knows no last day.'],
    ['0 0 * * friL', 'Cron knows no last day.'],
    ['0 0 15W * *', '"15W" is not possible'],
    ['0 0 * * MON#2', 'Write the days that may be meant (8-14 for the second week)'],
    ['H 3 * * *', 'not chosen for you here'],
    ['H(0-29)/10 3 * * *', 'not chosen for you here'],
    ['0~59 3 * * *', 'not chosen for you here'],
    ['0 0 30 2 *', 'This would never run: no month that it names has more than 29 days.'],
    ['0 0 31 4,6,SEP,11 *', 'no month that it names has more than 30 days.'],
    ['0 0 30,31 FEB */2', 'This would never run'],
  ])('%j is refused: %s', (line, problem) => {
    expect(problemOf(line)).toContain(problem);
  });

  test('29 February is fine, and so is the 30th when a day of the week is enough', () => {
    expect(problemOf('0 0 29 2 *')).toBe('');
    expect(problemOf('0 0 30 2 MON')).toBe('');
    expect(problemOf('0 0 31 2,3 *')).toBe('');
  });

  test('all sixty minutes in a list are not too long', () => {
    const minutes = Array.from({ length: 60 }, (_, minute) => minute).join(',');
    expect(problemOf(`${minutes} * * * *`)).toBe('');
  });

  test('what is told to be written instead is taken', () => {
    const field = fc.oneof(
      fc.tuple(fc.nat(23), fc.nat(23)).map(([first, last]) => `${first}-${last}`),
      fc.tuple(fc.nat(23), fc.nat(23), fc.nat(40)).map(([first, last, step]) => `${first}-${last}/${step + 1}`),
      fc.tuple(fc.nat(23), fc.nat(40)).map(([first, step]) => `${first}/${step + 1}`),
      fc.nat(40).map((step) => `*/${step + 1}`),
    );
    fc.assert(
      fc.property(field, (hour) => {
        const instead = /Write "([^"]+)"/.exec(problemOf(`0 ${hour} * * *`))?.[1];
        if (instead !== undefined) expect(problemOf(`0 ${instead} * * *`)).toBe('');
      }),
    );
    fc.assert(
      fc.property(fc.nat(7), fc.nat(7), fc.integer({ min: 1, max: 8 }), (first, last, step) => {
        const instead = /Write "([^"]+)"/.exec(problemOf(`0 0 * * ${first}-${last}/${step}`))?.[1];
        if (instead !== undefined) expect(problemOf(`0 0 * * ${instead}`)).toBe('');
      }),
    );
  });

  test('never throws, and a problem is a short sentence', () => {
    const words = fc.constantFrom(
      '*',
      '/',
      '-',
      ',',
      '0',
      '7',
      '59',
      '60',
      'MON',
      'feb',
      'L',
      '#',
      '?',
      ' ',
      '\t',
      '\n',
      '@',
      '@daily',
      'W',
      '~',
      '=',
    );
    const lines = fc.oneof(
      fc.array(fc.nat(0xffff), { maxLength: 300 }).map((codes) => String.fromCharCode(...codes)),
      fc.array(words, { maxLength: 30 }).map((parts) => parts.join('')),
      fc
        .array(fc.array(words, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 5 })
        .map((fields) => fields.map((parts) => parts.join('')).join(' ')),
    );
    fc.assert(
      fc.property(lines, (line) => {
        const problem = problemOf(line);
        expect(problem.length).toBeLessThan(320);
        if (problem !== '') expect(problem.endsWith('.')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
