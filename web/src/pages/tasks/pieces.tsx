import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { TaskView } from '../../../../src/protocol/api/tasks.ts';
import { call } from '../../api/client.ts';
import { taskQuery, tasksQuery } from '../../api/queries.ts';
import { formatAgo, formatFrom, formatMinute, formatShare, formatTime, fullness } from '../../format/format.ts';
import { editAddress } from '../../format/paths.ts';
import {
  lastEnded,
  runWords,
  somethingRuns,
  type Surroundings,
  taskName,
  taskStateOf,
  tookWords,
} from '../../health/task-state.ts';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Badge, Bar, Panel } from '../../ui/marks.tsx';
import { Note } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import type { TaskAction } from './task-actions.ts';

export function TaskBadge({ task, around }: { task: TaskView; around: Surroundings }): JSX.Element {
  const { tone, word } = taskStateOf(task, around);
  return <Badge tone={tone}>{word}</Badge>;
}

/** What became of the newest run that is over. */
export function LastRun({ task, now }: { task: TaskView; now: number }): JSX.Element | null {
  if (task.kind !== 'scheduled') return null;
  const run = lastEnded(task.status);
  if (run === undefined) return task.status === null ? null : <>No run yet.</>;
  const { tone, word } = runWords(run);
  const took = tookWords(run, now);
  return (
    <>
      Last run <span className={tone === 'bad' ? 'task-bad' : tone === 'warn' ? 'task-warn' : undefined}>{word}</span>{' '}
      <span title={formatTime(run.endedAt ?? run.startedAt)}>{formatAgo(run.endedAt ?? run.startedAt, now)}</span>
      {took === undefined ? '.' : `, took ${took}.`}
    </>
  );
}

/** The buttons that a task's state allows. */
export function TaskButtons(props: {
  task: TaskView;
  pending: TaskAction | undefined;
  small?: boolean;
  act: (action: TaskAction) => void;
}): JSX.Element {
  const { task, pending, small = false, act } = props;
  const name = taskName(task);
  const button = (
    action: TaskAction,
    label: string,
    icon: 'play' | 'stop' | 'reload' | 'pause' | 'power',
    main = false,
  ): JSX.Element => (
    <Button
      small={small}
      icon={icon}
      look={main && !small ? 'main' : 'plain'}
      busy={pending === action}
      disabled={pending !== undefined}
      aria-label={small ? `${label}: ${name}` : undefined}
      onClick={() => act(action)}
    >
      {label}
    </Button>
  );
  if (task.kind === 'always-on')
    return task.enabled ? (
      <>
        {button('disable', 'Pause', 'pause')}
        {button('restart', 'Restart', 'reload', true)}
      </>
    ) : (
      button('enable', 'Resume', 'play', true)
    );
  const runs = somethingRuns(task) === true;
  const waits = task.status?.state === 'waiting';
  return (
    <>
      {task.enabled ? button('disable', 'Disable', 'power') : button('enable', 'Enable', 'power')}
      {runs && button('stop', 'Stop', 'stop')}
      {(!runs || task.overlap) && !waits && button('run', 'Run now', 'play', true)}
    </>
  );
}

export function DeleteTaskDialog({ task, onClose }: { task: TaskView; onClose: () => void }): JSX.Element {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [running, setRunning] = useState<'end' | 'leave'>('leave');
  const scheduled = task.kind === 'scheduled';
  // A run may start while one reads this; and where nobody says whether something runs, something may.
  const ask = scheduled && somethingRuns(task) !== false;
  const name = taskName(task);
  return (
    <ConfirmDialog
      title={`Delete "${name}"?`}
      action="Delete the task"
      onClose={onClose}
      run={async () => {
        await call('tasks.delete', { params: { id: task.id }, query: { running } });
        await navigate('/tasks');
        client.removeQueries({ queryKey: taskQuery(String(task.id)).queryKey });
        void client.invalidateQueries({ queryKey: ['tasks'] });
        showToast(`"${name}" is deleted. Its log is still in /var/log.`);
      }}
    >
      <p>
        {scheduled
          ? 'It does not run again, and what it ran is forgotten.'
          : 'What runs of it is asked to end, and ended by force if it does not.'}{' '}
        Its log and your files stay.
      </p>
      {ask && (
        <fieldset className="stack-s">
          <legend>
            {task.status === null ? 'Whether a run is under way is not known just now.' : 'A run is under way.'}
          </legend>
          <div className="choice-grid">
            <label className="choice">
              <input type="radio" name="running" checked={running === 'leave'} onChange={() => setRunning('leave')} />
              <span>
                <strong>Leave it</strong>
                <span className="soft small">It goes on to its end.</span>
              </span>
            </label>
            <label className="choice">
              <input type="radio" name="running" checked={running === 'end'} onChange={() => setRunning('end')} />
              <span>
                <strong>End it now</strong>
                <span className="soft small">It is asked to end, then ended by force.</span>
              </span>
            </label>
          </div>
        </fieldset>
      )}
    </ConfirmDialog>
  );
}

/** Used of today's processor time, and plainly what happens above the limit. */
export function ProcessorPanel({ old }: { old: boolean }): JSX.Element {
  const tasks = useQuery(tasksQuery());
  const now = useNow();
  const cpu = tasks.data?.cpu ?? null;
  const over = cpu !== null && Date.parse(cpu.resetAt) <= now;
  const again = (
    <Button small iconOnly look="quiet" icon="reload" busy={tasks.isFetching} onClick={() => void tasks.refetch()}>
      Read again
    </Button>
  );
  return (
    <Panel title="Processor time today" aside={again}>
      {cpu === null || tasks.data === undefined ? (
        <p className="soft">Not known just now.</p>
      ) : over ? (
        <p className="soft">
          The day began anew at {formatMinute(cpu.resetAt, now)}. What was used since then is not read yet.
        </p>
      ) : (
        <div className="stack-s">
          <div className="meter">
            <p className={`meter-words tabular meter-${cpu.setBack ? 'full' : 'fine'}`}>
              <span>
                <strong>{Math.round(cpu.usedSeconds).toLocaleString('en-GB')}</strong> of{' '}
                {cpu.limitSeconds.toLocaleString('en-GB')} s
              </span>
              <span>{cpu.setBack ? 'Used up' : formatShare(cpu.usedSeconds, cpu.limitSeconds)}</span>
            </p>
            <Bar
              share={cpu.limitSeconds > 0 ? cpu.usedSeconds / cpu.limitSeconds : 1}
              tone={cpu.setBack ? 'full' : fullness(cpu.usedSeconds, cpu.limitSeconds) === 'fine' ? 'fine' : 'low'}
              label="Processor time used today"
            />
          </div>
          {cpu.setBack ? (
            <Note level="warning">
              {old
                ? 'When last seen, your tasks and consoles ran with what nobody else needed.'
                : 'Your tasks and consoles run with what nobody else needs.'}{' '}
              Nothing is stopped. The day begins anew {formatFrom(cpu.resetAt, now)}, at{' '}
              {formatMinute(cpu.resetAt, now)}.
            </Note>
          ) : (
            <>
              <p className="small soft">
                The day begins anew {formatFrom(cpu.resetAt, now)}, at {formatMinute(cpu.resetAt, now)}.
              </p>
              <p className="small soft">
                Above the limit your tasks run with what nobody else needs; nothing is stopped. Sites do not count.
              </p>
            </>
          )}
          <p className="small faint">Read {formatAgo(new Date(tasks.data.readAt).toISOString(), now)}.</p>
        </div>
      )}
    </Panel>
  );
}

/** A link to a task's log in Files, for its owner. */
export function LogLink({ path }: { path: string }): JSX.Element {
  return (
    <Link to={editAddress(path)} className="mono anywhere">
      {path}
    </Link>
  );
}
