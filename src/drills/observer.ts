import { setTimeout as pause } from 'node:timers/promises';
import type { Trouble } from '../protocol/health.ts';
import type { Operation, VolumeStatus } from '../protocol/volumes.ts';
import type { Platform } from './platform.ts';

const LOOK_EVERY_MS = 250;

/** Which replicas a volume had at one moment, and how complete they were. */
export interface VolumeMoment {
  at: number;
  status: VolumeStatus;
}

/** A copy onto a new disk, as it was seen: times are right within one look. */
export interface Copy {
  volume: string;
  from: number;
  to: number;
  bytes: number;
  disk: string;
  /** What the platform held it to, bytes a second on average; undefined: it did not hold it back. */
  limit: number | undefined;
}

/**
 * What the platform says of itself while it is hurt: asked of the agent's own methods, because the control plane may be down. What is not
 * answered is not an error here; it is asked again.
 */
export class Observer implements AsyncDisposable {
  readonly #platform: Platform;
  readonly #say: (text: string, at: number) => void;
  readonly #stop = new AbortController();
  readonly #told = new Map<string, number>();
  readonly #shown = new Map<string, string>();
  readonly #known = new Set<string>();
  #running: Promise<void> | undefined;
  volumes: VolumeStatus[] = [];
  operations: Operation[] = [];
  /** Those that were opened after `watchFrom`. */
  troubles: Trouble[] = [];
  /** Changes of each volume's state, oldest first. */
  readonly history = new Map<string, VolumeMoment[]>();
  /** Copies onto new disks that ended, oldest first. */
  readonly copies: Copy[] = [];
  readonly #copying = new Map<string, { from: number; disk: string }>();
  #silentSince: number | undefined;
  /** By how much the platform's time of day is off now. */
  #offset = 0;

  constructor(platform: Platform, say: (text: string, at: number) => void) {
    this.#platform = platform;
    this.#say = say;
  }

  /** From now on what the platform writes down is told as if its clock were right. */
  clockIsOffBy(milliseconds: number): void {
    this.#offset = milliseconds;
  }

  /** When it really was that the platform wrote down a time: with the clock as it was before, or as it is now. */
  realTime(written: string): number {
    const at = Date.parse(written);
    const now = Date.now();
    return Math.abs(at - (now + this.#offset)) < Math.abs(at - now) ? at - this.#offset : at;
  }

  #atRealTimes<T extends object>(record: T): T {
    if (this.#offset === 0) return record;
    const moved = (_key: string, value: unknown): unknown =>
      typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)
        ? new Date(this.realTime(value)).toISOString()
        : value;
    return JSON.parse(JSON.stringify(record), moved) as T;
  }

  async start(): Promise<void> {
    for (const trouble of await this.#platform.agent.call('troubles.list', {}).catch(() => []))
      this.#known.add(trouble.id);
    this.#running = this.#go();
  }

  async #go(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.look();
      await pause(LOOK_EVERY_MS);
    }
  }

  async look(): Promise<void> {
    const { agent } = this.#platform;
    try {
      this.volumes = await agent.call('volumes.list', {});
      this.#silentSince = undefined;
      for (const status of this.volumes) this.#seeVolume(status);
      this.operations = (await agent.call('operations.list', {})).map((one) => this.#atRealTimes(one));
      for (const operation of this.operations) this.#seeOperation(operation);
      const troubles = await agent.call('troubles.list', {});
      this.troubles = troubles
        .filter((trouble) => !this.#known.has(trouble.id))
        .map((trouble) => this.#atRealTimes(trouble));
      for (const trouble of this.troubles) this.#seeTrouble(trouble);
    } catch (error) {
      if (this.#silentSince === undefined) {
        this.#silentSince = Date.now();
        this.#say(`the agent does not answer: ${error instanceof Error ? error.message : String(error)}`, Date.now());
      }
    }
  }

  #seeVolume(status: VolumeStatus): void {
    const shown = [
      `${status.name}: ${status.state}, redundancy ${status.redundancy}`,
      `(${status.replicas.map((replica) => `${replica.id} ${replica.state}`).join(', ')})`,
    ].join(' ');
    if (this.#shown.get(status.name) === shown) return;
    const first = !this.#shown.has(status.name);
    this.#shown.set(status.name, shown);
    const at = Date.now();
    this.history.set(status.name, [...(this.history.get(status.name) ?? []), { at, status }]);
    if (!first) this.#say(shown, at);
  }

  #seeOperation({ id, subject, steps, pace }: Operation): void {
    const copy = steps.find((step) => step.name === 'Copy');
    const target = this.status(subject)?.replicas.find((replica) => replica.state === 'rebuilding');
    const begun = this.#copying.get(id);
    if (copy?.state === 'running' && begun === undefined && target !== undefined)
      this.#copying.set(id, { from: Date.now(), disk: target.disk });
    if (copy?.state !== 'done' || begun === undefined) return;
    this.#copying.delete(id);
    const bytes = pace?.copiedBytes ?? 0;
    const limit =
      pace === undefined || pace.allowedBytes === null || pace.milliseconds === 0
        ? undefined
        : (pace.allowedBytes * 1000) / pace.milliseconds;
    this.copies.push({ volume: subject, from: begun.from, to: Date.now(), bytes, disk: begun.disk, limit });
  }

  #seeTrouble(trouble: Trouble): void {
    const told = this.#told.get(trouble.id) ?? 0;
    for (const entry of trouble.timeline.slice(told)) this.#say(`${entry.kind}: ${entry.text}`, Date.parse(entry.at));
    this.#told.set(trouble.id, trouble.timeline.length);
  }

  status(volume: string): VolumeStatus | undefined {
    return this.volumes.find((status) => status.name === volume);
  }

  /** The first trouble with this volume after a moment. */
  troubleOf(volume: string, from: number): Trouble | undefined {
    return this.troubles
      .filter((trouble) => trouble.diagnosis.culprit.volume === volume && Date.parse(trouble.namedAt) >= from - 1_000)
      .sort((a, b) => a.namedAt.localeCompare(b.namedAt))[0];
  }

  /**
   * When the mirror was whole again after a moment: full now, and either seen otherwise since, or without the replica that was
   * hurt. undefined: it is not, or was whole all the time.
   */
  restoredAt(volume: string, from: number, hurt: readonly string[]): number | undefined {
    const history = this.history.get(volume) ?? [];
    const since = history.filter((moment) => moment.at >= from);
    const last = since.at(-1);
    if (last === undefined || last.status.redundancy !== 'full' || last.status.state !== 'open') return undefined;
    const left = since.some(({ status }) => status.redundancy !== 'full' || status.state !== 'open');
    const replaced = hurt.some((id) => last.status.replicas.every((replica) => replica.id !== id));
    return left || replaced ? last.at : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
