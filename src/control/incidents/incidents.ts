import { isDeepStrictEqual } from 'node:util';
import type { Trouble } from '../../protocol/health.ts';
import type { Incident, IncidentSummary } from '../../protocol/incidents.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import type { AgentClient } from '../agent-client.ts';
import { RetryingWork } from '../platform/retrying-work.ts';
import { Throttle } from '../platform/throttle.ts';
import type { World } from '../platform/world.ts';
import {
  findIncident,
  findIncidentOf,
  insertIncident,
  insertNote,
  listIncidents,
  listNotes,
  listPublicNotes,
  listUnsettledIncidents,
  occupantsOf,
  updateIncident,
  type IncidentRecord,
} from '../store/incidents.ts';
import { listNotifications } from '../store/notifications.ts';
import type { Database } from '../store/tables.ts';
import { incidentOf, isOlder, newsOf, severityOf, summaryOf, worseOf } from './rules.ts';
import { count, requestsInWords } from './words.ts';

export interface IncidentTimes {
  /** News wait this long, so that one that changes at once is told once. */
  settleMs: number;
  /** How often the requests of an open incident are counted: at first, and after it has been open for a while. */
  countMs: number;
  countSlowlyMs: number;
  slowlyAfterMs: number;
  /** The last count is made this long after the end: what was held up then has been answered and written down. */
  lastCountMs: number;
}

export const INCIDENT_TIMES: IncidentTimes = {
  settleMs: 2_000,
  countMs: 5_000,
  countSlowlyMs: 60_000,
  slowlyAfterMs: 300_000,
  lastCountMs: 5_000,
};

const TICK_MS = 1_000;
const COUNT_DEADLINE_MS = 10_000;
/** The gateway's log of such requests does not go back for ever. */
const GIVE_UP_COUNTING_MS = 24 * 3_600_000;
/** Nobody wants to hear the day after that something was repaired the day before. */
const OLD_NEWS_MS = 24 * 3_600_000;
/** As long as the status page speaks of them. */
const PUBLIC_NOTES_MS = 14 * 24 * 3_600_000;
const TELL_EVERY_MS = 500;
const LISTED = 500;

/** Tells operators; never waits for the way there. */
export interface News {
  queue(record: IncidentRecord, what: 'opened' | 'updated' | 'resolved'): Promise<void>;
}

interface Live {
  record: IncidentRecord;
  /** When the requests were counted last, and the news were last unsettled; milliseconds of `elapsed`. */
  countedAt: number;
  changedAt: number;
  /** When its trouble began, on the same clock: it does not grow younger when the time of day is set back. */
  beganAt: number;
  counting: boolean;
}

interface Parts {
  database: Database;
  agent: AgentClient;
  world: World;
  news: News;
  log: Logger;
  now: () => Date;
  /** Milliseconds of a clock that is never set. */
  elapsed: () => number;
  times?: IncidentTimes;
}

/**
 * Makes incidents of the agent's troubles: one trouble, one incident, however often it is told, also when it came and went while the
 * control plane was down. The agent diagnoses and repairs; here it is put into relation: who is hit, how badly, who has to know.
 */
export class Incidents {
  readonly #parts: Parts;
  readonly #times: IncidentTimes;
  /** By trouble: what is open, and what has still something to be done for. */
  readonly #live = new Map<string, Live>();
  readonly #tell: Throttle<IncidentSummary>;
  readonly #publishing: RetryingWork;
  /** One change after the other. */
  #last: Promise<void> = Promise.resolve();
  #loaded = false;
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#times = parts.times ?? INCIDENT_TIMES;
    this.#tell = new Throttle(TELL_EVERY_MS, (incident) => parts.world.apply({ type: 'incident', incident }));
    this.#publishing = new RetryingWork('Publishing the notes of operators', () => this.#publish(), parts.log);
    parts.world.listen((change) => {
      if (change.type === 'trouble') this.#serially(() => this.#take(change.trouble));
    });
  }

  /** Begins to count, to judge anew what has lasted, and to tell. */
  start(): void {
    this.#timer ??= setInterval(() => {
      if (this.#ticking) return;
      this.#ticking = true;
      this.#serially(() => this.#tick());
      // Never rejects.
      void this.#last.then(() => (this.#ticking = false));
    }, TICK_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#tell.stop();
    this.#publishing.stop();
    await this.#last;
  }

  /**
   * All troubles the agent knows, at a new connection: `complete` when no event can have overtaken the list. An open incident whose
   * trouble the agent does not know any more is over.
   */
  async takeAll(troubles: readonly Trouble[], complete: boolean): Promise<void> {
    // Oldest first, so that incidents are numbered in the order of what happened.
    for (const trouble of [...troubles].sort((a, b) => a.since.localeCompare(b.since))) {
      this.#serially(() => this.#take(trouble));
    }
    if (complete) {
      const known = new Set(troubles.map((trouble) => trouble.id));
      this.#serially(() => this.#forget(known));
      this.#publishing.soon('notes');
    }
    await this.#last;
  }

  /** Open incidents, newest first; from memory. */
  open(): IncidentSummary[] {
    return [...this.#live.values()]
      .filter(({ record }) => record.state === 'open')
      .map(({ record }) => summaryOf(record))
      .sort((a, b) => b.id - a.id);
  }

  async list(state: IncidentRecord['state'] | undefined): Promise<IncidentSummary[]> {
    const records = await listIncidents(this.#parts.database, {
      ...(state === undefined ? {} : { state }),
      limit: LISTED,
    });
    return records.map(summaryOf);
  }

  /** Throws `not-found`. */
  async get(id: number): Promise<Incident> {
    const { database } = this.#parts;
    const record = await findIncident(database, id);
    if (!record) throw new HoldfastError('not-found', `There is no incident ${id}.`);
    const [notes, notifications] = await Promise.all([listNotes(database, id), listNotifications(database, id)]);
    return incidentOf(record, notes, notifications);
  }

  /** Throws `not-found`. A public one is on the status page as soon as the host has it. */
  async note(id: number, by: string, text: string, isPublic: boolean): Promise<Incident> {
    const { database, now } = this.#parts;
    await this.get(id);
    await insertNote(database, id, { at: now().toISOString(), by, text, public: isPublic });
    if (isPublic) this.#publishing.soon('notes');
    const incident = await this.get(id);
    this.#tell.push(String(id), summaryFrom(incident));
    return incident;
  }

  /** What operators published last about the troubles of a volume that are open now. */
  async publicNote(volume: string): Promise<string | undefined> {
    const open = new Set<string>();
    for (const { record } of this.#live.values()) {
      if (record.state === 'open' && record.trouble.volume === volume) open.add(record.trouble.id);
    }
    if (open.size === 0) return undefined;
    const notes = await listPublicNotes(this.#parts.database, this.#parts.now().toISOString());
    return notes.findLast((note) => open.has(note.trouble))?.text;
  }

  #serially(work: () => Promise<void>): void {
    this.#last = this.#last
      .then(() => this.#load())
      .then(work)
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'an incident could not be brought up to date'));
  }

  async #load(): Promise<void> {
    if (this.#loaded) return;
    for (const record of await listUnsettledIncidents(this.#parts.database)) this.#hold(record);
    this.#loaded = true;
  }

  #hold(record: IncidentRecord): Live {
    const changedAt = this.#parts.elapsed();
    const beganAt = changedAt - this.#age(record.trouble);
    const live = { record, countedAt: -Infinity, changedAt, beganAt, counting: false };
    this.#live.set(record.trouble.id, live);
    return live;
  }

  async #take(trouble: Trouble): Promise<void> {
    const { database } = this.#parts;
    const record = this.#live.get(trouble.id)?.record ?? (await findIncidentOf(database, trouble.id));
    if (!record) {
      await this.#open(trouble);
      return;
    }
    if (isOlder(trouble, record.trouble)) return;
    if (record.state === trouble.state && isDeepStrictEqual(trouble, record.trouble)) return;
    const again = record.state === 'resolved' && trouble.state === 'open';
    await this.#change(record, {
      trouble,
      state: trouble.state,
      resolvedAt: trouble.state === 'open' ? null : (trouble.resolvedAt ?? this.#parts.now().toISOString()),
      // Nobody is counted for a trouble of the whole host.
      ...(again || trouble.state === 'open' ? { counted: trouble.volume === null } : {}),
    });
  }

  async #open(trouble: Trouble): Promise<void> {
    const { database, now, log } = this.#parts;
    const who = await this.#occupants(trouble);
    const at = now().toISOString();
    const lives = `${count(who.accounts.length, 'account')} with ${count(who.domains.length, 'site')}`;
    const severity = this.#severity(trouble);
    const record = await insertIncident(database, {
      trouble,
      state: trouble.state,
      severity,
      worst: severity,
      openedAt: at,
      resolvedAt: trouble.state === 'resolved' ? (trouble.resolvedAt ?? at) : null,
      accounts: who.accounts,
      sites: who.domains.length,
      requests: null,
      counted: trouble.volume === null,
      entries:
        trouble.volume === null ? [] : [{ at, kind: 'impact', text: `${lives} live on volume ${trouble.volume}.` }],
      told: null,
    });
    log.warn({ incident: record.id, trouble: trouble.id, severity, state: record.state }, 'an incident');
    this.#hold(record);
    this.#tell.push(String(record.id), summaryOf(record));
  }

  /** Saves a change, judges it anew, and lets it be known. */
  async #change(record: IncidentRecord, values: Partial<IncidentRecord>): Promise<void> {
    const changed = { ...record, ...values };
    if (changed.state === 'open') {
      changed.severity = this.#severity(changed.trouble);
      changed.worst = worseOf(changed.worst, changed.severity);
      const who = await this.#occupants(changed.trouble);
      changed.accounts = [...new Set([...changed.accounts, ...who.accounts])].sort();
      changed.sites = Math.max(changed.sites, who.domains.length);
    }
    await updateIncident(this.#parts.database, changed);
    const live = this.#live.get(record.trouble.id) ?? this.#hold(changed);
    if (newsOf(changed) !== newsOf(live.record)) live.changedAt = this.#parts.elapsed();
    live.record = changed;
    this.#tell.push(String(changed.id), summaryOf(changed));
  }

  async #occupants({ volume }: Trouble): Promise<{ accounts: string[]; domains: string[] }> {
    return volume === null ? { accounts: [], domains: [] } : await occupantsOf(this.#parts.database, volume);
  }

  #severity(trouble: Trouble): IncidentRecord['severity'] {
    const { world, elapsed } = this.#parts;
    const beganAt = this.#live.get(trouble.id)?.beganAt ?? elapsed() - this.#age(trouble);
    const redundancy = trouble.volume === null ? undefined : world.volumes.get(trouble.volume)?.redundancy;
    return severityOf(trouble, redundancy, elapsed() - beganAt);
  }

  /** How long ago it began, by the time of day, milliseconds. */
  #age({ since }: Trouble): number {
    return Math.max(0, this.#parts.now().getTime() - Date.parse(since));
  }

  async #forget(known: ReadonlySet<string>): Promise<void> {
    for (const { record } of this.#live.values()) {
      if (record.state !== 'open' || known.has(record.trouble.id)) continue;
      const at = this.#parts.now().toISOString();
      const text = 'The host does not know of this trouble any more, so it is taken to be over.';
      await this.#change(record, {
        state: 'resolved',
        resolvedAt: at,
        entries: [...record.entries, { at, kind: 'result', text }],
      });
    }
  }

  async #tick(): Promise<void> {
    for (const live of this.#live.values()) {
      const { record } = live;
      if (record.state === 'open' && this.#severity(record.trouble) !== record.severity) await this.#change(record, {});
      await this.#tellNews(live);
      this.#countIfDue(live);
      const counted = live.record.counted || live.record.trouble.volume === null;
      if (live.record.state === 'resolved' && counted && newsOf(live.record) === undefined) {
        this.#live.delete(record.trouble.id);
      }
    }
  }

  async #tellNews(live: Live): Promise<void> {
    const { now, elapsed, news, database } = this.#parts;
    const { record } = live;
    const what = newsOf(record);
    if (what === undefined || elapsed() - live.changedAt < this.#times.settleMs) return;
    const told = { what, severity: record.severity, mustAct: record.trouble.mustAct };
    const old = record.resolvedAt !== null && now().getTime() - Date.parse(record.resolvedAt) > OLD_NEWS_MS;
    if (!old) await news.queue(record, what);
    live.record = { ...record, told };
    await updateIncident(database, live.record);
  }

  /** Counting asks the gateway's log; nothing waits for it, and each incident has at most one question on its way. */
  #countIfDue(live: Live): void {
    const { now, elapsed, log } = this.#parts;
    const { record } = live;
    if (record.counted || live.counting || record.trouble.volume === null) return;
    const time = now().getTime();
    const age = time - Date.parse(record.openedAt);
    const every = age > this.#times.slowlyAfterMs ? this.#times.countSlowlyMs : this.#times.countMs;
    if (elapsed() - live.countedAt < every) return;
    const over = record.resolvedAt === null ? undefined : time - Date.parse(record.resolvedAt);
    // An end that seems to lie in the future was before the time of day was set back.
    if (over !== undefined && over >= 0 && over < this.#times.lastCountMs) return;
    live.countedAt = elapsed();
    live.counting = true;
    this.#count(record)
      .then((requests) => this.#serially(() => this.#counted(live, requests, over !== undefined)))
      .catch((error: unknown) => {
        log.warn({ incident: record.id, err: error }, 'the requests of an incident could not be counted');
        if (over !== undefined && over > GIVE_UP_COUNTING_MS)
          this.#serially(() => this.#change(live.record, { counted: true }));
      })
      .finally(() => (live.counting = false));
  }

  async #count({ trouble, resolvedAt }: IncidentRecord): Promise<NonNullable<IncidentRecord['requests']>> {
    const { domains } = await this.#occupants(trouble);
    if (domains.length === 0) return { delayed: 0, failed: 0, longestMs: 0 };
    const until = resolvedAt === null ? {} : { until: resolvedAt };
    const asked = this.#parts.agent.call('gateway.impact', { domains, since: trouble.since, ...until });
    return await within(COUNT_DEADLINE_MS, 'Counting the requests', asked);
  }

  async #counted(live: Live, requests: NonNullable<IncidentRecord['requests']>, last: boolean): Promise<void> {
    const { record } = live;
    // It began again, or ended, while the gateway was asked: another count follows.
    const final = last && record.state === 'resolved';
    if (!final && isDeepStrictEqual(requests, record.requests)) return;
    const at = this.#parts.now().toISOString();
    const entry = {
      at,
      kind: 'impact' as const,
      text: `Of their requests, counted to the end: ${requestsInWords(requests)}`,
    };
    await this.#change(record, {
      requests,
      ...(final ? { counted: true, entries: [...record.entries, entry] } : {}),
    });
  }

  async #publish(): Promise<void> {
    const { agent, database, now } = this.#parts;
    const since = new Date(now().getTime() - PUBLIC_NOTES_MS).toISOString();
    await agent.call('status.notes', { notes: await listPublicNotes(database, since) });
  }
}

function summaryFrom(incident: Incident): IncidentSummary {
  const {
    diagnosis: _diagnosis,
    accounts: _accounts,
    timeline: _timeline,
    notes: _notes,
    notifications: _notifications,
    operation: _operation,
    ...summary
  } = incident;
  return summary;
}
