import { basename, join } from 'node:path';
import type { Silence } from '../../../model/silent-volume.ts';
import type { Unopened } from '../../../model/unopened-volume.ts';
import { redundancyOf, REPLICAS_WANTED, type ReplicaState } from '../../../model/volumes.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { Replica, VolumeStatus } from '../../../protocol/volumes.ts';
import { within } from '../../../runtime/deadline.ts';
import { monotonicMs } from '../../../runtime/monotonic.ts';
import type { AgentContext, WatchedDisk } from '../../context.ts';
import { AccountHomes } from '../accounts.ts';
import { Lane } from '../../kernel/lane.ts';
import { QuotaWatch } from '../../btrfs/quotas.ts';
import type { AttachedDisk } from '../../disks/attach.ts';
import type { DeviceErrors } from '../../btrfs/btrfs-output.ts';
import { lasting, type Begun } from './begun.ts';
import type { CopyPace } from '../../disks/copy-pace.ts';
import type { Copying } from './copying.ts';
import { cutDriverOf } from '../../disks/cut/drivers.ts';
import { forgetLater } from '../../btrfs/forgetting.ts';
import { deviceBytes, drained } from '../../disks/loops.ts';
import * as filesystem from '../../btrfs/filesystem.ts';
import { Commit, DiskReads, Probe } from '../../disks/probe.ts';
import { RoomWatch } from '../../btrfs/room.ts';
import { silenceOf } from './silence.ts';
import { saveRecord, type ReplicaRecord, type VolumeRecord } from './record.ts';
import { cutValve, valvePaths, type ValvePaths } from '../../disks/valve.ts';

/** The host's own disk may be full, read-only or hang: who decides something must hear of it. */
const SAVE_DEADLINE_MS = 10_000;

export interface VolumeDirectories {
  /** <home>/agent/volumes: the records. */
  records: string;
  /** <home>/volumes/<name> */
  own: string;
  disks: string;
  valves: string;
  mount: string;
}

export function directoriesOf(context: AgentContext, name: string): VolumeDirectories {
  const own = join(context.layout.volumes, name);
  return {
    records: join(context.layout.agent, 'volumes'),
    own,
    disks: join(own, 'disks'),
    valves: join(own, 'valve'),
    mount: join(own, 'mnt'),
  };
}

export function damagedSentence(volume: string, blocks: number): string {
  const [what, them] = blocks === 1 ? ['1 block of', 'it'] : [`${blocks} blocks of`, 'them'];
  return `${what} the volume ${volume} ${blocks === 1 ? 'is' : 'are'} damaged on every replica. Restore ${them} from a backup, then scrub the volume.`;
}

/**
 * What is known of one volume: the record on disk, what the kernel has attached now, and the last figures. The work itself
 * (opening, watching, rebuilding) is in functions beside it that all share this.
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
  record: VolumeRecord;
  /** Mounted and served by this agent. */
  open = false;
  /** Mounted, though it may not answer yet: its disks can be watched and cut. */
  mounted = false;
  /** It is being closed: nothing new is begun on it, and its members' programs are ended. */
  closing = false;
  /** What is wrong with the last complete replica although it serves, one sentence. */
  warning: string | null = null;
  /** Why it cannot be used although it should be, one sentence. */
  trouble: string | null = null;
  /** Why it is held out of service although it may well answer, one sentence for its members. */
  held: string | null = null;
  /** Since when it has not answered, and why, as far as that is known; null: it answered when it was last asked. */
  silence: Begun<Silence> | null = null;
  /** Since when it cannot be opened although it should be, and why; null: it is open, or closed on purpose. */
  unopened: Begun<Unopened> | null = null;
  /** Somebody waits for it: it is asked at the next look. */
  doubted = false;
  /** Complete replicas that cannot be reached now. What they hold is still good: they are not given up. */
  readonly unreachable = new Set<string>();
  /** What holds copies and checks of this volume back just now. */
  readonly paces = new Set<CopyPace>();
  /** The copy onto a new disk that this agent follows. */
  copying: Copying | undefined;
  usedBytes = 0;
  /** Undefined until it was read. */
  freeBytes: number | undefined;
  readAt = new Date(0);
  readonly #listeners: Array<() => void> = [];
  #shown = '';
  #saving: Promise<unknown> = Promise.resolve();
  /** A write of the record that has not begun: it will hold what is decided until then. */
  #nextSave: Promise<void> | undefined;

  constructor(context: AgentContext, record: VolumeRecord) {
    this.context = context;
    this.record = record;
    this.directories = directoriesOf(context, record.name);
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

  /** Asks the volume for one durable write, for three seconds, and remembers since when it has not answered and what it waits for. */
  async answers(): Promise<boolean> {
    this.doubted = false;
    // The write that was asked for last came back, though late.
    if (this.probe.pid === undefined) this.silence = null;
    const asked = { since: new Date().toISOString(), beganAt: monotonicMs() };
    const answered = await this.probe.answers();
    this.silence = answered ? null : await silenceOf(this, this.silence ?? undefined, asked);
    this.changed();
    return answered;
  }

  /** How long it has not answered, milliseconds. */
  get silentMs(): number {
    return this.silence === null ? 0 : monotonicMs() - this.silence.beganAt;
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

  replica(id: string): ReplicaRecord {
    const found = this.record.replicas.find((replica) => replica.id === id);
    if (found === undefined) {
      const known = this.record.replicas.map((replica) => replica.id).join(', ');
      throw new HoldfastError('not-found', `The volume ${this.name} has no replica ${id}. It has: ${known}.`);
    }
    return found;
  }

  healthy(): ReplicaRecord[] {
    return this.record.replicas.filter((replica) => replica.state === 'healthy');
  }

  /**
   * One after the other: a cut does not wait its turn, and two must never write the same file at once. Throws what the host's disk
   * answers, or `deadline-passed` after 10 seconds; a write that is late may still happen then.
   */
  async save(): Promise<void> {
    if (this.#nextSave === undefined) {
      const next = this.#saving.then(() => {
        this.#nextSave = undefined;
        return saveRecord(this.directories.records, this.record);
      });
      this.#nextSave = next;
      this.#saving = next.catch(() => undefined);
    }
    await within(SAVE_DEADLINE_MS, `writing the record of the volume ${this.name}`, this.#nextSave);
    this.changed();
  }

  /** What a watcher may look at. Nothing here comes from the volume. */
  disks(): WatchedDisk[] {
    const found: WatchedDisk[] = [];
    for (const replica of this.record.replicas) {
      const disk = this.attached.get(replica.id);
      if (disk === undefined || !this.mounted) continue;
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

  /**
   * A replica is not complete any more: from this moment it is never served again. Recorded first, then cut, so that
   * it cannot come back unnoticed. The last complete replica is never given up: the volume is in trouble then.
   * Throws `command-failed` when that cannot be recorded: nothing has changed then, and the next decision tries again.
   * `cut`: somebody asked for it, and is told when it is not possible: `last-replica`, `disk-unusable`. `drop`: a real disk that
   * cannot be cut stays in the mount and is watched on.
   */
  async leave(
    replica: ReplicaRecord,
    state: ReplicaState,
    reason: string,
    how: 'cut' | 'drop' = 'drop',
  ): Promise<void> {
    if (replica.state === 'healthy' && this.healthy().length === 1) {
      if (how === 'cut') throw this.lastReplica(replica);
      this.unreachable.add(replica.id);
      this.fault(`The last complete replica ${replica.id} (${replica.disk}) does not work: ${reason}`);
      return;
    }
    this.log.warn({ volume: this.name, replica: replica.id, disk: replica.disk, reason }, `replica ${state}`);
    const before = { state: replica.state, reason: replica.reason };
    replica.state = state;
    replica.reason = reason;
    await this.save().catch((cause: unknown) => this.#takeBack(replica, before, cause));
    await this.cutDisk(replica).catch((error: unknown) => {
      if (how === 'cut' || replica.kind === 'image') throw error;
      this.log.error({ volume: this.name, disk: replica.disk, error }, 'a disk that was given up could not be cut');
    });
    this.changed();
  }

  lastReplica(replica: ReplicaRecord): HoldfastError {
    return new HoldfastError(
      'last-replica',
      `Replica ${replica.id} is the last complete one of the volume ${this.name}. Add a replica first.`,
    );
  }

  /** A cut without a record would let a stale disk come back after a restart. So it is as if nothing had been decided. */
  #takeBack(replica: ReplicaRecord, before: Pick<ReplicaRecord, 'state' | 'reason'>, cause: unknown): never {
    Object.assign(replica, before);
    // A write that is only late must not be the last word.
    this.save().catch((error: unknown) => {
      this.log.error({ volume: this.name, error }, 'the record of a volume cannot be written');
    });
    this.changed();
    throw new HoldfastError(
      'command-failed',
      `The record of the volume ${this.name} cannot be written, and without it replica ${replica.id} is not given up. Is the machine's own disk full or read-only? It is tried again by itself.`,
      { cause },
    );
  }

  /** Makes everything outstanding and everything later in a replica's disk fail. Record first what it means. */
  async cutDisk(replica: ReplicaRecord): Promise<void> {
    const disk = this.attached.get(replica.id);
    if (replica.kind === 'image') {
      this.attached.delete(replica.id);
      await cutValve(this.pathsOf(replica), disk?.valve);
      if (disk !== undefined) await drained(disk.device);
    } else if (disk !== undefined) {
      // What may still be in use stays in sight of the watcher.
      await this.#cutReal(replica, disk.device);
      if (this.attached.get(replica.id) === disk) this.attached.delete(replica.id);
    }
    this.changed();
  }

  async #cutReal(replica: ReplicaRecord, device: string): Promise<void> {
    if ((await deviceBytes(device)) === undefined) return;
    const driver = await cutDriverOf(device);
    await forgetLater(device);
    const { kind, undo } = driver;
    this.log.warn({ volume: this.name, disk: replica.disk, kind, undo }, 'cutting a real disk');
    await driver.cut().catch((cause: unknown) => {
      // The kernel may hold who tells it for as long as the disk hangs; whether it worked is seen by what is outstanding.
      this.log.error({ volume: this.name, disk: replica.disk, error: cause }, 'telling a disk to stop took too long');
    });
    await drained(device).catch((cause: unknown) => {
      throw new HoldfastError(
        'disk-unusable',
        `${replica.disk} was told to stop and still holds requests. Pull it (or detach it at your provider): the volume goes on with the other one.`,
        { cause },
      );
    });
  }

  /** The volume cannot be used; tells whoever listens. */
  fault(trouble: string | null): void {
    if (trouble !== null && trouble !== this.trouble)
      this.log.error({ volume: this.name, trouble }, 'volume in trouble');
    this.trouble = trouble;
    this.changed();
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
    const text = JSON.stringify([shown, this.silence, this.unopened, this.disks()]);
    if (text === this.#shown) return;
    this.#shown = text;
    for (const listener of this.#listeners) listener();
  }

  state(): VolumeStatus['state'] {
    if (this.trouble !== null || this.held !== null || this.lane.broken) return 'trouble';
    return this.open && !this.closing ? 'open' : 'closed';
  }

  status(): VolumeStatus {
    const replicas = this.record.replicas.map((replica): Replica => ({
      id: replica.id,
      disk: replica.disk,
      state: replica.state === 'healthy' && this.unreachable.has(replica.id) ? 'missing' : replica.state,
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
      silence: lasting(this.silence),
      uncounted: this.open ? this.quotas.uncounted : null,
      wantedOpen: this.record.wantedOpen && this.record.phase === 'ready' && !this.closing,
      unopened: lasting(this.unopened),
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
    if (this.held !== null) return this.held;
    if (this.trouble !== null) return this.trouble;
    if (this.lane.broken) return `The volume ${this.name} does not answer. It is asked again every 2 seconds.`;
    const complete = this.healthy();
    if (this.warning !== null) return this.warning;
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
