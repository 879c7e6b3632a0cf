import { notLookedAt } from '../../model/volumes.ts';
import type { AgentEventBody, AgentOutput } from '../../protocol/agent.ts';
import type { DrillRun } from '../../protocol/drills.ts';
import type { IncidentSummary } from '../../protocol/incidents.ts';
import type { Trouble } from '../../protocol/health.ts';
import type { SiteStatus } from '../../protocol/sites.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';

export type Python = AgentOutput<'host.status'>['pythons'][number];

/** What listeners are told; what the agent does not say (accounts, removals, incidents, drills) comes from the control plane itself. */
export type WorldChange =
  | AgentEventBody
  | { type: 'account'; name: string }
  | { type: 'site-changed'; id: string; account: string }
  | { type: 'site-removed'; id: string; account: string }
  | { type: 'incident'; incident: IncidentSummary }
  | { type: 'drill'; run: DrillRun }
  /** The agent has fallen silent, or is back and has taken up what runs. */
  | { type: 'agent' };

/** Finished operations kept for the pages. */
const OPERATIONS_KEPT = 100;

/**
 * What the agent last said, in memory: questions of the pages never wait for a volume. Not kept over a restart; the agent
 * is asked again.
 */
export class World {
  readonly statuses = new Map<string, SiteStatus>();
  readonly volumes = new Map<string, VolumeStatus>();
  readonly operations = new Map<string, Operation>();
  /** The open ones. */
  readonly troubles = new Map<string, Trouble>();
  host: AgentOutput<'host.status'> | undefined;
  /** The whole desired state has been taken over by the agent since it last connected. */
  synchronised = false;
  /** Volumes that are being closed on purpose just now. */
  readonly closing = new Set<string>();
  /**
   * Since when the agent has not been heard, ISO 8601: all of this is as it was then. Null: it is in touch. A new agent that has not taken up what runs
   * yet has nothing to say of it, and counts as silent.
   */
  agentSilentSince: string | null = null;
  readonly #listeners = new Set<(change: WorldChange) => void>();

  get pythons(): readonly Python[] {
    return this.host?.pythons ?? [];
  }

  /** Replaces everything by a fresh look. */
  replace(look: {
    host: AgentOutput<'host.status'>;
    volumes: readonly VolumeStatus[];
    operations: readonly Operation[];
    statuses: readonly SiteStatus[];
  }): void {
    this.host = look.host;
    replaceMap(this.statuses, look.statuses, (status) => status.id);
    const volumes = look.volumes.map((volume) => this.#nearerTruth(volume));
    replaceMap(this.volumes, volumes, (volume) => volume.name);
    replaceMap(this.operations, look.operations, (operation) => operation.id);
  }

  /** All troubles there are; the listeners hear of them from whoever makes incidents of them. */
  replaceTroubles(troubles: readonly Trouble[]): void {
    const open = troubles.filter((trouble) => trouble.state === 'open');
    replaceMap(this.troubles, open, (trouble) => trouble.id);
  }

  /**
   * What a volume does for its members now, as far as is known here: what needs it can be refused at once instead of being left to wait.
   * A volume that nobody has spoken of yet is given the benefit of the doubt.
   */
  serviceOf(volume: string): Trouble['service'] {
    const state = this.volumes.get(volume)?.state ?? 'open';
    const services = [...this.troubles.values()]
      .filter((trouble) => trouble.volume === volume)
      .map((trouble) => trouble.service);
    if (state !== 'open' || services.includes('stopped')) return 'stopped';
    return services.includes('waiting') ? 'waiting' : 'serving';
  }

  apply(change: WorldChange): void {
    if (change.type === 'site') this.statuses.set(change.site.id, change.site);
    if (change.type === 'site-removed') this.statuses.delete(change.id);
    if (change.type === 'volume') this.volumes.set(change.volume.name, this.#nearerTruth(change.volume));
    if (change.type === 'operation') {
      const { kind, state, subject } = change.operation;
      this.#keep(change.operation);
      // No event says that a volume is gone: it is what its deletion comes to.
      if (kind === 'volume-delete' && state === 'done') this.volumes.delete(subject);
    }
    if (change.type === 'trouble') {
      if (change.trouble.state === 'open') this.troubles.set(change.trouble.id, change.trouble);
      else this.troubles.delete(change.trouble.id);
    }
    for (const listener of this.#listeners) listener(change);
  }

  /** @param since null: it is in touch again */
  agentIsSilent(since: string | null): void {
    if (this.agentSilentSince === since) return;
    this.agentSilentSince = since;
    for (const listener of this.#listeners) listener({ type: 'agent' });
  }

  /** Listeners must not wait and must not throw. Returns how to stop listening. */
  listen(listener: (change: WorldChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A new agent that has not come to a volume yet knows less of it than what was known before. */
  #nearerTruth(volume: VolumeStatus): VolumeStatus {
    const known = this.volumes.get(volume.name);
    return known !== undefined && known.state !== 'closed' && notLookedAt(volume) ? known : volume;
  }

  #keep(operation: Operation): void {
    this.operations.delete(operation.id);
    this.operations.set(operation.id, operation);
    if (this.operations.size <= OPERATIONS_KEPT) return;
    for (const known of this.operations.values()) {
      if (known.state === 'running') continue;
      this.operations.delete(known.id);
      return;
    }
  }
}

function replaceMap<T>(map: Map<string, T>, values: readonly T[], key: (value: T) => string): void {
  map.clear();
  for (const value of values) map.set(key(value), value);
}
