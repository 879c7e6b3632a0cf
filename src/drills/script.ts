import type { Trouble } from '../protocol/health.ts';
import type { DrillCheck } from '../protocol/drills.ts';
import type { AlteredBlocks, Faults, Target } from './faults.ts';
import type { Copy, Observer } from './observer.ts';
import type { Platform } from './platform.ts';
import type { PlatformNeeds, Scratch } from './scratch.ts';
import type { WitnessProcess } from './witness-process.ts';
import type { Paces, Window, WitnessAccount, WitnessResult } from './witness/messages.ts';

/** What a drill's script works with while it hurts the platform. */
export interface Stage {
  platform: Platform;
  /** Undefined when the drill runs on the running platform. */
  scratch: Scratch | undefined;
  accounts: readonly WitnessAccount[];
  witness: WitnessProcess;
  observer: Observer;
  faults: Faults;
  /** The disk to hurt, and the other one of the same volume. */
  target: Target;
  other: Target;
  /** Length of the windows before and during, milliseconds. */
  windowMs: number;
  signal: AbortSignal;
  say(text: string): void;
  /** Everything is counted from the moment of the (last) call. */
  hurtNow(text: string): void;
  faultAt(): number;
  /** Throws when the drill is stopped meanwhile. */
  pause(milliseconds: number): Promise<void>;
  until(condition: () => boolean | Promise<boolean>, what: string, milliseconds: number): Promise<void>;
  /** Further windows for the witness's tallies. */
  windows: Window[];
  /** Times in which the whole platform was down on purpose. */
  blackouts: { from: number; to: number }[];
  /** What a script wants to know again when it is scored. */
  facts: Facts;
}

export interface Facts {
  /** Troubles that were named although there was nothing to name. */
  falseAlarms?: number;
  flapRounds?: number;
  altered?: AlteredBlocks;
  /** Of the altered blocks; undefined when the disk was replaced as a whole. */
  healed?: number | undefined;
  /** When requests were answered again, after it became possible; seconds. */
  backAfterS?: number;
  /** A later look over everything: blocks that had to be repaired. */
  scrubCorrected?: number;
  incidentSeen?: boolean;
  /** Disks of other volumes that were hurt as well: their members count as hurt. */
  alsoHurt?: readonly Target[];
  /** Names of processes that were meant to go on and did not. */
  endedProcesses?: readonly string[];
  /** When the disk that was hurt later was named, counted from then. */
  secondNamedS?: number;
  /** How long it took until a frozen process was ended, seconds. */
  replacedS?: number;
  /** The replica that was hurt after the first one. */
  secondReplica?: string;
  /** How long the hurt volume was not open, as the platform said itself. */
  outOfServiceS?: number;
  /** When a volume without room was named, counted from the moment at which nothing went in any more; it may be named before. */
  fullNamedS?: number;
  /** How long the volume had been written to without the disk that came back. */
  writtenAloneMs?: number;
  writtenAloneAtPowerCutMs?: number;
  /** Whether the disk that came back after the power cut was shown as a healthy replica without having been caught up. */
  believedAtPowerCut?: boolean;
  agentBackAfterS?: number;
  platformBackAfterS?: number;
}

/** Everything that was measured. Times are milliseconds since 1970 unless the name says otherwise. */
export interface Outcome {
  drill: string;
  target: Target;
  faultAt: number;
  windowMs: number;
  witness: WitnessResult;
  /** How fast the machine itself was in each window: milliseconds for the same piece of work. */
  machineMs: Readonly<Record<string, number>>;
  trouble: Trouble | undefined;
  /** As the platform named it, with the disk. */
  culprit: string | null;
  locatedS: number | null;
  restoreStartedS: number | null;
  restoredS: number | null;
  rebuildBytes: number | null;
  /** The copy onto the disk that took the hurt one's place; undefined when none was seen. */
  copy: Copy | undefined;
  /** What a disk of the same kind takes, under the same load, bytes a second; undefined when it was not measured. */
  diskBytesPerSecond: number | undefined;
  operatorCommands: number;
  reboots: number;
  facts: Facts;
}

export interface DrillScript extends PlatformNeeds {
  name: string;
  accounts: number;
  volumes: number;
  /** Of the windows before and during, seconds. */
  windowSeconds: number;
  /** Bytes of each image file. */
  imageBytes: number;
  plan: string;
  /** MiB that the members of the hurt volume have in their homes before anything is measured: what a rebuild has to copy. */
  fillMiB: number;
  /** How long is measured once everything is whole again, seconds; 0: not at all. */
  afterSeconds: number;
  paces: Partial<Paces>;
  /** Whether it can run on the running platform. */
  here: boolean;
  /** Causes the fault, and whatever belongs to it. Ends when nothing more is to be caused; what then heals is waited for by the runner. */
  cause(stage: Stage): Promise<void>;
  /** Whether the platform is whole again after it. */
  healed(stage: Stage): boolean | Promise<boolean>;
  /** How long that may take, seconds. */
  healSeconds: number;
  /** After everything has healed, and while the witness still runs. */
  afterwards?(stage: Stage): Promise<void>;
  /** After everything was measured, and before what was written is read back: its requests count in no window. */
  epilogue?(stage: Stage): Promise<void>;
  checks(outcome: Outcome): DrillCheck[];
}
