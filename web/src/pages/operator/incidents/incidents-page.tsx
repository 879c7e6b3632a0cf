import { useQuery } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { Link } from 'react-router';
import type { IncidentSummary } from '../../../../../src/protocol/incidents.ts';
import { incidentsQuery, operationsQuery } from '../../../api/queries.ts';
import { sortIncidents } from '../../../api/reduce.ts';
import { count, formatClock, formatDuration } from '../../../format/format.ts';
import { useLost } from '../../../frame/connection.ts';
import { PageHead } from '../../../frame/shell.tsx';
import { culpritName, faultWord } from '../../../health/incident-words.ts';
import { lossStory } from '../../../health/loss-words.ts';
import { Button } from '../../../ui/button.tsx';
import { useNow, useTitle } from '../../../ui/hooks.ts';
import { Icon } from '../../../ui/icon.tsx';
import { Panel } from '../../../ui/marks.tsx';
import { ErrorPanel, Skeleton } from '../../../ui/states.tsx';
import { OperatorOnly } from '../guard.tsx';
import { IncidentCard } from './pieces.tsx';

/** Resolved incidents shown before the rest is asked for. */
const ROWS = 50;

function matches(incident: IncidentSummary, needle: string): boolean {
  return [incident.title, `incident ${incident.id}`, incident.culprit.disk ?? '', faultWord(incident.fault)].some(
    (text) => text.toLowerCase().includes(needle),
  );
}

function Resolved({ incidents }: { incidents: readonly IncidentSummary[] }): JSX.Element {
  const now = useNow(60_000);
  const [filter, setFilter] = useState('');
  const [rows, setRows] = useState(ROWS);
  const needle = filter.trim().toLowerCase();
  const found = incidents.filter((incident) => needle === '' || matches(incident, needle));
  return (
    <Panel
      flush
      title="Resolved"
      aside={
        <input
          className="input browser-filter"
          type="search"
          aria-label="Find a resolved incident"
          placeholder="Volume, disk or trouble"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      }
    >
      {found.length === 0 ? (
        <p className="panel-words soft">No resolved incident has that in it.</p>
      ) : (
        <div className="table-scroll">
          <table className="table table-cards">
            <thead>
              <tr>
                <th scope="col">Incident</th>
                <th scope="col">When</th>
                <th scope="col">Took</th>
                <th scope="col">Accounts</th>
                <th scope="col">Requests that waited</th>
                <th scope="col">Failed</th>
              </tr>
            </thead>
            <tbody>
              {found.slice(0, rows).map((incident) => (
                <tr key={incident.id}>
                  <td>
                    <Link to={`/incidents/${incident.id}`} className="anywhere">
                      <span className="faint tabular">{incident.id}</span>{' '}
                      {culpritName(incident.culprit, incident.fault)} was {faultWord(incident.fault)}
                    </Link>
                  </td>
                  <td data-label="When" className="tabular nowrap">
                    {formatClock(incident.since, now)}
                  </td>
                  <td data-label="Took" className="tabular nowrap">
                    {incident.resolvedAt === null
                      ? '-'
                      : formatDuration((Date.parse(incident.resolvedAt) - Date.parse(incident.since)) / 1000)}
                  </td>
                  <td data-label="Accounts" className="tabular">
                    {incident.impact.accounts}
                  </td>
                  <td data-label="Waited" className="tabular">
                    {incident.impact.requests?.delayed.toLocaleString('en-GB') ?? (
                      <span className="faint">not counted</span>
                    )}
                  </td>
                  <td data-label="Failed" className="tabular">
                    {incident.impact.requests?.failed.toLocaleString('en-GB') ?? (
                      <span className="faint">not counted</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {found.length > rows && (
            <div className="panel-words">
              <Button onClick={() => setRows(rows + ROWS)}>Show older ones</Button>
            </div>
          )}
        </div>
      )}
    </Panel>
  );
}

function Incidents(): JSX.Element {
  const incidents = useQuery({ ...incidentsQuery, refetchInterval: 30_000 });
  const operations = useQuery(operationsQuery);
  const loss = useLost();
  const now = useNow(60_000);
  const sorted = sortIncidents(incidents.data ?? []);
  const open = sorted.filter((incident) => incident.state === 'open');
  const resolved = sorted.filter((incident) => incident.state === 'resolved');
  useTitle(open.length === 0 ? 'Incidents' : count(open.length, 'open incident'));
  const operationOf = (incident: IncidentSummary) =>
    operations.data?.find((each) => each.subject === incident.volume && each.state === 'running');
  return (
    <>
      <PageHead
        title="Incidents"
        under={
          incidents.data !== undefined && (
            <p className="soft tabular">
              {open.length === 0 ? 'None open' : `${open.length} open`}, {resolved.length} resolved
            </p>
          )
        }
      />
      {incidents.data === undefined ? (
        incidents.error === null ? (
          <Panel>
            <Skeleton lines={6} label="Loading incidents" />
          </Panel>
        ) : (
          <ErrorPanel
            what="The incidents could not be loaded"
            error={incidents.error}
            retry={() => void incidents.refetch()}
          />
        )
      ) : (
        <div className="stack">
          {open.length === 0 && (
            <section className="panel calm">
              <span className="state-mark">
                <Icon name={loss === null ? 'check' : 'info'} size={22} />
              </span>
              <div>
                <h2>{loss === null ? 'No open incident' : 'When last seen, no incident was open'}</h2>
                <p className="soft">
                  {loss !== null
                    ? lossStory(loss, now)
                    : resolved.length === 0
                      ? 'There has never been one. When a disk is in trouble, it is named here within a second, with what the platform does about it.'
                      : 'You need to do nothing. When a disk is in trouble, it is named here within a second, with what the platform does about it.'}
                </p>
              </div>
            </section>
          )}
          {open.map((incident) => (
            <IncidentCard key={incident.id} incident={incident} operation={operationOf(incident)} />
          ))}
          {resolved.length > 0 && <Resolved incidents={resolved} />}
        </div>
      )}
    </>
  );
}

export function IncidentsPage(): JSX.Element {
  return (
    <OperatorOnly>
      <Incidents />
    </OperatorOnly>
  );
}
