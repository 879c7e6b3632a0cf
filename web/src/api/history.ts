import { useSyncExternalStore } from 'react';
import type { DrillRun } from '../../../src/protocol/drills.ts';
import type { HostHealth } from '../../../src/protocol/health.ts';

/** What the live events said over the last minutes, for the small charts. It is the page's own memory and starts empty. */
export interface DiskSample {
  /** Milliseconds since 1970, by the host's clock. */
  at: number;
  inFlight: number;
  latencyMs: number | null;
  bytesPerSecond: number;
}
export type HealthHistory = Readonly<Record<string, readonly DiskSample[]>>;

/** How long a sample is kept. */
export const HEALTH_WINDOW_MS = 3 * 60_000;

/** Adds one view of the host. Late and repeated views change nothing; a disk that is gone is forgotten with its last sample. */
export function addHealth(history: HealthHistory, host: HostHealth): HealthHistory {
  const at = Date.parse(host.at);
  if (Number.isNaN(at)) return history;
  const next: Record<string, readonly DiskSample[]> = {};
  for (const [disk, samples] of Object.entries(history)) {
    const kept = samples.filter((sample) => sample.at > at - HEALTH_WINDOW_MS);
    if (kept.length > 0) next[disk] = kept;
  }
  for (const { disk, inFlight, latencyMs, readBytesPerSecond, writtenBytesPerSecond } of host.disks) {
    const samples = next[disk] ?? [];
    const last = samples.at(-1);
    if (last !== undefined && last.at >= at) continue;
    next[disk] = [...samples, { at, inFlight, latencyMs, bytesPerSecond: readBytesPerSecond + writtenBytesPerSecond }];
  }
  return next;
}

/** One point of a volume's curve in a drill: when (ms since 1970), requests a second, p99 in ms, waiting. */
export type DrillPoint = readonly [at: number, requestsPerSecond: number, p99Ms: number, waiting: number];
export type DrillCurves = Readonly<Record<string, readonly DrillPoint[]>>;

/** Twenty minutes at two a second; the longest drill takes four. */
const DRILL_POINTS = 2400;

export function addDrill(curves: DrillCurves, run: DrillRun, now: number): DrillCurves {
  // Before the load runs and after it has ended there is nothing to draw, only zeroes that would look like an outage.
  if (run.state !== 'running') return curves;
  const next: Record<string, readonly DrillPoint[]> = { ...curves };
  for (const { name, requestsPerSecond, p99Ms, waiting } of run.volumes) {
    next[name] = [...(next[name] ?? []), [now, requestsPerSecond, p99Ms, waiting] as const].slice(-DRILL_POINTS);
  }
  return next;
}

/** The curves of a run, by milliseconds after the fault (after the start, while there was none): the runner's when it sent them. */
export function curvesOf(run: DrillRun, seen: DrillCurves | undefined): DrillCurves {
  if (run.series !== undefined && run.series.length > 0)
    return Object.fromEntries(run.series.map(({ volume, points }) => [volume, points]));
  const zero = Date.parse(run.faultAt ?? run.startedAt);
  return Object.fromEntries(
    Object.entries(seen ?? {}).map(([volume, points]) => [
      volume,
      points.map(([at, ...figures]) => [at - zero, ...figures] as const),
    ]),
  );
}

class Store<T> {
  value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.value = value;
  }

  set(value: T): void {
    this.value = value;
    for (const listener of this.#listeners) listener();
  }

  readonly listen = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly read = (): T => this.value;
}

const healthStore = new Store<HealthHistory>({});
const drillStore = new Store<Readonly<Record<string, DrillCurves>>>({});

export const healthHistory = { add: (host: HostHealth): void => healthStore.set(addHealth(healthStore.value, host)) };
export const drillHistory = {
  add: (run: DrillRun, now: number): void =>
    drillStore.set({ ...drillStore.value, [run.id]: addDrill(drillStore.value[run.id] ?? {}, run, now) }),
};

export function useHealthHistory(): HealthHistory {
  return useSyncExternalStore(healthStore.listen, healthStore.read);
}

export function useDrillHistory(id: string): DrillCurves | undefined {
  return useSyncExternalStore(drillStore.listen, drillStore.read)[id];
}
