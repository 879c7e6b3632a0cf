import type { JSX } from 'react';
import { Link } from 'react-router';
import type { Incident, IncidentSummary } from '../../../../../src/protocol/incidents.ts';
import type { TimelineEntry } from '../../../../../src/protocol/health.ts';
import type { Operation } from '../../../../../src/protocol/volumes.ts';
import { formatClock, formatDuration, formatOffset, listing } from '../../../format/format.ts';
import {
  culpritName,
  everybodyElse,
  faultMeaning,
  faultWord,
  incidentHeadline,
  incidentTone,
  requestsFelt,
  severityMeaning,
  whoIsAffected,
} from '../../../health/incident-words.ts';
import { useNow } from '../../../ui/hooks.ts';
import { Icon, type IconName } from '../../../ui/icon.tsx';
import { Badge, Bar } from '../../../ui/marks.tsx';
import { ActLine } from '../../../ui/verdict.tsx';
import { AccountNames } from '../storage/residents.tsx';

export function SeverityBadge({ incident }: { incident: IncidentSummary }): JSX.Element {
  const tone = incidentTone(incident);
  return (
    <span title={severityMeaning(incident.severity)}>
      <Badge tone={tone}>{incident.state === 'resolved' ? 'resolved' : incident.severity}</Badge>
    </span>
  );
}

function Since({ incident }: { incident: IncidentSummary }): JSX.Element {
  const now = useNow(1000);
  const until = incident.resolvedAt === null ? now : Date.parse(incident.resolvedAt);
  const seconds = (until - Date.parse(incident.since)) / 1000;
  return incident.resolvedAt === null ? (
    <>
      <strong className="tabular">{formatDuration(seconds)}</strong>
      <span className="soft small tabular">since {formatClock(incident.since, now)}</span>
    </>
  ) : (
    <>
      <strong className="tabular">{formatDuration(seconds)}</strong>
      <span className="soft small tabular">
        from {formatClock(incident.since, now)} to {new Date(incident.resolvedAt).toISOString().slice(11, 19)} UTC
      </span>
    </>
  );
}

/** How far the repair is, from the operation that does it. */
export function Progress({ operation }: { operation: Operation | undefined }): JSX.Element | null {
  if (operation === undefined || operation.state !== 'running') return null;
  const step = operation.steps.find((each) => each.state === 'running');
  return (
    <div className="progress">
      <Bar share={operation.progress} tone="busy" label={`Progress of ${operation.subject}`} />
      <span className="small tabular">
        {operation.progress !== null && <strong>{Math.floor(operation.progress * 100)} % </strong>}
        {step?.detail ?? step?.name ?? ''}
      </span>
    </div>
  );
}

/** The four answers: which disk, since when, who is affected, what the platform is doing. */
export function Answers({
  incident,
  operation,
  names,
}: {
  incident: IncidentSummary;
  operation: Operation | undefined;
  /** Who lives there, where the page does not list them elsewhere. */
  names?: readonly string[] | undefined;
}): JSX.Element {
  const over = incident.state === 'resolved';
  return (
    <dl className="answers">
      <div>
        <dt>Which {incident.culprit.kind}</dt>
        <dd>
          <strong className="anywhere">{culpritName(incident.culprit, incident.fault)}</strong>
          {incident.culprit.disk !== null && <code className="small">{incident.culprit.disk}</code>}
          <span className="soft small">
            {over ? 'It was ' : 'It is '}
            {faultWord(incident.fault)}. {!over && faultMeaning(incident.fault, incident.culprit.kind)}
          </span>
        </dd>
      </div>
      <div>
        <dt>{over ? 'How long' : 'Since when'}</dt>
        <dd>
          <Since incident={incident} />
        </dd>
      </div>
      <div>
        <dt>{over ? 'Who was affected' : 'Who is affected'}</dt>
        <dd>
          <strong>{whoIsAffected(incident)}</strong>
          {names !== undefined && names.length > 0 && (
            <details className="residents small">
              <summary>{names.length <= 3 ? listing(names) : `Which: ${listing(names, 2)}`}</summary>
              <AccountNames names={names} />
            </details>
          )}
          <span className="soft small">{requestsFelt(incident)}</span>
          {!over && <span className="soft small">{everybodyElse(incident)}</span>}
        </dd>
      </div>
      <div>
        <dt>{over ? 'How it is now' : 'What the platform is doing'}</dt>
        <dd>
          {/* The bar knows the share sooner. */}
          <span className="anywhere">
            {operation === undefined ? incident.doing : incident.doing.replace(/ \(\d+ %\)/, '')}
          </span>
          <Progress operation={operation} />
        </dd>
      </div>
    </dl>
  );
}

/** An open incident at a glance. `act` false where the page has said already whether a person must act. */
export function IncidentCard({
  incident,
  operation,
  names,
  act = true,
}: {
  incident: IncidentSummary;
  operation: Operation | undefined;
  names?: readonly string[] | undefined;
  act?: boolean;
}): JSX.Element {
  const tone = incidentTone(incident);
  return (
    <article className={`panel incident-card incident-${tone}`}>
      <header className="row row-between">
        <h2 className="anywhere">
          <Link to={`/incidents/${incident.id}`}>Incident {incident.id}</Link>
          <span className="incident-headline"> {incidentHeadline(incident)}</span>
        </h2>
        <SeverityBadge incident={incident} />
      </header>
      {act && <ActLine acts={incident.mustAct === null ? [] : [incident.mustAct]} />}
      <Answers incident={incident} operation={operation} names={names} />
    </article>
  );
}

const KINDS: Readonly<Record<TimelineEntry['kind'], { icon: IconName; word: string }>> = {
  signal: { icon: 'pulse', word: 'First sign' },
  diagnosis: { icon: 'search', word: 'Named' },
  action: { icon: 'bolt', word: 'Done' },
  result: { icon: 'check', word: 'Result' },
  impact: { icon: 'people', word: 'Impact' },
  note: { icon: 'pencil', word: 'Note' },
};

/** "+0.7 s": how long after the first sign. */
function after(since: string, at: string): string {
  const milliseconds = Date.parse(at) - Date.parse(since);
  return milliseconds < 1 ? 'at first' : formatOffset(milliseconds);
}

/** Newest first: what happened last is what somebody wants to know. */
export function Timeline({ incident }: { incident: Pick<Incident, 'since' | 'timeline'> }): JSX.Element {
  const lines = incident.timeline.toSorted((a, b) => b.at.localeCompare(a.at));
  return (
    <ol className="timeline" aria-label="What happened, newest first">
      {lines.map((line, index) => (
        <li key={`${line.at}-${line.text}`} className={`timeline-${line.kind}${index === 0 ? ' timeline-newest' : ''}`}>
          <span className="timeline-mark">
            <Icon name={KINDS[line.kind].icon} size={14} />
          </span>
          <span className="timeline-when tabular">
            <strong>{after(incident.since, line.at)}</strong>
            <span className="faint small">{formatClock(line.at, Date.parse(incident.since))}</span>
          </span>
          <p className="anywhere">
            <span className="timeline-kind">{KINDS[line.kind].word}</span> {line.text}
          </p>
        </li>
      ))}
    </ol>
  );
}

/** Plain sentences, one below the other. */
export function Sentences({ items, icon }: { items: readonly string[]; icon: IconName }): JSX.Element {
  return (
    <ul className="sentences">
      {items.map((item) => (
        <li key={item}>
          <Icon name={icon} size={14} />
          <span className="anywhere">{item}</span>
        </li>
      ))}
    </ul>
  );
}
