import { roomOf } from '../../../src/model/volumes.ts';

/* Figures as people read them. All times are UTC, as everywhere on the platform. */
export { count, formatBytes } from '../../../src/model/words.ts';

/** Text in a field ("10 GiB", "512M", "3 gb", "1024") to bytes; undefined when it is not an amount. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*([kmgtp]?)i?b?\s*$/i.exec(text);
  if (match === null) return undefined;
  const power = ['', 'k', 'm', 'g', 't', 'p'].indexOf((match[2] ?? '').toLowerCase());
  const bytes = Math.round(Number((match[1] ?? '').replace(',', '.')) * 1024 ** power);
  return bytes > 0 ? bytes : undefined;
}

export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '-';
  const percent = (part / whole) * 100;
  if (percent > 0 && percent < 1) return '< 1 %';
  // Never "100 %" while something is left.
  return `${percent >= 100 ? Math.round(percent) : Math.min(99, Math.round(percent))} %`;
}

/** How full something is, in three grades: text turns to `low` while there is still time to act. */
export function fullness(usedBytes: number, limitBytes: number): 'fine' | 'low' | 'full' {
  if (limitBytes <= 0) return 'fine';
  const share = usedBytes / limitBytes;
  return share >= 0.98 ? 'full' : share >= 0.85 ? 'low' : 'fine';
}

/**
 * What is left of some room in bytes, and of how much: where a file system says what can still be written, that counts, because it keeps some of its
 * size for itself. `kept` is that part.
 */
export function roomLeft(
  usedBytes: number,
  limitBytes: number,
  freeBytes?: number,
): { left: number; room: number; kept: number } {
  const left = roomOf({ sizeBytes: limitBytes, usedBytes, freeBytes });
  return {
    left,
    room: freeBytes === undefined ? limitBytes : usedBytes + left,
    kept: Math.max(0, limitBytes - usedBytes - left),
  };
}

/** Seconds as "45 s", "12 min", "3 h 20 min", "2 days". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 || hours >= 10 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/**
 * When something happened: "just now", "3 min ago". Never in the future: the time of the page is a little behind what it has just heard, and its clock
 * may be behind the platform's. The beginning of all times is what something has that never happened.
 */
export function formatAgo(iso: string, now: number): string {
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return 'at an unknown time';
  if (at <= 0) return 'never';
  const seconds = (now - at) / 1000;
  return seconds < 5 ? 'just now' : `${formatDuration(seconds)} ago`;
}

/** How far a moment is away that may be to come: "in 2 days", "3 min ago". */
export function formatFrom(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  return seconds >= 5 ? `in ${formatDuration(seconds)}` : formatAgo(iso, now);
}

/** When figures were read, as a sentence; those that never were are not shown as if they were nothing. */
export function readSentence(iso: string, now: number): string {
  return wasRead(iso) ? `Read ${formatAgo(iso, now)}.` : 'Not read yet.';
}

/** Whether figures with this time were ever read. */
export function wasRead(iso: string): boolean {
  return Date.parse(iso) > 0;
}

/** "2026-03-04 09:15:02 UTC" */
export function formatTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return 'unknown';
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** "4 Mar 2026" */
export function formatDate(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return 'unknown';
  return at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
}

/** "2 h", "15 min", or "never" for 0: after how long a site sleeps. */
export function formatIdle(seconds: number): string {
  return seconds === 0 ? 'never' : formatDuration(seconds);
}

/** A short time as people say it: "0.4 ms", "12 ms", "1.1 s", "38 s", then as formatDuration. */
export function formatMilliseconds(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || milliseconds < 0) return '-';
  if (milliseconds === 0) return '0 ms';
  if (milliseconds < 0.1) return '< 0.1 ms';
  if (milliseconds < 9.95) return `${trimmed(milliseconds, 1)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9950) return `${trimmed(milliseconds / 1000, 1)} s`;
  return formatDuration(milliseconds / 1000);
}

function trimmed(value: number, digits: number): string {
  return value.toFixed(digits).replace(/\.0+$/, '');
}

/** Time relative to a drill's fault: "-12 s", "+0.7 s", "+1 min 05 s". Tenths only where they matter. */
export function formatOffset(milliseconds: number): string {
  const sign = milliseconds < 0 ? '-' : '+';
  const tenths = Math.round(Math.abs(milliseconds) / 100) / 10;
  if (tenths < 60) return `${sign}${tenths < 20 ? tenths.toFixed(1) : String(Math.round(tenths))} s`;
  const whole = Math.round(tenths);
  return `${sign}${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** "14:02:11 UTC"; with its date when it was not on the day of `now`. */
export function formatClock(iso: string, now: number): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return 'unknown';
  const time = `${at.toISOString().slice(11, 19)} UTC`;
  return at.toISOString().slice(0, 10) === new Date(now).toISOString().slice(0, 10)
    ? time
    : `${formatDate(iso)}, ${time}`;
}

/** As formatClock, for what happens at whole minutes: "14:02 UTC". */
export function formatMinute(iso: string, now: number): string {
  return formatClock(iso, now).replace(/:\d\d UTC$/, ' UTC');
}

/** 0.34 -> "0.3", 12.6 -> "13", 4321 -> "4,321": a rate, without needless digits. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return '-';
  return perSecond > 0 && perSecond < 10 ? trimmed(perSecond, 1) : Math.round(perSecond).toLocaleString('en-GB');
}

/** ["a"] -> "a"; ["a", "b"] -> "a and b"; more than `most` -> "a, b and 3 more". */
export function listing(items: readonly string[], most = 3): string {
  if (items.length === 0) return 'none';
  const rest = items.length - most;
  const shown = rest > 1 ? [...items.slice(0, most), `${rest} more`] : [...items];
  const last = shown.pop() ?? '';
  return shown.length === 0 ? last : `${shown.join(', ')} and ${last}`;
}
