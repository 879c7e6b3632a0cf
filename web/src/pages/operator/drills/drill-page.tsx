import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link, useParams } from 'react-router';
import type { DrillRun } from '../../../../../src/protocol/drills.ts';
import { ApiError, call } from '../../../api/client.ts';
import { drillQuery, drillsQuery } from '../../../api/queries.ts';
import { formatOffset, formatTime } from '../../../format/format.ts';
import { PageHead } from '../../../frame/shell.tsx';
import { isOver, RUN_STATES, runLength } from '../../../health/drill-words.ts';
import { Button, LinkButton } from '../../../ui/button.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { useNow, useTitle } from '../../../ui/hooks.ts';
import { Icon, type IconName } from '../../../ui/icon.tsx';
import { Badge, Panel } from '../../../ui/marks.tsx';
import type { Tone } from '../../../ui/tone.ts';
import { Empty, ErrorPanel, Note, Skeleton } from '../../../ui/states.tsx';
import { OperatorOnly } from '../guard.tsx';
import { Comparison } from './comparison.tsx';
import { DrillStage } from './drill-stage.tsx';

const WHO: Readonly<Record<DrillRun['timeline'][number]['kind'], { icon: IconName; word: string }>> = {
  fault: { icon: 'bolt', word: 'Fault' },
  platform: { icon: 'reload', word: 'Platform' },
  witness: { icon: 'people', word: 'Witness' },
  runner: { icon: 'target', word: 'Drill' },
};

function Clock({ run }: { run: DrillRun }): JSX.Element {
  const over = isOver(run.state);
  // Tenths count while members may be waiting; later whole seconds do.
  const [fine, setFine] = useState(true);
  const now = useNow(over ? 60_000 : fine ? 100 : 500);
  const end = run.finishedAt === null ? now : Date.parse(run.finishedAt);
  if (run.faultAt === null) {
    return (
      <div className="drill-clock">
        <strong className="tabular">{over ? '-' : 'soon'}</strong>
        <span className="soft small">the fault</span>
      </div>
    );
  }
  const since = Math.max(0, end - Date.parse(run.faultAt));
  if (fine && since > 20_000) setFine(false);
  return (
    <div className="drill-clock" role="timer">
      <strong className="tabular">t{formatOffset(since)}</strong>
      <span className="soft small">{over ? 'after the fault, at the end' : 'since the fault'}</span>
    </div>
  );
}

function DrillTimeline({ run }: { run: DrillRun }): JSX.Element {
  const lines = run.timeline.toSorted((a, b) => b.atMs - a.atMs);
  return (
    <Panel title="What happens" aside={<span className="soft small">newest first, t = the fault</span>}>
      {lines.length === 0 ? (
        <p className="soft">Nothing yet. The drill is being prepared.</p>
      ) : (
        <ol className="timeline drill-timeline">
          {lines.map((line, index) => (
            <li
              key={`${line.atMs}-${line.text}`}
              className={`timeline-${line.kind}${index === 0 && !isOver(run.state) ? ' timeline-newest' : ''}`}
            >
              <span className="timeline-mark">
                <Icon name={WHO[line.kind].icon} size={14} />
              </span>
              <span className="timeline-when tabular">
                <strong>t{formatOffset(line.atMs)}</strong>
                <span className="faint small">{WHO[line.kind].word}</span>
              </span>
              <p className="anywhere">{line.text}</p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function checkBadge(ok: boolean | null, over: boolean): { tone: Tone; word: string } {
  if (ok === true) return { tone: 'good', word: 'ok' };
  if (ok === false) return { tone: 'bad', word: 'missed' };
  return over ? { tone: 'quiet', word: 'for information' } : { tone: 'quiet', word: 'measuring' };
}

function Checks({ run }: { run: DrillRun }): JSX.Element {
  const over = isOver(run.state);
  const kept = run.checks.filter((check) => check.ok === true).length;
  const missed = run.checks.filter((check) => check.ok === false).length;
  const judged = run.checks.filter((check) => check.ok !== null || !over).length;
  return (
    <Panel
      flush
      title="Promises"
      aside={
        <span className="small tabular">
          {kept} of {judged} kept{missed > 0 && <strong className="tone-bad">, {missed} missed</strong>}
        </span>
      }
    >
      {run.checks.length === 0 ? (
        <p className="panel-words soft">They are judged as soon as there is something to measure.</p>
      ) : (
        <ul className="checks">
          {run.checks.map((check) => {
            const { tone, word } = checkBadge(check.ok, over);
            return (
              <li key={check.what} className={`check-${tone}`}>
                <span className="check-what">
                  <strong>{check.what}</strong>
                  <span className="soft small">promised: {check.target}</span>
                </span>
                <span className="check-measured tabular anywhere">{check.measured}</span>
                <Badge tone={tone}>{word}</Badge>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

function RunView({ run }: { run: DrillRun }): JSX.Element {
  const client = useQueryClient();
  const now = useNow(5000);
  const [stopping, setStopping] = useState(false);
  const over = isOver(run.state);
  const { tone, word } = RUN_STATES[run.state];
  useTitle(run.title);
  const stop = useMutation({
    mutationFn: () => call('drills.stop', { params: { id: run.id } }),
    onSettled: () => {
      void client.invalidateQueries({ queryKey: drillQuery(run.id).queryKey });
      void client.invalidateQueries({ queryKey: drillsQuery.queryKey });
    },
  });
  return (
    <>
      <PageHead
        title={run.title}
        under={
          <p className="row soft small">
            <Link to="/drills">Drills</Link>
            <span>
              {run.where === 'scratch'
                ? 'on a platform of its own beside this one'
                : 'on drill volumes of this platform'}
            </span>
            <span className="tabular">{formatTime(run.startedAt)}</span>
            <span className="tabular">{runLength(run, now)}</span>
          </p>
        }
        actions={
          !over && (
            <Button icon="stop" onClick={() => setStopping(true)}>
              Stop the drill
            </Button>
          )
        }
      />
      <div className="stack">
        <section className={`panel panel-flush theatre theatre-${tone}`} aria-label="The drill">
          <header className="theatre-head">
            <Clock run={run} />
            <div className="theatre-words">
              <p className="row">
                <Badge tone={tone}>{word}</Badge>
                {!run.reaction && <Badge tone="warn">reaction switched off</Badge>}
              </p>
              <p className="theatre-step anywhere" role="status">
                {run.step}
              </p>
            </div>
          </header>
          {run.volumes.length === 0 ? (
            <p className="panel-words soft">The volumes are being made.</p>
          ) : (
            <DrillStage run={run} over={over} />
          )}
        </section>
        {run.drill === 'outage-2020' && run.result !== null && <Comparison run={run} />}
        {run.error !== null && <Note level="problem">{run.error}</Note>}
        <div className="columns columns-even">
          <DrillTimeline run={run} />
          <Checks run={run} />
        </div>
        {run.drill === 'outage-2020' && run.result === null && <Comparison run={run} />}
      </div>
      {stopping && (
        <ConfirmDialog
          title="Stop this drill?"
          action="Stop the drill"
          onClose={() => setStopping(false)}
          run={() => stop.mutateAsync()}
        >
          <p>
            The fault is taken back and what the drill made is removed. What was measured so far is kept, without a
            score.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

function DrillLoader(): JSX.Element {
  const { id = '' } = useParams();
  // Live events carry it twice a second; this is for when they are cut off.
  const run = useQuery({
    ...drillQuery(id),
    refetchInterval: (query) => (query.state.data !== undefined && isOver(query.state.data.state) ? false : 5000),
  });
  if (run.data !== undefined) return <RunView run={run.data} />;
  if (run.error === null)
    return (
      <Panel>
        <Skeleton lines={8} label="Loading the drill" />
      </Panel>
    );
  if (run.error instanceof ApiError && run.error.status === 404)
    return (
      <section className="panel">
        <Empty
          level={1}
          icon="search"
          title="There is no such drill"
          actions={<LinkButton to="/drills">All drills</LinkButton>}
        >
          Its record may have been removed.
        </Empty>
      </section>
    );
  return (
    <ErrorPanel level={1} what="The drill could not be loaded" error={run.error} retry={() => void run.refetch()} />
  );
}

export function DrillPage(): JSX.Element {
  return (
    <OperatorOnly>
      <DrillLoader />
    </OperatorOnly>
  );
}
