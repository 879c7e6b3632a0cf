import type { FaultKind } from './health.ts';
import { durationWords, escapeText, momentWords, shortIdOf } from './status-words.ts';

/**
 * What the public is told. Everything here is made from the structure of a trouble (which volume, what kind, since when, how its
 * service is), never from its evidence or its timeline: those are for operators and name disks and paths.
 */

export type ComponentStatus =
  'operational' | 'under_maintenance' | 'degraded_performance' | 'partial_outage' | 'major_outage';
export type Indicator = 'none' | 'minor' | 'major' | 'critical';
export type IncidentStatus = 'investigating' | 'identified' | 'monitoring' | 'resolved';

/** A trouble, as far as the public page looks at it. */
export interface StatusTrouble {
  id: string;
  state: 'open' | 'resolved';
  diagnosis: { fault: FaultKind; culprit: { kind: 'disk' | 'volume' | 'host' } };
  volume: string | null;
  service: 'serving' | 'waiting' | 'stopped';
  since: string;
  namedAt: string;
  resolvedAt: string | null;
  timeline: readonly { at: string; kind: string }[];
}

export interface StatusFacts {
  /** The platform's name for people: its domain. */
  name: string;
  /** Where the page is: https://host[:port]/status/. */
  url: string;
  /** Now, ISO 8601. */
  at: string;
  /** Whether sites are served, and whether the control plane answers. */
  gateway: boolean;
  control: boolean;
  /** `unseen`: the agent has just started and has not come to it yet, so that its state says nothing. */
  volumes: readonly { name: string; state: 'open' | 'closed' | 'trouble'; unseen?: boolean }[];
  troubles: readonly StatusTrouble[];
  /** What operators published, by trouble. Shown as it is. */
  notes: readonly { trouble: string; at: string; text: string }[];
  /**
   * Whether disks are watched and repaired: `blind`: the watcher does not see them just now; `silent`: the agent, who knows all but the gateway and the
   * control plane, does not answer, so that the rest is what was known at `knownAt`.
   */
  watching: 'yes' | 'blind' | 'silent';
  /** When the volumes and troubles were known to be so, ISO 8601. */
  knownAt: string;
}

export interface PublicComponent {
  id: string;
  kind: 'gateway' | 'control' | 'watching' | 'storage';
  name: string;
  description: string;
  status: ComponentStatus;
  /** The status in words. Of what is not known now it says when it was. */
  word: string;
  tone: 'good' | 'quiet' | 'warn' | 'bad';
}

export interface PublicUpdate {
  /** The same for as long as the update is told, and no other's: readers of the feed know by it what they have read. */
  id: string;
  status: IncidentStatus;
  at: string;
  body: string;
}

export interface PublicIncident {
  id: string;
  name: string;
  status: IncidentStatus;
  impact: Indicator;
  since: string;
  resolvedAt: string | null;
  updatedAt: string;
  components: PublicComponent[];
  /** Newest first. */
  updates: PublicUpdate[];
}

export interface PublicStatus {
  indicator: Indicator;
  description: string;
  components: PublicComponent[];
  open: PublicIncident[];
  resolved: PublicIncident[];
}

const DISK_DID: Record<FaultKind, string> = {
  hung: 'did not answer',
  failing: 'answered with errors',
  slow: 'was many times slower than usual',
  full: 'was full',
  corrupt: 'returned wrong data, which was noticed',
  lost: 'disappeared',
  uncounted: 'was counting anew what its accounts use',
  unopened: 'could not be opened',
};

const DISK_DOES: Record<FaultKind, string> = {
  hung: 'does not answer',
  failing: 'answers with errors',
  slow: 'is many times slower than usual',
  full: 'is full',
  corrupt: 'has returned wrong data, which was noticed',
  lost: 'has disappeared',
  uncounted: 'is counting anew what its accounts use',
  unopened: 'cannot be opened',
};

const WORST: Record<ComponentStatus, number> = {
  operational: 0,
  under_maintenance: 1,
  degraded_performance: 2,
  partial_outage: 3,
  major_outage: 4,
};

const worse = (a: ComponentStatus, b: ComponentStatus): ComponentStatus => (WORST[a] >= WORST[b] ? a : b);

/** What a trouble does to those who live on its volume, or on all of them when the host is the culprit. */
const BY_SERVICE: Record<StatusTrouble['service'], ComponentStatus> = {
  serving: 'operational',
  waiting: 'partial_outage',
  stopped: 'major_outage',
};
const IMPACT: Record<StatusTrouble['service'], Indicator> = { serving: 'minor', waiting: 'major', stopped: 'critical' };

function subjectOf(trouble: StatusTrouble): string {
  return trouble.volume === null ? 'this server' : `storage ${trouble.volume}`;
}

/** What it does, or did: what is over is told as over. */
function doingOf(trouble: StatusTrouble): string {
  const open = trouble.state === 'open';
  const { fault, culprit } = trouble.diagnosis;
  if (fault === 'full' && culprit.kind === 'host') return `${open ? 'is' : 'was'} short of room on its own disk`;
  return (open ? DISK_DOES : DISK_DID)[fault];
}

function nameOf(trouble: StatusTrouble): string {
  const does = doingOf(trouble);
  if (trouble.diagnosis.culprit.kind === 'host' || trouble.volume === null) return `Server: it ${does}`;
  return trouble.diagnosis.culprit.kind === 'disk'
    ? `Storage ${trouble.volume}: a disk ${does}`
    : `Storage ${trouble.volume}: it ${does}`;
}

/** When something was done about it: the first result that the platform wrote down, or else when it knew the cause. */
function answeredAt(trouble: StatusTrouble): string {
  return (
    trouble.timeline.find((entry) => entry.kind === 'result' && entry.at >= trouble.namedAt)?.at ?? trouble.namedAt
  );
}

/** An update before it has its name; `what` tells the updates of one trouble apart whatever else is told beside them. */
type Said = Omit<PublicUpdate, 'id'> & { what: string };

function updatesOf(trouble: StatusTrouble, facts: StatusFacts): PublicUpdate[] {
  const told = new Map<string, number>();
  const named = saidOf(trouble, facts)
    .toReversed()
    .map(({ what, ...update }): PublicUpdate => {
      // Two notes of one moment with the same words are two all the same.
      const before = told.get(what) ?? 0;
      told.set(what, before + 1);
      return { id: shortIdOf(`update ${trouble.id} ${what}${before === 0 ? '' : ` ${before}`}`), ...update };
    });
  return named.reverse();
}

/** Nothing is repaired where there is no room: somebody has to make some. */
function servesNow({ state, diagnosis: { fault, culprit } }: StatusTrouble, subject: string): string {
  const over = state !== 'open';
  if (fault === 'full' && culprit.kind === 'host')
    return `${capital(subject)} ${over ? 'served its members meanwhile' : 'serves its members as before'}.`;
  if (fault === 'full')
    return over
      ? `Everything on ${subject} could be read meanwhile.`
      : `Everything on ${subject} can be read. Writing may fail until there is room.`;
  return over
    ? `${capital(subject)} served its members again. The repair went on in the background.`
    : `${capital(subject)} serves its members. The repair goes on in the background.`;
}

function saidOf(trouble: StatusTrouble, facts: StatusFacts): Said[] {
  const subject = subjectOf(trouble);
  const { culprit } = trouble.diagnosis;
  const over = trouble.state !== 'open';
  const whose = culprit.kind === 'disk' ? `A disk of ${subject}` : subject;
  const others =
    culprit.kind === 'host' ? '' : ` Everything on other storage ${over ? 'went on' : 'goes on'} as usual.`;
  const waits =
    trouble.state === 'open' && trouble.service === 'waiting'
      ? ` Requests to ${subject} wait while the platform repairs it.`
      : '';
  const updates: Said[] = [
    { what: 'signs', status: 'investigating', at: trouble.since, body: `First signs of trouble with ${subject}.` },
    {
      what: 'cause',
      status: 'identified',
      at: trouble.namedAt,
      body: `${capital(whose)} ${doingOf(trouble)}.${waits}${others}`,
    },
  ];
  if (trouble.state === 'open' && trouble.service === 'stopped') {
    updates.push({
      what: 'out of service',
      status: 'identified',
      at: answeredAt(trouble),
      body: `${capital(subject)} is out of service until ${culprit.kind === 'volume' ? 'it answers again' : 'a complete copy of it is back'}. Its sites say so instead of hanging, and come back by themselves.`,
    });
  }
  if (trouble.service === 'serving') {
    updates.push({
      what: 'serves',
      status: 'monitoring',
      at: answeredAt(trouble),
      body: servesNow(trouble, subject),
    });
  }
  for (const note of facts.notes) {
    if (note.trouble !== trouble.id) continue;
    const status = trouble.service === 'serving' ? 'monitoring' : 'identified';
    updates.push({ what: `note ${note.at} ${note.text}`, status, at: note.at, body: note.text });
  }
  // Newest first; of one moment, what was said last comes first.
  updates.reverse();
  updates.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  if (trouble.state === 'resolved') {
    updates.unshift({
      what: 'end',
      status: 'resolved',
      at: trouble.resolvedAt ?? trouble.namedAt,
      body: `Resolved: ${subject} worked normally again.`,
    });
  }
  return updates;
}

type Plain = Omit<PublicComponent, 'word' | 'tone'>;

function storageOf(facts: StatusFacts, open: readonly StatusTrouble[], hostStatus: ComponentStatus): Plain[] {
  return facts.volumes.map((volume) => {
    const mine = open.filter((trouble) => trouble.volume === volume.name);
    const byState: Record<typeof volume.state, ComponentStatus> = {
      open: 'operational',
      closed: 'under_maintenance',
      // It does not answer, and nobody has said yet why.
      trouble: mine.length === 0 ? 'partial_outage' : 'operational',
    };
    return {
      id: shortIdOf(`volume ${volume.name}`),
      kind: 'storage',
      name: `Storage ${volume.name}`,
      description: 'Files, sites and programs of the members who live on it',
      status: mine.reduce<ComponentStatus>(
        (status, one) => worse(status, BY_SERVICE[one.service]),
        worse(hostStatus, volume.unseen === true ? 'operational' : byState[volume.state]),
      ),
    };
  });
}

function unseen(facts: StatusFacts, { id }: Pick<PublicComponent, 'id'>): boolean {
  return facts.volumes.some((volume) => volume.unseen === true && shortIdOf(`volume ${volume.name}`) === id);
}

/** The status in words: what is seen now, or when it was seen. */
function withWords(facts: StatusFacts, one: Plain): PublicComponent {
  const known = { ...one, word: STATUS_WORDS[one.status], tone: COMPONENT_TONE[one.status] };
  if (unseen(facts, one) && one.status === 'operational') return { ...known, word: 'Not looked at yet', tone: 'quiet' };
  if (one.kind === 'watching' && one.status !== 'operational')
    return { ...known, word: facts.watching === 'blind' ? 'Cannot see just now' : 'Does not answer' };
  if (facts.watching !== 'silent') return known;
  if (one.kind === 'gateway' && one.status === 'degraded_performance')
    return { ...known, word: 'Served; sites asleep cannot wake' };
  if (one.kind !== 'storage') return known;
  return {
    ...known,
    word: `${STATUS_WORDS[one.status]} at ${momentWords(facts.knownAt)}`.replace('Works at', 'Worked at'),
    tone: one.status === 'operational' ? 'quiet' : known.tone,
  };
}

const WATCHING: Record<StatusFacts['watching'], ComponentStatus> = {
  yes: 'operational',
  blind: 'degraded_performance',
  silent: 'major_outage',
};

function componentsOf(facts: StatusFacts): PublicComponent[] {
  const open = facts.troubles.filter((trouble) => trouble.state === 'open');
  const host = open.filter((trouble) => trouble.volume === null);
  const hostStatus = host.reduce<ComponentStatus>(
    (status, one) => worse(status, BY_SERVICE[one.service]),
    'operational',
  );
  const served = facts.watching === 'silent' ? 'degraded_performance' : 'operational';
  const all: Plain[] = [
    {
      id: shortIdOf('gateway'),
      kind: 'gateway',
      name: 'Websites',
      description: 'The way of every request to a hosted site',
      status: worse(hostStatus, facts.gateway ? served : 'major_outage'),
    },
    {
      id: shortIdOf('control'),
      kind: 'control',
      name: 'Sign-in, pages and API',
      description: 'Where members manage their account. Sites work without it',
      status: facts.control ? 'operational' : 'major_outage',
    },
    {
      id: shortIdOf('watching'),
      kind: 'watching',
      name: 'Watching and repair',
      description: 'What notices a disk in trouble and replaces it. Sites that are awake work without it',
      status: WATCHING[facts.watching],
    },
    ...storageOf(facts, open, hostStatus),
  ];
  return all.map((one) => withWords(facts, one));
}

/** Draws the public's conclusions. Pure. */
export function publicStatusOf(facts: StatusFacts): PublicStatus {
  const components = componentsOf(facts);
  const storage = components.filter((one) => one.kind === 'storage');
  const incidents = facts.troubles.map((trouble): PublicIncident => {
    const updates = updatesOf(trouble, facts);
    return {
      id: shortIdOf(`trouble ${trouble.id}`),
      name: nameOf(trouble),
      status: updates[0]?.status ?? 'investigating',
      impact: IMPACT[trouble.service],
      since: trouble.since,
      resolvedAt: trouble.resolvedAt,
      updatedAt: updates.reduce((latest, update) => (update.at > latest ? update.at : latest), trouble.since),
      components: storage.filter((one) => trouble.volume === null || one.name === `Storage ${trouble.volume}`),
      updates,
    };
  });
  const newestFirst = (a: PublicIncident, b: PublicIncident): number =>
    a.since < b.since ? 1 : a.since > b.since ? -1 : 0;
  const gravest: Indicator[] = ['critical', 'major', 'minor', 'none'];
  const open = incidents
    .filter((_, at) => facts.troubles[at]?.state === 'open')
    .sort((a, b) => gravest.indexOf(a.impact) - gravest.indexOf(b.impact) || newestFirst(a, b));
  const resolved = incidents.filter((_, at) => facts.troubles[at]?.state !== 'open').sort(newestFirst);
  const now = overall(components, open);
  return { ...asKnown(facts, now), components, open, resolved };
}

/** While nobody watches, that is said first, and of the rest when it was known. */
function asKnown(
  facts: StatusFacts,
  now: Pick<PublicStatus, 'indicator' | 'description'>,
): Pick<PublicStatus, 'indicator' | 'description'> {
  if (now.indicator === 'none' && facts.volumes.some((volume) => volume.unseen === true))
    return { indicator: 'minor', description: 'The platform has just started and is looking at its parts' };
  if (facts.watching !== 'silent' || !facts.gateway) return now;
  const rest =
    now.indicator === 'none'
      ? 'sites that are awake are served'
      : `as known at ${momentWords(facts.knownAt)}: ${now.description}`;
  return {
    indicator: now.indicator === 'none' ? 'minor' : now.indicator,
    description: `Watching and repair do not answer; ${rest}`,
  };
}

function overall(
  all: PublicComponent[],
  open: readonly PublicIncident[],
): Pick<PublicStatus, 'indicator' | 'description'> {
  const components = all.filter((one) => one.kind !== 'watching');
  const down = components.filter((one) => WORST[one.status] >= WORST.partial_outage);
  const storage = components.filter((one) => one.kind === 'storage');
  const gateway = components.find((one) => one.kind === 'gateway')?.status === 'major_outage';
  if (gateway || (storage.length > 0 && storage.every((one) => one.status === 'major_outage'))) {
    return { indicator: 'critical', description: 'Sites are out of service' };
  }
  const first = down[0];
  if (first !== undefined) {
    const stopped = down.some((one) => one.status === 'major_outage' && one.kind === 'storage');
    const indicator = stopped ? 'major' : 'minor';
    if (down.length > 1) return { indicator, description: `${down.length} parts have trouble, the others work` };
    if (first.kind === 'storage') return { indicator, description: `${first.name} has trouble, all else works` };
    return { indicator, description: 'Members cannot sign in now, sites work' };
  }
  // Storage that is in trouble and not listed any more: nobody is told that all is well.
  if (open.some((one) => one.impact === 'major' || one.impact === 'critical'))
    return { indicator: 'major', description: 'A part has trouble, the others work' };
  if (all.some((one) => one.kind === 'watching' && one.status === 'degraded_performance')) {
    return { indicator: 'minor', description: 'All is served, but disks are not watched just now' };
  }
  if (open.length > 0) return { indicator: 'minor', description: 'All is served, a repair is under way' };
  if (components.some((one) => one.status === 'under_maintenance')) {
    return { indicator: 'minor', description: 'A part is closed for maintenance, the others work' };
  }
  return { indicator: 'none', description: 'Everything works' };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Days shown as history, today included. */
const HISTORY_DAYS = 14;
/** Updates in the feed, newest first; a reader that looks once a day must not miss one. */
const FEED_ENTRIES = 100;

/** What {@link STATUS_SCRIPT} reads: when somebody who knows was last there, and which page is the newest. */
export function renderAlive(at: string, page: string): string {
  return `${JSON.stringify({ at, page })}\n`;
}

export interface StatusFiles {
  'index.html': string;
  'api/v2/summary.json': string;
  'api/v2/status.json': string;
  'api/v2/incidents.json': string;
  'history.rss': string;
}

/** Everything that is served, made from the same facts. */
export function renderStatusFiles(facts: StatusFacts): StatusFiles {
  const status = publicStatusOf(facts);
  const page = {
    id: shortIdOf(`page ${facts.name}`),
    name: facts.name,
    url: facts.url,
    time_zone: 'Etc/UTC',
    updated_at: facts.at,
  };
  const state = { indicator: status.indicator, description: status.description };
  const since = [...status.open, ...status.resolved].map((one) => one.since).sort()[0] ?? facts.at;
  const component = (one: PublicComponent): object => ({
    id: one.id,
    name: one.name,
    status: one.status,
    created_at: since,
    updated_at: facts.at,
    position: status.components.findIndex((other) => other.id === one.id) + 1,
    description: one.description,
    showcase: true,
    start_date: null,
    group_id: null,
    page_id: page.id,
    group: false,
    only_show_if_degraded: false,
  });
  const incident = (one: PublicIncident): object => ({
    id: one.id,
    name: one.name,
    status: one.status,
    created_at: one.since,
    updated_at: one.updatedAt,
    monitoring_at: one.updates.findLast((update) => update.status === 'monitoring')?.at ?? null,
    resolved_at: one.resolvedAt,
    impact: one.impact,
    shortlink: `${facts.url}#incident-${one.id}`,
    started_at: one.since,
    page_id: page.id,
    incident_updates: one.updates.map((update) => ({
      id: update.id,
      status: update.status,
      body: update.body,
      incident_id: one.id,
      created_at: update.at,
      updated_at: update.at,
      display_at: update.at,
      affected_components: one.components.map((affected) => ({ code: affected.id, name: affected.name })),
      deliver_notifications: false,
      custom_tweet: null,
      tweet_id: null,
    })),
    components: one.components.map(component),
  });
  const json = (value: object): string => `${JSON.stringify(value, null, 1)}\n`;
  return {
    'index.html': renderHtml(facts, status),
    'api/v2/summary.json': json({
      page,
      components: status.components.map(component),
      incidents: status.open.map(incident),
      scheduled_maintenances: [],
      status: state,
    }),
    'api/v2/status.json': json({ page, status: state }),
    'api/v2/incidents.json': json({ page, incidents: [...status.open, ...status.resolved].map(incident) }),
    'history.rss': renderFeed(facts, status),
  };
}

function renderFeed(facts: StatusFacts, status: PublicStatus): string {
  const told = [...status.open, ...status.resolved].flatMap((one) => one.updates.map((update) => ({ one, update })));
  // A stable order: of one moment, what an incident said last stays first.
  told.sort((a, b) => (a.update.at < b.update.at ? 1 : a.update.at > b.update.at ? -1 : 0));
  const items = told.slice(0, FEED_ENTRIES).map(
    ({ one, update }) => `  <item>
   <title>${escapeText(`${capital(update.status)}: ${one.name}`)}</title>
   <description>${escapeText(`<p>${escapeText(update.body)}</p>`)}</description>
   <pubDate>${new Date(update.at).toUTCString()}</pubDate>
   <link>${escapeText(`${facts.url}#incident-${one.id}`)}</link>
   <guid isPermaLink="false">${update.id}</guid>
  </item>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
 <channel>
  <title>${escapeText(facts.name)}: status</title>
  <link>${escapeText(facts.url)}</link>
  <atom:link href="${escapeText(facts.url)}history.rss" rel="self" type="application/rss+xml"/>
  <description>Incidents of ${escapeText(facts.name)}</description>
  <lastBuildDate>${new Date(facts.at).toUTCString()}</lastBuildDate>
${items.join('\n')}
 </channel>
</rss>
`;
}

const STATUS_WORDS: Record<ComponentStatus, string> = {
  operational: 'Works',
  under_maintenance: 'Closed for maintenance',
  degraded_performance: 'Slower than usual',
  partial_outage: 'Requests wait',
  major_outage: 'Out of service',
};
const COMPONENT_TONE: Record<ComponentStatus, PublicComponent['tone']> = {
  operational: 'good',
  under_maintenance: 'quiet',
  degraded_performance: 'warn',
  partial_outage: 'warn',
  major_outage: 'bad',
};
const TONE: Record<Indicator, string> = { none: 'good', minor: 'warn', major: 'bad', critical: 'bad' };
/** Shapes beside the colours: nobody has to tell red from green. */
const MARKS: Record<string, string> = {
  good: '<path d="M5 8.4l2.2 2.2L11.2 6"/>',
  warn: '<path d="M8 4.6v4.2M8 11.2v.2"/>',
  bad: '<path d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8"/>',
  quiet: '<path d="M5 8h6"/>',
};

function mark(tone: string): string {
  return `<svg class="mark ${tone}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="8"/>${MARKS[tone] ?? ''}</svg>`;
}

/** Its hash stands in the page's Content-Security-Policy: see the gateway. */
export const STATUS_STYLE = `
:root{color-scheme:light dark;--page:#f3f5f3;--card:#fff;--line:#dbe2dd;--text:#17211e;--soft:#4c5b56;--accent:#0e6257;
--good:#1b6e3c;--good-wash:#e2f3e7;--warn:#835400;--warn-mark:#b97a06;--warn-wash:#fcf1d9;--bad:#b02a22;--bad-wash:#fce9e6;--quiet:#5f6e69;--ink:#fff}
@media(prefers-color-scheme:dark){:root{--page:#0e1413;--card:#151d1b;--line:#2a3633;--text:#e4ebe8;--soft:#abb9b4;--accent:#6fd3bb;
--good:#79cf95;--good-wash:#16301f;--warn:#e9b75a;--warn-mark:#e0a53a;--warn-wash:#352a13;--bad:#ff8f83;--bad-wash:#3a1d1a;--quiet:#93a29d;--ink:#0e1413}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.55 'Inter',system-ui,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans',sans-serif}
main,header,footer{max-width:46rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;justify-content:space-between}
header p{margin:0;font-weight:650;font-size:1.0625rem;overflow-wrap:anywhere}
a{color:var(--accent);text-underline-offset:.15em}
a:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:2px}
.now{display:flex;gap:.875rem;align-items:center;margin:1.25rem 0 0;padding:1.125rem 1.25rem;border-radius:10px}
.now.good{background:var(--good-wash)}.now.warn{background:var(--warn-wash)}.now.bad{background:var(--bad-wash)}
.now .mark{width:28px;height:28px}
h1{margin:0;font-size:clamp(1.25rem,1.1rem + .8vw,1.5rem);line-height:1.25;font-weight:650;text-wrap:balance}
h2{margin:2.5rem 0 .75rem;font-size:1.0625rem;font-weight:650}
h3{margin:0;font-size:1rem;font-weight:650}
.mark{flex:none;border-radius:50%}.mark circle{fill:currentColor}
.mark path{fill:none;stroke:var(--ink);stroke-width:1.7;stroke-linecap:round;stroke-linejoin:round}
.mark.good{color:var(--good)}.mark.warn{color:var(--warn-mark)}.mark.bad{color:var(--bad)}.mark.quiet{color:var(--quiet)}
.old{margin:1rem 0 0;padding:.75rem 1.25rem;border:1px solid var(--warn-mark);border-radius:10px;color:var(--warn)}
ul,ol{list-style:none;margin:0;padding:0}
.parts{background:var(--card);border:1px solid var(--line);border-radius:10px}
.parts li{display:grid;grid-template-columns:1fr auto;gap:.125rem 1rem;align-items:center;padding:.8125rem 1.25rem}
.parts li+li{border-top:1px solid var(--line)}
.parts b{font-weight:600;overflow-wrap:anywhere}.parts small{grid-column:1;color:var(--soft);font-size:.875rem}
.parts span{display:inline-flex;gap:.5rem;align-items:center;font-size:.875rem;white-space:nowrap}
.word-good{color:var(--good)}.word-warn{color:var(--warn)}.word-bad{color:var(--bad)}.word-quiet{color:var(--quiet)}
.incident{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.125rem 1.25rem}
.incident+.incident{margin-top:1rem}
.incident.open{border-left:4px solid var(--warn-mark)}.incident.open.bad{border-left-color:var(--bad)}
.incident p{margin:.125rem 0 0;color:var(--soft);font-size:.875rem}
.incident ol{margin-top:.875rem;border-left:2px solid var(--line)}
.incident li{padding:0 0 .75rem 1rem}
.incident li:last-child{padding-bottom:0}
.incident li b{font-weight:600}.incident li time{color:var(--soft);font-size:.8125rem;display:block;font-variant-numeric:tabular-nums}
.day{display:grid;grid-template-columns:8.5rem 1fr;gap:.25rem 1rem;padding:.75rem 0;border-top:1px solid var(--line)}
.day>time{color:var(--soft);font-variant-numeric:tabular-nums}.day p{margin:0}
.day .none{color:var(--soft)}
.day details+details{margin-top:.5rem}summary{cursor:pointer;font-weight:600}
.day ol{margin:.5rem 0 .25rem;padding-left:1rem;border-left:2px solid var(--line)}
.day li{padding-bottom:.5rem}.day li time{color:var(--soft);font-size:.8125rem;display:block}
footer{margin-top:2.5rem;padding-top:1rem;padding-bottom:3rem;color:var(--soft);font-size:.875rem}
footer p{margin:0 0 .25rem}
@media(max-width:34rem){.day{grid-template-columns:1fr}.parts li{padding:.75rem 1rem}.parts small{grid-column:1/-1}}
`;

/** The file that says when somebody who knows was last there; written every few seconds. */
export const STATUS_ALIVE = 'alive.json';
/** Older than this, by the clock of whoever serves it, and the page says that it may not be true any more. */
export const STATUS_OLD_MS = 6_000;

/**
 * Asks every two seconds whether the page is still kept (by the server's own clock, which the visitor's may differ from), and takes the new one when
 * there is one. When it is not kept, or nobody answers, it says so. Without scripts the page is loaded again by the browser.
 */
export const STATUS_SCRIPT = `
var page=document.documentElement,note=document.getElementById('old'),heard=Date.now(),busy=false;
function say(text){note.hidden=text==='';if(note.textContent!==text)note.textContent=text}
function at(ms){return new Date(ms).toISOString().slice(11,19)+' UTC'}
function get(path){return fetch(path,{cache:'no-store',signal:AbortSignal.timeout(4000)})}
async function look(){if(busy)return;busy=true;try{
var answer=await get('${STATUS_ALIVE}');if(!answer.ok)throw new Error();
var now=Date.parse(answer.headers.get('date')),alive=await answer.json();heard=Date.now();
if(alive.page!==page.dataset.written){var fresh=await get('./');if(fresh.ok){
var next=new DOMParser().parseFromString(await fresh.text(),'text/html'),to=next.querySelector('main');
if(to&&next.documentElement.dataset.written!==page.dataset.written){var open=[].map.call(document.querySelectorAll('details[open]'),function(d){return d.id});
document.querySelector('main').replaceWith(to);document.title=next.title;page.dataset.written=next.documentElement.dataset.written;
document.querySelector('footer').replaceWith(next.querySelector('footer'));
open.forEach(function(id){var d=document.getElementById(id);if(d)d.open=true});note=document.getElementById('old')}}}
var age=now-Date.parse(alive.at);
say(age>=${STATUS_OLD_MS}?'Not up to date: this is what was known at '+at(Date.parse(alive.at))+'. The part of the platform that writes this page does not answer.':'')
}catch(e){if(Date.now()-heard>=${STATUS_OLD_MS})say('Not up to date since '+at(heard)+': nobody answers. Either your own network is away or the platform.')
}finally{busy=false}}
look();setInterval(look,2000);
`;

function renderIncident(one: PublicIncident, facts: StatusFacts): string {
  const tone = one.impact === 'minor' || one.impact === 'none' ? '' : ' bad';
  return `<article class="incident open${tone}" id="incident-${one.id}">
<h3>${escapeText(one.name)}</h3>
<p>Since <time datetime="${escapeText(one.since)}">${momentWords(one.since)}</time>, ${durationWords(one.since, facts.at)} ago</p>
${renderUpdates(one)}
</article>`;
}

function renderUpdates(one: PublicIncident): string {
  const lines = one.updates.map(
    (update) =>
      `<li><b>${capital(update.status)}.</b> ${escapeText(update.body)}<time datetime="${escapeText(update.at)}">${momentWords(update.at)}</time></li>`,
  );
  return `<ol>\n${lines.join('\n')}\n</ol>`;
}

function renderDays(facts: StatusFacts, status: PublicStatus): string {
  const days: string[] = [];
  for (let back = 0; back < HISTORY_DAYS; back++) {
    const day = new Date(Date.parse(facts.at) - back * 86_400_000).toISOString().slice(0, 10);
    const mine = status.resolved.filter((one) => one.since.startsWith(day));
    const listed = mine.map(
      (one) =>
        `<details id="incident-${one.id}"><summary>${escapeText(one.name)}</summary>\n<p>It took ${durationWords(one.since, one.resolvedAt ?? one.updatedAt)}.</p>\n${renderUpdates(one)}\n</details>`,
    );
    const going = status.open.some((one) => one.since.startsWith(day));
    days.push(
      `<div class="day"><time datetime="${day}">${momentWords(`${day}T00:00:00.000Z`).split(',')[0] ?? day}</time><div>${
        listed.length > 0 ? listed.join('\n') : `<p class="none">${going ? 'See above' : 'No incidents'}</p>`
      }</div></div>`,
    );
  }
  return days.join('\n');
}

function renderHtml(facts: StatusFacts, status: PublicStatus): string {
  const tone = TONE[status.indicator];
  const parts = status.components.map((one) => {
    return `<li><b>${escapeText(one.name)}</b><span class="word-${one.tone}">${mark(one.tone)}${escapeText(one.word)}</span><small>${escapeText(one.description)}</small></li>`;
  });
  const open = status.open.map((one) => renderIncident(one, facts)).join('\n');
  return `<!doctype html>
<html lang="en" data-written="${escapeText(facts.at)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="30"></noscript>
<title>${escapeText(status.description)} - ${escapeText(facts.name)} status</title>
<link rel="alternate" type="application/rss+xml" title="Incidents" href="history.rss">
<style>${STATUS_STYLE}</style>
</head>
<body>
<header><p>${escapeText(facts.name)}: status</p><a href="/">Sign in</a></header>
<main>
<div class="now ${tone}">${mark(tone)}<h1>${escapeText(status.description)}</h1></div>
<p class="old" id="old" role="status" hidden></p>
${open === '' ? '' : `<h2>Now</h2>\n${open}\n`}<h2>Parts</h2>
<ul class="parts">
${parts.join('\n')}
</ul>
<h2>The last ${HISTORY_DAYS} days</h2>
${renderDays(facts, status)}
</main>
<footer>
<p>Written <time datetime="${escapeText(facts.at)}">${momentWords(facts.at)}</time> by the platform itself; it keeps itself up to date.</p>
<p>For programs: <a href="api/v2/summary.json">summary.json</a>. For feed readers: <a href="history.rss">history.rss</a>.</p>
</footer>
<script>${STATUS_SCRIPT}</script>
</body>
</html>
`;
}
