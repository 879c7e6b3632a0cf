import { createHash } from 'node:crypto';
import { z } from 'zod';
import { diagnosisSchema } from '../../protocol/health.ts';
import { incidentSummarySchema } from '../../protocol/incidents.ts';
import type { Configuration } from '../../runtime/config.ts';
import { count, moment, requestsInWords, span } from '../incidents/words.ts';

/** An incident as it was when it was to be told. */
export const incidentNewsSchema = z.object({
  what: z.enum(['opened', 'updated', 'resolved']),
  incident: incidentSummarySchema,
  diagnosis: diagnosisSchema,
});
export type IncidentNews = z.infer<typeof incidentNewsSchema>;

/** What Alertmanager sends to a webhook, version 4. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
export interface AlertmanagerMessage {
  version: '4';
  groupKey: string;
  truncatedAlerts: number;
  status: 'firing' | 'resolved';
  receiver: string;
  groupLabels: Record<string, string>;
  commonLabels: Record<string, string>;
  commonAnnotations: Record<string, string>;
  externalURL: string;
  alerts: {
    status: 'firing' | 'resolved';
    labels: Record<string, string>;
    annotations: Record<string, string>;
    startsAt: string;
    endsAt: string;
    generatorURL: string;
    fingerprint: string;
  }[];
}

/** Alertmanager's word for "not over yet". */
const NOT_OVER = '0001-01-01T00:00:00Z';

export function platformUrl(configuration: Pick<Configuration, 'domain' | 'httpsPort'>): string {
  const { domain, httpsPort } = configuration;
  return `https://${domain}${httpsPort === 443 ? '' : `:${httpsPort}`}`;
}

export function incidentUrl(configuration: Pick<Configuration, 'domain' | 'httpsPort'>, id: number): string {
  return `${platformUrl(configuration)}/incidents/${id}`;
}

/** What members feel, in one or two sentences. */
export function impactInWords({ incident }: Pick<IncidentNews, 'incident'>): string {
  const { volume, impact, service, state } = incident;
  if (volume === null) return 'No member is hit.';
  const who = `${count(impact.accounts, 'account')} with ${count(impact.sites, 'site')} live on volume ${volume}.`;
  if (state === 'resolved') return impact.requests === null ? who : `${who} ${requestsInWords(impact.requests)}`;
  if (service === 'stopped') return `${who} Their storage is out of service; they are told so at once.`;
  if (service === 'waiting') return `${who} Their requests wait.`;
  return `${who} They notice nothing any more.`;
}

export function alertmanagerMessage(
  news: IncidentNews,
  configuration: Pick<Configuration, 'domain' | 'httpsPort'>,
): AlertmanagerMessage {
  const { incident, what } = news;
  const status = what === 'resolved' ? 'resolved' : 'firing';
  // Whatever may change while it is open stays out of what the alert is recognised by.
  const identity = { alertname: 'HoldfastIncident', incident: String(incident.id), platform: configuration.domain };
  const { volume, replica, disk } = incident.culprit;
  const labels: Record<string, string> = {
    ...identity,
    severity: incident.severity,
    fault: incident.fault,
    ...(volume === null ? {} : { volume }),
    ...(replica === null ? {} : { replica }),
    ...(disk === null ? {} : { disk }),
  };
  const annotations = {
    summary: `Incident ${incident.id}: ${incident.title}`,
    description: [...news.diagnosis.evidence, ...news.diagnosis.ruledOut].join(' '),
    doing: incident.doing,
    must_act: incident.mustAct ?? 'Nothing: the platform repairs it by itself.',
    impact: impactInWords(news),
  };
  const url = incidentUrl(configuration, incident.id);
  return {
    version: '4',
    groupKey: `{}:{alertname="HoldfastIncident", incident="${incident.id}", platform="${configuration.domain}"}`,
    truncatedAlerts: 0,
    status,
    receiver: 'holdfast',
    groupLabels: identity,
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: platformUrl(configuration),
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: incident.since,
        endsAt: status === 'resolved' ? (incident.resolvedAt ?? incident.openedAt) : NOT_OVER,
        generatorURL: url,
        fingerprint: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16),
      },
    ],
  };
}

/** A message for a person: what, since when, who, what is being done, whether they must act. */
export function mailOf(
  news: IncidentNews,
  configuration: Pick<Configuration, 'domain' | 'httpsPort'>,
): { subject: string; text: string } {
  const { incident, what } = news;
  const state = { opened: incident.severity, updated: `now ${incident.severity}`, resolved: 'resolved' }[what];
  const over = incident.resolvedAt;
  const lines = [
    incident.title,
    '',
    `You: ${incident.mustAct ?? (what === 'resolved' ? 'nothing to do.' : 'nothing to do, the platform repairs it by itself.')}`,
    `Members: ${impactInWords(news)}`,
    ...(what === 'resolved' ? [] : [`Now: ${incident.doing}`]),
    `Since: ${moment(incident.since)}`,
    ...(over === null
      ? []
      : [`Resolved: ${moment(over)}, after ${span(Date.parse(over) - Date.parse(incident.since))}`]),
    '',
    'What was seen:',
    ...news.diagnosis.evidence.map((line) => `  - ${line}`),
    ...(news.diagnosis.ruledOut.length === 0 ? [] : ['What it is not:']),
    ...news.diagnosis.ruledOut.map((line) => `  - ${line}`),
    '',
    incidentUrl(configuration, incident.id),
    '',
  ];
  const subject = `[${configuration.domain}] Incident ${incident.id} ${state}: ${incident.title}`;
  return { subject: subject.replaceAll(/\s+/g, ' '), text: lines.join('\n') };
}
