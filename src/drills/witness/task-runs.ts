import type { TaskRun } from '../../protocol/tasks.ts';
import type { TaskTally, Window } from './messages.ts';

const MINUTE_MS = 60_000;

/**
 * What became of a task that is due every minute, over a span of time (milliseconds since 1970). A minute in which the whole platform was down
 * on purpose, or at whose start it was, is made up for by the latest one that was missed, and is not counted.
 */
export function tallyRuns(
  runs: readonly Pick<TaskRun, 'due' | 'late' | 'outcome'>[],
  span: Pick<Window, 'from' | 'to'>,
  blackouts: readonly Pick<Window, 'from' | 'to'>[],
): TaskTally {
  const tally: TaskTally = { due: 0, missed: 0, doubled: 0, late: 0 };
  const done = runs.filter((run) => run.outcome !== 'skipped' && run.due !== null);
  for (let due = Math.ceil(span.from / MINUTE_MS) * MINUTE_MS; due <= span.to; due += MINUTE_MS) {
    if (blackouts.some((blackout) => due >= blackout.from - MINUTE_MS && due <= blackout.to)) continue;
    tally.due += 1;
    const own = done.filter((run) => Date.parse(run.due ?? '') === due);
    if (own.length > 1) tally.doubled += 1;
    if (own.some((run) => run.late)) tally.late += 1;
    // Of several that pass while a volume or an agent is away only the latest runs, and is late then.
    const madeUp = done.some((run) => run.late && Date.parse(run.due ?? '') > due);
    if (own.length === 0 && !madeUp) tally.missed += 1;
  }
  return tally;
}

export function sumOf(tallies: readonly TaskTally[]): TaskTally {
  const sum: TaskTally = { due: 0, missed: 0, doubled: 0, late: 0 };
  for (const tally of tallies) for (const key of ['due', 'missed', 'doubled', 'late'] as const) sum[key] += tally[key];
  return sum;
}
