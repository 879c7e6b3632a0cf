import { useQuery } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import type { AuditEntry } from '../../../../src/protocol/browser.ts';
import { auditQuery } from '../../api/queries.ts';
import { count, formatTime } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { Button } from '../../ui/button.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Badge, Panel } from '../../ui/marks.tsx';
import type { Tone } from '../../ui/tone.ts';
import { Empty, ErrorPanel, Skeleton } from '../../ui/states.tsx';
import { OperatorOnly } from './guard.tsx';

const OUTCOMES: Readonly<Record<AuditEntry['outcome'], Tone>> = { ok: 'good', refused: 'warn', failed: 'bad' };
const STEP = 200;

function Audit(): JSX.Element {
  const [limit, setLimit] = useState(STEP);
  const [filter, setFilter] = useState('');
  const audit = useQuery({
    ...auditQuery(limit),
    placeholderData: (before: AuditEntry[] | undefined) => before,
    refetchInterval: 3_000,
  });
  useTitle('Audit log');
  const needle = filter.trim().toLowerCase();
  const shown = (audit.data ?? []).filter(
    (entry) => needle === '' || Object.values(entry).some((value) => value.toLowerCase().includes(needle)),
  );
  return (
    <>
      <PageHead
        title="Audit log"
        under={<p className="soft">Who did what that touches security, newest first.</p>}
        actions={
          <input
            className="input browser-filter"
            type="search"
            aria-label="Show only entries that contain"
            placeholder="Only entries with ..."
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
        }
      />
      {audit.data === undefined ? (
        audit.error === null ? (
          <Panel>
            <Skeleton lines={10} label="Loading the audit log" />
          </Panel>
        ) : (
          <ErrorPanel what="The audit log could not be loaded" error={audit.error} retry={() => void audit.refetch()} />
        )
      ) : (
        <Panel flush>
          {shown.length === 0 ? (
            <Empty icon="list" title={audit.data.length === 0 ? 'Nothing recorded yet' : 'No such entry'}>
              {audit.data.length === 0
                ? 'Sign-ins, new accounts, changed passwords and the like appear here.'
                : `None of the newest ${count(audit.data.length, 'entry', 'entries')} has that in it.`}
            </Empty>
          ) : (
            <div className="table-scroll" tabIndex={0} role="region" aria-label="Entries">
              <table className="table table-cards">
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">Who</th>
                    <th scope="col">What</th>
                    <th scope="col">Outcome</th>
                    <th scope="col">From</th>
                    <th scope="col">Detail</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((entry, index) => (
                    <tr key={`${entry.at}-${index}`}>
                      <td className="tabular nowrap">{formatTime(entry.at)}</td>
                      <td data-label="Who" className="anywhere">
                        {entry.actor}
                      </td>
                      <td data-label="What">
                        {entry.action} <strong className="anywhere">{entry.subject}</strong>
                      </td>
                      <td data-label="Outcome">
                        <Badge tone={OUTCOMES[entry.outcome]}>{entry.outcome}</Badge>
                      </td>
                      <td data-label="From" className="mono small">
                        {entry.address}
                      </td>
                      <td data-label="Detail" className="soft anywhere">
                        {entry.detail}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {audit.data.length >= limit && (
            <div className="panel-words">
              <Button busy={audit.isFetching} onClick={() => setLimit(limit + STEP)}>
                Show older entries
              </Button>
            </div>
          )}
        </Panel>
      )}
    </>
  );
}

export function AuditPage(): JSX.Element {
  return (
    <OperatorOnly>
      <Audit />
    </OperatorOnly>
  );
}
