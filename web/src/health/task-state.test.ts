import { describe, expect, test } from 'vitest';
import type { AlwaysOnStatus, TaskRun, TaskStatus } from '../../../src/protocol/tasks.ts';
import { alwaysOnStateOf, lastFailure, runWords, scheduledStateOf, taskName, tookWords } from './task-state.ts';

const NOW = Date.parse('2026-11-29T09:00:00Z');
const FRESH = { now: NOW, old: false, storageTrouble: false };

function run(number: number, outcome: TaskRun['outcome'], more: Partial<TaskRun> = {}): TaskRun {
  return {
    number, cause: 'schedule', due: '2026-11-29T08:00:00Z', late: false, startedAt: '2026-11-29T08:00:00Z',
    endedAt: outcome === 'running' ? null : '2026-11-29T08:00:12Z', outcome, code: outcome === 'failed' ? 1 : null, signal: null, message: null,
    cpuSeconds: null, peakMemoryBytes: null, ...more,
  }; // prettier-ignore
}

function scheduled(state: TaskStatus['state'], more: Partial<TaskStatus> = {}): TaskStatus {
  return { account: 'alice', id: 1, state, waiting: null, next: '2026-11-29T16:00:00Z', runs: [], ...more };
}

function alwaysOn(state: AlwaysOnStatus['state'], more: Partial<AlwaysOnStatus> = {}): AlwaysOnStatus {
  return {
    account: 'alice', id: 2, state, since: '2026-11-29T08:30:00Z', lastEnd: null, restartAt: null, starts: 1, memoryBytes: null,
    cpuSeconds: null, ...more,
  }; // prettier-ignore
}

describe('a scheduled task', () => {
  test('says when it runs next', () => {
    expect(scheduledStateOf({ status: scheduled('idle'), enabled: true }, FRESH)).toEqual({
      tone: 'quiet',
      word: 'idle',
      meaning: 'Next run in 7 h (16:00 UTC).',
    });
  });

  test('that is due is not said to run in the past', () => {
    const status = scheduled('idle', { next: '2026-11-29T08:59:00Z' });
    expect(scheduledStateOf({ status, enabled: true }, FRESH).meaning).toBe('Next run is due.');
  });

  test('that was disabled while it runs is still running', () => {
    const status = scheduled('running', { runs: [run(1, 'running')], next: null });
    const shown = scheduledStateOf({ status, enabled: false }, FRESH);
    expect(shown.word).toBe('running');
    expect(shown.meaning).toContain('no further run comes');
  });

  test('says what it waits for', () => {
    const since = '2026-11-29T08:59:00Z';
    const turn = scheduled('waiting', { waiting: { since, reason: 'turn' } });
    expect(scheduledStateOf({ status: turn, enabled: true }, FRESH).meaning).toContain('for its turn');
    const storage = scheduled('waiting', { waiting: { since, reason: 'storage' } });
    const shown = scheduledStateOf({ status: storage, enabled: true }, FRESH);
    expect([shown.tone, shown.meaning]).toEqual([
      'warn',
      'A run waits, since 08:59:00 UTC: its storage is being repaired. It starts by itself afterwards.',
    ]);
  });

  test('of which nobody says anything is being set up, or not known when the page is old', () => {
    expect(scheduledStateOf({ status: null, enabled: true }, FRESH).word).toBe('setting up');
    expect(scheduledStateOf({ status: null, enabled: true }, { ...FRESH, old: true }).word).toBe('not known');
  });
});

describe('an always-on task', () => {
  test('is green only when it runs, is seen now, and its storage serves', () => {
    const running = { status: alwaysOn('running'), enabled: true };
    expect(alwaysOnStateOf(running, FRESH).tone).toBe('good');
    expect(alwaysOnStateOf(running, { ...FRESH, storageTrouble: true }).tone).toBe('warn');
    expect(alwaysOnStateOf(running, { ...FRESH, old: true })).toEqual({
      tone: 'quiet',
      word: 'was running',
      meaning: 'When last seen: Running since 08:30:00 UTC.',
    });
  });

  test('says when it is started again', () => {
    const status = alwaysOn('failing', {
      lastEnd: 'It ended with code 1.',
      restartAt: '2026-11-29T09:04:00Z',
      starts: 9,
    });
    const shown = alwaysOnStateOf({ status, enabled: true }, FRESH);
    expect([shown.tone, shown.word]).toEqual(['bad', 'failing too often']);
    expect(shown.meaning).toContain('at 09:04:00 UTC');
    const late = { ...FRESH, now: Date.parse('2026-11-29T09:05:00Z') };
    expect(alwaysOnStateOf({ status, enabled: true }, late).meaning).toContain('due to be started again');
  });

  test('that was never started is no failure', () => {
    expect(alwaysOnStateOf({ status: alwaysOn('waiting', { starts: 0 }), enabled: true }, FRESH).tone).toBe('busy');
  });

  test('that still ends is not paused', () => {
    expect(alwaysOnStateOf({ status: alwaysOn('stopping'), enabled: false }, FRESH).word).toBe('stopping');
  });
});

describe('a run', () => {
  test('that failed says how', () => {
    expect(runWords(run(1, 'failed')).word).toBe('failed with code 1');
    expect(runWords(run(1, 'failed', { code: null, signal: 'SIGKILL' })).word).toBe('was ended by SIGKILL');
  });

  test('took what lies between its start and its end', () => {
    expect(tookWords(run(1, 'succeeded'), NOW)).toBe('12 s');
    expect(tookWords(run(1, 'running'), NOW)).toBe('1 h so far');
    expect(tookWords(run(1, 'skipped'), NOW)).toBeUndefined();
  });

  test('is shown as the failure while no later one went well', () => {
    const of = (...runs: TaskRun[]) => lastFailure(scheduled('idle', { runs }))?.number;
    expect(of(run(2, 'succeeded'), run(1, 'failed'))).toBeUndefined();
    expect(of(run(3, 'running'), run(2, 'skipped'), run(1, 'failed'))).toBe(1);
    expect(of()).toBeUndefined();
  });
});

test('a task is called by its description, or by the first line of its command', () => {
  expect(taskName({ description: ' Backup ', command: 'x' })).toBe('Backup');
  expect(taskName({ description: '', command: 'cd site\npython3 x.py' })).toBe('cd site');
});
