import { useQuery } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { AlwaysOnView, ScheduledTaskView, TaskView } from '../../../../src/protocol/api/tasks.ts';
import { type TaskList, tasksQuery } from '../../api/queries.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useShortcuts } from '../../frame/shortcuts.tsx';
import { type Surroundings, taskName, taskStateOf } from '../../health/task-state.ts';
import { Button, LinkButton } from '../../ui/button.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Panel } from '../../ui/marks.tsx';
import { Empty, ErrorPanel, Skeleton } from '../../ui/states.tsx';
import { DeleteTaskDialog, LastRun, LogLink, ProcessorPanel, TaskBadge, TaskButtons } from './pieces.tsx';
import { useSurroundings, useTaskAction } from './task-actions.ts';
import { EXAMPLE_ALWAYS_ON, EXAMPLE_TASK, scheduleWords } from './task-draft.ts';
import { roomWords } from './task-room.ts';

function TaskRow({ task, around }: { task: TaskView; around: Surroundings }): JSX.Element {
  const action = useTaskAction(task);
  const [deleting, setDeleting] = useState(false);
  const name = taskName(task);
  const state = taskStateOf(task, around);
  const lastEnd = task.kind === 'always-on' && task.enabled ? (task.status?.lastEnd ?? null) : null;
  return (
    <li>
      <div className="task-row-words">
        <p className="task-row-name">
          <Link to={`/tasks/${task.id}`} className={`anywhere${task.description.trim() === '' ? ' mono' : ''}`}>
            {name}
          </Link>
        </p>
        {task.description.trim() !== '' && <p className="small soft mono truncate">{task.command.split('\n', 1)[0]}</p>}
        <p className="small soft anywhere">
          {task.kind === 'scheduled' && `${scheduleWords(task.schedule)}. `}
          <span className={state.tone === 'bad' ? 'task-bad' : state.tone === 'warn' ? 'task-warn' : undefined}>
            {state.meaning}
          </span>{' '}
          {lastEnd !== null && <>Last end: {lastEnd} </>}
          {task.kind === 'always-on' && <LogLink path={task.log} />}
        </p>
        {task.kind === 'scheduled' && (
          <p className="small soft">
            <LastRun task={task} now={around.now} />
          </p>
        )}
      </div>
      <TaskBadge task={task} around={around} />
      <div className="row task-row-actions">
        <TaskButtons
          small
          task={task}
          pending={action.isPending ? action.variables : undefined}
          act={(what) => action.mutate(what)}
        />
        <LinkButton small look="quiet" icon="pencil" to={`/tasks/${task.id}/edit`} aria-label={`Edit: ${name}`}>
          Edit
        </LinkButton>
        <Button
          small
          iconOnly
          look="quiet"
          icon="trash"
          onClick={() => setDeleting(true)}
          aria-label={`Delete: ${name}`}
          title="Delete"
        >
          Delete
        </Button>
      </div>
      {deleting && <DeleteTaskDialog task={task} onClose={() => setDeleting(false)} />}
    </li>
  );
}

function Rows({ tasks, label }: { tasks: readonly TaskView[]; label: string }): JSX.Element {
  const around = useSurroundings();
  return (
    <ul className="task-rows" aria-label={label}>
      {tasks.map((task) => (
        <TaskRow key={task.id} task={task} around={around} />
      ))}
    </ul>
  );
}

function Example({ command }: { command: string | undefined }): JSX.Element {
  return <code className="task-example anywhere">{command}</code>;
}

function Scheduled({ list }: { list: TaskList }): JSX.Element {
  const tasks = list.tasks.filter((task): task is ScheduledTaskView => task.kind === 'scheduled');
  const room = roomWords(list, 'scheduled');
  const none = list.most.scheduled === 0;
  return (
    <Panel flush title="Scheduled tasks" aside={!none && <span className="soft small tabular">{room.count}</span>}>
      {tasks.length > 0 ? (
        <>
          <Rows tasks={tasks} label="Scheduled tasks" />
          {room.full !== undefined && <p className="small soft panel-foot">{room.full}</p>}
        </>
      ) : none ? (
        <Empty icon="clock" title="Not in your plan">
          {room.full}
        </Empty>
      ) : (
        <Empty
          icon="clock"
          title="No scheduled task yet"
          actions={
            <>
              <LinkButton to="/tasks/new?example" icon="pencil">
                Try this example
              </LinkButton>
              <LinkButton to="/tasks/new" look="main" icon="plus">
                New task
              </LinkButton>
            </>
          }
        >
          A command that runs at its times: a backup, a report, a clean-up. For example, every day at 06:00 UTC:
          <Example command={EXAMPLE_TASK.command} />
        </Empty>
      )}
    </Panel>
  );
}

function AlwaysOn({ list }: { list: TaskList }): JSX.Element {
  const tasks = list.tasks.filter((task): task is AlwaysOnView => task.kind === 'always-on');
  const room = roomWords(list, 'always-on');
  const none = list.most.alwaysOn === 0;
  return (
    <Panel flush title="Always-on tasks" aside={!none && <span className="soft small tabular">{room.count}</span>}>
      {tasks.length > 0 ? (
        <>
          <Rows tasks={tasks} label="Always-on tasks" />
          {room.full !== undefined && <p className="small soft panel-foot">{room.full}</p>}
        </>
      ) : none ? (
        <p className="soft panel-words">A program that is kept running day and night, such as a bot. {room.full}</p>
      ) : (
        <Empty
          icon="power"
          title="No always-on task yet"
          actions={
            <>
              <LinkButton to="/tasks/new?kind=always-on&example" icon="pencil">
                Try this example
              </LinkButton>
              <LinkButton to="/tasks/new?kind=always-on" icon="plus">
                New always-on task
              </LinkButton>
            </>
          }
        >
          A program that is kept running day and night, and started again whenever it ends: a bot, a queue worker. With
          a bot.py in your home:
          <Example command={EXAMPLE_ALWAYS_ON.command} />
        </Empty>
      )}
    </Panel>
  );
}

export function TasksPage(): JSX.Element {
  const navigate = useNavigate();
  const tasks = useQuery(tasksQuery());
  const { old } = useSurroundings();
  useTitle('Tasks');
  const list = tasks.data;
  const kind =
    list === undefined || roomWords(list, 'scheduled').full === undefined
      ? 'scheduled'
      : roomWords(list, 'always-on').full === undefined
        ? 'always-on'
        : undefined;
  const address = kind === 'always-on' ? '/tasks/new?kind=always-on' : '/tasks/new';
  useShortcuts(
    'Tasks',
    kind === undefined ? [] : [{ keys: 'n', label: 'New task', run: () => void navigate(address) }],
  );
  return (
    <>
      <PageHead
        title="Tasks"
        actions={
          kind !== undefined && (
            <LinkButton to={address} look="main" icon="plus">
              New task
            </LinkButton>
          )
        }
      />
      {list === undefined ? (
        tasks.error === null ? (
          <Panel>
            <Skeleton lines={5} label="Loading tasks" />
          </Panel>
        ) : (
          <ErrorPanel what="The tasks could not be loaded" error={tasks.error} retry={() => void tasks.refetch()} />
        )
      ) : (
        <div className="columns">
          <div className="stack">
            <Scheduled list={list} />
            <AlwaysOn list={list} />
          </div>
          <ProcessorPanel old={old} />
        </div>
      )}
    </>
  );
}
