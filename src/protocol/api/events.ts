import type { AccountView, Heartbeat, SiteView, StorageService, VolumeView } from '../browser.ts';
import type { DrillRun } from '../drills.ts';
import type { HostHealth } from '../health.ts';
import type { Incident, IncidentSummary } from '../incidents.ts';
import type { AlwaysOnStatus, TaskStatus } from '../tasks.ts';
import type { Operation } from '../volumes.ts';

/** What `events.follow` tells: each event with its whole view. What is gone is told by its key and `removed`. */
export interface ApiEvents {
  site: SiteView | { id: string; removed: true };
  volume: VolumeView;
  operation: Operation;
  account: AccountView | { name: string; removed: true };
  incident: Incident | IncidentSummary;
  drill: DrillRun;
  /** What runs, waits and comes next of a scheduled task; of an always-on task. */
  task: TaskStatus;
  'always-on': AlwaysOnStatus;
  /** null: the host cannot be seen just now. */
  health: { host: HostHealth | null };
  /** What the volume of the account does for it now; its dashboard and sites have changed with it. null, to an operator: another volume's. */
  storage: { service: StorageService | null };
  /** Every two seconds: without one for six, what a page shows is not up to date. */
  heartbeat: Heartbeat;
}
export type EventName = keyof ApiEvents;

export const EVENT_NAMES = [
  'site',
  'volume',
  'operation',
  'account',
  'incident',
  'drill',
  'task',
  'always-on',
  'health',
  'storage',
  'heartbeat',
] as const satisfies readonly EventName[];

/** An event with its data. */
export type ApiEvent = { [E in EventName]: { event: E; data: ApiEvents[E] } }[EventName];

/** An event as it goes through the stream. */
export function eventText({ event, data }: ApiEvent): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
