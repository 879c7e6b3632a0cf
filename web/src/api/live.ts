import type { QueryClient } from '@tanstack/react-query';
import { EVENT_NAMES } from '../../../src/protocol/api/events.ts';
import type { AccountView, SiteView, VolumeView } from '../../../src/protocol/browser.ts';
import { streamAddress } from './client.ts';
import { drillHistory, healthHistory } from './history.ts';
import {
  accountsQuery,
  dashboardQuery,
  drillQuery,
  drillsQuery,
  healthQuery,
  incidentQuery,
  incidentsQuery,
  operationsQuery,
  siteQuery,
  sitesQuery,
  taskQuery,
  type TaskList,
  tasksQuery,
  volumesQuery,
} from './queries.ts';
import { LOOK_MS, STALE_MS, StreamWatch } from './stream-watch.ts';
import {
  type LiveEvent,
  mergeIncident,
  parseEvent,
  reduceDashboard,
  refetchAfter,
  taskAfter,
  taskRefetches,
  upsert,
  upsertIncident,
  upsertOperation,
  upsertRun,
  without,
} from './reduce.ts';

/**
 * Whether what the pages show is up to date. `lost`: it is as it was at `since` (milliseconds since 1970), because the connection broke, because nothing
 * comes through it (the control plane hangs, or the network), or because the agent, who knows of sites and storage, does not answer.
 */
export type LiveState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  | { kind: 'lost'; since: number; cause: 'connection' | 'silence' | 'agent' };

const MOST_WAIT_MS = 10_000;

/** A site's own event. Answers what was known of it before. */
function applySite(client: QueryClient, event: LiveEvent): SiteView | undefined {
  let before: SiteView | undefined;
  if (event.type === 'site') {
    const site = event.view;
    before =
      client.getQueryData(siteQuery(site.id).queryKey) ??
      client.getQueryData(dashboardQuery.queryKey)?.account?.sites.find((other) => other.id === site.id);
    client.setQueryData(siteQuery(site.id).queryKey, (old) => (old === undefined ? undefined : site));
    // The stream carries what `sites` would list: one's own, or for an operator everybody's.
    for (const key of [sitesQuery(site.account).queryKey, sitesQuery().queryKey]) {
      client.setQueryData(key, (old: SiteView[] | undefined) => upsert(old, site, (other) => other.id));
    }
  }
  if (event.type === 'site-removed') {
    client.setQueriesData({ queryKey: ['sites'] }, (old: SiteView[] | undefined) =>
      without(old, (site) => site.id === event.id),
    );
    // Whoever looks at it right now is told that it is gone.
    void client.resetQueries({ queryKey: siteQuery(event.id).queryKey });
  }
  return before;
}

function applyTask(client: QueryClient, event: LiveEvent, refetch: (key: readonly string[]) => void): void {
  if (event.type !== 'task' && event.type !== 'always-on') return;
  const { queryKey } = taskQuery(String(event.status.id));
  const list = client.getQueryData(tasksQuery().queryKey)?.tasks;
  const known = client.getQueryData(queryKey) ?? list?.find((task) => task.id === event.status.id);
  const own = client.getQueryData(dashboardQuery.queryKey)?.account?.name;
  for (const key of taskRefetches(list, known, own, event)) refetch(key);
  client.setQueryData(queryKey, (old) => old && taskAfter(old, event));
  client.setQueriesData({ queryKey: ['tasks'] }, (old: TaskList | undefined) =>
    old === undefined ? undefined : { ...old, tasks: old.tasks.map((task) => taskAfter(task, event)) },
  );
}

/** Writes one event into the query cache. */
export function applyEvent(client: QueryClient, event: LiveEvent, refetch: (key: readonly string[]) => void): void {
  const before = applySite(client, event);
  client.setQueryData(dashboardQuery.queryKey, (old) => reduceDashboard(old, event));
  if (event.type === 'volume') {
    const volume = event.view;
    client.setQueryData(volumesQuery.queryKey, (old) => upsert<VolumeView>(old, volume, (other) => other.name));
  }
  if (event.type === 'operation') {
    const operation = event.view;
    client.setQueryData(operationsQuery.queryKey, (old) => upsertOperation(old, operation));
  }
  if (event.type === 'account') {
    const account = event.view;
    client.setQueryData(accountsQuery.queryKey, (old) => upsert<AccountView>(old, account, (other) => other.name));
  }
  if (event.type === 'account-removed') {
    client.setQueryData(accountsQuery.queryKey, (old) => without(old, (account) => account.name === event.name));
  }
  if (event.type === 'incident') {
    const incident = event.view;
    client.setQueryData(incidentsQuery.queryKey, (old) => upsertIncident(old, incident));
    client.setQueryData(incidentQuery(String(incident.id)).queryKey, (old) => mergeIncident(old, incident));
  }
  if (event.type === 'drill') {
    const run = event.view;
    drillHistory.add(run, Date.now());
    client.setQueryData(drillQuery(run.id).queryKey, (old) =>
      old !== undefined && old.finishedAt !== null && run.finishedAt === null ? old : run,
    );
    client.setQueryData(drillsQuery.queryKey, (old) =>
      old === undefined ? undefined : { ...old, runs: upsertRun(old.runs, run) },
    );
  }
  if (event.type === 'storage' && event.service !== null) {
    const { service } = event;
    const own = client.getQueryData(dashboardQuery.queryKey)?.account?.name;
    const changed = (site: SiteView): SiteView => (site.account === own ? { ...site, storage: service } : site);
    client.setQueriesData({ queryKey: ['sites'] }, (old: SiteView[] | undefined) => old?.map(changed));
    client.setQueriesData({ queryKey: ['site'] }, (old: SiteView | undefined) => old && changed(old));
  }
  applyTask(client, event, refetch);
  if (event.type === 'health') {
    const { host } = event;
    if (host !== null) healthHistory.add(host);
    client.setQueryData(healthQuery.queryKey, { host });
  }
  for (const key of refetchAfter(event, before)) refetch(key);
}

/**
 * Keeps one event stream open and feeds the cache. After every break all queries on screen are fetched again, since events
 * may have been missed. A stream that is open and says nothing is none: it is given up and another one is tried. Returns the
 * function that ends it.
 */
export function connectLive(client: QueryClient, onState: (state: LiveState) => void): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;
  let broken = false;
  let ended = false;
  let lostAt: number | null = null;
  let agentSilentSince: string | null = null;
  let told = '';
  const watch = new StreamWatch(Date.now());

  const tell = (state: LiveState): void => {
    const text = JSON.stringify(state);
    if (text === told) return;
    told = text;
    onState(state);
  };
  const lost = (cause: 'connection' | 'silence'): void => {
    broken = true;
    lostAt ??= watch.heardAt;
    tell({ kind: 'lost', since: lostAt, cause });
  };
  const heard = (): void => {
    watch.heard(Date.now());
    lostAt = null;
    const silent = agentSilentSince === null ? Number.NaN : Date.parse(agentSilentSince);
    tell(Number.isNaN(silent) ? { kind: 'live' } : { kind: 'lost', since: silent, cause: 'agent' });
  };

  // Many events in one moment (a volume in trouble touches every site on it) become one fetch per key.
  const waiting = new Map<string, ReturnType<typeof setTimeout>>();
  const refetch = (key: readonly string[]): void => {
    const name = key.join('/');
    if (waiting.has(name)) return;
    const timer = setTimeout(() => {
      waiting.delete(name);
      void client.invalidateQueries({ queryKey: [...key] });
    }, 500);
    waiting.set(name, timer);
  };
  const all = (): void => void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'file' });

  const again = (): void => {
    source?.close();
    source = undefined;
    clearTimeout(retry);
    attempts += 1;
    retry = setTimeout(open, Math.min(MOST_WAIT_MS, 500 * 2 ** Math.min(attempts, 5)));
  };
  const open = (): void => {
    if (ended) return;
    openedAt = Date.now();
    source = new EventSource(streamAddress('events.follow', {}), { withCredentials: true });
    // An answer is not news yet: the heartbeat that every stream begins with is, and clears what was lost.
    source.addEventListener('open', () => {
      attempts = 0;
      if (broken) {
        broken = false;
        all();
      }
    });
    source.addEventListener('error', () => {
      lost('connection');
      // The browser retries a broken connection by itself, but gives up after an answer that is not a stream.
      if (source?.readyState === EventSource.CLOSED) again();
    });
    for (const type of EVENT_NAMES) {
      source.addEventListener(type, (message: MessageEvent<string>) => {
        const event = parseEvent(type, message.data);
        if (event?.type === 'heartbeat') {
          const back = agentSilentSince !== null && event.beat.agentSilentSince === null;
          ({ agentSilentSince } = event.beat);
          if (back) all();
        }
        heard();
        if (event !== undefined) applyEvent(client, event, refetch);
      });
    }
  };
  let openedAt = Date.now();
  const looking = setInterval(() => {
    const now = Date.now();
    if (!watch.look(now)) return;
    if (lostAt === null) lost('silence');
    // Also one that was never answered: what is behind it may hang.
    if (source !== undefined && now - openedAt >= STALE_MS) again();
  }, LOOK_MS);
  tell({ kind: 'connecting' });
  open();
  return () => {
    ended = true;
    source?.close();
    clearTimeout(retry);
    clearInterval(looking);
    for (const timer of waiting.values()) clearTimeout(timer);
  };
}
