import type { AgentEventBody, AgentHandlers, AgentMethod } from '../protocol/agent.ts';
import type { ReplicaState } from '../model/volumes.ts';
import type { InsteadOf } from '../protocol/files.ts';
import type { Trouble } from '../protocol/health.ts';
import type { Operation, VolumeStatus } from '../protocol/volumes.ts';
import type { AccountSpec, SiteSpec, SiteStatus } from '../protocol/sites.ts';
import type { AccountTasks } from '../protocol/tasks.ts';
import type { Configuration, InstanceIds, Layout } from '../runtime/config.ts';
import type { Logger } from '../runtime/log.ts';
import type { MemberPath } from './member-path.ts';

/** What every part of the agent is given. */
export interface AgentContext {
  configuration: Configuration;
  layout: Layout;
  ids: InstanceIds;
  log: Logger;
  /** Tells the control plane and the pages; never waits. */
  emit(event: AgentEventBody): void;
}

type HandlersOf<Prefix extends string> = Pick<AgentHandlers, Extract<AgentMethod, `${Prefix}.${string}`>>;

/** Where an account's directories are on the host. Building these strings touches no storage; opening them is for sandboxes only. */
export interface AccountHome {
  volume: string;
  /** <home>/volumes/<volume>/mnt/accounts/<name>, a subvolume with the directories below. */
  root: MemberPath;
  /** Bound to /home/<name>, /tmp and /var/www. */
  home: MemberPath;
  tmp: MemberPath;
  www: MemberPath;
}

/** src/agent/volumes: disks, valves, file systems, account subvolumes. */
export interface StoragePart {
  /** Opens every known volume, each on its own with a deadline; a volume that cannot open never holds up another. */
  start(): Promise<void>;
  /** Closes every volume (programs are stopped by then). Throws, saying which ones could not be closed, when it has tried all. */
  stop(): Promise<void>;
  handlers: HandlersOf<'volumes'> & HandlersOf<'spares'> & HandlersOf<'operations'> & HandlersOf<'accounts'>;
  /** Throws `not-found`, `volume-closed` or `storage-repair` at once; never waits on the volume. */
  homeOf(account: string): AccountHome;
  /**
   * Does something for an account while it may hold so many bytes more than its limit; answers also by how much less it holds then.
   * Throws as `homeOf` does, and `too-many-requests` while it does so already.
   */
  withRoom<T>(account: string, bytes: number, work: () => Promise<T>): Promise<{ result: T; freedBytes: number }>;
  /** Called when a volume opens, closes or gets into trouble. */
  onVolumeChange(listener: (volume: string, usable: boolean) => void): void;

  // What the reaction needs. None of these waits for a volume, and none waits its turn behind work that does.

  /** Resolves once the records of volumes and operations are read: until then `statuses()` says that there are none. */
  known(): Promise<void>;
  /** Every attached disk of every open volume. From memory. */
  disks(): WatchedDisk[];
  /** From memory. */
  statuses(): VolumeStatus[];
  /** Whose home is on which volume, by Unix id. From memory. */
  residents(): { uid: number; volume: string }[];
  /** Called after any change of `disks()` or `statuses()` other than figures. */
  onDisksChange(listener: () => void): void;
  /**
   * The cut: records that the replica is not complete any more, then makes everything outstanding in its disk fail. Resolves when the kernel
   * has failed it (milliseconds). Throws `last-replica` (never cut), `not-found`, `disk-unusable` when its driver cannot be cut.
   */
  cut(volume: string, replica: string, reason: string): Promise<void>;
  /**
   * Takes in a spare disk or a fresh image file and rebuilds onto it, journaled. Answers the running operation when one rebuilds already.
   * Throws `conflict` when redundancy is full, `no-room`, `input-invalid` when a person has to name a disk.
   */
  restoreRedundancy(volume: string): Promise<Operation>;
  /** Takes a volume out of service honestly (or back): while held, everything that asks for it gets `storage-repair` with this sentence. */
  hold(volume: string, sentence: string | null): void;
  /** Programs wait for this volume: it is asked soon whether it answers. A name that is not known is none's. */
  doubt(volume: string): void;
  /** Whether it answers one durable write within three seconds; one that is not open does not. */
  proves(volume: string): Promise<boolean>;
  /** Finds and heals wrong data from the other replica, journaled. */
  scrub(volume: string): Promise<Operation>;
}

/** A disk of a volume as the watcher needs it. Nothing here was read from the volume. */
export interface WatchedDisk {
  volume: string;
  replica: string;
  /** As the operator calls it. */
  disk: string;
  /** Kernel name: "loop3", "sdb". */
  device: string;
  kind: 'image' | 'block';
  /** State of the replica. Only healthy ones may be cut; a rebuilding one may hang too. */
  state: ReplicaState;
  /** UUID of the file system and the btrfs device id: its error counters are in /sys/fs/btrfs. */
  filesystem: string;
  deviceId: number;
  /**
   * The process that serves the disk (nbdkit), for image files. While it waits in the kernel, it is the disk below that is slow and
   * not this one.
   */
  server?: number | undefined;
}

/**
 * src/agent/health: the watcher, the diagnosis and the reaction. It works from the agent's own memory and disk: the control
 * plane may be down the whole time.
 */
export interface HealthPart {
  /** Takes up the troubles that were open, starts (or adopts) the watcher. Never waits for a volume. */
  start(): Promise<void>;
  stop(): Promise<void>;
  handlers: HandlersOf<'health'> & HandlersOf<'troubles'> & HandlersOf<'status'>;
  /** Open troubles and those resolved in the last days, newest first. From memory. */
  troubles(): readonly Trouble[];
  /** What operators published, by trouble. From memory. */
  notes(): readonly StatusNote[];
  /** Called when troubles or notes changed. */
  onTroubles(listener: () => void): void;
  /** The process that watches, while it runs. */
  watcherPid(): number | undefined;
  /** Whether the watcher sees the disks now. From memory. */
  watching(): 'yes' | 'blind';
}

export interface StatusNote {
  trouble: string;
  at: string;
  text: string;
}

/** src/agent/programs: sandbox, sites, files as the account's own uid, logs. */
export interface ProgramsPart {
  /** Adopts what is still running and takes up the desired state kept on disk. */
  start(): Promise<void>;
  /** Stops every program (`stop`), or leaves them running for the next agent (`leave`). */
  stop(how: 'stop' | 'leave'): Promise<void>;
  handlers: Omit<HandlersOf<'sites'>, 'sites.certificate'> &
    HandlersOf<'files'> &
    HandlersOf<'logs'> &
    HandlersOf<'tasks'> &
    HandlersOf<'always-on'> &
    HandlersOf<'cpu'>;
  /** Takes the whole desired state; the accounts are already ensured or being ensured. Returns how many definitions changed. */
  sync(accounts: readonly AccountSpec[], sites: readonly SiteSpec[], tasks?: readonly AccountTasks[]): Promise<number>;
  /** For the gateway's waker: makes the site at this domain answer; throws HoldfastError otherwise. */
  wakeDomain(domain: string): Promise<SiteStatus>;
  /** The specs in force, for the gateway's configuration. */
  specs(): readonly SiteSpec[];
  /** Called when the set of specs (domains, protection, certificates ...) changed. */
  onSpecsChange(listener: () => void): void;
  /** File streams behind `GET/PUT /files` of the RPC server. */
  readFile(account: string, path: string): Promise<{ size: number; stream: NodeJS.ReadableStream }>;
  writeFile(
    account: string,
    path: string,
    content: NodeJS.ReadableStream,
    expectedBytes: number | undefined,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }>;
}

/** src/agent/gateway: nginx, certificates, the waker's socket. */
export interface GatewayPart {
  /** Makes the authority if needed, writes the configuration, starts or adopts nginx. */
  start(): Promise<void>;
  /** Stops nginx (`stop`) or leaves it running (`leave`). */
  stop(how: 'stop' | 'leave'): Promise<void>;
  handlers: HandlersOf<'gateway'> & Pick<AgentHandlers, 'sites.certificate'>;
  /** Makes nginx serve exactly these sites; resolves when the new configuration answers. */
  publish(sites: readonly SiteSpec[]): Promise<void>;
  ready(): boolean;
}
