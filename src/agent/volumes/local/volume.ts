import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isServed, whyUnusable } from '../../../model/volume-life.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { VolumeStatus } from '../../../protocol/volumes.ts';
import { mustRun, runCommand } from '../../../runtime/command.ts';
import type { FaultName } from '../../../protocol/drills.ts';
import type { AccountHome, WatchedDisk } from '../../context.ts';
import type { AccountWanted, EngineVolume } from '../engine.ts';
import type { Journey } from '../../operations/journey.ts';
import { assertAnotherReads, cutReplica, leave } from './cutting.ts';
import { Faults } from './faults.ts';
import { errorsOf, runningWork } from '../../btrfs/filesystem.ts';
import { deviceBytes } from '../../disks/loops.ts';
import { makeVolume } from './make.ts';
import { assertUnused, closeVolume, openVolume } from './opening.ts';
import { isFormerReplica, planDisk } from './plan.ts';
import { cleanLeaving, discardDisk, dismiss, rebuildReplica } from './rebuild.ts';
import { scrubDevice } from './scrubbing.ts';
import { loadRecords, NO_ERRORS, removeRecord, type ReplicaRecord } from './record.ts';
import { damagedSentence, type VolumeState } from './state.ts';
import { assertNoCopy, makeWay } from './under-way.ts';
import { removeDirectory } from '../../disks/valve.ts';
import { answers, probe } from './silence.ts';
import { heal, hungReplicas, lookAt } from './watching.ts';

/** A volume that does not open is tried again at the next look, and then less and less often down to this. */
const HEAL_AT_MOST_EVERY_MS = 10_000;
const HEAL_SLOWER = 1.5;

interface ReplicaRequest {
  replaced: ReplicaRecord;
  /** Undefined: a fresh image file of `imageBytes`. */
  disk: string | undefined;
  imageBytes: number;
}

/** One volume of the local engine: what may be asked of it, and in which state. */
export class LocalVolume implements EngineVolume {
  readonly #state: VolumeState;
  /** Opening, closing, leaving and looking happen one after the other; each of them holds to deadlines. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #faults: Faults;
  #healedAt = -Infinity;
  #healEveryMs = 0;

  constructor(state: VolumeState) {
    this.#state = state;
    this.#faults = new Faults(state);
  }

  get name(): string {
    return this.#state.name;
  }

  get wantedOpen(): boolean {
    return this.#state.wantedOpen;
  }

  status(): VolumeStatus {
    return this.#state.status();
  }

  onChange(listener: () => void): void {
    this.#state.onChange(listener);
  }

  assertUsable(): void {
    const { life, lane, wantedOpen } = this.#state;
    switch (whyUnusable(life, !lane.broken, wantedOpen)) {
      case undefined:
        return;
      case 'closing':
        throw new HoldfastError('volume-closed', `The volume ${this.name} is being closed.`, { retryAfterSeconds: 10 });
      case 'opening':
        throw new HoldfastError('storage-repair', `The volume ${this.name} is being opened. Try again in a moment.`, {
          retryAfterSeconds: 2,
        });
      case 'closed':
        throw new HoldfastError('volume-closed', `The volume ${this.name} is closed.`, { retryAfterSeconds: 10 });
      case 'repair':
        throw new HoldfastError('storage-repair', life.held ?? 'This storage is being repaired. Try again shortly.', {
          retryAfterSeconds: 5,
        });
    }
  }

  async make(journey: Journey): Promise<void> {
    await this.#inTurn(() => makeVolume(this.#state, journey));
    await this.refresh();
  }

  async open(): Promise<void> {
    await this.#inTurn(async () => {
      const { record } = this.#state;
      if (record.phase !== 'ready') {
        throw new HoldfastError('conflict', `The volume ${this.name} is being made or deleted.`);
      }
      if (!record.wantedOpen) {
        record.wantedOpen = true;
        await this.#state.file.save();
      }
      await openVolume(this.#state);
      await cleanLeaving(this.#state);
    });
    await this.refresh();
  }

  async close(how: 'forget' | 'keep'): Promise<void> {
    // A stop ends faults in any case: nobody would know of them afterwards. Not in turn, whose work may wait for a disk that hangs.
    const ended = how === 'keep' ? await this.#beginClosing() : [];
    try {
      ended.push(...(await this.#faults.end()));
      await this.#inTurn(async () => {
        const { record } = this.#state;
        try {
          await closeVolume(this.#state, ended);
        } finally {
          // Refused: it stays open, and is watched on.
          if (isServed(this.#state.life)) this.#state.quotas.begin();
        }
        if (how !== 'keep' || !record.wantedOpen) return;
        // Closed first: a volume that is in use stays open, and wanted.
        record.wantedOpen = false;
        await this.#state.file.save();
      });
    } finally {
      this.#state.happened({ type: 'closing-over' });
    }
  }

  /** Refuses when others than its members use it, before anything is ended for it; then whoever runs its members' programs is told to end them. */
  async #beginClosing(): Promise<string[]> {
    const members = await assertUnused(this.#state);
    this.#state.happened({ type: 'closing' });
    return members > 0 ? ["Its members' programs were told to end for it; its sites start again by themselves."] : [];
  }

  async refresh(): Promise<VolumeStatus> {
    await this.#inTurn(async () => {
      await lookAt(this.#state);
      if (this.#state.life.step === 'open') {
        this.#healEveryMs = 0;
      } else if (performance.now() - this.#healedAt > this.#healEveryMs) {
        await heal(this.#state);
        this.#healedAt = performance.now();
        this.#healEveryMs = Math.min(HEAL_AT_MOST_EVERY_MS, Math.max(1_000, this.#healEveryMs * HEAL_SLOWER));
      }
    })
      .then(() => probe(this.#state))
      .then(() => this.#watchLimits())
      .catch((error: unknown) => {
        this.#state.log.error({ volume: this.name, error }, 'looking at a volume failed');
      });
    return this.status();
  }

  async setAside(id: string): Promise<void> {
    const replica = this.#replica(id);
    if (replica.state === 'set-aside') return;
    if (replica.state === 'rebuilding') {
      throw new HoldfastError('conflict', `Replica ${id} is being rebuilt and holds nothing complete yet.`);
    }
    if (replica.state === 'healthy') await this.assertAnotherReads(id);
    await cutReplica(this.#state, replica, 'set-aside', 'it was set aside by an operator.');
  }

  async assertAnotherReads(id: string): Promise<void> {
    // The last one is refused by the cut itself, which knows why.
    if (this.#state.healthy().length > 1) await assertAnotherReads(this.#state, this.#replica(id));
  }

  async cut(id: string, reason: string): Promise<void> {
    try {
      await cutReplica(this.#state, this.#replica(id), 'failed', reason);
    } finally {
      // What did not answer does now: it is asked at once, and not at the next look.
      this.#healEveryMs = 0;
      void this.refresh();
    }
  }

  disks(): WatchedDisk[] {
    return this.#state.disks();
  }

  hold(sentence: string | null): void {
    const state = this.#state;
    if (state.life.held === sentence) return;
    state.happened({ type: 'held', sentence });
    // What waits for the volume now is answered now. The lane opens again when the volume answers a probe.
    if (sentence !== null) state.lane.trip();
    else void this.refresh();
  }

  doubt(): void {
    this.#state.happened({ type: 'doubted' });
  }

  async proves(): Promise<boolean> {
    return this.#state.life.step === 'open' && (await answers(this.#state));
  }

  async fault(id: string, fault: FaultName): Promise<FaultName | null> {
    return await this.#faults.set(this.#replica(id), fault);
  }

  async planReplica(disk: string | undefined, replaces?: string): Promise<string> {
    return await this.#inTurn(() => this.#addReplica(this.#replaced(disk, replaces)));
  }

  async checkReplica(disk: string | undefined, replaces?: string): Promise<{ disk: string; replaces: string }> {
    const request = this.#replaced(disk, replaces);
    return { disk: (await this.#plan(request)).disk, replaces: request.replaced.id };
  }

  async hungReplicas(): Promise<string[]> {
    return await hungReplicas(this.#state);
  }

  damaged(): boolean {
    return this.#state.damaged() !== undefined;
  }

  unfinishedReplica(): string | undefined {
    return this.#state.record.replicas.find((replica) => replica.state === 'rebuilding')?.id;
  }

  async rebuild(id: string, journey: Journey): Promise<void> {
    this.assertUsable();
    await rebuildReplica(this.#state, this.#replica(id), journey);
  }

  async abandonReplica(id: string): Promise<void> {
    await this.#inTurn(async () => {
      const state = this.#state;
      const target = state.record.replicas.find((replica) => replica.id === id);
      if (target === undefined || target.state !== 'rebuilding') return;
      await this.#giveUp(target);
      // What ended the copy may have stopped the file system as well: then the next try must not find it open.
      await lookAt(state);
    });
  }

  async #giveUp(target: ReplicaRecord): Promise<void> {
    const state = this.#state;
    if (target.deviceId !== 0) {
      // It took the other one's place in the file system already, but is not proven complete.
      await leave(state, target, 'failed', 'its rebuild failed.');
      return;
    }
    if ((await runningWork(state.record.uuid)) === 'device replace') {
      await runCommand('btrfs', ['replace', 'cancel', state.directories.mount], { deadlineMs: 60_000 });
    }
    await dismiss(state, target);
  }

  async scrub(journey: Journey): Promise<void> {
    this.assertUsable();
    await assertNoCopy(this.#state);
    journey.plan(this.#state.healthy().map(({ id }) => `Scrub ${id}`));
    for (const replica of this.#state.healthy()) {
      await journey.step(`Scrub ${replica.id}`, async (report) => {
        const result = await scrubDevice(this.#state, replica, report, journey.signal);
        if (result.uncorrectable > 0) {
          throw new HoldfastError('data-damaged', damagedSentence(this.name, result.uncorrectable));
        }
        // What was found is healed and no fault any more. Errors of the disk itself are the look's to judge.
        const errors = await errorsOf(this.#state.record.uuid, replica.deviceId);
        const { corruption, generation } = errors ?? replica.baseline;
        replica.baseline = { ...replica.baseline, corruption, generation };
      });
    }
    if (this.#state.record.unsure === 'scrub') this.#state.record.unsure = null;
    this.#state.record.damagedBlocks = 0;
    await this.#state.file.save();
    await cleanLeaving(this.#state);
    await this.refresh();
  }

  async planGrow(imageBytes: number | undefined): Promise<void> {
    this.assertUsable();
    const state = this.#state;
    if (state.healthy().length < state.record.replicas.length) {
      throw new HoldfastError(
        'conflict',
        `The volume ${this.name} is not complete. Restore its redundancy before you grow it.`,
      );
    }
    const images = state.record.replicas.filter((replica) => replica.kind === 'image');
    if (images.length === 0) return;
    if (imageBytes === undefined) {
      throw new HoldfastError('input-invalid', 'Say how large the image files shall be.', { field: 'imageBytes' });
    }
    if (images.some((replica) => imageBytes <= replica.bytes)) {
      throw new HoldfastError('input-invalid', `The volume ${this.name} has that size already. It can only grow.`, {
        field: 'imageBytes',
      });
    }
  }

  /**
   * An image grows by moving to a larger one, replica after replica, with the old one complete until the new one is: at no moment
   * has the volume less than two. A real disk that became larger is used to its end.
   */
  async grow(imageBytes: number | undefined, journey: Journey): Promise<void> {
    const state = this.#state;
    this.assertUsable();
    for (;;) {
      const small = state.record.replicas.find(
        (replica) => replica.kind === 'image' && replica.state !== 'rebuilding' && replica.bytes < (imageBytes ?? 0),
      );
      let target = state.record.replicas.find((replica) => replica.state === 'rebuilding');
      if (target === undefined) {
        if (small === undefined) break;
        const id = await this.#inTurn(() =>
          this.#addReplica({ replaced: small, disk: undefined, imageBytes: imageBytes ?? small.bytes }),
        );
        target = this.#replica(id);
      }
      await rebuildReplica(state, target, journey);
    }
    await journey.step('Use the new size', async (report) => {
      for (const replica of state.healthy()) {
        const device = state.attached.get(replica.id)?.device;
        replica.bytes = (device === undefined ? undefined : await deviceBytes(device)) ?? replica.bytes;
        await makeWay(state, report, journey.signal);
        const parameters = ['filesystem', 'resize', `${replica.deviceId}:max`, state.directories.mount];
        await state.lane.run(() => mustRun('btrfs', parameters, { deadlineMs: 60_000 }));
      }
      if (imageBytes !== undefined) state.record.imageBytes = Math.max(state.record.imageBytes, imageBytes);
      await state.file.save();
    });
    await this.refresh();
  }

  assertDeletable(): void {
    const accounts = this.#state.accounts.names();
    if (accounts.length === 0) return;
    throw new HoldfastError(
      'volume-in-use',
      `${accounts.length} account${accounts.length === 1 ? ' has its' : 's have their'} home on the volume ${this.name}. Delete or move them first.`,
    );
  }

  async delete(journey: Journey): Promise<void> {
    const state = this.#state;
    const { record, directories } = state;
    await journey.step('Close the volume', async () => {
      await assertUnused(state);
      const ended = await this.#faults.end();
      await this.#inTurn(async () => {
        this.assertDeletable();
        await closeVolume(state, ended);
        record.phase = 'deleting';
        await state.file.save();
      });
    });
    await journey.step('Release the disks', async () => {
      for (const replica of [...record.replicas, ...record.leaving]) await discardDisk(state, replica);
    });
    await journey.step('Forget the volume', async () => {
      await rm(join(state.context.layout.agent, 'accounts', `${this.name}.json`), { force: true });
      // Nothing is mounted here any more; should anything be left, its directory stays and is named in the error.
      for (const path of [directories.mount, directories.disks, directories.valves, directories.own])
        await removeDirectory(path);
      await removeRecord(directories.records, this.name);
    });
  }

  homeOf(account: string): AccountHome {
    return this.#state.accounts.homeOf(account);
  }

  hasAccount(name: string): boolean {
    return this.#state.accounts.has(name);
  }

  residents(): readonly number[] {
    return this.#state.accounts.uids();
  }

  needsScrub(): boolean {
    return this.#state.record.unsure === 'scrub' && isServed(this.#state.life);
  }

  hasStaleReplica(): boolean {
    return this.#state.record.replicas.some((replica) => replica.behind);
  }

  async ensureAccount(account: AccountWanted): Promise<{ created: boolean }> {
    this.assertUsable();
    return await this.#state.accounts.ensure(account);
  }

  async removeAccount(name: string): Promise<{ removed: boolean }> {
    this.assertUsable();
    this.#state.quotas.assertCounted();
    return await this.#state.accounts.remove(name);
  }

  async usage(name: string): Promise<{ usedBytes: number; limitBytes: number }> {
    this.assertUsable();
    return await this.#state.accounts.usage(name);
  }

  /** Only of a volume that answers: what hangs keeps the process that asks. */
  #watchLimits(): void {
    const { life, lane, quotas } = this.#state;
    if (life.step === 'open' && life.silence === null && !lane.broken) quotas.look();
  }

  async withRoom<T>(
    account: string,
    bytes: number,
    work: () => Promise<T>,
  ): Promise<{ result: T; freedBytes: number }> {
    this.assertUsable();
    return await this.#state.accounts.withRoom(account, bytes, work);
  }

  #replica(id: string): ReplicaRecord {
    const { replicas } = this.#state.record;
    const found = replicas.find((replica) => replica.id === id);
    if (found !== undefined) return found;
    const known = replicas.map((replica) => replica.id).join(', ');
    throw new HoldfastError('not-found', `The volume ${this.name} has no replica ${id}. It has: ${known}.`);
  }

  /** Whose place a new replica takes, and which disk it shall be on; undefined: a fresh image file. */
  #replaced(disk: string | undefined, replaces: string | undefined): ReplicaRequest {
    const state = this.#state;
    this.assertUsable();
    const { record } = state;
    if (record.replicas.some((replica) => replica.state === 'rebuilding')) {
      throw new HoldfastError('conflict', `A replica of the volume ${this.name} is being rebuilt already.`);
    }
    const incomplete = record.replicas.find((replica) => replica.state !== 'healthy');
    const replaced = replaces === undefined ? incomplete : this.#replica(replaces);
    if (replaced === undefined) {
      throw new HoldfastError(
        'conflict',
        `The volume ${this.name} has all its replicas. Set one aside before you add another.`,
      );
    }
    if (replaced.state === 'healthy' && incomplete !== undefined) {
      throw new HoldfastError(
        'conflict',
        `Replica ${replaced.id} is the last complete one of the volume ${this.name}. Replace the disk of ${incomplete.id} first.`,
      );
    }
    if (disk === undefined && replaced.kind === 'block' && !replaced.behind) {
      throw new HoldfastError(
        'input-invalid',
        `The volume ${this.name} is on real disks. Say which disk to rebuild onto.`,
        { field: 'disk' },
      );
    }
    const wanted = disk ?? (replaced.kind === 'block' ? replaced.disk : undefined);
    return { replaced, disk: wanted, imageBytes: Math.max(record.imageBytes, replaced.bytes) };
  }

  /** The replica to be. Throws when its disk cannot be used; changes nothing. */
  async #plan({ replaced, disk, imageBytes }: ReplicaRequest): Promise<ReplicaRecord> {
    const state = this.#state;
    const { record, directories } = state;
    const id = `r${record.nextReplica}`;
    const former = disk !== undefined && (await isFormerReplica(disk, record));
    const planned = former
      ? { ...replaced, id, disk, behind: false, baseline: NO_ERRORS }
      : await planDisk(
          id,
          disk ?? join(directories.disks, `${id}.img`),
          disk === undefined,
          imageBytes,
          directories,
          await loadRecords(directories.records),
          state.usedBytes,
        );
    if (planned.bytes < replaced.bytes) {
      throw new HoldfastError(
        'disk-unusable',
        `The disk ${planned.disk} is smaller than the one it replaces. Choose one of at least ${replaced.bytes} bytes.`,
        { field: 'disk' },
      );
    }
    return { ...planned, state: 'rebuilding', reason: null, deviceId: 0, replaces: replaced.id };
  }

  async #addReplica(request: ReplicaRequest): Promise<string> {
    const planned = await this.#plan(request);
    const { record } = this.#state;
    record.replicas.push(planned);
    record.nextReplica += 1;
    await this.#state.file.save();
    return planned.id;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work, work);
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }
}
