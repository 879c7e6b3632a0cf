import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useParams } from 'react-router';
import type { AlwaysOnView, TaskView } from '../../../../src/protocol/api/tasks.ts';
import { ApiError, call } from '../../api/client.ts';
import { taskQuery } from '../../api/queries.ts';
import { formatBytes, formatDate } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useSession } from '../../frame/session.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import {
  restartWords,
  secondsWords,
  somethingRuns,
  type Surroundings,
  taskName,
  taskStateOf,
} from '../../health/task-state.ts';
import { Button, LinkButton } from '../../ui/button.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Icon } from '../../ui/icon.tsx';
import { Facts, Panel } from '../../ui/marks.tsx';
import { ErrorPanel, Note, Skeleton } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import { DeleteTaskDialog, LogLink, TaskBadge, TaskButtons } from './pieces.tsx';
import { LastFailure, Runs } from './runs.tsx';
import { useSurroundings, useTaskAction } from './task-actions.ts';
import { browserZone, draftOf, scheduleWords } from './task-draft.ts';
import { changeOf, TaskForm } from './task-form.tsx';

function AboutPanel({ task, around }: { task: TaskView; around: Surroundings }): JSX.Element {
  const { account } = useSession();
  const state = taskStateOf(task, around);
  return (
    <Panel title="About">
      <Facts
        rows={[
          ['State', <TaskBadge key="s" task={task} around={around} />],
          ...(state.meaning === '' ? [] : ([['Meaning', state.meaning]] as const)),
          ...(task.kind === 'scheduled'
            ? ([
                ['When', scheduleWords(task.schedule)],
                ['Late runs', task.skipLate ? 'left out' : 'the latest is made up for'],
                ['Overlap', task.overlap ? 'may overlap itself' : 'one run at a time'],
              ] as const)
            : []),
          [
            'Log',
            task.account === account.name ? <LogLink key="l" path={task.log} /> : <code key="l">{task.log}</code>,
          ],
          ['Made', formatDate(task.createdAt)],
        ]}
      />
    </Panel>
  );
}

function AlwaysOnOverview({ task, around }: { task: AlwaysOnView; around: Surroundings }): JSX.Element {
  const { status } = task;
  const failing = status?.state === 'failing';
  const again = restartWords(status?.restartAt ?? null, around.now);
  const restart = around.old ? `When last seen: ${again}` : again;
  return (
    <div className="stack">
      {failing && (
        <section className="panel failure" aria-labelledby="failure-title">
          <h2 id="failure-title">
            <Icon name="problem" /> {around.old ? 'When last seen, it ended' : 'It ends'} soon after every start
          </h2>
          {status.lastEnd !== null && <p className="failure-message anywhere">{status.lastEnd}</p>}
          <p className="soft anywhere">
            {restart} The reason is most often in the last lines of <LogLink path={task.log} />. Once it is mended,
            Restart starts it at once.
          </p>
        </section>
      )}
      <Panel title="Command">
        <pre className="output" tabIndex={0} aria-label="Command">
          {task.command}
        </pre>
      </Panel>
      <Panel title={around.old ? 'When last seen' : 'Now'}>
        {status === null ? (
          <p className="soft">Not known just now.</p>
        ) : (
          <Facts
            rows={[
              ['Last end', status.lastEnd ?? 'It has not ended yet.'],
              ['Starts', status.starts],
              ['Memory', status.memoryBytes === null ? 'none' : formatBytes(status.memoryBytes)],
              ['CPU', status.cpuSeconds === null ? 'not read yet' : secondsWords(status.cpuSeconds)],
            ]}
          />
        )}
      </Panel>
    </div>
  );
}

function Overview({ task, around }: { task: TaskView; around: Surroundings }): JSX.Element {
  return (
    <div className="columns">
      {task.kind === 'always-on' ? (
        <AlwaysOnOverview task={task} around={around} />
      ) : (
        <div className="stack">
          <LastFailure task={task} now={around.now} />
          <Runs task={task} now={around.now} old={around.old} />
          <Panel title="Command">
            <pre className="output" tabIndex={0} aria-label="Command">
              {task.command}
            </pre>
          </Panel>
        </div>
      )}
      <AboutPanel task={task} around={around} />
    </div>
  );
}

function EditSection({ task }: { task: TaskView }): JSX.Element {
  const client = useQueryClient();
  // What others change meanwhile does not change what is typed here.
  const [start, setStart] = useState(() => draftOf(task, browserZone()));
  const [draft, setDraft] = useState(start);
  const [deleting, setDeleting] = useState(false);
  const changed = JSON.stringify(draft) !== JSON.stringify(start);
  const save = useMutation({
    mutationFn: () => call('tasks.update', { params: { id: task.id }, body: changeOf(task, draft) }),
    onSuccess: (fresh) => {
      client.setQueryData(taskQuery(String(task.id)).queryKey, fresh);
      void client.invalidateQueries({ queryKey: ['tasks'] });
      setStart(draft);
      showToast(
        task.kind === 'always-on'
          ? 'Saved. Another command runs at once in place of the old one.'
          : somethingRuns(fresh) === true
            ? 'Saved. It holds from the next run; what runs goes on.'
            : 'Saved. It holds from the next run.',
      );
    },
  });
  useUnsaved(changed, {
    what: taskName(task),
    save: async () => {
      try {
        await save.mutateAsync();
        return true;
      } catch {
        return false;
      }
    },
  });
  return (
    <>
      <TaskForm
        draft={draft}
        change={(patch) => setDraft({ ...draft, ...patch })}
        action="Save"
        busy={save.isPending}
        idle={!changed}
        error={save.error}
        submit={() => save.mutate()}
      />
      <Panel title="Delete">
        <div className="row row-between">
          <p className="soft danger-words">Forgets the task and its runs. Its log and your files stay.</p>
          <Button look="danger" icon="trash" onClick={() => setDeleting(true)}>
            Delete this task
          </Button>
        </div>
      </Panel>
      {deleting && <DeleteTaskDialog task={task} onClose={() => setDeleting(false)} />}
    </>
  );
}

function TaskFrame({ task, section }: { task: TaskView; section: string | undefined }): JSX.Element {
  const around = useSurroundings();
  const action = useTaskAction(task);
  const { account } = useSession();
  const name = taskName(task);
  useTitle(name);
  useShortcuts(
    'Task',
    task.kind === 'scheduled'
      ? [{ keys: 'r', label: 'Run now', run: () => !action.isPending && action.mutate('run') }]
      : [{ keys: 'r', label: 'Restart', run: () => task.enabled && !action.isPending && action.mutate('restart') }],
  );
  const sections = [
    { name: undefined, label: task.kind === 'scheduled' ? 'Runs' : 'Overview' },
    { name: 'edit', label: 'Edit and delete' },
  ];
  return (
    <>
      <PageHead
        title={<span className={task.description.trim() === '' ? 'mono anywhere' : 'anywhere'}>{name}</span>}
        under={
          <p className="row soft" aria-live="polite">
            <TaskBadge task={task} around={around} />
            <span>{task.kind === 'scheduled' ? scheduleWords(task.schedule) : 'Always on'}</span>
            {task.account !== account.name && <span>of {task.account}</span>}
          </p>
        }
        actions={
          <TaskButtons
            task={task}
            pending={action.isPending ? action.variables : undefined}
            act={(what) => action.mutate(what)}
          />
        }
      />
      <nav className="tabs" aria-label="Parts of the task">
        <ul>
          {sections.map((part) => (
            <li key={part.label}>
              <Link
                to={part.name === undefined ? `/tasks/${task.id}` : `/tasks/${task.id}/${part.name}`}
                aria-current={part.name === section ? 'page' : undefined}
                preventScrollReset
              >
                {part.label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <div className="stack">
        {section === undefined ? (
          <Overview task={task} around={around} />
        ) : section === 'edit' ? (
          <EditSection task={task} />
        ) : (
          <Note level="warning">There is no section "{section}" of a task. Choose one above.</Note>
        )}
      </div>
    </>
  );
}

export function TaskPage(): JSX.Element {
  const { id = '', section } = useParams();
  const task = useQuery(taskQuery(id));
  if (task.data !== undefined) return <TaskFrame key={id} task={task.data} section={section} />;
  if (task.error === null) {
    return (
      <Panel>
        <Skeleton lines={6} label="Loading the task" />
      </Panel>
    );
  }
  const gone = task.error instanceof ApiError && task.error.status === 404;
  return (
    <ErrorPanel
      level={1}
      what={gone ? 'This task does not exist' : 'The task could not be loaded'}
      error={task.error}
      {...(gone ? {} : { retry: () => void task.refetch() })}
    >
      <LinkButton to="/tasks">All tasks</LinkButton>
    </ErrorPanel>
  );
}
