import { describeSchedule, nextRuns, type Schedule, scheduleProblem } from '../../../../src/model/schedule.ts';
import type { TaskView } from '../../../../src/protocol/api/tasks.ts';

/** What is typed into the form of a task, as it is typed. */
export interface TaskDraft {
  kind: TaskView['kind'];
  command: string;
  description: string;
  when: Schedule['kind'];
  hour: string;
  minute: string;
  expression: string;
  zone: string;
  skipLate: boolean;
  overlap: boolean;
}

export function newDraft(kind: TaskDraft['kind'], zone: string): TaskDraft {
  return {
    kind,
    command: '',
    description: '',
    when: 'daily',
    hour: '6',
    minute: '00',
    expression: '',
    zone,
    skipLate: false,
    overlap: false,
  };
}

/** Works as it stands, in an empty home. */
export const EXAMPLE_TASK: Partial<TaskDraft> = {
  command: `python3 -c "import time; print('Good morning, it is', time.ctime())"`,
  description: 'Says good morning',
  when: 'daily',
  hour: '6',
  minute: '00',
};
export const EXAMPLE_ALWAYS_ON: Partial<TaskDraft> = { command: 'python3 -u bot.py', description: 'My bot' };

export function draftOf(task: TaskView, zone: string): TaskDraft {
  const { kind, command, description } = task;
  const draft = { ...newDraft(kind, zone), command, description };
  if (task.kind === 'always-on') return draft;
  const { schedule, skipLate, overlap } = task;
  const common = { ...draft, skipLate, overlap, when: schedule.kind };
  switch (schedule.kind) {
    case 'daily':
      return { ...common, hour: String(schedule.hour), minute: twoDigits(schedule.minute) };
    case 'hourly':
      return { ...common, minute: twoDigits(schedule.minute) };
    case 'cron':
      return { ...common, expression: schedule.expression, zone: schedule.zone };
    default:
      return schedule satisfies never;
  }
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Not a number where there is none: the sentence for that is the model's. */
function numberOf(text: string): number {
  return /^\s*\d{1,3}\s*$/.test(text) ? Number(text) : Number.NaN;
}

export function scheduleOf(draft: TaskDraft): Schedule {
  switch (draft.when) {
    case 'daily':
      return { kind: 'daily', hour: numberOf(draft.hour), minute: numberOf(draft.minute) };
    case 'hourly':
      return { kind: 'hourly', minute: numberOf(draft.minute) };
    case 'cron':
      return { kind: 'cron', expression: draft.expression.trim(), zone: draft.zone.trim() };
    default:
      return draft.when satisfies never;
  }
}

export interface DraftProblems {
  command?: string;
  description?: string;
  schedule?: string;
}

/** What is wrong with a draft, by its field; the server says the same. */
export function draftProblems(draft: TaskDraft): DraftProblems {
  const schedule = draft.kind === 'scheduled' ? scheduleProblem(scheduleOf(draft)) : undefined;
  return {
    ...(draft.command.trim() === ''
      ? { command: 'Type the command that is to run.' }
      : draft.command.length > 64 * 1024
        ? { command: 'A command may have 65,536 characters. Put a longer one into a script, and run that.' }
        : {}),
    ...(draft.description.length > 500 ? { description: 'A description may have 500 characters.' } : {}),
    ...(schedule === undefined ? {} : { schedule }),
  };
}

/** The next runs of a schedule in words, in UTC and, when it has another one, in its own zone. */
export function upcoming(
  schedule: Schedule,
  now: number,
  howMany = 5,
): Array<{ utc: string; local: string | undefined }> {
  const zone = schedule.kind === 'cron' && !isUtc(schedule.zone) ? schedule.zone : undefined;
  return nextRuns(schedule, now, howMany).map((moment) => ({
    utc: momentIn(moment, 'UTC'),
    local: zone === undefined ? undefined : momentIn(moment, zone),
  }));
}

function isUtc(zone: string): boolean {
  return /^(?:UTC|Etc\/UTC|Etc\/UCT|UCT|Zulu|Etc\/Zulu|Universal|Etc\/Universal)$/.test(zone);
}

/** "Mon, 30 Nov 2026, 06:00" */
function momentIn(moment: number, timeZone: string): string {
  return new Date(moment).toLocaleString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone,
  });
}

/** "Every day at 06:00 UTC" */
export function scheduleWords(schedule: Schedule): string {
  const words = describeSchedule(schedule);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The zone of the browser, for what is new. */
export function browserZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
