import { basename, join } from 'node:path';
import {
  advanceVolume,
  isServed,
  lasting,
  newVolumeLife,
  shownVolumeState,
  type VolumeEvent,
  type VolumeLife,
} from '../../../model/volume-life.ts';
import { redundancyOf, REPLICAS_WANTED } from '../../../model/volumes.ts';
import type { Replica, VolumeStatus } from '../../../protocol/volumes.ts';
import { monotonicMs } from '../../../runtime/monotonic.ts';
import type { DeviceErrors } from '../../btrfs/btrfs-output.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { QuotaWatch } from '../../btrfs/quotas.ts';
import { RoomWatch } from '../../btrfs/room.ts';
import type { AgentContext, WatchedDisk } from '../../context.ts';
import type { AttachedDisk } from '../../disks/attach.ts';
import type { CopyPace } from '../../disks/copy-pace.ts';
import { Commit, DiskReads, Probe } from '../../disks/probe.ts';
import { valvePaths, type ValvePaths } from '../../disks/valve.ts';
import { Lane } from '../../kernel/lane.ts';
import { AccountHomes } from '../accounts.ts';
import { directoriesOf, type VolumeDirectories } from '../directories.ts';
import type { Copying } from './copying.ts';
import { RecordFile, type ReplicaRecord, type VolumeRecord } from './record.ts';

export function damagedSentence(volume: string, blocks: number): string {
  const [what, them] = blocks === 1 ? ['1 block of', 'it'] : [`${blocks} blocks of`, 'them'];
  return `${what} the volume ${volume} ${blocks === 1 ? 'is' : 'are'} damaged on every replica. Restore ${them} from a backup, then scrub the volume.`;
}

/**
 * What is known of one volume: the record on disk, its life, what the kernel has attached now, and the last figures. The work itself
 * (opening, asking, watching, cutting, rebuilding) is in functions beside it that all share this.
 */
export class VolumeState {
  readonly context: AgentContext;
  readonly directories: VolumeDirectories;
  readonly lane: Lane;
  readonly accounts: AccountHomes;
  readonly quotas: QuotaWatch;
  readonly probe: Probe;
  readonly reads = new DiskReads();
  readonly room: RoomWatch;
  readonly attached = new Map<string, AttachedDisk>();
  readonly errors = new Map<string, DeviceErrors>();
  readonly record: VolumeRecord;
  readonly file: RecordFile;
  /** What holds copies and checks of this volume back just now. */
  readonly paces = new Set<CopyPace>();
  /** The copy onto a new disk that this agent follows. */
  copying: Copying | undefined;
  usedBytes = 0;
  /** Undefined until it was read. */
  freeBytes: number | undefined;
  readAt = new Date(0);
  readonly #listeners: Array<() => void> = [];
  #life = newVolumeLife();
  #shown = '';

  constructor(context: AgentContext, record: VolumeRecord) {
    this.context = context;
    this.record = record;
    this.directories = directoriesOf(context, record.name);
    this.file = new RecordFile(this.directories.records, record, () => this.changed());
    this.lane = new Lane(record.name, (broken) => {
      context.log.warn({ volume: record.name, broken }, broken ? 'volume does not answer' : 'volume answers again');
      this.changed();
    });
    this.probe = new Probe(join(this.directories.mount, '.probe'));
    const commit = new Commit(this.directories.mount);
    this.room = new RoomWatch({
      space: async () => await filesystem.spaceOf(this.record.uuid),
      commit: async () => await commit.ends(),
      diskBytes: () => this.diskBytes(),
    });
    const list = join(context.layout.agent, 'accounts', `${record.name}.json`);
    this.accounts = new AccountHomes(record.name, record.uuid, this.directories.mount, list, this.lane);
    this.quotas = new QuotaWatch({
      name: record.name,
      uuid: record.uuid,
      mount: this.directories.mount,
      log: context.log,
      accounts: () => this.accounts.settled(),
      changed: () => this.changed(),
    });
  }

  get name(): string {
    return this.record.name;
  }

  /** What became of it since this agent knows it (src/model/volume-life.ts). */
  get life(): VolumeLife {
    return this.#life;
  }

  /** Answers whether that can be in the state it is in; if not, nothing has changed. */
  happened(event: VolumeEvent): boolean {
    const next = advanceVolume(this.#life, event);
    if (next === undefined) return false;
    this.#life = next;
    this.changed();
    return true;
  }

  /** Of its file system. */
  get uuid(): string {
    return this.record.uuid;
  }

  /** Devices of its disks, as the kernel has them now: /dev/loop3. */
  deviceNames(): string[] {
    return [...this.attached.values()].map(({ device }) => device);
  }

  get log(): AgentContext['log'] {
    return this.context.log;
  }

  pathsOf(replica: ReplicaRecord): ValvePaths {
    return valvePaths(
      this.directories.valves,
      this.context.configuration.runDirectory,
      this.name,
      replica.id,
      replica.disk,
    );
  }

  healthy(): ReplicaRecord[] {
    return this.record.replicas.filter((replica) => replica.state === 'healthy');
  }

  /** What a watcher may look at. Nothing here comes from the volume. */
  disks(): WatchedDisk[] {
    const found: WatchedDisk[] = [];
    for (const replica of this.record.replicas) {
      const disk = this.attached.get(replica.id);
      if (disk === undefined || !this.#life.mounted) continue;
      found.push({
        volume: this.name,
        replica: replica.id,
        disk: replica.disk,
        device: basename(disk.device),
        kind: replica.kind,
        state: replica.state,
        filesystem: this.record.uuid,
        deviceId: replica.deviceId,
        server: disk.valve?.server.pid,
      });
    }
    return found;
  }

  /** The volume cannot be used any more; tells whoever listens. */
  broke(sentence: string, unreachable: readonly string[] = []): void {
    if (sentence !== this.#life.trouble) this.log.error({ volume: this.name, trouble: sentence }, 'volume in trouble');
    this.happened({ type: 'broke', sentence, unreachable });
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Tells the listeners when anything but a figure is different from what was told last. */
  changed(): void {
    const {
      usedBytes: _used,
      freeBytes: _free,
      readAt: _read,
      silence: _silence,
      unopened: _unopened,
      ...shown
    } = this.status();
    const text = JSON.stringify([shown, this.#life.silence, this.#life.unopened, this.disks()]);
    if (text === this.#shown) return;
    this.#shown = text;
    for (const listener of this.#listeners) listener();
  }

  state(): VolumeStatus['state'] {
    return shownVolumeState(this.#life, !this.lane.broken);
  }

  /** Nobody closed it. */
  get wantedOpen(): boolean {
    return this.record.wantedOpen && this.record.phase === 'ready';
  }

  status(): VolumeStatus {
    const { closing, silence, unopened, unreachable } = this.#life;
    const now = monotonicMs();
    const replicas = this.record.replicas.map((replica): Replica => ({
      id: replica.id,
      disk: replica.disk,
      state: replica.state === 'healthy' && unreachable.includes(replica.id) ? 'missing' : replica.state,
      valve: replica.kind === 'image',
      sizeBytes: replica.bytes,
      errors: this.errors.get(replica.id) ?? null,
    }));
    return {
      name: this.name,
      engine: 'local',
      state: this.state(),
      trouble: this.#sentence(),
      redundancy: redundancyOf(replicas.map((replica) => replica.state)),
      sizeBytes: this.diskBytes(),
      usedBytes: this.usedBytes,
      ...(this.freeBytes === undefined ? {} : { freeBytes: this.freeBytes }),
      replicas,
      operation: null,
      silence: lasting(silence, now),
      uncounted: isServed(this.#life) ? this.quotas.uncounted : null,
      wantedOpen: this.wantedOpen && !closing,
      unopened: lasting(unopened, now),
      readAt: this.readAt.toISOString(),
    };
  }

  /** Of the smallest complete replica: so much a mirror has. */
  diskBytes(): number {
    const complete = this.healthy();
    const sizes = (complete.length > 0 ? complete : this.record.replicas).map((replica) => replica.bytes);
    return sizes.length === 0 ? 0 : Math.min(...sizes);
  }

  /** A complete replica that returned wrong data since it was last known to be whole. */
  damaged(): ReplicaRecord | undefined {
    return this.healthy().find((replica) => {
      const errors = this.errors.get(replica.id);
      return (
        errors !== undefined &&
        errors.corruption + errors.generation > replica.baseline.corruption + replica.baseline.generation
      );
    });
  }

  #sentence(): string | null {
    const { held, trouble, warning } = this.#life;
    if (held !== null) return held;
    if (trouble !== null) return trouble;
    if (this.lane.broken) return `The volume ${this.name} does not answer. It is asked again every 2 seconds.`;
    const complete = this.healthy();
    if (warning !== null) return warning;
    if (complete.length < REPLICAS_WANTED) {
      const bad = this.record.replicas.find((replica) => replica.state !== 'healthy' && replica.state !== 'rebuilding');
      const why = bad === undefined ? '' : ` Replica ${bad.id} (${bad.disk}): ${bad.reason ?? bad.state}`;
      const rebuilding = this.record.replicas.some((replica) => replica.state === 'rebuilding');
      const next = rebuilding ? ' It is being rebuilt.' : ' Add a replica to restore redundancy.';
      return `Only one complete replica is left.${why}${next}`;
    }
    if (this.record.damagedBlocks > 0) return damagedSentence(this.name, this.record.damagedBlocks);
    const damaged = this.damaged();
    if (damaged === undefined) return null;
    return `Replica ${damaged.id} (${damaged.disk}) returned wrong data, which was repaired from the other one. Scrub the volume.`;
  }
}
