import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Drill, DrillRunSummary } from '../../../../../src/protocol/drills.ts';
import { call } from '../../../api/client.ts';
import { drillsQuery } from '../../../api/queries.ts';
import { count, formatClock } from '../../../format/format.ts';
import { PageHead } from '../../../frame/shell.tsx';
import { isOver, RUN_STATES, runLength } from '../../../health/drill-words.ts';
import { Button, LinkButton } from '../../../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../../../ui/dialog.tsx';
import { Switch } from '../../../ui/field.tsx';
import { useNow, useTitle } from '../../../ui/hooks.ts';
import { Badge, Panel } from '../../../ui/marks.tsx';
import { Empty, ErrorNote, ErrorPanel, Note, Skeleton } from '../../../ui/states.tsx';
import { OperatorOnly } from '../guard.tsx';

/** Runs shown before the rest is asked for. */
const ROWS = 20;

function useStart(): {
  start: (input: { drill: string; where: 'scratch' | 'here'; reaction: boolean; confirm?: string }) => Promise<void>;
} {
  const client = useQueryClient();
  const navigate = useNavigate();
  return {
    start: async (input) => {
      const run = await call('drills.start', { body: input });
      void client.invalidateQueries({ queryKey: drillsQuery.queryKey });
      await navigate(`/drills/${encodeURIComponent(run.id)}`);
    },
  };
}

/** Where and how. On the running platform it is asked a second time, by name. */
function StartDialog({ drill, onClose }: { drill: Drill; onClose: () => void }): JSX.Element {
  const [where, setWhere] = useState<'scratch' | 'here'>('scratch');
  const [reaction, setReaction] = useState(true);
  const [sure, setSure] = useState(false);
  const { start } = useStart();
  const run = useMutation({ mutationFn: () => start({ drill: drill.name, where, reaction }) });
  if (sure)
    return (
      <ConfirmDialog
        title="Cause a real fault on this platform?"
        action="Cause the fault"
        typed={drill.name}
        onClose={onClose}
        run={() => start({ drill: drill.name, where, reaction, confirm: drill.name })}
      >
        <p>
          <strong>{drill.title}</strong> on volumes made for it, beside those of your members, with the same agent,
          gateway and processors. Members' data is not touched; if the platform has a weakness,{' '}
          <strong>members may feel it</strong>.
        </p>
        {!reaction && (
          <Note level="problem">
            The reaction is switched off for the drill's volumes: they will be out of service.
          </Note>
        )}
      </ConfirmDialog>
    );
  return (
    <Dialog title={drill.title} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (where === 'here') setSure(true);
          else run.mutate();
        }}
      >
        <p>{drill.description}</p>
        <fieldset className="stack-s">
          <legend className="group-label">Where</legend>
          <label className="choice">
            <input type="radio" name="where" checked={where === 'scratch'} onChange={() => setWhere('scratch')} />
            <span>
              <strong>Beside this platform</strong>
              <span className="soft small">
                A platform of its own is started for it and removed afterwards. Nothing here is touched.
              </span>
            </span>
          </label>
          <label className="choice">
            <input type="radio" name="where" checked={where === 'here'} onChange={() => setWhere('here')} />
            <span>
              <strong>On this platform</strong>
              <span className="soft small">
                On volumes made for it, but with the agent and gateway your members use. It is asked again.
              </span>
            </span>
          </label>
        </fieldset>
        <Switch
          label="Reaction"
          hint={
            reaction
              ? 'The platform repairs by itself, as it always does.'
              : 'The platform only watches: this shows what the outage would have been. The drill is expected to miss its promises.'
          }
          checked={reaction}
          onChange={setReaction}
        />
        {run.error !== null && <ErrorNote error={run.error} />}
        <div className="row row-between">
          <span className="soft small">About {count(drill.minutes, 'minute')}.</span>
          <span className="row">
            <Button onClick={onClose}>Not now</Button>
            <Button type="submit" look="main" icon="bolt" busy={run.isPending}>
              {where === 'here' ? 'Next' : 'Start the drill'}
            </Button>
          </span>
        </div>
      </form>
    </Dialog>
  );
}

function Catalogue({
  drills,
  runs,
  running,
}: {
  drills: readonly Drill[];
  runs: readonly DrillRunSummary[];
  running: boolean;
}): JSX.Element {
  const [starting, setStarting] = useState<Drill | null>(null);
  const now = useNow(60_000);
  return (
    <>
      <ul className="drill-cards">
        {drills.map((drill) => {
          const last = runs.find((run) => run.drill === drill.name && isOver(run.state) && run.reaction);
          return (
            <li key={drill.name} className="panel drill-card">
              <div className="stack-s">
                <h2>{drill.title}</h2>
                <p className="soft">{drill.description}</p>
              </div>
              <div className="row row-between">
                <span className="small">
                  {last === undefined ? (
                    <span className="faint">never run here, about {drill.minutes} min</span>
                  ) : (
                    <Link to={`/drills/${last.id}`} className="drill-last">
                      <Badge tone={RUN_STATES[last.state].tone}>{RUN_STATES[last.state].word}</Badge>
                      <span className="tabular">{formatClock(last.startedAt, now)}</span>
                    </Link>
                  )}
                </span>
                <Button
                  small
                  icon="bolt"
                  disabled={running}
                  title={running ? 'A drill is running already' : undefined}
                  onClick={() => setStarting(drill)}
                >
                  Start<span className="visually-hidden"> {drill.title}</span>
                </Button>
              </div>
            </li>
          );
        })}
      </ul>
      {starting !== null && <StartDialog drill={starting} onClose={() => setStarting(null)} />}
    </>
  );
}

function History({ runs }: { runs: readonly DrillRunSummary[] }): JSX.Element {
  const now = useNow(60_000);
  const [rows, setRows] = useState(ROWS);
  return (
    <Panel flush title="Runs">
      {runs.length === 0 ? (
        <p className="panel-words soft">
          No drill has run here yet. Start with the first: it is the outage this platform was built against.
        </p>
      ) : (
        <div className="table-scroll">
          <table className="table table-cards">
            <thead>
              <tr>
                <th scope="col">Drill</th>
                <th scope="col">Result</th>
                <th scope="col">What came of it</th>
                <th scope="col">Where</th>
                <th scope="col">When</th>
                <th scope="col">Took</th>
              </tr>
            </thead>
            <tbody>
              {runs.slice(0, rows).map((run) => (
                <tr key={run.id}>
                  <td>
                    <Link to={`/drills/${run.id}`}>{run.title}</Link>
                    {!run.reaction && <span className="faint small"> without reaction</span>}
                  </td>
                  <td data-label="Result">
                    <Badge tone={RUN_STATES[run.state].tone}>{RUN_STATES[run.state].word}</Badge>
                  </td>
                  <td data-label="Outcome" className="soft anywhere">
                    {run.step}
                  </td>
                  <td data-label="Where">{run.where === 'scratch' ? 'beside' : 'here'}</td>
                  <td data-label="When" className="tabular nowrap">
                    {formatClock(run.startedAt, now)}
                  </td>
                  <td data-label="Took" className="tabular nowrap">
                    {runLength(run, now)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {runs.length > rows && (
            <div className="panel-words">
              <Button onClick={() => setRows(rows + ROWS)}>Show older runs</Button>
            </div>
          )}
        </div>
      )}
    </Panel>
  );
}

function Drills(): JSX.Element {
  const drills = useQuery({ ...drillsQuery, refetchInterval: 30_000 });
  useTitle('Drills');
  const running = drills.data?.runs.find((run) => !isOver(run.state));
  return (
    <>
      <PageHead
        title="Drills"
        under={
          <p className="soft">A drill causes a real fault, measures what members feel, and says which promises held.</p>
        }
      />
      {drills.data === undefined ? (
        drills.error === null ? (
          <Panel>
            <Skeleton lines={8} label="Loading drills" />
          </Panel>
        ) : (
          <ErrorPanel what="The drills could not be loaded" error={drills.error} retry={() => void drills.refetch()} />
        )
      ) : (
        <div className="stack">
          {running !== undefined && (
            <section className="panel drill-running" aria-label="Running now">
              <div>
                <p className="row">
                  <Badge tone="busy">{RUN_STATES[running.state].word}</Badge>
                  <strong>{running.title}</strong>
                </p>
                <p className="soft anywhere" role="status">
                  {running.step}
                </p>
              </div>
              <LinkButton to={`/drills/${running.id}`} look="main" icon="pulse">
                Watch it live
              </LinkButton>
            </section>
          )}
          {drills.data.drills.length === 0 ? (
            <Panel flush>
              <Empty icon="target" title="No drill is known here">
                This version of the platform brings none.
              </Empty>
            </Panel>
          ) : (
            <Catalogue drills={drills.data.drills} runs={drills.data.runs} running={running !== undefined} />
          )}
          <History runs={drills.data.runs} />
        </div>
      )}
    </>
  );
}

export function DrillsPage(): JSX.Element {
  return (
    <OperatorOnly>
      <Drills />
    </OperatorOnly>
  );
}
