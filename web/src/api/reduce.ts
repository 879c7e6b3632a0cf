import type {
  AccountView,
  Dashboard,
  Heartbeat,
  SiteView,
  StorageService,
  VolumeView,
} from '../../../src/protocol/browser.ts';
import type { DrillRun, DrillRunSummary } from '../../../src/protocol/drills.ts';
import type { EventName } from '../../../src/protocol/api/events.ts';
import type { TaskView } from '../../../src/protocol/api/tasks.ts';
import type { HostHealth } from '../../../src/protocol/health.ts';
import type { Incident, IncidentSummary } from '../../../src/protocol/incidents.ts';
import type { AlwaysOnStatus, TaskRun, TaskStatus } from '../../../src/protocol/tasks.ts';
import type { Operation } from '../../../src/protocol/volumes.ts';

/**
 * How a live event changes what the pages already hold. Pure functions: `undefined` in means "not fetched yet" and stays
 * undefined, and an unchanged list keeps its identity so that nothing is drawn again.
 */
export type LiveEvent =
  | { type: 'site'; view: SiteView }
  | { type: 'volume'; view: VolumeView }
  | { type: 'operation'; view: Operation }
  | { type: 'account'; view: AccountView }
  | { type: 'incident'; view: IncidentSummary | Incident }
  | { type: 'drill'; view: DrillRun }
  | { type: 'task'; status: TaskStatus }
  | { type: 'always-on'; status: AlwaysOnStatus }
  | { type: 'health'; host: HostHealth | null }
  | { type: 'site-removed'; id: string }
  | { type: 'account-removed'; name: string }
  /** What one's own storage does now; null: some other volume's, for an operator. */
  | { type: 'storage'; service: StorageService | null }
  | { type: 'heartbeat'; beat: Heartbeat };

export function without<T>(list: T[] | undefined, matches: (item: T) => boolean): T[] | undefined {
  return list === undefined || !list.some(matches) ? list : list.filter((item) => !matches(item));
}

export function upsert<T>(list: T[] | undefined, item: T, keyOf: (item: T) => string): T[] | undefined {
  if (list === undefined) return undefined;
  const index = list.findIndex((other) => keyOf(other) === keyOf(item));
  return index === -1 ? [...list, item] : list.with(index, item);
}

/** Newest first; a running operation is never pushed out by finished ones. */
export function upsertOperation(
  list: Operation[] | undefined,
  operation: Operation,
  keep = 100,
): Operation[] | undefined {
  const next = upsert(list, operation, (other) => other.id);
  if (next === undefined) return undefined;
  const sorted = next.toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
  return sorted.filter((other, index) => index < keep || other.state === 'running');
}

/** What becomes of an account's own part of its dashboard: its sites. */
function reduceAccount(account: Dashboard['account'], event: LiveEvent): Dashboard['account'] {
  if (account === null) return null;
  if (event.type === 'site' && event.view.account === account.name)
    return { ...account, sites: upsert(account.sites, event.view, (site) => site.id) ?? [] };
  if (event.type === 'site-removed') {
    const sites = without(account.sites, (site) => site.id === event.id) ?? [];
    return sites === account.sites ? account : { ...account, sites };
  }
  if (event.type === 'storage' && event.service !== null) {
    const { service } = event;
    return { ...account, sites: account.sites.map((site) => ({ ...site, storage: service })) };
  }
  return account;
}

/** What becomes of the operator's part: every volume and operation. */
function reducePlatform(platform: Dashboard['platform'], event: LiveEvent): Dashboard['platform'] {
  if (platform === null) return null;
  if (event.type === 'volume')
    return { ...platform, volumes: upsert(platform.volumes, event.view, (volume) => volume.name) ?? [] };
  if (event.type === 'operation')
    return { ...platform, operations: upsertOperation(platform.operations, event.view) ?? [] };
  return platform;
}

/** A dashboard holds its own account's sites and, for an operator, every volume and operation. The same object when nothing changed. */
export function reduceDashboard(dashboard: Dashboard | undefined, event: LiveEvent): Dashboard | undefined {
  if (dashboard === undefined) return undefined;
  const account = reduceAccount(dashboard.account, event);
  const platform = reducePlatform(dashboard.platform, event);
  if (account === dashboard.account && platform === dashboard.platform) return dashboard;
  return { ...dashboard, account, platform };
}

/** Open ones first, each part newest first; a view older than what is known (a late answer) cannot reopen an incident. */
export function upsertIncident(
  list: IncidentSummary[] | undefined,
  incident: IncidentSummary,
): IncidentSummary[] | undefined {
  const known = list?.find((other) => other.id === incident.id);
  if (known?.state === 'resolved' && incident.state === 'open') return list;
  const next = upsert(list, incident, (other) => String(other.id));
  return next === undefined ? undefined : sortIncidents(next);
}

export function sortIncidents(list: readonly IncidentSummary[]): IncidentSummary[] {
  const weight = { critical: 0, major: 1, minor: 2 };
  return list.toSorted((a, b) => {
    if (a.state !== b.state) return a.state === 'open' ? -1 : 1;
    if (a.state === 'open' && a.severity !== b.severity) return weight[a.severity] - weight[b.severity];
    return b.id - a.id;
  });
}

/** An event may carry the whole incident or its summary; the whole one keeps what a summary does not have. */
export function mergeIncident(old: Incident | undefined, view: IncidentSummary | Incident): Incident | undefined {
  if ('timeline' in view) return view;
  return old === undefined ? undefined : { ...old, ...view };
}

/** Newest first. A run that is over is not brought back by a late event. */
export function upsertRun(list: DrillRunSummary[], run: DrillRun): DrillRunSummary[] {
  const { id, drill, title, where, reaction, state, step, startedAt, finishedAt } = run;
  const known = list.find((other) => other.id === id);
  if (known !== undefined && known.finishedAt !== null && finishedAt === null) return list;
  const summary: DrillRunSummary = { id, drill, title, where, reaction, state, step, startedAt, finishedAt };
  return [summary, ...list.filter((other) => other.id !== id)].toSorted((a, b) =>
    b.startedAt.localeCompare(a.startedAt),
  );
}

export type TaskEvent = Extract<LiveEvent, { type: 'task' | 'always-on' }>;

/** Runs that the platform remembers of a task. */
const MOST_RUNS = 30;

/** An event brings the newest runs only; the older ones stay. Newest first. */
export function mergeRuns(old: readonly TaskRun[], fresh: readonly TaskRun[]): TaskRun[] {
  const oldest = Math.min(...fresh.map((run) => run.number));
  return [...fresh, ...old.filter((run) => run.number < oldest)].slice(0, MOST_RUNS);
}

/** A task with what an event tells of it. Another task is given back as it is. */
export function taskAfter(task: TaskView, event: TaskEvent): TaskView {
  if (task.id !== event.status.id) return task;
  if (task.kind === 'scheduled' && event.type === 'task') {
    const runs = mergeRuns(task.status?.runs ?? [], event.status.runs);
    return { ...task, status: { ...event.status, runs } };
  }
  return task.kind === 'always-on' && event.type === 'always-on' ? { ...task, status: event.status } : task;
}

/** Runs that were going on and are over now: what they wrote is complete, and has used processor time. */
export function endedRuns(before: TaskView | undefined, event: TaskEvent): number[] {
  if (before?.kind !== 'scheduled' || event.type !== 'task') return [];
  const over = new Set(event.status.runs.filter((run) => run.outcome !== 'running').map((run) => run.number));
  return (before.status?.runs ?? [])
    .filter((run) => run.outcome === 'running' && over.has(run.number))
    .map((run) => run.number);
}

/** What an event changes beyond what it carries (counts, notices), so that it must be fetched again. */
export function refetchAfter(event: LiveEvent, before: SiteView | undefined): ReadonlyArray<readonly string[]> {
  switch (event.type) {
    case 'site': {
      const was = before?.status?.state;
      return was === event.view.status?.state ? [] : [['dashboard']];
    }
    case 'volume':
      return event.view.redundancy === 'full' && event.view.state === 'open' ? [] : [['dashboard']];
    case 'operation':
      if (event.view.state === 'running') return [];
      return event.view.kind.startsWith('account-') ? [['accounts'], ['dashboard']] : [['volumes'], ['dashboard']];
    case 'incident':
      // A member is told by notices. A summary says that the timeline went on, but not what is in it.
      return 'timeline' in event.view ? [['dashboard']] : [['dashboard'], ['incident', String(event.view.id)]];
    case 'drill':
    // See taskRefetches: it depends on what is known of the task.
    case 'task':
    case 'always-on':
    case 'health':
    case 'heartbeat':
      return [];
    case 'storage':
      return [['dashboard'], ['sites'], ['site']];
    case 'account':
    case 'account-removed':
    case 'site-removed':
      return [['dashboard']];
  }
}

/** Whether an event can only be of a task that was switched on or off meanwhile, elsewhere: no event brings a definition. */
function contradicts(task: TaskView | undefined, event: TaskEvent): boolean {
  if (task === undefined) return false;
  const { state } = event.status;
  if (task.enabled) return state === 'disabled' || state === 'paused';
  // A disabled task can be run, and wait, all the same.
  return state === 'idle' || (event.type === 'always-on' && !['paused', 'stopping'].includes(state));
}

/** What to fetch again after a task's event. `list`: the own tasks, where they are known; `own`: the name of the own account. */
export function taskRefetches(
  list: readonly TaskView[] | undefined,
  before: TaskView | undefined,
  own: string | undefined,
  event: TaskEvent,
): ReadonlyArray<readonly string[]> {
  const { id, account } = event.status;
  const ended = endedRuns(before, event);
  // Made in another tab, or by a client of the API.
  const unknown = list !== undefined && account === own && !list.some((task) => task.id === id);
  const changed = contradicts(before, event);
  // An event has the newest runs only: of an older one that went on it does not say whether it still does.
  const oldest = event.type === 'task' ? Math.min(...event.status.runs.map((run) => run.number)) : 0;
  const unsaid =
    before?.kind === 'scheduled' &&
    before.status?.runs.some((run) => run.outcome === 'running' && run.number < oldest) === true;
  return [
    ...(unknown || unsaid || changed || ended.length > 0 ? [['tasks']] : []),
    ...(unsaid || changed ? [['task', String(id)]] : []),
    ...ended.map((number) => ['task-output', String(id), String(number)]),
  ];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

type View = Record<string, unknown>;
const text = (view: View, key: string): boolean => typeof view[key] === 'string';
const number = (view: View, key: string): boolean => typeof view[key] === 'number';

/** What each event is made of. The control plane validates what it sends against src/protocol; here only the key is checked. */
const READERS: Readonly<Record<EventName, (view: View) => LiveEvent | undefined>> = {
  site: (view) => {
    if (!text(view, 'id')) return undefined;
    if (view['removed'] === true) return { type: 'site-removed', id: String(view['id']) };
    return { type: 'site', view: view as unknown as SiteView };
  },
  account: (view) => {
    if (!text(view, 'name')) return undefined;
    if (view['removed'] === true) return { type: 'account-removed', name: String(view['name']) };
    return { type: 'account', view: view as unknown as AccountView };
  },
  operation: (view) => (text(view, 'id') ? { type: 'operation', view: view as unknown as Operation } : undefined),
  volume: (view) => (text(view, 'name') ? { type: 'volume', view: view as unknown as VolumeView } : undefined),
  incident: (view) => (number(view, 'id') ? { type: 'incident', view: view as unknown as IncidentSummary } : undefined),
  drill: (view) =>
    text(view, 'id') && Array.isArray(view['volumes'])
      ? { type: 'drill', view: view as unknown as DrillRun }
      : undefined,
  task: (view) =>
    number(view, 'id') && Array.isArray(view['runs'])
      ? { type: 'task', status: view as unknown as TaskStatus }
      : undefined,
  'always-on': (view) =>
    number(view, 'id') ? { type: 'always-on', status: view as unknown as AlwaysOnStatus } : undefined,
  storage: ({ service }) =>
    service === null || service === 'serving' || service === 'waiting' || service === 'stopped'
      ? { type: 'storage', service }
      : undefined,
  heartbeat: (view) => (text(view, 'at') ? { type: 'heartbeat', beat: view as unknown as Heartbeat } : undefined),
  health: (view) => {
    // As `GET health` answers it, or the host alone.
    const host = 'host' in view ? view['host'] : view;
    if (host === null) return { type: 'health', host };
    if (!isRecord(host) || !Array.isArray(host['disks'])) return undefined;
    return { type: 'health', host: host as unknown as HostHealth };
  },
};

/** Reads one server-sent event. Something that cannot be read is undefined: the next fetch repairs what it would have told. */
export function parseEvent(type: string, data: string): LiveEvent | undefined {
  let view: unknown;
  try {
    view = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isRecord(view)) return undefined;
  const reader = Object.entries(READERS).find(([name]) => name === type)?.[1];
  return reader?.(view);
}
