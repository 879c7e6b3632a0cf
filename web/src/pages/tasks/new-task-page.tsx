import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { call } from '../../api/client.ts';
import { taskQuery, tasksQuery } from '../../api/queries.ts';
import { formatDuration } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { taskName } from '../../health/task-state.ts';
import { LinkButton } from '../../ui/button.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Panel } from '../../ui/marks.tsx';
import { Note } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';
import { browserZone, EXAMPLE_ALWAYS_ON, EXAMPLE_TASK, newDraft, scheduleOf, type TaskDraft } from './task-draft.ts';
import { TaskForm } from './task-form.tsx';
import { roomWords } from './task-room.ts';

const KINDS: ReadonlyArray<{ value: TaskDraft['kind']; name: string; text: string }> = [
  { value: 'scheduled', name: 'On a schedule', text: 'Runs at its times and ends: a backup, a report, a clean-up.' },
  { value: 'always-on', name: 'Always on', text: 'Is kept running day and night: a bot, a queue worker.' },
];

function startOf(parameters: URLSearchParams): TaskDraft {
  const kind = parameters.get('kind') === 'always-on' ? 'always-on' : 'scheduled';
  const draft = newDraft(kind, browserZone());
  if (!parameters.has('example')) return draft;
  return { ...draft, ...(kind === 'scheduled' ? EXAMPLE_TASK : EXAMPLE_ALWAYS_ON) };
}

export function NewTaskPage(): JSX.Element {
  const [parameters] = useSearchParams();
  const client = useQueryClient();
  const navigate = useNavigate();
  const tasks = useQuery(tasksQuery());
  const [start] = useState(() => startOf(parameters));
  const [draft, setDraft] = useState(start);
  useTitle('New task');
  const create = useMutation({
    mutationFn: () => {
      const common = { command: draft.command, description: draft.description.trim() };
      const body =
        draft.kind === 'always-on'
          ? { kind: draft.kind, ...common }
          : {
              kind: draft.kind,
              ...common,
              schedule: scheduleOf(draft),
              skipLate: draft.skipLate,
              overlap: draft.overlap,
            };
      return call('tasks.create', { body });
    },
    onSuccess: (task) => {
      client.setQueryData(taskQuery(String(task.id)).queryKey, task);
      void client.invalidateQueries({ queryKey: ['tasks'] });
      showToast(`"${taskName(task)}" is made.`);
      void navigate(`/tasks/${task.id}`);
    },
  });
  useUnsaved(
    (draft.command !== start.command || draft.description !== start.description) &&
      !create.isSuccess &&
      !create.isPending,
    {
      what: 'The new task',
      text: 'is not made yet. What you typed is lost when you leave.',
    },
  );
  const room = tasks.data === undefined ? undefined : roomWords(tasks.data, draft.kind);
  const longest = tasks.data?.longestSeconds;
  return (
    <>
      <PageHead title="New task" />
      <TaskForm
        draft={draft}
        change={(patch) => setDraft({ ...draft, ...patch })}
        longestSeconds={longest === undefined || longest === 0 ? undefined : formatDuration(longest)}
        action="Make the task"
        busy={create.isPending}
        error={create.error}
        submit={() => create.mutate()}
        cancel={<LinkButton to="/tasks">Cancel</LinkButton>}
        head={
          <Panel title="Kind">
            <div className="stack">
              <fieldset className="choice-grid">
                <legend className="visually-hidden">Kind of task</legend>
                {KINDS.map((option) => (
                  <label className="choice" key={option.value}>
                    <input
                      type="radio"
                      name="kind"
                      checked={draft.kind === option.value}
                      onChange={() => setDraft({ ...draft, kind: option.value })}
                    />
                    <span>
                      <strong>{option.name}</strong>
                      <span className="soft small">{option.text}</span>
                    </span>
                  </label>
                ))}
              </fieldset>
              {room?.full !== undefined && <Note level="info">{room.full}</Note>}
            </div>
          </Panel>
        }
      />
    </>
  );
}
