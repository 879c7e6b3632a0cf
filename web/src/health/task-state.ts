import type { AlwaysOnView, ScheduledTaskView, TaskView } from '../../../src/protocol/api/tasks.ts';
import type { TaskRun, TaskStatus } from '../../../src/protocol/tasks.ts';
import { formatClock, formatDuration, formatFrom, formatMinute } from '../format/format.ts';
import type { Tone } from '../ui/tone.ts';

export interface ShownTask {
  tone: Tone;
  word: string;
  /** One or two sentences; empty where the word says it all. */
  meaning: string;
}

/** What changes the words beside the task itself. */
export interface Surroundings {
  now: number;
  /** true: this is how it was when the page last heard of it. */
  old: boolean;
  /** true: the storage of the account does not serve just now. */
  storageTrouble: boolean;
}

const STORAGE_WAITS = 'Its storage is being repaired: what it reads and writes waits.';

/** How a scheduled task is. What runs counts before what is wished: a task that was disabled while it ran is not "disabled" yet. */
export function scheduledStateOf(
  { status, enabled }: Pick<ScheduledTaskView, 'status' | 'enabled'>,
  around: Surroundings,
): ShownTask {
  return asSeen(scheduledNow(status, enabled, around), around.old);
}

function scheduledNow(
  status: TaskStatus | null,
  enabled: boolean,
  { now, old, storageTrouble }: Surroundings,
): ShownTask {
  if (status === null) {
    if (old) return { tone: 'quiet', word: 'not known', meaning: '' };
    return enabled
      ? { tone: 'busy', word: 'setting up', meaning: 'The platform is taking the task in.' }
      : { tone: 'off', word: 'disabled', meaning: 'It does not run by itself.' };
  }
  const running = status.runs.filter((run) => run.outcome === 'running');
  if (status.state === 'running') {
    const since = running.at(-1)?.startedAt;
    const oneOf = running.length > 1 ? `${running.length} runs at once, the oldest` : 'Running';
    const text = since === undefined ? 'A run is under way.' : `${oneOf} since ${formatClock(since, now)}.`;
    return storageTrouble
      ? { tone: 'warn', word: 'running', meaning: `${text} ${STORAGE_WAITS}` }
      : { tone: 'busy', word: 'running', meaning: enabled ? text : `${text} It is disabled: no further run comes.` };
  }
  if (status.state === 'waiting') {
    const since = status.waiting === null ? '' : `, since ${formatClock(status.waiting.since, now)}`;
    return status.waiting?.reason === 'storage'
      ? {
          tone: 'warn',
          word: 'waiting',
          meaning: `A run waits${since}: its storage is being repaired. It starts by itself afterwards.`,
        }
      : { tone: 'busy', word: 'waiting', meaning: `A run waits for its turn${since}.` };
  }
  if (!enabled || status.state === 'disabled')
    return enabled
      ? { tone: 'busy', word: 'setting up', meaning: 'The platform is taking the change in.' }
      : { tone: 'off', word: 'disabled', meaning: 'It does not run by itself.' };
  if (status.next === null) return { tone: 'warn', word: 'never runs', meaning: 'Its schedule names no time to come.' };
  return { tone: 'quiet', word: 'idle', meaning: `Next run ${nextWords(status.next, now)}.` };
}

/** "in 3 h (16:00:00 UTC)"; of a moment that has passed, that it is due. */
function nextWords(next: string, now: number): string {
  return Date.parse(next) > now + 5000 ? `${formatFrom(next, now)} (${formatMinute(next, now)})` : 'is due';
}

/** How an always-on task is. One that runs on storage that does not serve is not well. */
export function alwaysOnStateOf(
  { status, enabled }: Pick<AlwaysOnView, 'status' | 'enabled'>,
  around: Surroundings,
): ShownTask {
  return asSeen(alwaysOnNow({ status, enabled }, around), around.old);
}

function alwaysOnNow(
  { status, enabled }: Pick<AlwaysOnView, 'status' | 'enabled'>,
  { now, old, storageTrouble }: Surroundings,
): ShownTask {
  if (status === null) {
    if (old) return { tone: 'quiet', word: 'not known', meaning: '' };
    return enabled
      ? { tone: 'busy', word: 'setting up', meaning: 'The platform is taking the task in.' }
      : { tone: 'off', word: 'paused', meaning: 'It runs again when you resume it.' };
  }
  const since = formatClock(status.since, now);
  const again = restartWords(status.restartAt, now);
  switch (status.state) {
    case 'starting':
      return storageTrouble
        ? { tone: 'warn', word: 'starting', meaning: STORAGE_WAITS }
        : { tone: 'busy', word: 'starting', meaning: `It was started at ${since}.` };
    case 'running':
      return storageTrouble
        ? { tone: 'warn', word: 'running', meaning: `Running since ${since}. ${STORAGE_WAITS}` }
        : { tone: 'good', word: 'running', meaning: `Running since ${since}.` };
    case 'waiting':
      return status.starts === 0 && status.lastEnd === null
        ? { tone: 'busy', word: 'starting', meaning: 'It is about to start.' }
        : { tone: 'warn', word: 'waiting', meaning: again };
    case 'failing':
      return { tone: 'bad', word: 'failing too often', meaning: `It ends soon after every start. ${again}` };
    case 'stopping':
      return { tone: 'busy', word: 'stopping', meaning: 'It was asked to end and has not ended yet.' };
    case 'paused':
      return enabled
        ? { tone: 'busy', word: 'setting up', meaning: 'The platform is taking the change in.' }
        : { tone: 'off', word: 'paused', meaning: 'It runs again when you resume it.' };
    default:
      return status.state satisfies never;
  }
}

export function restartWords(at: string | null, now: number): string {
  return at === null || Date.parse(at) <= now
    ? 'It is due to be started again.'
    : `It is started again at ${formatClock(at, now)}.`;
}

function asSeen(shown: ShownTask, old: boolean): ShownTask {
  if (!old || shown.tone === 'off' || shown.word === 'not known') return shown;
  return {
    tone: shown.tone === 'good' || shown.tone === 'busy' ? 'quiet' : shown.tone,
    word: `was ${shown.word}`,
    meaning: shown.meaning === '' ? '' : `When last seen: ${shown.meaning}`,
  };
}

export function taskStateOf(task: TaskView, around: Surroundings): ShownTask {
  return task.kind === 'scheduled' ? scheduledStateOf(task, around) : alwaysOnStateOf(task, around);
}

/** What became of a run. Of one that is over, in the past. */
export function runWords(run: TaskRun): { tone: Tone; word: string } {
  switch (run.outcome) {
    case 'running':
      return { tone: 'busy', word: 'running' };
    case 'succeeded':
      return { tone: 'good', word: 'succeeded' };
    case 'failed':
      return { tone: 'bad', word: run.signal === null ? `failed${codeWords(run)}` : `was ended by ${run.signal}` };
    case 'too-long':
      return { tone: 'bad', word: 'ran too long' };
    case 'stopped':
      return { tone: 'off', word: 'was stopped' };
    case 'cut-off':
      return { tone: 'warn', word: 'was cut off' };
    case 'not-started':
      return { tone: 'bad', word: 'did not start' };
    case 'skipped':
      return { tone: 'warn', word: 'left out' };
    default:
      return run.outcome satisfies never;
  }
}

function codeWords(run: TaskRun): string {
  return run.code === null ? '' : ` with code ${run.code}`;
}

/** The newest run that is over. */
export function lastEnded(status: TaskStatus | null): TaskRun | undefined {
  return status?.runs.find((run) => run.outcome !== 'running');
}

/** The newest run that is over, when its owner has to look at it. One that is left out or was stopped on purpose hides nothing before it. */
export function lastFailure(status: TaskStatus | null): TaskRun | undefined {
  const last = status?.runs.find((run) => !['running', 'skipped', 'stopped'].includes(run.outcome));
  return last !== undefined && runWords(last).tone === 'bad' ? last : undefined;
}

/** How long a run took, or has taken; undefined for one that did not run. */
export function tookWords(run: TaskRun, now: number): string | undefined {
  if (run.outcome === 'skipped' || run.outcome === 'not-started') return undefined;
  const seconds = ((run.endedAt === null ? now : Date.parse(run.endedAt)) - Date.parse(run.startedAt)) / 1000;
  if (run.endedAt === null) return `${formatDuration(seconds)} so far`;
  return secondsWords(seconds);
}

/** Short times with tenths: "0.4 s", "12 s", "3 min". */
export function secondsWords(seconds: number): string {
  const tenths = Math.round(Math.max(0, seconds) * 10) / 10;
  return tenths < 10 ? `${tenths} s` : formatDuration(seconds);
}

/** Why it ran. */
export function causeWords(run: TaskRun): string {
  return run.cause === 'asked' || run.due === null ? 'asked for' : 'on schedule';
}

/** What a task is called on the pages. */
export function taskName(task: Pick<TaskView, 'command' | 'description'>): string {
  const description = task.description.trim();
  if (description !== '') return description;
  const line = task.command.trim().split('\n', 1)[0] ?? '';
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

/** Whether something of it runs, as far as is known; undefined when nobody says. */
export function somethingRuns(task: TaskView): boolean | undefined {
  if (task.status === null) return undefined;
  return task.kind === 'scheduled'
    ? task.status.runs.some((run) => run.outcome === 'running')
    : ['starting', 'running', 'stopping'].includes(task.status.state);
}
