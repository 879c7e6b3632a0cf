import { expect, test } from 'vitest';
import type { ScheduledTaskView } from '../../../../src/protocol/api/tasks.ts';
import {
  draftOf,
  draftProblems,
  EXAMPLE_ALWAYS_ON,
  EXAMPLE_TASK,
  newDraft,
  scheduleOf,
  upcoming,
} from './task-draft.ts';
import { roomWords } from './task-room.ts';

const draft = newDraft('scheduled', 'Europe/Berlin');

test('what is typed becomes a schedule, or the sentence of what is wrong with it', () => {
  expect(scheduleOf({ ...draft, hour: '16', minute: '5' })).toEqual({ kind: 'daily', hour: 16, minute: 5 });
  for (const hour of ['', 'x', '24', '1.5', '-1'])
    expect(draftProblems({ ...draft, command: 'date', hour }).schedule).toContain('from 0 to 23');
  expect(draftProblems({ ...draft, command: 'date', when: 'hourly', minute: '60' }).schedule).toContain('from 0 to 59');
  expect(
    draftProblems({ ...draft, command: 'date', when: 'cron', expression: '0 6 * * *', zone: 'Berlin' }).schedule,
  ).toContain('Europe/Berlin');
  expect(draftProblems({ ...draft, when: 'cron', expression: '*/90 * * * *' }).schedule).toBeDefined();
});

test('the examples can be made as they are', () => {
  expect(draftProblems({ ...draft, ...EXAMPLE_TASK })).toEqual({});
  expect(draftProblems({ ...newDraft('always-on', 'UTC'), ...EXAMPLE_ALWAYS_ON })).toEqual({});
});

test('a task goes through its form unchanged', () => {
  const schedules: Array<ScheduledTaskView['schedule']> = [
    { kind: 'daily', hour: 0, minute: 7 },
    { kind: 'hourly', minute: 59 },
    { kind: 'cron', expression: '*/5 * * * *', zone: 'UTC' },
  ];
  for (const schedule of schedules) {
    const task: ScheduledTaskView = {
      kind: 'scheduled', id: 1, account: 'alice', command: 'date', description: '', enabled: true, log: '', createdAt: '', schedule, skipLate: true,
      overlap: false, status: null,
    }; // prettier-ignore
    const back = draftOf(task, 'Asia/Tokyo');
    expect(scheduleOf(back)).toEqual(schedule);
    expect([back.skipLate, back.overlap]).toEqual([true, false]);
  }
});

test('the next runs are told in UTC, and in the zone of the task when that is another one', () => {
  const now = Date.parse('2026-03-28T12:00:00Z');
  // The night on which the clock jumps over half past two.
  const [first, second] = upcoming({ kind: 'cron', expression: '30 2 * * *', zone: 'Europe/Berlin' }, now);
  expect(first).toEqual({ utc: 'Sun, 29 Mar 2026, 01:00', local: 'Sun, 29 Mar 2026, 03:00' });
  expect(second).toEqual({ utc: 'Mon, 30 Mar 2026, 00:30', local: 'Mon, 30 Mar 2026, 02:30' });
  expect(upcoming({ kind: 'daily', hour: 6, minute: 0 }, now)).toHaveLength(5);
  expect(upcoming({ kind: 'daily', hour: 6, minute: 0 }, now)[0]?.local).toBeUndefined();
  expect(upcoming({ kind: 'cron', expression: '@daily', zone: 'UTC' }, now)[0]?.local).toBeUndefined();
});

test('what the plan allows is said kindly', () => {
  const none = roomWords({ tasks: [], most: { scheduled: 0, alwaysOn: 1 } }, 'scheduled');
  expect(none.full).toContain('does not include');
  expect(roomWords({ tasks: [], most: { scheduled: 0, alwaysOn: 1 } }, 'always-on')).toEqual({
    count: '0 of 1 task',
    full: undefined,
  });
});
