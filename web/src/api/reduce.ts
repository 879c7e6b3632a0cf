import type { AccountView, Dashboard, SiteView, VolumeView } from '../../../src/protocol/browser.ts';
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
  | { type: 'site-removed'; id: string }
  | { type: 'account-removed'; name: string };

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

/** A dashboard holds its own account's sites and, for an operator, every volume and operation. */
export function reduceDashboard(dashboard: Dashboard | undefined, event: LiveEvent): Dashboard | undefined {
  if (dashboard === undefined) return undefined;
  const { account, platform } = dashboard;
  switch (event.type) {
    case 'site': {
      if (account === null || event.view.account !== account.name) return dashboard;
      return {
        ...dashboard,
        account: { ...account, sites: upsert(account.sites, event.view, (site) => site.id) ?? [] },
      };
    }
    case 'volume': {
      if (platform === null) return dashboard;
      return {
        ...dashboard,
        platform: { ...platform, volumes: upsert(platform.volumes, event.view, (volume) => volume.name) ?? [] },
      };
    }
    case 'operation': {
      if (platform === null) return dashboard;
      return {
        ...dashboard,
        platform: { ...platform, operations: upsertOperation(platform.operations, event.view) ?? [] },
      };
    }
    case 'site-removed': {
      if (account === null) return dashboard;
      const sites = without(account.sites, (site) => site.id === event.id) ?? [];
      return sites === account.sites ? dashboard : { ...dashboard, account: { ...account, sites } };
    }
    case 'account':
    case 'account-removed':
      return dashboard;
  }
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
    case 'account':
    case 'account-removed':
    case 'site-removed':
      return [['dashboard']];
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Reads one server-sent event. Something that cannot be read is undefined: the next fetch repairs what it would have told. */
export function parseEvent(type: string, data: string): LiveEvent | undefined {
  let view: unknown;
  try {
    view = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (!isRecord(view)) return undefined;
  if (view['removed'] === true) {
    if (type === 'site' && typeof view['id'] === 'string') return { type: 'site-removed', id: view['id'] };
    if (type === 'account' && typeof view['name'] === 'string') return { type: 'account-removed', name: view['name'] };
    return undefined;
  }
  // The control plane validates what it sends against src/protocol; here only the key is checked.
  if (type === 'site' && typeof view['id'] === 'string') return { type, view: view as unknown as SiteView };
  if (type === 'operation' && typeof view['id'] === 'string') return { type, view: view as unknown as Operation };
  if (type === 'volume' && typeof view['name'] === 'string') return { type, view: view as unknown as VolumeView };
  if (type === 'account' && typeof view['name'] === 'string') return { type, view: view as unknown as AccountView };
  return undefined;
}
