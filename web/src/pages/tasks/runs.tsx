import { useQuery } from '@tanstack/react-query';
import { Fragment, type JSX, useState } from 'react';
import type { ScheduledTaskView } from '../../../../src/protocol/api/tasks.ts';
import type { TaskRun } from '../../../../src/protocol/tasks.ts';
import { taskOutputQuery } from '../../api/queries.ts';
import { formatAgo, formatBytes, formatClock, formatMinute, formatTime } from '../../format/format.ts';
import { causeWords, lastFailure, runWords, secondsWords, tookWords } from '../../health/task-state.ts';
import { Button, LinkButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Badge, Panel } from '../../ui/marks.tsx';
import { ErrorNote, Note, Skeleton } from '../../ui/states.tsx';
import { editAddress } from '../../format/paths.ts';
import { ProgramOutput } from '../web/program-output.tsx';

/** Lines of a failed run that are shown without being asked for. */
const LAST_LINES = 20;

function RunOutput({ task, run, now }: { task: ScheduledTaskView; run: TaskRun; now: number }): JSX.Element {
  const output = useQuery(taskOutputQuery(task.id, run.number));
  const goesOn = run.outcome === 'running';
  if (output.data === undefined)
    return output.error === null ? (
      <Skeleton lines={3} label="Loading the output" />
    ) : (
      <ErrorNote error={output.error}>
        <div>
          <Button small icon="reload" onClick={() => void output.refetch()}>
            Try again
          </Button>
        </div>
      </ErrorNote>
    );
  const { text, complete, readAt } = output.data;
  return (
    <div className="stack-s">
      {!complete &&
        (text === '' ? (
          <Note level="info">The log was rotated since: what this run wrote is not in it any more.</Note>
        ) : (
          <Note level="info">Only the end is here: this run wrote much, or its log was rotated since.</Note>
        ))}
      {text === '' ? (
        complete && (
          <p className="soft">
            {goesOn ? `Nothing written by ${formatClock(new Date(readAt).toISOString(), now)}.` : 'It wrote nothing.'}
          </p>
        )
      ) : (
        <pre className="output" tabIndex={0} aria-label={`Output of run ${run.number}`}>
          {text}
        </pre>
      )}
      {goesOn && (
        <div className="row small soft">
          <span>As of {formatClock(new Date(readAt).toISOString(), now)}; the run goes on.</span>
          <Button small icon="reload" busy={output.isFetching} onClick={() => void output.refetch()}>
            Read again
          </Button>
        </div>
      )}
    </div>
  );
}

/** What the last run that went wrong said, without being asked: most often the reason is in its last lines. */
export function LastFailure({ task, now }: { task: ScheduledTaskView; now: number }): JSX.Element | null {
  const run = lastFailure(task.status);
  return run === undefined ? null : <FailedRun key={run.number} task={task} run={run} now={now} />;
}

function FailedRun({ task, run, now }: { task: ScheduledTaskView; run: TaskRun; now: number }): JSX.Element {
  // What never started wrote nothing: its message says why.
  const output = useQuery({ ...taskOutputQuery(task.id, run.number), enabled: run.outcome !== 'not-started' });
  const { word } = runWords(run);
  const lines = (output.data?.text ?? '').trimEnd().split('\n').slice(-LAST_LINES);
  return (
    <section className="panel failure" aria-labelledby="failure-title">
      <div className="row row-between">
        <h2 id="failure-title">
          <Icon name="problem" /> The last run {word}
        </h2>
        <span className="soft small" title={formatTime(run.endedAt ?? run.startedAt)}>
          {formatAgo(run.endedAt ?? run.startedAt, now)}
        </span>
      </div>
      {run.message !== null && <p className="failure-message anywhere">{run.message}</p>}
      {output.data !== undefined && output.data.text.trim() !== '' && (
        <ProgramOutput id="failure-output" lines={lines} />
      )}
      {output.data?.text.trim() === '' && (
        <p className="soft">
          {output.data.complete
            ? 'It wrote nothing.'
            : 'The log was rotated since: what it wrote is not in it any more.'}
        </p>
      )}
      {output.error !== null && output.data === undefined && <ErrorNote error={output.error} />}
      <div className="row">
        <LinkButton to={`/tasks/${task.id}/edit`} icon="pencil">
          Edit the task
        </LinkButton>
        <LinkButton to={editAddress(task.log)} icon="list">
          Its log
        </LinkButton>
      </div>
    </section>
  );
}

export function Runs({ task, now, old }: { task: ScheduledTaskView; now: number; old: boolean }): JSX.Element {
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const runs = task.status?.runs ?? [];
  const toggle = (number: number): void => {
    const next = new Set(open);
    if (!next.delete(number)) next.add(number);
    setOpen(next);
  };
  return (
    <Panel
      flush
      title="Runs"
      aside={runs.length > 0 && <span className="soft small">The newest first, 30 at most</span>}
    >
      {task.status === null ? (
        <p className="soft panel-words">The runs are not known just now.</p>
      ) : runs.length === 0 ? (
        <p className="soft panel-words">It has not run yet. “Run now” does not wait for its time.</p>
      ) : (
        <div className="table-scroll">
          <table className="table table-cards runs" aria-label="Runs">
            <thead>
              <tr>
                <th scope="col">Run</th>
                <th scope="col">Started</th>
                <th scope="col">Outcome</th>
                <th scope="col">Took</th>
                <th scope="col">CPU</th>
                <th scope="col">Memory</th>
                <th scope="col">
                  <span className="visually-hidden">Output</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => {
                const words = runWords(run);
                const wrote = run.outcome !== 'skipped' && run.outcome !== 'not-started';
                const shown = open.has(run.number);
                // What was left out has no start; the time that counts is the one at which it was due.
                const began = run.outcome === 'skipped' ? (run.due ?? run.startedAt) : run.startedAt;
                const was = old && run.outcome === 'running';
                return (
                  <Fragment key={run.number}>
                    <tr>
                      <td data-label="Run">
                        <strong className="tabular">{run.number}</strong>
                      </td>
                      <td data-label="Started">
                        <span title={formatTime(began)}>{formatClock(began, now)}</span>
                        <span className="small soft run-why">
                          {causeWords(run)}
                          {run.due !== null && run.late && (
                            <strong className="task-warn"> late, was due {formatMinute(run.due, now)}</strong>
                          )}
                        </span>
                      </td>
                      <td className="run-outcome">
                        <Badge tone={was ? 'quiet' : words.tone}>{was ? `was ${words.word}` : words.word}</Badge>
                        {run.message !== null && <span className="small soft anywhere">{run.message}</span>}
                      </td>
                      <td
                        data-label="Took"
                        className={was || tookWords(run, now) === undefined ? 'run-none' : 'tabular'}
                      >
                        {(was ? undefined : tookWords(run, now)) ?? <span className="faint">-</span>}
                      </td>
                      <td data-label="CPU" className={run.cpuSeconds === null ? 'run-none' : 'tabular'}>
                        {run.cpuSeconds === null ? <span className="faint">-</span> : secondsWords(run.cpuSeconds)}
                      </td>
                      <td data-label="Memory" className={run.peakMemoryBytes === null ? 'run-none' : 'tabular'}>
                        {run.peakMemoryBytes === null ? (
                          <span className="faint">-</span>
                        ) : (
                          formatBytes(run.peakMemoryBytes)
                        )}
                      </td>
                      <td className="actions">
                        {wrote && (
                          <Button
                            small
                            look="quiet"
                            icon={shown ? 'down' : 'chevron'}
                            aria-expanded={shown}
                            aria-label={`${shown ? 'Hide' : 'Show'} output of run ${run.number}`}
                            onClick={() => toggle(run.number)}
                          >
                            {shown ? 'Hide output' : 'Show output'}
                          </Button>
                        )}
                      </td>
                    </tr>
                    {shown && wrote && (
                      <tr className="run-output">
                        <td colSpan={7}>
                          <RunOutput task={task} run={run} now={now} />
                        </td>
                      </tr>
                    )}
                  </Fragment>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
