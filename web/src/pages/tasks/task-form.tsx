import { type JSX, type ReactNode, useState } from 'react';
import type { TaskView } from '../../../../src/protocol/api/tasks.ts';
import { describeSchedule } from '../../../../src/model/schedule.ts';
import { ApiError } from '../../api/client.ts';
import { Button } from '../../ui/button.tsx';
import { AreaField, Switch, TextField } from '../../ui/field.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { draftProblems, scheduleOf, type TaskDraft, upcoming } from './task-draft.ts';

const WHENS: ReadonlyArray<{ value: TaskDraft['when']; name: string; text: string }> = [
  { value: 'daily', name: 'Every day', text: 'At an hour and minute, in UTC' },
  { value: 'hourly', name: 'Every hour', text: 'At a minute' },
  { value: 'cron', name: 'A cron line', text: 'Any pattern, in a time zone' },
];

/** Asked for once: it takes milliseconds. */
let zones: readonly string[] | undefined;
function zoneNames(): readonly string[] {
  zones ??= ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
  return zones;
}

/** When it runs next, or what is wrong with the schedule. */
function Preview({ draft, problem }: { draft: TaskDraft; problem: string | undefined }): JSX.Element {
  const now = useNow();
  const schedule = scheduleOf(draft);
  if (problem !== undefined)
    return (
      <p className="field-problem anywhere" role="alert" id="schedule-problem">
        {problem}
      </p>
    );
  const runs = upcoming(schedule, now);
  const local = runs.some((run) => run.local !== undefined);
  return (
    <div className="stack-s" aria-live="polite">
      <p>
        Runs <strong className="anywhere">{describeSchedule(schedule)}</strong>
        {runs.length === 0 ? ', which never comes again.' : '. Next:'}
      </p>
      {runs.length > 0 && (
        <div className="table-scroll">
          <table className="table next-runs" aria-label="The next runs">
            <thead>
              <tr>
                <th scope="col">UTC</th>
                {local && <th scope="col">{draft.zone.trim()}</th>}
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <tr key={run.utc}>
                  <td className="tabular">{run.utc}</td>
                  {local && <td className="tabular">{run.local}</td>}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function When({
  draft,
  change,
  problem,
  untouched,
}: {
  draft: TaskDraft;
  change: (patch: Partial<TaskDraft>) => void;
  problem: string | undefined;
  /** An empty line is not wrong before somebody wants to save it. */
  untouched: boolean;
}): JSX.Element {
  const shared = {
    'aria-invalid': problem === undefined ? undefined : (true as const),
    'aria-describedby': problem === undefined ? undefined : 'schedule-problem',
    autoComplete: 'off',
    spellCheck: false,
  };
  return (
    <Panel title="When">
      <div className="stack">
        <fieldset className="choice-grid">
          <legend className="visually-hidden">Kind of schedule</legend>
          {WHENS.map((option) => (
            <label className="choice" key={option.value}>
              <input
                type="radio"
                name="when"
                checked={draft.when === option.value}
                onChange={() => change({ when: option.value })}
              />
              <span>
                <strong>{option.name}</strong>
                <span className="soft small">{option.text}</span>
              </span>
            </label>
          ))}
        </fieldset>
        {draft.when === 'cron' ? (
          <div className="form-grid">
            <TextField
              label="Cron line"
              mono
              {...shared}
              value={draft.expression}
              onChange={(event) => change({ expression: event.target.value })}
              placeholder="0 6 * * MON-FRI"
              hint="Minute, hour, day of the month, month, day of the week."
            />
            <TextField
              label="Time zone"
              {...shared}
              list="time-zones"
              value={draft.zone}
              onChange={(event) => change({ zone: event.target.value })}
              hint="A name such as Europe/Berlin, or UTC."
            />
            <datalist id="time-zones">
              {zoneNames().map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </datalist>
          </div>
        ) : (
          <div className="row time-fields">
            {draft.when === 'daily' && (
              <TextField
                label="Hour, UTC"
                {...shared}
                inputMode="numeric"
                value={draft.hour}
                onChange={(event) => change({ hour: event.target.value })}
              />
            )}
            <TextField
              label="Minute"
              {...shared}
              inputMode="numeric"
              value={draft.minute}
              onChange={(event) => change({ minute: event.target.value })}
            />
          </div>
        )}
        {untouched ? (
          <p className="soft">Type a line to see when it runs.</p>
        ) : (
          <Preview draft={draft} problem={problem} />
        )}
        <Switch
          label="Skip late runs"
          hint="When the platform could not start a run in time, that run is left out. Off: the latest one that was missed is made up for, once."
          checked={draft.skipLate}
          onChange={(skipLate) => change({ skipLate })}
        />
        <Switch
          label="May overlap itself"
          hint="A run may start while the one before goes on. Off: a run that comes due meanwhile is left out."
          checked={draft.overlap}
          onChange={(overlap) => change({ overlap })}
        />
      </div>
    </Panel>
  );
}

/** The form of a task: for a new one and for changing one. What the server refuses stands at its field. */
export function TaskForm(props: {
  draft: TaskDraft;
  change: (patch: Partial<TaskDraft>) => void;
  /** Above the rest: what kind of task it is. */
  head?: ReactNode;
  longestSeconds?: string | undefined;
  action: string;
  busy: boolean;
  /** Nothing was changed: there is nothing to save. */
  idle?: boolean;
  error: unknown;
  cancel?: ReactNode;
  submit: () => void;
}): JSX.Element {
  const { draft, change, error, busy } = props;
  const [tried, setTried] = useState(false);
  const problems = draftProblems(draft);
  const refused = error instanceof ApiError ? error : undefined;
  const said = (field: 'command' | 'description' | 'schedule'): string | undefined =>
    refused?.field === field ? refused.message : undefined;
  const scheduled = draft.kind === 'scheduled';
  const untouched = !tried && draft.when === 'cron' && draft.expression.trim() === '';
  return (
    <form
      className="wizard stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (Object.keys(problems).length === 0 && !busy) props.submit();
      }}
    >
      {props.head}
      <Panel title="What">
        <div className="stack">
          <AreaField
            label="Command"
            mono
            rows={Math.min(8, Math.max(2, draft.command.split('\n').length))}
            value={draft.command}
            onChange={(event) => change({ command: event.target.value })}
            spellCheck={false}
            autoCapitalize="none"
            placeholder={scheduled ? 'python3 /home/you/mysite/cleanup.py' : 'python3 -u bot.py'}
            problem={(tried ? problems.command : undefined) ?? said('command')}
            hint={
              scheduled
                ? `Run by bash in your home. The path of a Python script alone is enough.${props.longestSeconds === undefined ? '' : ` A run may take ${props.longestSeconds}, then it is ended.`}`
                : 'Run by bash in your home, and started again whenever it ends. With -u Python writes to the log at once.'
            }
          />
          <TextField
            label="Description"
            value={draft.description}
            onChange={(event) => change({ description: event.target.value })}
            problem={problems.description ?? said('description')}
            hint="If you like: what it is called in your list."
          />
        </div>
      </Panel>
      {scheduled && (
        <When
          draft={draft}
          change={change}
          problem={untouched ? undefined : (problems.schedule ?? said('schedule'))}
          untouched={untouched}
        />
      )}
      {error !== null && refused?.field === undefined && <ErrorNote error={error} />}
      <div className="row">
        <Button type="submit" look="main" busy={busy} disabled={props.idle === true}>
          {props.action}
        </Button>
        {props.cancel}
      </div>
    </form>
  );
}

/** What of a draft is sent when a task is changed. */
export function changeOf(task: TaskView, draft: TaskDraft) {
  const common = { command: draft.command, description: draft.description.trim() };
  return task.kind === 'always-on'
    ? common
    : { ...common, schedule: scheduleOf(draft), skipLate: draft.skipLate, overlap: draft.overlap };
}
