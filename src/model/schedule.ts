import { type CronTimes, parseCron } from './cron.ts';
import { isZone, momentOf, periodAt } from './zone-clock.ts';

/**
 * When scheduled tasks run. Everything that says or decides it asks here: the form, the list, the scheduler, the agent.
 *
 * **Clocks that change.** Where a zone's clock jumps forward, some wall times do not exist that night; where it is set back, some
 * exist twice. This is our rule for both, whatever the size of the jump and its time of day:
 *
 * | the line | a wall time that does not exist | a wall time that exists twice |
 * |---|---|---|
 * | *fixed*: no `*` in its minute and hour (`30 2 * * *`, `0,30 1-3 * * 1-5`) | runs once, at the first moment after the jump; so do all that the jump skipped, together | runs in the first pass only |
 * | *follows the clock*: a `*` in its minute or hour (`0 * * * *`, any step of a star) | does not run; nothing is made up | runs in both passes |
 *
 * Each wall time that a fixed line names is thus owed exactly one run, and a backup at 02:30 is neither left out nor made twice; a line
 * that follows the clock goes on at its pace. Debian's cron means the same two kinds (cron(8)), but for jumps of less than three
 * hours only. Daily and hourly schedules are in UTC, where no clock changes.
 */
export type Schedule =
  | { kind: 'daily'; hour: number; minute: number }
  | { kind: 'hourly'; minute: number }
  /** `zone` is a name such as Europe/Berlin, or UTC. */
  | { kind: 'cron'; expression: string; zone: string };

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Nothing is said about what runs after this year. */
const LAST_YEAR = 9999;
const LAST_MOMENT = Date.UTC(LAST_YEAR, 11, 31);

/** undefined when it is fine, else a sentence or two for the member that say what to write instead. Never throws. */
export function scheduleProblem(schedule: Schedule): string | undefined {
  switch (schedule.kind) {
    case 'daily':
      if (!isWithin(schedule.hour, 23)) return 'The hour of a daily task is a whole number from 0 to 23, in UTC.';
      return minuteProblem(schedule.minute);
    case 'hourly':
      return minuteProblem(schedule.minute);
    case 'cron': {
      const parsed = parseCron(schedule.expression);
      return 'problem' in parsed ? parsed.problem : zoneProblem(schedule.zone);
    }
    default:
      return schedule satisfies never;
  }
}

/**
 * The first moment strictly after `after`; both milliseconds since 1970, the answer a whole minute. Undefined when it never runs
 * again, which is also what is said of a schedule with a problem. A moment before 1970 counts as 1970.
 */
export function nextRun(schedule: Schedule, after: number): number | undefined {
  const clock = clockOf(schedule);
  return clock && nextMoment(clock, after);
}

/** The next `count` moments, in order; fewer when there are not so many. */
export function nextRuns(schedule: Schedule, after: number, count: number): number[] {
  const runs: number[] = [];
  const clock = clockOf(schedule);
  let next = clock && nextMoment(clock, after);
  while (clock && next !== undefined && runs.length < count) {
    runs.push(next);
    next = nextMoment(clock, next);
  }
  return runs;
}

/**
 * The latest moment at or before `before` and strictly after `after`, if any: what an agent that was away has missed. Only the latest
 * one counts, so an hour away is one run and not sixty. However long the time between them, it asks for a few dozen moments at most.
 */
export function lastDue(schedule: Schedule, after: number, before: number): number | undefined {
  const clock = clockOf(schedule);
  let latest = clock && nextMoment(clock, after);
  if (!clock || latest === undefined || latest > before) return undefined;
  // Nothing runs after `end` and until `before`. Halves what lies between until no whole minute does.
  let end = Math.min(before, LAST_MOMENT);
  while (end - latest >= MINUTE_MS) {
    const middle = Math.floor((latest + end) / 2);
    const next = nextMoment(clock, middle);
    if (next !== undefined && next <= before) latest = next;
    else end = middle;
  }
  return latest;
}

/** In words, for the middle of a sentence: "every day at 16:00 UTC". */
export function describeSchedule(schedule: Schedule): string {
  switch (schedule.kind) {
    case 'daily':
      return `every day at ${twoDigits(schedule.hour)}:${twoDigits(schedule.minute)} UTC`;
    case 'hourly':
      return `every hour at ${schedule.minute} ${schedule.minute === 1 ? 'minute' : 'minutes'} past`;
    case 'cron':
      return `cron ${schedule.expression.trim().replaceAll(/[ \t]+/g, ' ')} in ${schedule.zone}`;
    default:
      return schedule satisfies never;
  }
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function isWithin(value: number, highest: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= highest;
}

function minuteProblem(minute: number): string | undefined {
  return isWithin(minute, 59) ? undefined : 'The minute of a task is a whole number from 0 to 59.';
}

/** Asked for once: it takes milliseconds. */
let zoneNames: readonly string[] | undefined;

function zoneProblem(zone: string): string | undefined {
  if (isZone(zone)) return undefined;
  const city = `/${zone.trim().replaceAll(' ', '_').toLowerCase()}`;
  zoneNames ??= Intl.supportedValuesOf('timeZone');
  const meant = zoneNames.find((known) => known.toLowerCase().endsWith(city));
  return meant === undefined
    ? 'This time zone is not known here. Write a name such as Europe/Berlin or America/New_York, or UTC.'
    : `This time zone is not known here. Write ${meant} if that is meant.`;
}

/** What any schedule comes down to: times on the wall of a zone. */
interface Clock {
  times: CronTimes;
  zone: string;
}

function clockOf(schedule: Schedule): Clock | undefined {
  if (schedule.kind !== 'cron' && scheduleProblem(schedule) !== undefined) return undefined;
  const parsed = parseCron(lineOf(schedule));
  if ('problem' in parsed) return undefined;
  return { times: parsed.times, zone: schedule.kind === 'cron' ? schedule.zone : 'UTC' };
}

function lineOf(schedule: Schedule): string {
  if (schedule.kind === 'daily') return `${schedule.minute} ${schedule.hour} * * *`;
  return schedule.kind === 'hourly' ? `${schedule.minute} * * * *` : schedule.expression;
}

function nextMoment({ times, zone }: Clock, after: number): number | undefined {
  const from = Math.max(0, (Math.floor(after / MINUTE_MS) + 1) * MINUTE_MS);
  // Also not a number.
  if (!(from <= LAST_MOMENT)) return undefined;
  return times.fixed ? nextFixed(times, zone, from) : nextByTheClock(times, zone, from);
}

/** The first moment from `from` on at which a named wall time is owed. Moments come in the order of their wall times. */
function nextFixed(times: CronTimes, zone: string, from: number): number | undefined {
  // What the clock showed a minute ago, and not what it shows now: between the two may lie a jump with wall times that are owed now.
  const minuteAgo = periodAt(zone, from - MINUTE_MS);
  if (!minuteAgo) return undefined;
  for (
    let wall = nextWall(times, from + minuteAgo.offset);
    wall !== undefined;
    wall = nextWall(times, wall + MINUTE_MS)
  ) {
    const moment = momentOf(zone, wall);
    if (moment === undefined) return undefined;
    // In a second pass the first one has had these already.
    if (moment >= from) return moment;
  }
  return undefined;
}

/** The first moment from `from` on at which the clock shows one of the times. */
function nextByTheClock(times: CronTimes, zone: string, from: number): number | undefined {
  let moment = from;
  for (;;) {
    const period = periodAt(zone, moment);
    const wall = period && nextWall(times, moment + period.offset);
    if (!period || wall === undefined) return undefined;
    if (wall < period.end + period.offset) return wall - period.offset;
    // A clock that is set back shows wall times of the last day once more, so a change within a day is gone through. Of a later one only
    // wall times could come again that were looked at just now: on to shortly before the one that was found, over years if need be.
    moment = period.end - moment < DAY_MS ? period.end : Math.max(period.end, wall - 2 * DAY_MS);
  }
}

/** The first wall time from `from` on that fits. */
function nextWall(times: CronTimes, from: number): number | undefined {
  const start = new Date(from);
  let [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth() + 1, start.getUTCDate()];
  let minute = start.getUTCHours() * 60 + start.getUTCMinutes();
  while (year <= LAST_YEAR) {
    if (times.months[month]) {
      const first = Date.UTC(year, month - 1, 1);
      const firstWeekday = new Date(first).getUTCDay();
      const length = new Date(Date.UTC(year, month, 0)).getUTCDate();
      for (; day <= length; day += 1, minute = 0) {
        if (!isDay(times, day, (firstWeekday + day - 1) % 7)) continue;
        const time = nextTimeOfDay(times, minute);
        if (time !== undefined) return first + (day - 1) * DAY_MS + time * MINUTE_MS;
      }
    }
    [year, month] = month === 12 ? [year + 1, 1] : [year, month + 1];
    [day, minute] = [1, 0];
  }
  return undefined;
}

function isDay(times: CronTimes, day: number, weekday: number): boolean {
  const byMonth = times.days[day] ?? false;
  const byWeek = times.weekdays[weekday] ?? false;
  return times.eitherDay ? byMonth || byWeek : byMonth && byWeek;
}

/** The first time of a day from `from` on, in minutes since midnight. */
function nextTimeOfDay({ hours, minutes }: CronTimes, from: number): number | undefined {
  const fromHour = Math.floor(from / 60);
  let hour = hours.indexOf(true, fromHour);
  if (hour === fromHour) {
    const minute = minutes.indexOf(true, from % 60);
    if (minute !== -1) return hour * 60 + minute;
    hour = hours.indexOf(true, hour + 1);
  }
  return hour === -1 ? undefined : hour * 60 + minutes.indexOf(true);
}
