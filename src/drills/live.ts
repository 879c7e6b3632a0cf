import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillCheck, DrillResult, DrillRun, FaultName } from '../protocol/drills.ts';
import type { VolumeStatus } from '../protocol/volumes.ts';
import type { Platform } from './platform.ts';
import type { VolumeLive } from './witness/messages.ts';

const SEND_EVERY_MS = 500;
const SEND_DEADLINE_MS = 2_000;
const LINES = 500;
const POINTS = 900;
const POINT_EVERY_MS = 1_000;
const LINE_LENGTH = 500;

type Line = DrillRun['timeline'][number];
/** Where lines go as they come. */
export type Show = (line: Line | { step: string }) => void;

/** A drill as it is seen while it runs: kept whole, sent to the running platform, written down at the end. */
export class Live implements Disposable {
  readonly run: DrillRun;
  readonly #show: Show;
  #main: Platform | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending = false;
  #faultAt: number | undefined;
  readonly #curves = new Map<string, [number, number, number, number][]>();
  #pointAt = 0;
  #lines: { at: number; kind: Line['kind']; text: string }[] = [];

  constructor(first: Pick<DrillRun, 'id' | 'drill' | 'title' | 'where' | 'reaction'>, show: Show) {
    this.run = {
      ...first,
      state: 'preparing',
      step: 'Preparing',
      startedAt: new Date().toISOString(),
      faultAt: null,
      finishedAt: null,
      volumes: [],
      timeline: [],
      checks: [],
      result: null,
      error: null,
    };
    this.#show = show;
  }

  /** From now on the running platform is told twice a second. It may be down, or not know of drills: that never disturbs the drill. */
  sendTo(main: Platform): void {
    this.#main = main;
    this.#timer = setInterval(() => void this.#send(), SEND_EVERY_MS);
  }

  async #send(): Promise<void> {
    if (this.#main === undefined || this.#sending) return;
    this.#sending = true;
    try {
      await this.#main.operator(
        'drills.report',
        { params: { id: this.run.id }, body: this.run },
        { deadlineMs: SEND_DEADLINE_MS },
      );
    } catch {
      return; // The page shows the last that came through; the drill and its record are whole without it.
    } finally {
      this.#sending = false;
    }
  }

  step(text: string, state: DrillRun['state'] = this.run.state): void {
    this.run.state = state;
    this.run.step = text;
    this.#show({ step: text });
  }

  /** The moment from which everything is counted; a drill may set it anew (a burst before the real thing). */
  fault(at: number): void {
    this.#faultAt = at;
    this.run.faultAt = new Date(at).toISOString();
    this.run.timeline = this.#timed();
  }

  say(kind: Line['kind'], text: string, at = Date.now()): void {
    const line = { at, kind, text: text.slice(0, LINE_LENGTH) };
    this.#lines = [...this.#lines, line].sort((a, b) => a.at - b.at).slice(-LINES);
    this.run.timeline = this.#timed();
    this.#show({ atMs: this.#relative(at), kind, text: line.text });
  }

  #relative(at: number): number {
    // Before the fault there is nothing to count from but the start of the run.
    return Math.round(at - (this.#faultAt ?? Date.parse(this.run.startedAt)));
  }

  #timed(): Line[] {
    return this.#lines.map(({ at, kind, text }) => ({ atMs: this.#relative(at), kind, text }));
  }

  see(
    volumes: readonly VolumeStatus[],
    load: readonly VolumeLive[],
    accounts: ReadonlyMap<string, number>,
    faultOf: (volume: string, replica: string) => FaultName | null,
    progressOf: (volume: string) => number | null,
  ): void {
    this.run.volumes = volumes
      .filter((volume) => accounts.has(volume.name))
      .map((volume) => {
        const figures = load.find((entry) => entry.name === volume.name);
        return {
          name: volume.name,
          state: volume.state,
          redundancy: volume.redundancy,
          progress: progressOf(volume.name),
          replicas: volume.replicas.map(({ id, disk, state }) => ({
            id,
            disk,
            state,
            fault: faultOf(volume.name, id),
          })),
          accounts: accounts.get(volume.name) ?? 0,
          waiting: figures?.waiting ?? 0,
          oldestWaitMs: Math.round(figures?.oldestWaitMs ?? 0),
          requestsPerSecond: figures?.requestsPerSecond ?? 0,
          failed: figures?.failed ?? 0,
          p99Ms: Math.round((figures?.p99Ms ?? 0) * 10) / 10,
        };
      });
  }

  /** One point a second of each volume, for the charts of a drill that is over. */
  draw(load: readonly VolumeLive[], now: number): void {
    if (now - this.#pointAt < POINT_EVERY_MS) return;
    this.#pointAt = now;
    for (const { name, requestsPerSecond, p99Ms, waiting } of load) {
      const points = this.#curves.get(name) ?? [];
      if (points.length < POINTS) points.push([now, requestsPerSecond, Math.round(p99Ms * 10) / 10, waiting]);
      this.#curves.set(name, points);
    }
  }

  score(checks: readonly DrillCheck[], result: DrillResult): void {
    this.run.checks = [...checks];
    this.run.result = result;
  }

  /** The end: said to the platform for the last time, and written down. */
  async finish(
    state: 'passed' | 'failed' | 'aborted',
    error: string | null,
    directory: string | undefined,
  ): Promise<void> {
    this.run.state = state;
    this.run.step = { passed: 'Everything held', failed: 'Not everything held', aborted: 'Stopped before the end' }[
      state
    ];
    this.run.error = error;
    this.run.finishedAt = new Date().toISOString();
    this.run.series = [...this.#curves].map(([volume, points]) => ({
      volume,
      points: points.map(([at, ...figures]): [number, number, number, number] => [this.#relative(at), ...figures]),
    }));
    clearInterval(this.#timer);
    if (directory !== undefined)
      writeFileSync(join(directory, 'run.json'), `${JSON.stringify(this.run, undefined, 2)}\n`, { mode: 0o600 });
    this.#sending = false;
    await this.#send();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#main?.[Symbol.dispose]();
  }
}
