import type { AccountSpec } from '../../protocol/sites.ts';
import type { Compartments } from '../../runtime/compartments.ts';
import type { AgentContext, StoragePart } from '../context.ts';
import type { Sandboxes } from './sandbox.ts';

/** What the supervisor gives every kind of program. */
export interface ProgramGround {
  context: AgentContext;
  sandboxes: Sandboxes;
  storage: Pick<StoragePart, 'homeOf'>;
  /** Starts at a time, of each volume. */
  starts: Compartments;
  /** What the agent knows of an account; undefined before the first sync. */
  accountOf(name: string): AccountSpec | undefined;
  /** Throws `storage-repair` when the kernel holds so many ended programs of the volume that more must not be added. */
  assertRoom(volume: string): void;
}

/**
 * One kind of program (sites, tasks ...): what the supervisor asks of it in the course of the agent's life. Nothing here waits for a
 * volume; what may be held up by one goes on behind.
 */
export interface ProgramKind {
  /** Reads the definitions on the agent's own disk. */
  load(): Promise<void>;
  /**
   * Takes over what an earlier agent left. Answers the control groups it has dealt with, as `<account>/<program>`: the supervisor ends
   * every other one.
   */
  adopt(boot: string): Promise<ReadonlySet<string>>;
  /** Everything is adopted: work that was cut short may go on. */
  resume(): void;
  /** Once a second. `measure`: memory and the like are looked at, too. */
  look(measure: boolean): Promise<void>;
  /** Whether the kernel holds something back that `sweep` should ask for soon. */
  lingers(): boolean;
  /** Tries again to end what did not end. */
  sweep(): Promise<void>;
  /** A volume opened (or is usable again), closed, or got into trouble. */
  volumeChanged(volume: string, usable: boolean): void;
  /** Stops and forgets everything of an account. */
  removeAccount(name: string): Promise<void>;
  /** Lets what runs be: another agent takes it over. */
  leave(): void;
  /** Stops everything. */
  close(): Promise<void>;
}
