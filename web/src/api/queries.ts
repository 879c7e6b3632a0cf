import { queryOptions } from '@tanstack/react-query';
import type {
  AccountView,
  AuditEntry,
  Dashboard,
  Directory,
  Plan,
  Session,
  Settings,
  SiteView,
  VolumeView,
} from '../../../src/protocol/browser.ts';
import type { Drill, DrillRun, DrillRunSummary } from '../../../src/protocol/drills.ts';
import type { HostHealth, RepairPlan } from '../../../src/protocol/health.ts';
import type { Incident, IncidentSummary, NotificationSettings } from '../../../src/protocol/incidents.ts';
import type { Operation } from '../../../src/protocol/volumes.ts';
import { ApiError, call } from './client.ts';

/** Every query of the pages: its key, its address. Live events write into the same keys (see live.ts). */
export type LogKind = 'access' | 'error' | 'server';
export interface LogTail {
  lines: string[];
  sizeBytes: number;
}

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  // It is the first thing a page needs, and quick where there is anybody at all.
  queryFn: ({ signal }) => call<Session>('session', { signal, keepSession: true, deadline: 8_000 }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const dashboardQuery = queryOptions({
  queryKey: ['dashboard'],
  queryFn: ({ signal }) => call<Dashboard>('dashboard', { signal }),
});

/** The sites of one account; without a name, one's own. */
export function sitesQuery(account?: string) {
  return queryOptions({
    queryKey: account === undefined ? ['sites'] : ['sites', account],
    queryFn: ({ signal }) => call<SiteView[]>('sites', { signal, query: { account } }),
  });
}

/** What is no id names no site, and need not be asked for. */
const SITE_ID = /^[0-9a-f]{12}$/;

export function siteQuery(id: string) {
  return queryOptions({
    queryKey: ['site', id],
    queryFn: async ({ signal }) => {
      if (!SITE_ID.test(id)) throw new ApiError(404, 'not-found', 'This site does not exist (any more).');
      return await call<SiteView>(`sites/${id}`, { signal });
    },
  });
}

export function logQuery(id: string, kind: LogKind, lines: number) {
  return queryOptions({
    queryKey: ['log', id, kind, lines],
    queryFn: ({ signal }) =>
      call<LogTail>(`sites/${encodeURIComponent(id)}/logs/${kind}`, { signal, query: { lines } }),
  });
}

export function directoryQuery(path: string) {
  return queryOptions({
    queryKey: ['directory', path],
    queryFn: ({ signal }) => call<Directory>('files', { signal, query: { path } }),
  });
}

export const accountsQuery = queryOptions({
  queryKey: ['accounts'],
  queryFn: ({ signal }) => call<AccountView[]>('accounts', { signal }),
});

export const volumesQuery = queryOptions({
  queryKey: ['volumes'],
  queryFn: ({ signal }) => call<VolumeView[]>('volumes', { signal }),
});

export const operationsQuery = queryOptions({
  queryKey: ['operations'],
  queryFn: ({ signal }) => call<Operation[]>('operations', { signal }),
});

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => call<Settings>('settings', { signal }),
});

export const plansQuery = queryOptions({
  queryKey: ['plans'],
  queryFn: ({ signal }) => call<Plan[]>('plans', { signal }),
});

export function auditQuery(limit: number) {
  return queryOptions({
    queryKey: ['audit', limit],
    queryFn: ({ signal }) => call<AuditEntry[]>('audit', { signal, query: { limit } }),
  });
}

export interface HealthAnswer {
  /** null: the host cannot be seen just now. */
  host: HostHealth | null;
}

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => call<HealthAnswer>('health', { signal }),
});

export const incidentsQuery = queryOptions({
  queryKey: ['incidents'],
  queryFn: ({ signal }) => call<IncidentSummary[]>('incidents', { signal }),
});

export function incidentQuery(id: string) {
  return queryOptions({
    queryKey: ['incident', id],
    queryFn: ({ signal }) => call<Incident>(`incidents/${encodeURIComponent(id)}`, { signal }),
  });
}

export const notificationsQuery = queryOptions({
  queryKey: ['notifications'],
  queryFn: ({ signal }) => call<NotificationSettings>('notifications', { signal }),
});

/** What `recover` would do now. Never kept: a plan is true at the moment it is made. */
export function recoveryQuery(volume: string) {
  return queryOptions({
    queryKey: ['recovery', volume],
    queryFn: ({ signal }) => call<RepairPlan>(`volumes/${encodeURIComponent(volume)}/recovery`, { signal }),
    staleTime: 0,
    gcTime: 0,
  });
}

export interface DrillsAnswer {
  drills: Drill[];
  runs: DrillRunSummary[];
}

export const drillsQuery = queryOptions({
  queryKey: ['drills'],
  queryFn: ({ signal }) => call<DrillsAnswer>('drills', { signal }),
});

export function drillQuery(id: string) {
  return queryOptions({
    queryKey: ['drill', id],
    queryFn: ({ signal }) => call<DrillRun>(`drills/${encodeURIComponent(id)}`, { signal }),
  });
}
