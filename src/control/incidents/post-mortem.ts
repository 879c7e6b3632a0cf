import type { FaultKind } from '../../model/health.ts';
import type { Incident } from '../../protocol/incidents.ts';
import { count, moment, requestsInWords, span } from './words.ts';

/** What each kind of fault is, for somebody who has never heard of it. */
const FAULTS: Record<FaultKind, string> = {
  hung: 'did not fail: it stopped answering. Requests went in and none came out',
  failing: 'answered requests with errors',
  slow: 'answered, but many times slower than its peers and for more than a burst',
  full: 'had no room left',
  corrupt: 'returned wrong data; checksums found it',
  lost: 'was not there any more',
  uncounted: 'did not count what its accounts used, so that their limits did not hold',
  unopened: 'could not be opened',
};

const SEVERITIES: Record<Incident['severity'], string> = {
  critical: 'critical - members were without service',
  major: 'major - a person had to act, or a copy was missing with nothing bringing it back',
  minor: 'minor - the platform repaired it by itself',
};

/**
 * A report of an incident in Markdown, complete enough to be sent to members after light editing. Names of accounts are left out: it
 * is for everybody.
 */
export function postMortem(incident: Incident, platform: string): string {
  return [
    `# Incident ${incident.id}: ${text(incident.title)}`,
    facts(incident, platform),
    section('What happened', [whatHappened(incident), ...bullets('What was seen', incident.diagnosis.evidence)]),
    section('Impact', impact(incident)),
    section('What the platform did', whatItDid(incident)),
    section('What was ruled out', [list(incident.diagnosis.ruledOut, 'Nothing was written down.')]),
    section('Timeline', [timeline(incident)]),
    section('Notes', [
      list(
        incident.notes.map((note) => `${moment(note.at)}, ${note.by}${note.public ? ' (public)' : ''}: ${note.text}`),
        'None.',
      ),
    ]),
    section('What a person has to do', [todo(incident)]),
  ]
    .join('\n\n')
    .concat('\n');
}

function section(heading: string, paragraphs: readonly string[]): string {
  return [`## ${heading}`, ...paragraphs].join('\n\n');
}

/** Text of others must not become markup of the report. */
function text(value: string): string {
  return value
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/[\\`*_[\]<>|#]/g, '\\$&');
}

function list(lines: readonly string[], none: string): string {
  return lines.length === 0 ? none : lines.map((line) => `- ${text(line)}`).join('\n');
}

function bullets(lead: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${lead}:`, list(lines, '')];
}

function row(name: string, value: string): string {
  return `| ${name} | ${text(value)} |`;
}

function facts(incident: Incident, platform: string): string {
  const end = incident.resolvedAt === null ? 'not over yet' : moment(incident.resolvedAt);
  const named = incident.timeline.find((entry) => entry.kind === 'diagnosis');
  return [
    '| | |',
    '|---|---|',
    row('Platform', platform),
    row('State', incident.state === 'open' ? 'open: this is a draft' : 'resolved'),
    row('Severity', SEVERITIES[incident.severity]),
    row('First sign', moment(incident.since)),
    ...(named ? [row('Named', `${moment(named.at)} (${between(incident.since, named.at)} after the first sign)`)] : []),
    row('Resolved', end),
    ...(incident.resolvedAt === null ? [] : [row('Duration', between(incident.since, incident.resolvedAt))]),
    row('Culprit', culprit(incident)),
  ].join('\n');
}

function between(from: string, to: string): string {
  return span(Date.parse(to) - Date.parse(from));
}

function culprit({ culprit: { kind, volume, replica, disk } }: Incident): string {
  if (kind === 'host') return 'the host itself';
  if (kind === 'volume') return `volume ${volume ?? 'unknown'}`;
  const where = volume === null ? '' : `, replica ${replica ?? 'unknown'} of volume ${volume}`;
  return `disk ${disk ?? 'unknown'}${where}`;
}

function whatHappened(incident: Incident): string {
  return `At ${moment(incident.since)}, ${text(culprit(incident))} ${FAULTS[incident.fault]}.`;
}

function impact(incident: Incident): string[] {
  const { impact: figures, volume } = incident;
  if (volume === null) return ['No volume was hit, so no member was.'];
  const lines = [
    `${count(figures.accounts, 'account')} with ${count(figures.sites, 'site')} live on volume ${volume}. Accounts on other volumes were not hit.`,
    figures.requests === null
      ? 'How many of their requests were delayed has not been counted.'
      : `Of their requests: ${requestsInWords(figures.requests)}`,
  ];
  if (incident.service === 'stopped')
    lines.push('The volume was out of service: its members were told so at once, and nothing hung.');
  return [list(lines, '')];
}

function whatItDid(incident: Incident): string[] {
  const done = incident.timeline.filter((entry) => entry.kind === 'action' || entry.kind === 'result');
  const lines = done.map((entry) => `${between(incident.since, entry.at)} after the first sign: ${entry.text}`);
  const now = incident.state === 'open' ? [`Now: ${text(incident.doing)}`] : [];
  return [list(lines, 'Nothing yet.'), ...now];
}

function timeline(incident: Incident): string {
  const rows = incident.timeline.map((entry) => `| ${moment(entry.at)} | ${entry.kind} | ${text(entry.text)} |`);
  return ['| When | What | |', '|---|---|---|', ...rows].join('\n');
}

function todo(incident: Incident): string {
  if (incident.mustAct !== null) return text(incident.mustAct);
  if (incident.state === 'open') return 'Nothing at the moment. The platform is repairing it.';
  return 'Nothing. The platform repaired it by itself.';
}
