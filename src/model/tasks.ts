import { lastDue, type Schedule } from './schedule.ts';

/** A run that starts so long after it was due, milliseconds, is marked late: its host was away, or its volume in trouble. */
export const LATE_AFTER_MS = 60_000;

/**
 * A memory of due times that lies so far ahead of the clock, milliseconds, was made while the clock was wrong: it counts no more, or
 * a task would wait until the wrong time has come.
 */
export const AHEAD_MS = 25 * 3_600_000;

/** What is to be done for a task now. `due`: milliseconds since 1970. */
export type DueDecision =
  | { act: 'nothing' }
  | { act: 'run'; due: number; late: boolean }
  /** late: its owner wants no late runs. overlap: the run before has not ended. */
  | { act: 'skip'; due: number; reason: 'late' | 'overlap' };

/**
 * Decides what a task owes. `handled`: due times up to this moment have been decided. Of several that passed while nobody looked only
 * the latest counts: it runs once, and is never made up for one by one. A due time is decided once, whatever the clock does afterwards.
 */
export function decideDue(
  task: { schedule: Schedule; skipLate: boolean; overlap: boolean },
  state: { handled: number; busy: boolean },
  now: number,
): DueDecision {
  const due = lastDue(task.schedule, state.handled, now);
  if (due === undefined) return { act: 'nothing' };
  const late = now - due > LATE_AFTER_MS;
  if (late && task.skipLate) return { act: 'skip', due, reason: 'late' };
  if (state.busy && !task.overlap) return { act: 'skip', due, reason: 'overlap' };
  return { act: 'run', due, late };
}

/** `handled` as it may be believed at `now`. */
export function believed(handled: number, now: number): number {
  return handled - now > AHEAD_MS ? now : handled;
}

/** Name of a task's log, as PythonAnywhere calls it: tasklog-12-daily-at-1600-echo_foo.log. */
export function taskLogName(id: number, schedule: Schedule, command: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const when =
    schedule.kind === 'daily'
      ? `daily-at-${two(schedule.hour)}${two(schedule.minute)}`
      : schedule.kind === 'hourly'
        ? `hourly-at-${two(schedule.minute)}`
        : 'cron';
  return `tasklog-${id}-${when}-${slug(command)}.log`;
}

/** Name of an always-on task's log. */
export function alwaysOnLogName(id: number): string {
  return `alwayson-log-${id}.log`;
}

const LONGEST_SLUG = 40;

function slug(command: string): string {
  const words = command
    .slice(0, 200)
    .replaceAll(/[^A-Za-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '');
  return words.slice(0, LONGEST_SLUG) || 'task';
}

/** A run of an always-on task that lasted so long was well: its end counts as the first of a new row. */
const WELL_AFTER_MS = 60_000;
/** So many quick ends in a row, and it waits the longest pause between two tries; its page says that it fails too often. */
export const TOO_OFTEN = 6;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

/**
 * Ends in a row after a run of `livedMs`, and how long to wait before the next start, milliseconds: 1 s, then twice as long each time, up
 * to five minutes. It never gives up: what it waits for may come back.
 */
export function restartAfter(endsInARow: number, livedMs: number): { endsInARow: number; pauseMs: number } {
  const next = livedMs >= WELL_AFTER_MS ? 1 : endsInARow + 1;
  return { endsInARow: next, pauseMs: Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(next - 1, 20)) };
}

const DAY_MS = 86_400_000;
const MINUTES_A_DAY = 1440;

/**
 * The day over which an account's processor time counts: it begins at a time of its own, so that not everybody's begins at once. Told
 * from the Unix uid, so that it is the same everywhere and for ever. Milliseconds since 1970.
 */
export function allowanceDay(uid: number, now: number): { start: number; end: number } {
  const offset = ((uid * 7919) % MINUTES_A_DAY) * 60_000;
  const start = Math.floor((now - offset) / DAY_MS) * DAY_MS + offset;
  return { start, end: start + DAY_MS };
}
