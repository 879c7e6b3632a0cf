import type { TaskRun } from '../../../protocol/tasks.ts';
import type { RunEnd } from '../run.ts';
import type { KeptRun } from './task-state.ts';

/** A run as it is told to others. */
export function shown({ record: _record, ending: _ending, log: _log, ...run }: KeptRun): TaskRun {
  return run;
}

export function skippedBecause(reason: 'late' | 'overlap', waits: boolean): string {
  if (reason === 'late') return 'Left out: it could not start in time, and this task skips late runs.';
  return waits ? 'Left out: the run before it still waits for its turn.' : 'Left out: the run before it had not ended.';
}

/** What became of a run, and a sentence for its owner when there is something to say. */
export function outcomeOf(kept: KeptRun, end: RunEnd, memory: string): Pick<TaskRun, 'outcome' | 'message'> {
  if (end.setUpFailed !== null)
    return {
      outcome: 'not-started',
      message:
        "The sandbox could not be made. Nothing is wrong with the task; the operator finds the reason in the agent's log.",
    };
  if (kept.ending === 'too-long')
    return { outcome: 'too-long', message: 'It ran longer than the plan allows and was ended.' };
  if (kept.ending === 'stopped') return { outcome: 'stopped', message: 'It was stopped on request.' };
  if (kept.ending === 'cut-off')
    return { outcome: 'cut-off', message: 'It was ended together with the platform or its storage.' };
  if (end.outOfMemory && end.code !== 0)
    return {
      outcome: 'failed',
      message: `A process of it needed more than the ${memory} of the plan and was stopped by the system.`,
    };
  if (end.code === null && end.signal === null)
    return { outcome: 'cut-off', message: 'It was cut off: the machine or the sandbox ended while it ran.' };
  const left =
    end.left === 0
      ? null
      : `It left ${end.left} ${end.left === 1 ? 'process' : 'processes'} running, which ended with it. What has to stay is an always-on task.`;
  return { outcome: end.code === 0 ? 'succeeded' : 'failed', message: left };
}

/** The last line of a run in its log, as PythonAnywhere writes it, with what there is to say. */
export function lastLine(run: Pick<KeptRun, 'startedAt' | 'endedAt' | 'code' | 'signal' | 'message'>): string {
  const took = Math.max(0, Date.parse(run.endedAt ?? '') - Date.parse(run.startedAt)) / 1000;
  const ended = run.signal === null ? 'return code is not known' : `ended by ${run.signal}`;
  const how = run.code === null ? ended : `return code was ${run.code}`;
  const more = run.message === null ? '' : ` ${run.message}`;
  return `-- Completed task, took ${took.toFixed(2)} seconds, ${how}.${more}`;
}
