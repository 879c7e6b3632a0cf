import type { Redundancy } from '../../model/volumes.ts';
import type { Diagnosis } from '../../model/health.ts';
import type { TimelineEntry, Trouble } from '../../protocol/health.ts';
import type { Incident, IncidentSummary } from '../../protocol/incidents.ts';
import type { IncidentNote, IncidentRecord, Told } from '../store/incidents.ts';
import type { Severity } from '../store/tables.ts';

/** The platform's own reaction takes a second or two; members who wait for longer than this are without service. */
const WAITING_IS_AN_OUTAGE_MS = 5_000;
/** A mirror on one leg that nothing has begun to repair after this long needs a person. */
const UNREPAIRED_MS = 60_000;

const ORDER: readonly Severity[] = ['minor', 'major', 'critical'];

export function worseOf(a: Severity, b: Severity): Severity {
  return ORDER.indexOf(a) >= ORDER.indexOf(b) ? a : b;
}

/** "home1: disk r2 hung". */
export function titleOf({ culprit, fault }: Pick<Diagnosis, 'culprit' | 'fault'>): string {
  if (culprit.kind === 'disk') {
    const disk = culprit.replica ?? culprit.disk ?? 'unknown';
    return culprit.volume === null ? `disk ${disk} ${fault}` : `${culprit.volume}: disk ${disk} ${fault}`;
  }
  if (fault === 'uncounted') return `${culprit.volume ?? 'a volume'}: limits not enforced`;
  if (fault === 'unopened') return `${culprit.volume ?? 'a volume'}: cannot be opened`;
  if (culprit.kind === 'volume') return `${culprit.volume ?? 'a volume'}: volume ${fault}`;
  return fault === 'full' ? 'the host: its own disk is full' : `the host: storage ${fault}`;
}

/**
 * critical: members are without service. major: a person must act, or redundancy is gone and nothing brings it back. minor: it is being
 * repaired and nobody notices. `ageMs`: since the first sign of it.
 */
export function severityOf(trouble: Trouble, redundancy: Redundancy | undefined, ageMs: number): Severity {
  if (trouble.service === 'stopped') return 'critical';
  if (trouble.service === 'waiting' && ageMs >= WAITING_IS_AN_OUTAGE_MS) return 'critical';
  if (trouble.mustAct !== null || redundancy === 'lost') return 'major';
  if (redundancy === 'reduced' && trouble.operation === null && ageMs >= UNREPAIRED_MS) return 'major';
  return 'minor';
}

/**
 * Whether this word of a trouble was said before that one: after a new connection the agent tells again what it told before, and its
 * list may be overtaken by its events. A timeline only grows, and a trouble that is over comes back with a longer one only.
 */
export function isOlder(trouble: Trouble, known: Trouble): boolean {
  if (trouble.timeline.length !== known.timeline.length) return trouble.timeline.length < known.timeline.length;
  return known.state === 'resolved' && trouble.state === 'open';
}

/** What the operators have to be told, if anything. A trouble that was over before they heard of it is told once, as resolved. */
export function newsOf(
  record: Pick<IncidentRecord, 'state' | 'severity' | 'trouble' | 'told'>,
): Told['what'] | undefined {
  const { state, severity, trouble, told } = record;
  if (state === 'resolved') return told?.what === 'resolved' ? undefined : 'resolved';
  if (told === null || told.what === 'resolved') return 'opened';
  return told.severity === severity && told.mustAct === trouble.mustAct ? undefined : 'updated';
}

/** The agent's timeline with what the control plane and the operators add, in the order of time. */
export function mergeTimeline(
  trouble: Trouble,
  entries: readonly TimelineEntry[],
  notes: readonly IncidentNote[],
): TimelineEntry[] {
  const noted = notes.map((note): TimelineEntry => {
    const whom = note.public ? `${note.by} (public)` : note.by;
    return { at: note.at, kind: 'note', text: `${whom}: ${note.text}` };
  });
  // The sort keeps the order of what happened in the same moment.
  return [...trouble.timeline, ...entries, ...noted].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

export function summaryOf(record: IncidentRecord): IncidentSummary {
  const { trouble } = record;
  const { culprit, fault } = trouble.diagnosis;
  return {
    id: record.id,
    title: titleOf(trouble.diagnosis),
    state: record.state,
    severity: record.state === 'open' ? record.severity : record.worst,
    fault,
    culprit,
    volume: trouble.volume,
    since: trouble.since,
    openedAt: record.openedAt,
    resolvedAt: record.resolvedAt,
    service: trouble.service,
    doing: trouble.doing,
    mustAct: trouble.mustAct,
    impact: { accounts: record.accounts.length, sites: record.sites, requests: record.requests },
  };
}

export function incidentOf(
  record: IncidentRecord,
  notes: readonly IncidentNote[],
  notifications: Incident['notifications'],
): Incident {
  const { trouble } = record;
  return {
    ...summaryOf(record),
    diagnosis: trouble.diagnosis,
    accounts: record.accounts,
    timeline: mergeTimeline(trouble, record.entries, notes),
    notes: [...notes],
    notifications,
    operation: trouble.operation,
  };
}
