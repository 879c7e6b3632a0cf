/**
 * What clocks on the wall of a time zone show. The zones come from the `Intl` of Node or of the browser. That is too slow to be
 * asked for each moment (microseconds a time), so what it says is kept by zone and year, as the periods in which the clock is
 * not changed.
 *
 * A *wall time* here is a number as if the clock on the wall showed UTC: 02:30 on a day is `Date.UTC(..., 2, 30)`. The offset is
 * what must be added to a moment to get it. All in milliseconds.
 */
export interface Period {
  /** The first moment. Also where a year of UTC begins, with or without a change of the clock. */
  start: number;
  /** The first moment after it. */
  end: number;
  /** Wall time minus moment; whole minutes. */
  offset: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** More than any zone is ahead of UTC (Kiritimati: 14 hours). */
const FARTHEST_AHEAD_MS = 15 * 60 * MINUTE_MS;

/** All zones for some years. The oldest entry goes first; what is missing is made again. */
const MOST_ZONE_YEARS = 4096;
/** A formatter is heavy (tens of KiB), and only needed where a year is not known yet. */
const MOST_FORMATTERS = 32;

const zoneYears = new Map<string, readonly Period[]>();
const formatters = new Map<string, Intl.DateTimeFormat>();

/** Names, and not offsets such as "+02:00", which `Intl` takes as well: whoever writes one forgets the summer. */
const ZONE_NAME = /^[a-z][a-z0-9_+/-]{0,63}$/i;

/** Whether clocks of this zone are known. Capital or small letters. */
export function isZone(zone: string): boolean {
  return formatterOf(zone) !== undefined;
}

/** The period that a moment is in; undefined when there is no such zone. From 1970 to 9999, a day of tolerance at both ends. */
export function periodAt(zone: string, moment: number): Period | undefined {
  if (zone === 'UTC') return { start: -Infinity, end: Infinity, offset: 0 };
  const periods = periodsOf(zone, new Date(moment).getUTCFullYear());
  return periods?.findLast((period) => period.start <= moment);
}

/**
 * The first moment at which the clock shows this wall time or a later one: the moment itself where it exists, the first pass where
 * it exists twice, and the first moment after the jump where it does not exist.
 */
export function momentOf(zone: string, wall: number): number | undefined {
  let period = periodAt(zone, wall - FARTHEST_AHEAD_MS);
  while (period && period.end + period.offset <= wall) period = periodAt(zone, period.end);
  return period && Math.max(period.start, wall - period.offset);
}

function periodsOf(zone: string, year: number): readonly Period[] | undefined {
  const key = `${zone}/${year}`;
  const known = zoneYears.get(key);
  if (known) return known;
  const formatter = formatterOf(zone);
  if (!formatter) return undefined;
  const periods = readPeriods(formatter, Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1));
  keep(zoneYears, key, periods, MOST_ZONE_YEARS);
  return periods;
}

/** Looks once a day: no zone has changed its clock and changed it back within one. */
function readPeriods(formatter: Intl.DateTimeFormat, start: number, end: number): Period[] {
  let period: Period = { start, end, offset: offsetAt(formatter, start) };
  const periods = [period];
  for (let moment = start; moment < end - MINUTE_MS;) {
    const next = Math.min(moment + DAY_MS, end - MINUTE_MS);
    const offset = offsetAt(formatter, next);
    if (offset !== period.offset) {
      period.end = changeBetween(formatter, moment, next);
      period = { start: period.end, end, offset };
      periods.push(period);
    }
    moment = next;
  }
  return periods;
}

/** The first minute with another offset than `before`, by halves. */
function changeBetween(formatter: Intl.DateTimeFormat, before: number, after: number): number {
  const offset = offsetAt(formatter, before);
  let [low, high] = [before / MINUTE_MS, after / MINUTE_MS];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(formatter, middle * MINUTE_MS) === offset) low = middle;
    else high = middle;
  }
  return high * MINUTE_MS;
}

/** Rounded to minutes: until 1972 Monrovia was 44 minutes and 30 seconds behind. */
function offsetAt(formatter: Intl.DateTimeFormat, moment: number): number {
  const [, sign, hours, minutes, seconds] =
    /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(formatter.format(moment)) ?? [];
  const ahead = Number(hours ?? 0) * 60 + Number(minutes ?? 0) + Math.round(Number(seconds ?? 0) / 60);
  return (sign === '-' ? -ahead : ahead) * MINUTE_MS;
}

function formatterOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = formatters.get(zone);
  if (known) return known;
  if (!ZONE_NAME.test(zone)) return undefined;
  try {
    const formatter = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
    keep(formatters, zone, formatter, MOST_FORMATTERS);
    return formatter;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  const [oldest] = map.keys();
  if (map.size >= most && oldest !== undefined) map.delete(oldest);
  map.set(key, value);
}
