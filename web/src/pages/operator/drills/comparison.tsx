import type { JSX } from 'react';
import type { DrillRun } from '../../../../../src/protocol/drills.ts';
import { compareWith2020, logShare, timesShorter } from '../../../health/drill-words.ts';
import { Panel } from '../../../ui/marks.tsx';

function TimeBar({ seconds, whose }: { seconds: number; whose: 'report' | 'ours' }): JSX.Element {
  return (
    <span className={`time-bar time-bar-${whose}`} aria-hidden="true">
      <i style={{ width: `${logShare(seconds) * 100}%` }} />
    </span>
  );
}

/** The report's figures and ours. The bars are on a logarithmic scale: otherwise ours could not be seen. */
export function Comparison({ run }: { run: DrillRun }): JSX.Element {
  const rows = compareWith2020(run.result);
  return (
    <Panel
      flush
      title="The same fault, then and now"
      aside={<span className="soft small">Bars: a tenth of a second to eight hours, logarithmic</span>}
    >
      <div className="table-scroll" tabIndex={0} role="region" aria-label="Comparison">
        <table className="compare">
          <thead>
            <tr>
              <th scope="col">
                <span className="visually-hidden">What</span>
              </th>
              <th scope="col">7 July 2020, as reported</th>
              <th scope="col">{run.reaction ? 'Holdfast, in this run' : 'This run, with the reaction switched off'}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ what, report, ours }) => {
              const shorter = timesShorter(report.seconds, ours?.seconds ?? null);
              return (
                <tr key={what}>
                  <th scope="row">{what}</th>
                  <td data-label="2020">
                    <strong className="tabular">{report.value}</strong>
                    {report.seconds !== null && <TimeBar seconds={report.seconds} whose="report" />}
                    <span className="soft small">{report.note}</span>
                  </td>
                  <td data-label="Now" className={ours?.kept === false ? 'compare-missed' : 'compare-ours'}>
                    {ours === null ? (
                      <span className="faint">being measured</span>
                    ) : (
                      <>
                        <strong className="tabular">{ours.value}</strong>
                        {ours.seconds !== null && <TimeBar seconds={ours.seconds} whose="ours" />}
                        <span className="soft small">
                          {ours.note}
                          {shorter !== undefined && ` ${shorter}.`}
                        </span>
                      </>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
