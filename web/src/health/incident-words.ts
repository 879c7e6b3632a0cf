import type { Culprit, FaultKind } from '../../../src/model/health.ts';
import type { IncidentSummary } from '../../../src/protocol/incidents.ts';
import { count, formatMilliseconds } from '../format/format.ts';

/** What an incident says to somebody who has never seen the platform. Pure; every answer is a whole sentence or a plain name. */
export type IncidentTone = 'good' | 'busy' | 'warn' | 'bad';

const FAULTS: Readonly<Record<FaultKind, { word: string; meaning: string }>> = {
  hung: { word: 'hung', meaning: 'It stopped answering: requests are in it and none completes.' },
  failing: { word: 'failing', meaning: 'It answers with errors.' },
  slow: { word: 'slow', meaning: 'It answers, but many times slower than its peers.' },
  full: { word: 'full', meaning: 'It has no room left.' },
  corrupt: { word: 'returning wrong data', meaning: 'What it returns is not what was written; the checksums show it.' },
  uncounted: {
    word: 'not counting what its accounts use',
    meaning: 'The limits of its accounts do not hold until it counts again.',
  },
  lost: { word: 'gone', meaning: 'It is not there any more.' },
  unopened: { word: 'not open', meaning: 'It should be open, and it cannot be opened.' },
};

export function faultWord(fault: FaultKind): string {
  return FAULTS[fault].word;
}

/** What is meant by it; an empty string where the word says it all. */
export function faultMeaning(fault: FaultKind, kind: Culprit['kind']): string {
  if (fault === 'uncounted') return FAULTS[fault].meaning;
  if (fault === 'unopened') return FAULTS[fault].meaning;
  if (kind === 'host' && fault === 'full') return 'The platform keeps its records there.';
  if (kind === 'volume') return fault === 'hung' ? 'Its disks answer, and its file system does not.' : '';
  return kind === 'disk' ? FAULTS[fault].meaning : '';
}

/** "Disk r2 of home3", "Volume home3" (when it is not one of its disks: it is full, or its file system waits), "The host". */
export function culpritName(culprit: Culprit, fault?: FaultKind): string {
  if (culprit.kind === 'disk') {
    const name = culprit.replica ?? culprit.disk ?? '(not known)';
    return culprit.volume === null ? `Disk ${name}` : `Disk ${name} of ${culprit.volume}`;
  }
  if (culprit.kind === 'volume') return `Volume ${culprit.volume ?? '(not known)'}`;
  // Not all of the machine is full: one of its disks is.
  return fault === 'full' ? "The machine's own disk" : 'The host';
}

export function incidentTone({
  state,
  severity,
  mustAct,
  service,
}: Pick<IncidentSummary, 'state' | 'severity' | 'mustAct' | 'service'>): IncidentTone {
  if (state === 'resolved') return 'good';
  // Somebody waits, or worse: that is red in the headline, and so wherever else it is told.
  if (severity === 'critical' || service !== 'serving') return 'bad';
  return severity === 'major' || mustAct !== null ? 'warn' : 'busy';
}

const SEVERITIES: Readonly<Record<IncidentSummary['severity'], string>> = {
  critical: 'critical: members are without service',
  major: 'major: a person must act, or redundancy is gone',
  minor: 'minor: it is being repaired and nobody notices',
};

export function severityMeaning(severity: IncidentSummary['severity']): string {
  return SEVERITIES[severity];
}

/** The headline: what is the case for members now, first. */
export function incidentHeadline(
  incident: Pick<IncidentSummary, 'title' | 'state' | 'service' | 'volume' | 'mustAct' | 'fault' | 'culprit'>,
): string {
  const where = incident.volume ?? 'the host';
  const what = `${culpritName(incident.culprit, incident.fault)} ${incident.state === 'resolved' ? 'was' : 'is'} ${faultWord(incident.fault)}`;
  if (incident.state === 'resolved') return `${what}. It is resolved.`;
  if (incident.service === 'stopped') return `${incident.volume ?? 'The host'} is out of service. ${what}.`;
  if (incident.service === 'waiting') return `${what}. Members on ${where} are waiting.`;
  return `${what}. Nobody is waiting.`;
}

export function sentenceCase(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Who is affected, as one sentence. */
export function whoIsAffected(
  incident: Pick<IncidentSummary, 'volume' | 'impact' | 'service' | 'state' | 'fault'>,
): string {
  const { volume, impact, service, state, fault } = incident;
  if (volume === null || (impact.accounts === 0 && impact.sites === 0)) return 'No account is affected.';
  const who = `${count(impact.accounts, 'account')} on ${volume}${impact.sites > 0 ? `, with ${count(impact.sites, 'site')}` : ''}`;
  if (state === 'resolved') return `${who} ${impact.accounts === 1 ? 'was' : 'were'} on it.`;
  if (service === 'stopped') return `${who}: out of service until the storage is back.`;
  if (service === 'waiting') return `${who}: their requests are waiting right now.`;
  if (fault === 'full') return `${who}: what they read is served, what they write may be refused.`;
  if (fault === 'uncounted') return `${who}: served as always; their limits do not hold until it counts again.`;
  return `${who}: served as always.`;
}

/** What visitors felt, as the gateway counted it: it counts every few seconds, so while it goes on only what has been counted so far is told. */
export function requestsFelt({
  impact,
  state,
  service,
  volume,
}: Pick<IncidentSummary, 'impact' | 'state' | 'service' | 'volume'>): string {
  const { requests } = impact;
  if (volume === null && requests === null) return 'Requests are counted for volumes only.';
  const open = state === 'open';
  // Nobody is told "none" beside "out of service": whoever comes gets the page that says so.
  if (open && service === 'stopped' && (requests === null || requests.failed === 0))
    return 'Whoever visits its sites gets a page that says so (503); how many were is not counted yet.';
  if (requests === null) return 'The requests are not counted yet.';
  const { delayed, failed, longestMs } = requests;
  if (open && failed === 0) {
    if (service === 'waiting' && delayed === 0) return 'How many requests wait is not counted yet.';
    return delayed === 0
      ? 'So far no request has waited longer than a second.'
      : `So far ${count(delayed, 'request')} waited longer than a second (the longest ${formatMilliseconds(longestMs)}).`;
  }
  if (delayed === 0 && failed === 0) return 'No request waited longer than a second, and none failed.';
  const waited =
    delayed === 0
      ? 'No request waited longer than a second'
      : `${count(delayed, 'request')} waited longer than a second (the longest ${formatMilliseconds(longestMs)})`;
  return `${open ? `So far: ${waited.replace(/^No/, 'no')}` : waited}; ${failed === 0 ? 'none' : failed.toLocaleString('en-GB')} failed.`;
}

/** Everybody who is not on the volume: what can honestly be said of them. */
export function everybodyElse(incident: Pick<IncidentSummary, 'volume'>): string {
  return incident.volume === null
    ? 'Each volume serves its own members; none is affected.'
    : `Accounts on other volumes are not affected: ${incident.volume} is a compartment of its own.`;
}

/** What is to be said at the very disk an incident is about once it is out: "hung" in the headline and "failed" here must not puzzle. */
export function culpritStory(
  incident: Pick<IncidentSummary, 'culprit' | 'fault' | 'id'> | undefined,
  replica: { id: string; state: string },
): string | undefined {
  if (incident?.culprit.kind !== 'disk' || incident.culprit.replica !== replica.id) return undefined;
  if (replica.state === 'healthy' || replica.state === 'rebuilding') return undefined;
  return `The disk of incident ${incident.id}: it was ${faultWord(incident.fault)}, is cut out of the mirror and not used any more.`;
}
