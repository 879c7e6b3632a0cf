import { queryOptions } from '@tanstack/react-query';
import type { ApiAnswer, ApiInput } from '../../../src/protocol/api.ts';
import { ApiError, call } from './client.ts';

/** Every query of the pages: its key, its address. Live events write into the same keys (see live.ts). */
export type LogKind = ApiInput<'sites.log'>['params']['kind'];

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  // It is the first thing a page needs, and quick where there is anybody at all.
  queryFn: ({ signal }) => call('session.get', {}, { signal, keepSession: true, deadline: 8_000 }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const dashboardQuery = queryOptions({
  queryKey: ['dashboard'],
  queryFn: ({ signal }) => call('dashboard.get', {}, { signal }),
});

/** The sites of one account; without a name, one's own. */
export function sitesQuery(account?: string) {
  return queryOptions({
    queryKey: account === undefined ? ['sites'] : ['sites', account],
    queryFn: ({ signal }) => call('sites.list', { query: { account } }, { signal }),
  });
}

/** What is no id names no site, and need not be asked for. */
const SITE_ID = /^[0-9a-f]{12}$/;

export function siteQuery(id: string) {
  return queryOptions({
    queryKey: ['site', id],
    queryFn: async ({ signal }) => {
      if (!SITE_ID.test(id)) throw new ApiError(404, 'not-found', 'This site does not exist (any more).');
      return await call('sites.get', { params: { id } }, { signal });
    },
  });
}

/** `readAt`: when the processor time was told, which no event brings. */
export type TaskList = ApiAnswer<'tasks.list'> & { readAt: number };

/** The tasks of one account; without a name, one's own. */
export function tasksQuery(account?: string) {
  return queryOptions({
    queryKey: account === undefined ? ['tasks'] : ['tasks', account],
    queryFn: async ({ signal }): Promise<TaskList> => ({
      ...(await call('tasks.list', { query: { account } }, { signal })),
      readAt: Date.now(),
    }),
  });
}

/** What is no number names no task, and need not be asked for. */
const TASK_ID = /^[1-9]\d{0,14}$/;

export function taskQuery(id: string) {
  return queryOptions({
    queryKey: ['task', id],
    queryFn: async ({ signal }) => {
      if (!TASK_ID.test(id)) throw new ApiError(404, 'not-found', 'This task does not exist (any more).');
      return await call('tasks.get', { params: { id } }, { signal });
    },
  });
}

/** What one run wrote. Of a run that goes on: up to `readAt`. */
export function taskOutputQuery(id: number, number: number) {
  return queryOptions({
    queryKey: ['task-output', String(id), String(number)],
    queryFn: async ({ signal }) => ({
      ...(await call('tasks.output', { params: { id, number } }, { signal })),
      readAt: Date.now(),
    }),
  });
}

export function logQuery(id: string, kind: LogKind, lines: number) {
  return queryOptions({
    queryKey: ['log', id, kind, lines],
    queryFn: ({ signal }) => call('sites.log', { params: { id, kind }, query: { lines } }, { signal }),
  });
}

export function directoryQuery(path: string) {
  return queryOptions({
    queryKey: ['directory', path],
    queryFn: ({ signal }) => call('files.list', { query: { path } }, { signal }),
  });
}

export const accountsQuery = queryOptions({
  queryKey: ['accounts'],
  queryFn: ({ signal }) => call('accounts.list', {}, { signal }),
});

export const volumesQuery = queryOptions({
  queryKey: ['volumes'],
  queryFn: ({ signal }) => call('volumes.list', {}, { signal }),
});

export const operationsQuery = queryOptions({
  queryKey: ['operations'],
  queryFn: ({ signal }) => call('operations.list', {}, { signal }),
});

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => call('settings.get', {}, { signal }),
});

export const plansQuery = queryOptions({
  queryKey: ['plans'],
  queryFn: ({ signal }) => call('plans.list', {}, { signal }),
});

export function auditQuery(limit: number) {
  return queryOptions({
    queryKey: ['audit', limit],
    queryFn: ({ signal }) => call('audit.list', { query: { limit } }, { signal }),
  });
}

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => call('health.get', {}, { signal }),
});

export const incidentsQuery = queryOptions({
  queryKey: ['incidents'],
  queryFn: ({ signal }) => call('incidents.list', {}, { signal }),
});

export function incidentQuery(id: string) {
  return queryOptions({
    queryKey: ['incident', id],
    queryFn: ({ signal }) => call('incidents.get', { params: { id } }, { signal }),
  });
}

export const notificationsQuery = queryOptions({
  queryKey: ['notifications'],
  queryFn: ({ signal }) => call('notifications.get', {}, { signal }),
});

/** What `recover` would do now. Never kept: a plan is true at the moment it is made. */
export function recoveryQuery(volume: string) {
  return queryOptions({
    queryKey: ['recovery', volume],
    queryFn: ({ signal }) => call('volumes.planRecovery', { params: { name: volume } }, { signal }),
    staleTime: 0,
    gcTime: 0,
  });
}

export const drillsQuery = queryOptions({
  queryKey: ['drills'],
  queryFn: ({ signal }) => call('drills.list', {}, { signal }),
});

export function drillQuery(id: string) {
  return queryOptions({
    queryKey: ['drill', id],
    queryFn: ({ signal }) => call('drills.get', { params: { id } }, { signal }),
  });
}
