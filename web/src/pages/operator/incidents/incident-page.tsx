import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type JSX, useState } from 'react';
import { Link, useParams } from 'react-router';
import type { Incident } from '../../../../../src/protocol/incidents.ts';
import { ApiError, call, openStream, streamAddress } from '../../../api/client.ts';
import { incidentQuery, operationsQuery } from '../../../api/queries.ts';
import { count, formatClock, formatMilliseconds } from '../../../format/format.ts';
import { useLostAt } from '../../../frame/connection.ts';
import { PageHead } from '../../../frame/shell.tsx';
import { incidentHeadline, incidentTone } from '../../../health/incident-words.ts';
import { Button, LinkButton, OutLink } from '../../../ui/button.tsx';
import { AreaField } from '../../../ui/field.tsx';
import { useNow, useTitle } from '../../../ui/hooks.ts';
import { Badge, Panel } from '../../../ui/marks.tsx';
import { Empty, ErrorNote, ErrorPanel, Skeleton } from '../../../ui/states.tsx';
import { showProblem, showToast } from '../../../ui/toast.tsx';
import { Verdict } from '../../../ui/verdict.tsx';
import { OperatorOnly } from '../guard.tsx';
import { AccountNames } from '../storage/residents.tsx';
import { Answers, Sentences, SeverityBadge, Timeline } from './pieces.tsx';

function Notes({ incident }: { incident: Incident }): JSX.Element {
  const client = useQueryClient();
  const now = useNow(60_000);
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const add = useMutation({
    mutationFn: () =>
      call('incidents.note', { params: { id: incident.id }, body: { text: text.trim(), public: open } }),
    onSuccess: (saved) => {
      client.setQueryData(incidentQuery(String(incident.id)).queryKey, saved);
      setText('');
      setOpen(false);
      showToast(open ? 'The note is on the status page.' : 'The note is kept.');
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (text.trim() !== '') add.mutate();
  };
  return (
    <Panel title="Notes">
      <div className="stack">
        {incident.notes.length > 0 && (
          <ul className="notes">
            {incident.notes
              .toSorted((a, b) => b.at.localeCompare(a.at))
              .map((note) => (
                <li key={`${note.at}-${note.text}`}>
                  <p className="row small">
                    <strong>{note.by}</strong>
                    <span className="faint tabular">{formatClock(note.at, now)}</span>
                    <Badge tone={note.public ? 'good' : 'quiet'}>
                      {note.public ? 'on the status page' : 'for operators'}
                    </Badge>
                  </p>
                  <p className="note-text anywhere">{note.text}</p>
                </li>
              ))}
          </ul>
        )}
        <form className="stack-s" onSubmit={submit}>
          <AreaField
            label="Add a note"
            rows={2}
            maxLength={4000}
            value={text}
            onChange={(event) => setText(event.target.value)}
            placeholder="What you saw, what you did"
          />
          <div className="row row-between">
            <label className="row">
              <input type="checkbox" checked={open} onChange={(event) => setOpen(event.target.checked)} />
              Show it to everybody on the status page
            </label>
            <Button type="submit" busy={add.isPending} disabled={text.trim() === ''}>
              Add the note
            </Button>
          </div>
          {add.error !== null && <ErrorNote error={add.error} />}
        </form>
      </div>
    </Panel>
  );
}

function Impact({ incident }: { incident: Incident }): JSX.Element {
  const { accounts, sites, requests } = incident.impact;
  const figures: ReadonlyArray<readonly [string, string, boolean]> = [
    [accounts.toLocaleString('en-GB'), accounts === 1 ? 'account' : 'accounts', false],
    [sites.toLocaleString('en-GB'), sites === 1 ? 'site' : 'sites', false],
    [requests === null ? '-' : requests.delayed.toLocaleString('en-GB'), 'waited > 1 s', false],
    [requests === null ? '-' : formatMilliseconds(requests.longestMs), 'longest wait', false],
    [requests === null ? '-' : requests.failed.toLocaleString('en-GB'), 'requests failed', (requests?.failed ?? 0) > 0],
  ];
  return (
    <div className="figures">
      {figures.map(([value, word, bad]) => (
        <div key={word} className={`figure${bad ? ' figure-bad' : ''}`}>
          <strong className="tabular">{value}</strong>
          <span>{word}</span>
        </div>
      ))}
    </div>
  );
}

function CopyPostMortem({ id }: { id: number }): JSX.Element {
  const copy = useMutation({
    mutationFn: async () => {
      const answer = await openStream('incidents.postMortem', { params: { id } });
      await navigator.clipboard.writeText(await answer.text());
    },
    onSuccess: () => showToast('The post-mortem is in the clipboard, as Markdown.'),
    onError: (error) =>
      showProblem(
        error instanceof ApiError ? error : new Error('this browser gives no clipboard here. Download it instead.'),
      ),
  });
  return (
    <Button icon="copy" busy={copy.isPending} onClick={() => copy.mutate()}>
      Copy post-mortem
    </Button>
  );
}

function IncidentView({ incident }: { incident: Incident }): JSX.Element {
  const now = useNow(60_000);
  const operations = useQuery(operationsQuery);
  const operation =
    operations.data?.find((each) => each.id === incident.operation) ??
    operations.data?.find((each) => each.subject === incident.volume && each.state === 'running');
  const connected = useLostAt() === null || incident.state === 'resolved';
  const headline = incidentHeadline(incident);
  useTitle(`Incident ${incident.id}`);
  return (
    <>
      <PageHead
        title={`Incident ${incident.id}`}
        under={
          <p className="row soft">
            <SeverityBadge incident={incident} />
            <span className="anywhere">{incident.title}</span>
          </p>
        }
        actions={
          <>
            <CopyPostMortem id={incident.id} />
            <OutLink
              href={streamAddress('incidents.postMortem', { params: { id: incident.id } })}
              icon="download"
              download
            >
              Post-mortem
            </OutLink>
          </>
        }
      />
      <div className="stack">
        <Verdict
          tone={incidentTone(incident)}
          title={connected ? headline : `${headline} (As last seen.)`}
          acts={incident.mustAct === null ? [] : [incident.mustAct]}
          over={incident.state === 'resolved'}
        >
          <Answers incident={incident} operation={operation} />
        </Verdict>
        <Impact incident={incident} />
        <div className="columns columns-even">
          <div className="stack">
            <Panel title="What happened">
              <Timeline incident={incident} />
            </Panel>
            <Notes incident={incident} />
          </div>
          <div className="stack">
            <Panel title="How it was found out">
              <div className="stack">
                <div className="stack-s">
                  <h3>Seen</h3>
                  <Sentences items={incident.diagnosis.evidence} icon="pulse" />
                </div>
                {incident.diagnosis.ruledOut.length > 0 && (
                  <div className="stack-s">
                    <h3>Ruled out</h3>
                    <Sentences items={incident.diagnosis.ruledOut} icon="check" />
                  </div>
                )}
              </div>
            </Panel>
            <Panel
              title="Accounts on it"
              aside={
                incident.volume !== null && <Link to={`/storage#volume-${incident.volume}`}>{incident.volume}</Link>
              }
            >
              {incident.accounts.length === 0 ? (
                <p className="soft">No account is affected.</p>
              ) : (
                <div className="stack-s">
                  <p className="soft small">{count(incident.accounts.length, 'account')}</p>
                  <AccountNames names={incident.accounts} />
                </div>
              )}
            </Panel>
            <Panel title="Told to" aside={<Link to="/settings">Settings</Link>}>
              {incident.notifications.length === 0 ? (
                <p className="soft">Nobody was told. Set up a webhook or e-mail under Settings.</p>
              ) : (
                <ul className="told">
                  {incident.notifications.map((each) => (
                    <li key={`${each.at}-${each.channel}-${each.what}`}>
                      <span className="tabular faint small">{formatClock(each.at, now)}</span>
                      <span className="anywhere">
                        <strong>{each.channel === 'email' ? 'e-mail' : each.channel}</strong>, {each.what}:{' '}
                        {each.outcome}
                      </span>
                    </li>
                  ))}
                </ul>
              )}
            </Panel>
          </div>
        </div>
      </div>
    </>
  );
}

function IncidentLoader(): JSX.Element {
  const { id = '' } = useParams();
  const incident = useQuery({ ...incidentQuery(id), refetchInterval: 30_000 });
  if (incident.data !== undefined) return <IncidentView incident={incident.data} />;
  if (incident.error === null)
    return (
      <Panel>
        <Skeleton lines={8} label="Loading the incident" />
      </Panel>
    );
  if (incident.error instanceof ApiError && incident.error.status === 404)
    return (
      <section className="panel">
        <Empty
          level={1}
          icon="search"
          title={`There is no incident ${id}`}
          actions={<LinkButton to="/incidents">All incidents</LinkButton>}
        >
          Its number may be mistyped.
        </Empty>
      </section>
    );
  return (
    <ErrorPanel
      level={1}
      what="The incident could not be loaded"
      error={incident.error}
      retry={() => void incident.refetch()}
    />
  );
}

export function IncidentPage(): JSX.Element {
  return (
    <OperatorOnly>
      <IncidentLoader />
    </OperatorOnly>
  );
}
