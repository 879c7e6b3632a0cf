import { describe, expect, it } from 'vitest';
import { sumOf, tallyRuns } from './task-runs.ts';

const AT = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;
const run = (minute: number, late = false, outcome: 'succeeded' | 'skipped' = 'succeeded') => ({
  due: new Date(AT + minute * MINUTE).toISOString(),
  late,
  outcome,
});
const span = { from: AT - 1, to: AT + 3 * MINUTE };

describe('runs of a task that is due every minute', () => {
  it('are whole when each minute has one', () => {
    expect(
      tallyRuns(
        [0, 1, 2, 3].map((minute) => run(minute)),
        span,
        [],
      ),
    ).toEqual({
      due: 4,
      missed: 0,
      doubled: 0,
      late: 0,
    });
  });

  it('are missed, or done twice, or late', () => {
    expect(tallyRuns([run(0), run(0), run(1), run(3)], span, [])).toMatchObject({ missed: 1, doubled: 1 });
    expect(tallyRuns([run(0), run(3, true)], span, [])).toMatchObject({ missed: 0, late: 1 });
    expect(tallyRuns([run(0), run(1), run(2), run(3, false, 'skipped')], span, [])).toMatchObject({ missed: 1 });
  });

  it('are not owed for minutes in which everything was down on purpose', () => {
    const blackouts = [{ from: AT + MINUTE + 1_000, to: AT + 2 * MINUTE + 1_000 }];
    expect(tallyRuns([run(0), run(3)], span, blackouts)).toMatchObject({ due: 2, missed: 0 });
  });

  it('are added up', () => {
    const one = { due: 1, missed: 1, doubled: 0, late: 1 };
    expect(sumOf([one, one])).toEqual({ due: 2, missed: 2, doubled: 0, late: 2 });
    expect(sumOf([])).toEqual({ due: 0, missed: 0, doubled: 0, late: 0 });
  });
});
