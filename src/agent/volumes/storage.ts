import { join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { within } from '../../runtime/deadline.ts';
import type { AccountHome, AgentContext, StoragePart, WatchedDisk } from '../context.ts';
import type { CreatePlan, EngineVolume, VolumeEngine } from './engine.ts';
import type { Journey } from '../operations/journey.ts';
import { createLocalEngine } from './local/engine.ts';
import { Operations, type OperationInput } from '../operations/operations.ts';
import { planRecovery, planReplacement, rebuildOrAbandon, recover, type TakesDisks } from './recovery.ts';
import { Spares } from './spares.ts';

/** How often every volume is looked at. */
const LOOK_EVERY_MS = 2_000;
/** A rebuild that nobody asked for and that failed is tried again after this. */
const RETRY_REBUILD_MS = 10 * 60_000;
/** How long the start waits for one volume; it goes on opening behind that. */
const OPEN_DEADLINE_MS = 25_000;
const CLOSE_DEADLINE_MS = 40_000;

/** Operations at whose end redundancy is full again. */
const RESTORING: ReadonlySet<Operation['kind']> = new Set([
  'volume-rebuild',
  'volume-recover',
  'volume-replace-disk',
  'volume-grow',
]);

/** Why a spare is passed over: it is too small, not empty any more, or not there. */
const SPARE_UNFIT: ReadonlySet<string> = new Set(['disk-unusable', 'disk-not-empty']);

/** The storage part of the agent: all volumes of this host, whatever their engine. */
export function createStorage(context: AgentContext): StoragePart {
  return new Storage(context, createLocalEngine(context));
}

class Storage implements StoragePart {
  readonly #context: AgentContext;
  readonly #engine: VolumeEngine;
  readonly #operations: Operations;
  readonly #spares: Spares;
  readonly #volumes = new Map<string, EngineVolume>();
  readonly #usable = new Map<string, boolean>();
  readonly #listeners: Array<(volume: string, usable: boolean) => void> = [];
  readonly #diskListeners: Array<() => void> = [];
  readonly #looking = new Map<string, NodeJS.Timeout>();
  /** When a stale replica was last tried to be rebuilt. */
  readonly #triedAt = new Map<string, number>();
  /** When a volume whose disks had all failed was last tried to be scrubbed. */
  readonly #scrubbedAt = new Map<string, number>();
  #stopped = false;
  /** Settled once the records of volumes and operations are read: until then nobody is told that there are none. */
  readonly #known = Promise.withResolvers<void>();

  readonly handlers: StoragePart['handlers'];

  constructor(context: AgentContext, engine: VolumeEngine) {
    this.#context = context;
    this.#engine = engine;
    const directory = join(context.layout.agent, 'operations');
    this.#operations = new Operations(directory, context.log, (operation) => this.#tellOperation(operation));
    this.#spares = new Spares(join(context.layout.agent, 'spares.json'));
    this.handlers = {
      'volumes.list': async () => {
        await this.#known.promise;
        return [...this.#volumes.values()].map((volume) => this.#statusOf(volume));
      },
      'volumes.create': async (input) => {
        await this.#known.promise;
        this.#operations.assertFree(input.name);
        const plan = await this.#engine.plan(input);
        return await this.#begin('volume-create', plan.name, { plan });
      },
      'volumes.open': async ({ name }) => {
        const volume = this.#volume(name);
        await volume.open();
        return this.#statusOf(volume);
      },
      'volumes.close': async ({ name }) => {
        const volume = this.#volume(name);
        this.#operations.assertFree(name);
        try {
          await volume.close('keep');
        } finally {
          this.#changed(volume);
        }
        return this.#statusOf(volume);
      },
      'volumes.setAside': async ({ name, replica }) => {
        const volume = this.#volume(name);
        await volume.setAside(replica);
        return this.#statusOf(volume);
      },
      'volumes.addReplica': async ({ name, disk }) => {
        return await this.#takeIn(this.#volume(name), disk);
      },
      'volumes.scrub': async ({ name }) => {
        return await this.scrub(name);
      },
      'volumes.grow': async ({ name, imageBytes }) => {
        await this.#volume(name).planGrow(imageBytes);
        return await this.#begin('volume-grow', name, { imageBytes });
      },
      'volumes.delete': async ({ name }) => {
        this.#volume(name).assertDeletable();
        return await this.#begin('volume-delete', name, {});
      },
      'volumes.planRecovery': async ({ name }) => {
        await this.#known.promise;
        return await planRecovery(this.#volume(name), this.#disks());
      },
      'volumes.recover': async ({ name }) => {
        await this.#known.promise;
        const volume = this.#volume(name);
        await this.#endScrub(volume);
        const running = this.#operations.runningOn(name);
        if (running !== undefined && RESTORING.has(running.kind)) return { operation: running };
        const plan = await planRecovery(volume, this.#disks());
        if (plan.problem !== null) throw new HoldfastError('conflict', plan.problem);
        if (!plan.steps.some((step) => step.needed)) return { operation: null };
        return { operation: await this.#begin('volume-recover', name, {}) };
      },
      'volumes.planReplaceDisk': async ({ name, replica, disk }) => {
        await this.#known.promise;
        const volume = this.#volume(name);
        try {
          return planReplacement(volume, replica, await this.#disks(disk, replica).check(volume));
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          return { volume: name, summary: 'The disk cannot be replaced now.', steps: [], problem: error.message };
        }
      },
      'volumes.replaceDisk': async ({ name, replica, disk }) => {
        await this.#known.promise;
        const volume = this.#volume(name);
        return await this.#takeIn(volume, disk, replica);
      },
      'volumes.fault': async ({ name, replica, fault }) => {
        await this.#known.promise;
        return { active: await this.#volume(name).fault(replica, fault) };
      },
      'spares.list': async () => {
        await this.#known.promise;
        return this.#spares.list();
      },
      'spares.add': async ({ disk }) => {
        await this.#known.promise;
        await this.#spares.add(await this.#engine.checkSpare(disk));
        return this.#spares.list();
      },
      'spares.remove': async ({ disk }) => {
        await this.#known.promise;
        if (!(await this.#spares.remove(disk))) {
          throw new HoldfastError('not-found', `${disk} is no spare disk of this host.`, { field: 'disk' });
        }
        return this.#spares.list();
      },
      'operations.list': async () => {
        await this.#known.promise;
        return this.#operations.list();
      },
      'accounts.ensure': async (account) => {
        await this.#known.promise;
        const elsewhere = this.#volumeOf(account.name);
        if (elsewhere !== undefined && elsewhere.name !== account.volume) {
          throw new HoldfastError(
            'conflict',
            `The account ${account.name} has its home on the volume ${elsewhere.name}, not on ${account.volume}.`,
          );
        }
        return await this.#volume(account.volume).ensureAccount(account);
      },
      'accounts.remove': async ({ name, volume }) => {
        await this.#known.promise;
        return await this.#volume(volume).removeAccount(name);
      },
      'accounts.usage': async ({ name }) => {
        await this.#known.promise;
        const volume = this.#volumeOf(name);
        if (volume === undefined) throw new HoldfastError('not-found', `The account ${name} has no home on this host.`);
        return await volume.usage(name);
      },
    };
  }

  async start(): Promise<void> {
    for (const volume of await this.#engine.load()) this.#adopt(volume);
    await this.#spares.load().catch((error: unknown) => {
      this.#context.log.error({ error }, 'the list of spare disks cannot be read; none is used');
    });
    const unfinished = await this.#operations.load();
    this.#known.resolve();
    await Promise.all(
      [...this.#volumes.values()].filter((volume) => volume.wantedOpen).map((volume) => this.#openAtStart(volume)),
    );
    for (const { operation, input } of unfinished) {
      this.#context.log.info(
        { operation: operation.id, kind: operation.kind, subject: operation.subject },
        'operation goes on',
      );
      this.#operations.resume(operation, (journey) => this.#work(operation, input, journey));
    }
    await Promise.all(
      [...this.#volumes.values()].map(async (volume) => {
        try {
          await this.#finishPlanned(volume);
          await this.#rebuildStale(volume);
        } catch (error) {
          // It is looked at again every two seconds; one volume's trouble must not end the agent's start.
          this.#context.log.error({ volume: volume.name, error }, 'a rebuild could not be taken up at the start');
        }
      }),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#looking.values()) clearTimeout(timer);
    this.#looking.clear();
    await within(CLOSE_DEADLINE_MS, 'pausing storage operations', this.#operations.stop()).catch((error: unknown) => {
      this.#context.log.warn({ error }, 'a storage operation did not pause in time');
    });
    const left: string[] = [];
    await Promise.all(
      [...this.#volumes.values()].map(async (volume) => {
        this.#announce(volume.name, false);
        await within(CLOSE_DEADLINE_MS, `closing the volume ${volume.name}`, volume.close('forget')).catch(
          (error: unknown) => {
            this.#context.log.error({ volume: volume.name, error }, 'volume could not be closed');
            left.push(error instanceof Error ? error.message : String(error));
          },
        );
      }),
    );
    if (left.length > 0) throw new HoldfastError('volume-in-use', left.join(' '));
  }

  homeOf(account: string): AccountHome {
    const volume = this.#volumeOf(account);
    if (volume === undefined) throw new HoldfastError('not-found', `The account ${account} has no home on this host.`);
    volume.assertUsable();
    return volume.homeOf(account);
  }

  async withRoom<T>(
    account: string,
    bytes: number,
    work: () => Promise<T>,
  ): Promise<{ result: T; freedBytes: number }> {
    const volume = this.#volumeOf(account);
    if (volume === undefined) throw new HoldfastError('not-found', `The account ${account} has no home on this host.`);
    return await volume.withRoom(account, bytes, work);
  }

  async known(): Promise<void> {
    await this.#known.promise;
  }

  disks(): WatchedDisk[] {
    return [...this.#volumes.values()].flatMap((volume) => volume.disks());
  }

  statuses(): VolumeStatus[] {
    return [...this.#volumes.values()].map((volume) => this.#statusOf(volume));
  }

  residents(): { uid: number; volume: string }[] {
    return [...this.#volumes.values()].flatMap((volume) =>
      volume.residents().map((uid) => ({ uid, volume: volume.name })),
    );
  }

  onDisksChange(listener: () => void): void {
    this.#diskListeners.push(listener);
  }

  async cut(name: string, replica: string, reason: string): Promise<void> {
    await this.#volume(name).cut(replica, reason);
  }

  async restoreRedundancy(name: string): Promise<Operation> {
    const volume = this.#volume(name);
    const running = this.#operations.runningOn(name);
    if (running !== undefined && RESTORING.has(running.kind)) return running;
    return await this.#takeIn(volume, undefined);
  }

  hold(name: string, sentence: string | null): void {
    this.#volume(name).hold(sentence);
  }

  doubt(name: string): void {
    this.#volumes.get(name)?.doubt();
  }

  async proves(name: string): Promise<boolean> {
    return (await this.#volumes.get(name)?.proves()) ?? false;
  }

  async scrub(name: string): Promise<Operation> {
    this.#volume(name).assertUsable();
    return await this.#begin('volume-scrub', name, {});
  }

  onVolumeChange(listener: (volume: string, usable: boolean) => void): void {
    this.#listeners.push(listener);
  }

  #volume(name: string): EngineVolume {
    const volume = this.#volumes.get(name);
    if (volume !== undefined) return volume;
    const known = [...this.#volumes.keys()].join(', ') || 'none yet';
    throw new HoldfastError('not-found', `There is no volume ${name} on this host. Volumes: ${known}.`, {
      field: 'name',
    });
  }

  #volumeOf(account: string): EngineVolume | undefined {
    for (const volume of this.#volumes.values()) if (volume.hasAccount(account)) return volume;
    return undefined;
  }

  #statusOf(volume: EngineVolume): VolumeStatus {
    return { ...volume.status(), operation: this.#operations.runningOn(volume.name)?.id ?? null };
  }

  #adopt(volume: EngineVolume): void {
    this.#volumes.set(volume.name, volume);
    volume.onChange(() => this.#changed(volume));
    this.#look(volume);
  }

  /** Each volume has a clock of its own: one that takes long to look at delays nobody else's turn. */
  #look(volume: EngineVolume): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      void this.#lookNow(volume).finally(() => {
        if (this.#volumes.get(volume.name) === volume) this.#look(volume);
      });
    }, LOOK_EVERY_MS);
    timer.unref();
    this.#looking.set(volume.name, timer);
  }

  async #lookNow(volume: EngineVolume): Promise<void> {
    await volume.refresh();
    await this.#rebuildStale(volume);
    await this.#scrubUnsure(volume);
  }

  async #openAtStart(volume: EngineVolume): Promise<void> {
    try {
      await within(OPEN_DEADLINE_MS, `opening the volume ${volume.name}`, volume.open());
    } catch (error) {
      // The volume says so in its status, and is tried again by itself.
      this.#context.log.error({ volume: volume.name, error }, 'volume is not open after the start');
    }
  }

  /**
   * The disk that was asked for; else the volume's own one that only fell behind (it is wiped and made anew), a spare, or a fresh image
   * file. A former disk that failed is never taken by itself.
   */
  #disks(disk?: string, replaces?: string): TakesDisks {
    const choose = async <T>(volume: EngineVolume, use: (disk: string | undefined) => Promise<T>): Promise<T> => {
      if (disk !== undefined || (volume.hasStaleReplica() && replaces === undefined)) return await use(disk);
      const onSpare = await this.#spares.offer(async (spare) => {
        try {
          return { result: await use(spare.disk) };
        } catch (error) {
          if (!(error instanceof HoldfastError) || !SPARE_UNFIT.has(error.code)) throw error;
          this.#context.log.warn({ volume: volume.name, disk: spare.disk, error }, 'a spare disk could not be used');
          return undefined;
        }
      });
      return onSpare === undefined ? await use(undefined) : onSpare.result;
    };
    return {
      check: async (volume) => (await choose(volume, (chosen) => volume.checkReplica(chosen, replaces))).disk,
      take: async (volume) => {
        const id = await choose(volume, (chosen) => volume.planReplica(chosen, replaces));
        await this.#spares.remove(volume.status().replicas.find((replica) => replica.id === id)?.disk ?? '');
        return id;
      },
    };
  }

  /** A copy is missing: to make it comes before reading what is there, which may take a day. */
  async #endScrub(volume: EngineVolume): Promise<void> {
    const running = this.#operations.runningOn(volume.name);
    if (running?.kind !== 'volume-scrub' || volume.status().redundancy === 'full') return;
    const reason = `It was ended because a copy of the volume ${volume.name} is missing, which is made first. Start it again when redundancy is full.`;
    await within(
      CLOSE_DEADLINE_MS,
      `ending the scrub of ${volume.name}`,
      this.#operations.interrupt(running.id, reason),
    );
  }

  async #takeIn(volume: EngineVolume, disk: string | undefined, replaces?: string): Promise<Operation> {
    await this.#endScrub(volume);
    this.#operations.assertFree(volume.name);
    const spares = this.#spares.list();
    const replica = await this.#disks(disk, replaces).take(volume);
    const taken = spares.find((spare) =>
      volume.status().replicas.some((one) => one.id === replica && one.disk === spare.disk),
    );
    try {
      const kind = replaces === undefined ? 'volume-rebuild' : 'volume-replace-disk';
      return await this.#begin(kind, volume.name, { replica });
    } catch (error) {
      await volume.abandonReplica(replica);
      if (taken !== undefined) await this.#spares.add(taken);
      throw error;
    }
  }

  /** A rebuild that was asked for, but not journaled yet when the agent was killed, is done. */
  async #finishPlanned(volume: EngineVolume): Promise<void> {
    const replica = volume.unfinishedReplica();
    if (replica === undefined || this.#operations.runningOn(volume.name) !== undefined) return;
    await this.#begin('volume-rebuild', volume.name, { replica });
  }

  /** A replica that fell behind in a crash is made anew at once: that needs nobody's decision. */
  async #rebuildStale(volume: EngineVolume): Promise<void> {
    if (!volume.hasStaleReplica() || volume.unfinishedReplica() !== undefined || volume.status().state !== 'open')
      return;
    if (this.#stopped || this.#operations.runningOn(volume.name) !== undefined) return;
    const last = this.#triedAt.get(volume.name);
    if (last !== undefined && performance.now() - last < RETRY_REBUILD_MS) return;
    this.#triedAt.set(volume.name, performance.now());
    try {
      await this.#takeIn(volume, undefined);
    } catch (error) {
      this.#context.log.error({ volume: volume.name, error }, 'a stale replica could not be rebuilt; add one yourself');
    }
  }

  /** All disks of a volume failed at once and are back: what one of them missed is healed from the other without being asked. */
  async #scrubUnsure(volume: EngineVolume): Promise<void> {
    if (!volume.needsScrub() || volume.hasStaleReplica() || volume.unfinishedReplica() !== undefined) return;
    if (this.#stopped || volume.status().state !== 'open') return;
    if (this.#operations.runningOn(volume.name) !== undefined) return;
    const last = this.#scrubbedAt.get(volume.name);
    if (last !== undefined && performance.now() - last < RETRY_REBUILD_MS) return;
    this.#scrubbedAt.set(volume.name, performance.now());
    try {
      await this.scrub(volume.name);
    } catch (error) {
      this.#context.log.error({ volume: volume.name, error }, 'a volume whose disks failed could not be scrubbed');
    }
  }

  async #begin(kind: Operation['kind'], subject: string, input: OperationInput): Promise<Operation> {
    return await this.#operations.begin(kind, subject, input, (journey) =>
      this.#work({ kind, subject }, input, journey),
    );
  }

  async #work(operation: Pick<Operation, 'kind' | 'subject'>, input: OperationInput, journey: Journey): Promise<void> {
    const name = operation.subject;
    switch (operation.kind) {
      case 'volume-recover':
        return await recover(this.#volume(name), this.#disks(), journey);
      case 'volume-create':
        return await this.#create(input['plan'] as CreatePlan, journey);
      case 'volume-rebuild':
      case 'volume-replace-disk':
        return await rebuildOrAbandon(this.#volume(name), input['replica'] as string, journey);
      case 'volume-scrub':
        return await this.#volume(name).scrub(journey);
      case 'volume-grow':
        return await this.#volume(name).grow(input['imageBytes'] as number | undefined, journey);
      case 'volume-delete': {
        const volume = this.#volumes.get(name);
        if (volume === undefined) return;
        this.#announce(name, false);
        try {
          await volume.delete(journey);
        } catch (error) {
          // Refused, it is as usable as before.
          this.#changed(volume);
          throw error;
        }
        this.#forget(name);
        return;
      }
      case 'account-create':
      case 'account-delete':
      case 'site-quickstart':
        throw new HoldfastError('internal', `The storage has no work of the kind ${operation.kind}.`);
    }
  }

  async #create(plan: CreatePlan, journey: Journey): Promise<void> {
    const known = this.#volumes.get(plan.name);
    const volume = known ?? (await this.#engine.begin(plan));
    if (known === undefined) this.#adopt(volume);
    try {
      await volume.make(journey);
    } catch (error) {
      if (journey.signal.aborted) throw error;
      // Nobody's data can be on it yet: nothing half-made stays behind to be in the way of the next try.
      await volume.delete(journey).then(
        () => this.#forget(plan.name),
        (cause: unknown) =>
          this.#context.log.error({ volume: plan.name, error: cause }, 'a half-made volume could not be removed'),
      );
      throw error;
    }
  }

  #forget(name: string): void {
    this.#volumes.delete(name);
    clearTimeout(this.#looking.get(name));
    this.#looking.delete(name);
    this.#announce(name, false);
    this.#usable.delete(name);
    this.#tellDisks();
  }

  #changed(volume: EngineVolume): void {
    const status = this.#statusOf(volume);
    this.#context.emit({ type: 'volume', volume: status });
    this.#announce(volume.name, status.state === 'open');
    this.#tellDisks();
  }

  #tellDisks(): void {
    for (const listener of this.#diskListeners) listener();
  }

  #announce(name: string, usable: boolean): void {
    if ((this.#usable.get(name) ?? false) === usable) return;
    this.#usable.set(name, usable);
    for (const listener of this.#listeners) listener(name, usable);
  }

  #tellOperation(operation: Operation): void {
    this.#context.emit({ type: 'operation', operation });
    const volume = this.#volumes.get(operation.subject);
    if (volume !== undefined) this.#context.emit({ type: 'volume', volume: this.#statusOf(volume) });
    this.#tellDisks();
  }
}
