import { DEFAULT_PLANS, type PlanLimits } from '../../../model/plans.ts';
import type { FaultName } from '../../../protocol/drills.ts';
import type { Operation, VolumeStatus } from '../../../protocol/volumes.ts';
import { until } from '../../../runtime/deadline.ts';
import type { AgentContext, StoragePart } from '../../context.ts';
import { directoriesOf } from '../directories.ts';
import { findValve, valvePaths, type ValvePaths } from '../../disks/valve.ts';
import { createStorage } from '../storage.ts';
import { removeHome } from './cleanup.ts';
import { contextOf, makeHome } from './context.ts';
import { Writer } from './member.ts';
import { asArgument } from '../../member-argument.ts';

const MiB = 1024 ** 2;
export const DISK_BYTES = 384 * MiB;

/** The storage of one host in a test: real volumes on image files, faults, writers, and what happens when all of it dies. */
export class StorageHost {
  readonly home = makeHome();
  context: AgentContext;
  storage: StoragePart;
  readonly #rebuildLimit: string;
  readonly #writers: Writer[] = [];

  /** @param rebuildLimit as HOLDFAST_REBUILD_LIMIT: "8" holds copies to 8 MiB/s */
  constructor(rebuildLimit = 'none') {
    this.#rebuildLimit = rebuildLimit;
    this.context = this.#newContext();
    this.storage = createStorage(this.context);
  }

  #newContext(): AgentContext {
    return contextOf(this.home, undefined, this.#rebuildLimit);
  }

  async start(): Promise<void> {
    this.context = this.#newContext();
    this.storage = createStorage(this.context);
    await this.storage.start();
  }

  async dispose(): Promise<void> {
    for (const writer of this.#writers) writer.kill();
    // A test may leave a volume that somebody uses: it is taken away with everything else, and that is not refused.
    await this.storage.stop().catch(() => undefined);
    await removeHome(this.home);
  }

  /** An operation as it is now. */
  async operation(id: string): Promise<Operation> {
    const all = await this.storage.handlers['operations.list']({});
    const found = all.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`no operation ${id}`);
    return found;
  }

  async ended(operation: Operation): Promise<Operation> {
    let now = operation;
    await until(
      async () => {
        now = await this.operation(operation.id);
        return now.state !== 'running';
      },
      `the operation ${operation.kind} ending`,
      90_000,
    );
    return now;
  }

  /** Makes a volume with one account; answers the account's home. */
  async create(
    name: string,
    disks: string[] = [],
    uid = this.context.ids.firstAccount,
    imageBytes = DISK_BYTES,
  ): Promise<string> {
    const operation = await this.storage.handlers['volumes.create']({ name, disks, imageBytes });
    const made = await this.ended(operation);
    if (made.state !== 'done') throw new Error(`the volume was not made: ${made.error}`);
    const limits: PlanLimits = { ...(DEFAULT_PLANS['starter'] as PlanLimits), diskBytes: 200 * MiB };
    const account = `of-${name}`;
    await this.storage.handlers['accounts.ensure']({ name: account, uid, volume: name, limits });
    return asArgument(this.storage.homeOf(account).home);
  }

  status(name: string): VolumeStatus {
    const found = this.storage.statuses().find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no volume ${name}`);
    return found;
  }

  /** A writer that has begun to write into a directory. */
  async write(directory: string): Promise<Writer> {
    const writer = new Writer(directory);
    this.#writers.push(writer);
    await writer.writes(20);
    return writer;
  }

  async fault(volume: string, replica: string, fault: FaultName): Promise<FaultName | null> {
    return (await this.storage.handlers['volumes.fault']({ name: volume, replica, fault })).active;
  }

  paths(volume: string, replica: string): ValvePaths {
    const disk = this.status(volume).replicas.find((candidate) => candidate.id === replica)?.disk ?? '';
    const { valves } = directoriesOf(this.context, volume);
    return valvePaths(valves, this.context.configuration.runDirectory, volume, replica, disk);
  }

  /** The processes of a disk die, all at once for several. */
  async killValves(volume: string, ...replicas: string[]): Promise<void> {
    const valves = await Promise.all(replicas.map((replica) => findValve(this.paths(volume, replica))));
    for (const valve of valves) {
      if (valve === undefined) throw new Error('no valve');
      process.kill(valve.front.pid, 'SIGKILL');
    }
  }
}

/** Until nothing was acknowledged for a while: the writer waits for a disk. */
export async function standsStill(writer: Writer): Promise<void> {
  let last = -1;
  await until(
    () => {
      const still = writer.acknowledged === last;
      last = writer.acknowledged;
      return still;
    },
    'the writer waiting for the hung disk',
    30_000,
    700,
  );
}
