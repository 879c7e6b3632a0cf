/**
 * The line of a cron schedule. Five fields, read as Vixie cron (Debian, most of Linux) reads them, with one difference: what
 * that would install in silence and never run, or run otherwise than its writer meant, is refused with a sentence that says
 * what to write instead. A line that is taken here means the same there, but for two things that nobody can want otherwise: a
 * range of days may end with SUN, and a `*` counts wherever it stands in a list (Vixie cron looks at the first character only).
 *
 * | field | values | names |
 * |---|---|---|
 * | minute | 0-59 | |
 * | hour | 0-23 | |
 * | day of the month | 1-31 | |
 * | month | 1-12 | JAN-DEC |
 * | day of the week | 0-7, 0 and 7 are Sunday | SUN-SAT |
 *
 * A field is `*`, a value, a range `a-b`, a step `*` or `a-b` with `/n` behind it, or a list of these with commas. Steps count
 * from the beginning of their range, anew each hour, day, month, year or week. Capital or small letters.
 *
 * **A field counts as a star when a `*` stands in it, so `*` followed by `/2` is a star, too** (as in Vixie cron). It matters twice:
 * - days: when neither the day of the month nor the day of the week is a star, one of them is enough (`0 0 13 * FRI`: each
 *   13th and each Friday); otherwise both must fit.
 * - clocks that change: see `fixed`.
 */
export interface CronTimes {
  /** Whether a value runs, at the index of the value: 0 to 59. */
  minutes: readonly boolean[];
  /** 0 to 23. */
  hours: readonly boolean[];
  /** 1 to 31. */
  days: readonly boolean[];
  /** 1 to 12. */
  months: readonly boolean[];
  /** 0 to 6, Sunday is 0. */
  weekdays: readonly boolean[];
  /** A day of the month or a day of the week is enough; otherwise a day must be both. */
  eitherDay: boolean;
  /** Neither minute nor hour is a star: the line names wall times, and each of them is owed one run. */
  fixed: boolean;
}

/** Characters. The longest line that has a use, all sixty minutes in a list, has 177. */
export const LONGEST_CRON_LINE = 256;

/** What the words that begin with @ stand for. */
const MACROS: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

interface Field {
  name: string;
  lowest: number;
  /** The last value of `*`. */
  highest: number;
  /** The last value that may be written: 7 is another word for Sunday. */
  highestWritten: number;
  /** The first name stands for the lowest value. */
  names: readonly string[];
  /** In which steps begin anew. */
  within: string;
  example: string;
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const;
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const;
const SUNDAY_AT_THE_END = 7;

const MINUTE: Field = {
  name: 'minute',
  lowest: 0,
  highest: 59,
  highestWritten: 59,
  names: [],
  within: 'hour',
  example: '5, 0,30 or */15',
};
const HOUR: Field = {
  name: 'hour',
  lowest: 0,
  highest: 23,
  highestWritten: 23,
  names: [],
  within: 'day',
  example: '4, 9-17 or */6',
};
const DAY: Field = {
  name: 'day of the month',
  lowest: 1,
  highest: 31,
  highestWritten: 31,
  names: [],
  within: 'month',
  example: '1, 1,15 or 1-7',
};
const MONTH: Field = {
  name: 'month',
  lowest: 1,
  highest: 12,
  highestWritten: 12,
  names: MONTHS,
  within: 'year',
  example: '1, JAN or 6-8',
};
const WEEKDAY: Field = {
  name: 'day of the week',
  lowest: 0,
  highest: 6,
  highestWritten: SUNDAY_AT_THE_END,
  names: WEEKDAYS,
  within: 'week',
  example: '1, MON or 1-5',
};

/** Days of the months in a leap year; index 0 is no month. */
const LONGEST_MONTHS = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

const FIVE = 'minute, hour, day of the month, month, day of the week';
const LINE_EXAMPLE = '"30 4 * * 1-5" for 04:30 from Monday to Friday';

/** What is wrong with a line. Never leaves this file. */
class CronProblem extends Error {}

/** The times of a line, or what is wrong with it: one sentence or two for the member who wrote it. Never throws. */
export function parseCron(expression: string): { times: CronTimes } | { problem: string } {
  try {
    return { times: readLine(expression) };
  } catch (error) {
    if (error instanceof CronProblem) return { problem: error.message };
    throw error;
  }
}

function readLine(expression: string): CronTimes {
  if (expression.length > LONGEST_CRON_LINE) {
    throw new CronProblem(
      `A cron line has at most ${LONGEST_CRON_LINE} characters: write lists of values as ranges or steps.`,
    );
  }
  const line = expression.trim();
  if (line === '') throw new CronProblem(`Write five fields: ${FIVE}. For example ${LINE_EXAMPLE}.`);
  const [minute, hour, day, month, weekday] = fieldsOf(line.startsWith('@') ? meaningOf(line) : line);
  const times: CronTimes = {
    minutes: readField(minute, MINUTE),
    hours: readField(hour, HOUR),
    days: readField(day, DAY),
    months: readField(month, MONTH),
    weekdays: readField(weekday, WEEKDAY),
    eitherDay: !isStar(day) && !isStar(weekday),
    fixed: !isStar(minute) && !isStar(hour),
  };
  refuseNever(times);
  return times;
}

function isStar(field: string): boolean {
  return field.includes('*');
}

/** A member's own words in a sentence, at a length that a sentence bears. */
function quoted(text: string): string {
  return `"${text.length > 40 ? `${text.slice(0, 40)}...` : text}"`;
}

function meaningOf(macro: string): string {
  const meaning = MACROS.get(macro.toLowerCase());
  if (meaning !== undefined) return meaning;
  if (macro.toLowerCase() === '@reboot') {
    throw new CronProblem(
      'There is no "@reboot" here, for your programs outlive restarts of the platform. Make an always-on task of what must always run.',
    );
  }
  const known = [...MACROS.keys()].join(', ');
  throw new CronProblem(`${quoted(macro)} is not known here. Write one of ${known}, or five fields: ${FIVE}.`);
}

function fieldsOf(line: string): [string, string, string, string, string] {
  const fields = line.split(/[ \t]+/);
  if (/^[a-z_]+=/i.test(line)) {
    throw new CronProblem(`Write only the times: ${FIVE}. The time zone and variables are no part of the line.`);
  }
  if (fields.length === 6 && fields.every((field) => /^(?:[\d*?,/#-]|[a-z]{3}\b|[lw]\b)+$/i.test(field))) {
    throw new CronProblem(
      `There are six fields here, and five are needed: ${FIVE}. If the first one is meant for seconds, leave it out; tasks start at whole minutes.`,
    );
  }
  const [minute, hour, day, month, weekday, ...rest] = fields;
  if (rest.length > 0) {
    throw new CronProblem(
      `There is more here than the five fields that are needed: ${FIVE}. Write the command in its own place.`,
    );
  }
  if (minute === undefined || hour === undefined || day === undefined || month === undefined || weekday === undefined) {
    const found = fields.length === 1 ? 'There is one field' : `There are ${fields.length} fields`;
    throw new CronProblem(`${found} here, and five are needed: ${FIVE}. For example ${LINE_EXAMPLE}.`);
  }
  return [minute, hour, day, month, weekday];
}

/** Which values of a field run, at their own index. */
function readField(text: string, field: Field): boolean[] {
  refuseOtherDialects(text, field);
  const runs: boolean[] = Array.from({ length: field.highest + 1 }, () => false);
  for (const item of text.split(',')) {
    for (const value of valuesOf(item, text, field)) runs[value > field.highest ? field.lowest : value] = true;
  }
  return runs;
}

/** What Quartz, Jenkins, cronie and others have beyond cron: known by name here, so that the answer can say what does the same. */
function refuseOtherDialects(text: string, field: Field): void {
  if (text.includes('?')) throw new CronProblem(`Write "*" instead of "?" for the ${field.name}.`);
  if (text.includes('#') || /\dw\b/i.test(text)) {
    throw new CronProblem(
      `${quoted(text)} is not possible for the ${field.name}. Write the days that may be meant (8-14 for the second week) and let the program look which day it is.`,
    );
  }
  if (/(?:^|[\d,])lw?\b/i.test(text) || /^[a-z]{3}l$/i.test(text)) {
    throw new CronProblem(
      `Cron knows no last day. Write 28-31 for the day of the month and let the program look whether tomorrow is the 1st, or let it run on the 1st.`,
    );
  }
  if (text.includes('~') || /^h\b/i.test(text)) {
    throw new CronProblem(`The ${field.name} is not chosen for you here: write a value, for example ${field.example}.`);
  }
}

function valuesOf(item: string, text: string, field: Field): number[] {
  if (item === '') throw new CronProblem(`There is a comma too many in ${quoted(text)} for the ${field.name}.`);
  const [range, step, ...more] = item.split('/');
  if (range === undefined || range === '' || more.length > 0) throw new CronProblem(unreadable(item, field));
  const [lowest, highest] = endsOf(range, item, field);
  if (step === undefined) {
    if (lowest > highest) throw new CronProblem(backwards(range, lowest, highest, 1, field));
    return steps(lowest, highest, 1);
  }
  if (!/^\d{1,4}$/.test(step)) throw new CronProblem(unreadable(item, field));
  const width = Number(step);
  if (width === 0) {
    throw new CronProblem(`A step of 0 in ${quoted(item)} leads nowhere: write a number from 1 for the ${field.name}.`);
  }
  if (!range.includes('-') && range !== '*') {
    // Vixie cron refuses it; other programs read it as a range to the end, or as the value alone.
    const toTheEnd =
      width > field.highest - lowest ? '' : `"${lowest}-${field.highest}/${width}" for steps of ${width}, or `;
    throw new CronProblem(
      `${quoted(item)} is read differently by different programs. Write ${toTheEnd}"${lowest}" for that ${field.name} alone.`,
    );
  }
  if (lowest > highest) throw new CronProblem(backwards(item, lowest, highest, width, field));
  if (width > highest - lowest) {
    throw new CronProblem(
      `${quoted(item)} would only ever be ${lowest}, for steps begin anew each ${field.within}. Write "${lowest}" for the ${field.name} if that is meant.`,
    );
  }
  return steps(lowest, highest, width);
}

function steps(lowest: number, highest: number, width: number): number[] {
  const values: number[] = [];
  for (let value = lowest; value <= highest; value += width) values.push(value);
  return values;
}

/** The first and the last value of `*`, `5` or `5-10`; the last is below the first when the range runs backwards. */
function endsOf(range: string, item: string, field: Field): [number, number] {
  if (range === '*') return [field.lowest, field.highest];
  const [first, last, ...more] = range.split('-');
  if (first === undefined || more.length > 0) throw new CronProblem(unreadable(item, field));
  const lowest = valueOf(first, item, field);
  if (last === undefined) return [lowest, lowest];
  const highest = valueOf(last, item, field);
  // A week may end with Sunday: FRI-SUN, 5-0. From Sunday to Sunday is that day, unless the second one is written as 7.
  return field === WEEKDAY && highest === 0 && lowest > 0 ? [lowest, SUNDAY_AT_THE_END] : [lowest, highest];
}

function valueOf(word: string, item: string, field: Field): number {
  const index = field.names.indexOf(word.toUpperCase());
  if (index !== -1) return field.lowest + index;
  if (/^\d+$/.test(word)) {
    const value = Number(word);
    if (value >= field.lowest && value <= field.highestWritten) return value;
    throw new CronProblem(
      `There is no ${field.name} ${quoted(word).slice(1, -1)}: write ${field.lowest} to ${field.highestWritten}.`,
    );
  }
  const short = word.slice(0, 3).toUpperCase();
  if (/^[a-z]{4,}$/i.test(word) && field.names.includes(short)) {
    throw new CronProblem(`Write ${short} instead of ${quoted(word)} for the ${field.name}.`);
  }
  throw new CronProblem(unreadable(item, field));
}

function unreadable(item: string, field: Field): string {
  return `${quoted(item)} cannot be read as the ${field.name}: write, for example, ${field.example}.`;
}

/** Debian's cron takes such a range without a word and never runs it. With a step it could mean two things, so it is not guessed. */
function backwards(item: string, first: number, last: number, width: number, field: Field): string {
  const sunday = field === WEEKDAY;
  // Sunday is the end of the first part, so the second begins with Monday.
  const [end, beginning] = sunday ? [SUNDAY_AT_THE_END, 1] : [field.highest, field.lowest];
  const length = field.highest - field.lowest + 1;
  const span = (last - first + length) % length;
  let instead: string;
  if (width > 1) {
    const values = steps(first, first + span, width).map((value) => (value > field.highest ? value - length : value));
    instead = values.join(',');
  } else {
    instead = [part(first, end, field), part(beginning, last, field)].join(',');
    if (sunday && first === SUNDAY_AT_THE_END) instead = part(0, last, field);
  }
  return `The range ${quoted(item)} runs backwards. Write "${instead}" for the ${field.name}.`;
}

function part(first: number, last: number, field: Field): string {
  return first === last ? nameOf(first, field) : `${nameOf(first, field)}-${nameOf(last, field)}`;
}

function nameOf(value: number, field: Field): string {
  return field.names[(value - field.lowest) % (field.highest - field.lowest + 1)] ?? String(value);
}

/** 30 February. The 29th is fine: it comes on every day of the week, if only after 40 years. */
function refuseNever(times: CronTimes): void {
  if (times.eitherDay) return;
  const longest = Math.max(...LONGEST_MONTHS.map((length, month) => (times.months[month] ? length : 0)));
  if (times.days.indexOf(true) <= longest) return;
  throw new CronProblem(
    `This would never run: no month that it names has more than ${longest} days. Write an earlier day, or another month.`,
  );
}
