import type { PlanLimits } from '../../model/plans.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';
import type { FaultName } from '../../protocol/drills.ts';
import type { AccountHome, WatchedDisk } from '../context.ts';
import type { Journey } from '../operations/journey.ts';

/**
 * What a volume engine must be able to do. The local engine keeps both replicas on this host's disks; a cluster engine
 * keeps them on two hosts. Both pass the same suite (engine.contract.ts), so everything above this line is one code.
 *
 * Every method can be repeated, and every method that changes something on disk can be killed at any point and called
 * again: it finishes the work. No method waits longer than its deadlines for a volume that does not answer; it throws
 * `storage-repair` or `deadline-passed`.
 */
export interface VolumeEngine {
  readonly kind: 'local' | 'cluster';
  /**
   * Checks everything that can be known before anything is written and answers what is going to be made. Changes nothing.
   * Throws `name-taken`, `disk-not-empty`, `disk-unusable`, `no-room`, `set-up-missing`, `input-invalid`.
   */
  plan(request: CreateRequest): Promise<CreatePlan>;
  /** The volume a plan describes: makes its record when there is none. `make` does the work. */
  begin(plan: CreatePlan): Promise<EngineVolume>;
  /** Checks a disk that is to be kept as a spare. Throws as `plan` does. Changes nothing. */
  checkSpare(disk: string): Promise<{ disk: string; bytes: number }>;
  /** The volumes this engine has records of. */
  load(): Promise<EngineVolume[]>;
}

export interface CreateRequest {
  name: string;
  /** Block devices or absolute image paths; empty = two fresh image files. */
  disks: string[];
  /** Size of a fresh image file in bytes. */
  imageBytes?: number;
}

/** Opaque to everybody but the engine that made it; kept in the operation's journal. */
export type CreatePlan = Record<string, unknown> & { name: string };

export interface AccountWanted {
  name: string;
  uid: number;
  limits: Pick<PlanLimits, 'diskBytes'>;
}

export interface EngineVolume {
  readonly name: string;
  /** From memory, never waits. */
  status(): VolumeStatus;
  /** Throws `volume-closed` (somebody closed it) or `storage-repair` when programs cannot use the volume now. From memory, never waits. */
  assertUsable(): void;
  /** What was decided for it: an open volume is opened again after a restart. */
  readonly wantedOpen: boolean;

  /** Makes the file system on its disks and opens it. The work behind `plan`. */
  make(journey: Journey): Promise<void>;
  /** Opens it, degraded when only one complete replica is there. Throws `storage-repair` when none is. */
  open(): Promise<void>;
  /** `forget`: the volume stays wanted open (the agent stops); `keep`: an operator closed it. Throws `volume-in-use`. */
  close(how: 'forget' | 'keep'): Promise<void>;
  /** Reads the figures and the replicas' state anew. Never throws: trouble is part of the status. */
  refresh(): Promise<VolumeStatus>;

  /** Asks the disks of the other complete replicas for a read, within two seconds. Throws `last-replica` when none answers. */
  assertAnotherReads(replica: string): Promise<void>;
  /** Stops using a replica, if another one answers; service goes on. Throws `last-replica`, `not-found`. */
  setAside(replica: string): Promise<void>;
  /**
   * The cut (see `StoragePart.cut`): waits for no other work on this volume. A replica that is being rebuilt can be cut too: its rebuild
   * ends then. Throws `last-replica`, `not-found`, `conflict` when it is not in use, `disk-unusable` when it cannot be cut.
   */
  cut(replica: string, reason: string): Promise<void>;
  /** Every attached disk while the volume is open. From memory, never waits. */
  disks(): WatchedDisk[];
  /** Takes the volume out of service with this sentence, or back into it. Never waits. */
  hold(sentence: string | null): void;
  /** Somebody waits for this volume: it is asked soon whether it answers. Never waits. */
  doubt(): void;
  /** Whether it answers one durable write within three seconds; one that is not open does not. */
  proves(): Promise<boolean>;
  /** Gives a disk a real fault. Never waits for the disk. Throws `disk-unusable`, `not-found`, `conflict`, `last-replica`. */
  fault(replica: string, fault: FaultName): Promise<FaultName | null>;
  /**
   * Checks the disk and records the new replica. `replaces`: the replica whose place it takes, which may be complete; without it, one that
   * is not. Throws as `plan` does, and `conflict` when redundancy is full.
   */
  planReplica(disk: string | undefined, replaces?: string): Promise<string>;
  /** What `planReplica` would take. Throws as it does and changes nothing. */
  checkReplica(disk: string | undefined, replaces?: string): Promise<{ disk: string; replaces: string }>;
  /** Complete replicas in whose disk requests wait and none completes, watched for a good second. Never waits for a disk. */
  hungReplicas(): Promise<string[]>;
  /** Whether a complete replica returned wrong data that no scrub has healed yet. From memory. */
  damaged(): boolean;
  /** A replica that was planned and is not complete: a crash may have come before its operation was journaled. */
  unfinishedReplica(): string | undefined;
  /** Rebuilds onto the replica that `planReplica` recorded. */
  rebuild(replica: string, journey: Journey): Promise<void>;
  /** Gives up a planned replica after a rebuild that failed. */
  abandonReplica(replica: string): Promise<void>;
  scrub(journey: Journey): Promise<void>;
  planGrow(imageBytes: number | undefined): Promise<void>;
  grow(imageBytes: number | undefined, journey: Journey): Promise<void>;
  /** Throws `volume-in-use` while accounts live there. */
  assertDeletable(): void;
  delete(journey: Journey): Promise<void>;

  homeOf(account: string): AccountHome;
  /** Whether this account's home is here, from memory. */
  hasAccount(name: string): boolean;
  /** Unix ids of the accounts that live here, from memory. */
  residents(): readonly number[];
  /** Whether all replicas failed at once: they are served again, but what one of them missed is not healed yet. */
  needsScrub(): boolean;
  /** Whether a replica was found to have fallen behind in a crash when the volume was opened; `planReplica()` takes its disk. */
  hasStaleReplica(): boolean;
  ensureAccount(account: AccountWanted): Promise<{ created: boolean }>;
  removeAccount(name: string): Promise<{ removed: boolean }>;
  usage(name: string): Promise<{ usedBytes: number; limitBytes: number }>;
  /** Does something while an account may hold so many bytes more; answers also by how much less it holds then. */
  withRoom<T>(account: string, bytes: number, work: () => Promise<T>): Promise<{ result: T; freedBytes: number }>;

  /** Called after every change of what `status` answers, other than figures. */
  onChange(listener: () => void): void;
}
