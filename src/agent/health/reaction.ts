import { randomBytes } from 'node:crypto';
import { troubleKeyOf, type Diagnosis } from '../../model/health.ts';
import {
  adviceOnHostRoom,
  diagnoseHostRoom,
  isHostFull,
  isWaitForRoom,
  type FullSpell,
  type HostRoom,
} from '../../model/host-room.ts';
import { decide, retryDelayMs, type Decision, type Situation } from '../../model/reaction.ts';
import { adviceOnSilence, diagnoseSilence } from '../../model/silent-volume.ts';
import { adviceOnUnopened, diagnoseUnopened } from '../../model/unopened-volume.ts';
import { diagnoseVolume } from '../../model/volume-diagnosis.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import type { TimelineEntry, Trouble } from '../../protocol/health.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import type { Logger } from '../../runtime/log.ts';
import { monotonicMs } from '../../runtime/monotonic.ts';
import type { StoragePart } from '../context.ts';
import { whyOver } from './over.ts';
import { KEPT, newMemory, type KnownTrouble, type TroubleJournal } from './trouble-journal.ts';
import type { SeenTrouble, WatcherReport } from './watcher/messages.ts';

/** A disk that answered again, or a host that moves again, is believed after this. */
const WELL_AFTER_MS = 3_000;
/** Without a report this recent nobody knows whether a disk is well. */
const FRESH_MS = 2_500;
/** Everything is decided again this often even when nothing was heard: waits end, tries become due. */
const TICK_MS = 1_000;
/** The record of a trouble is written before an act, but an act that members wait for does not wait longer than this for the host's disk. */
const JOURNAL_FIRST_MS = 150;
/** An act that was refused is not tried again before this, the last one repeats: mostly the volume is only busy for a moment. */
const REFUSED_MS = [1_000, 2_000, 5_000, 10_000];
/** A disk that was cut leaves its volume within this; one that still hangs after it is cut again. */
const LEAVES_MS = 2_000;
/** Tries to restore redundancy in a row that fail before a person is asked: the first one may have met a disk that failed meanwhile. */
const FAILURES_BEFORE_PERSON = 2;

type Storage = Pick<
  StoragePart,
  'known' | 'statuses' | 'disks' | 'cut' | 'restoreRedundancy' | 'hold' | 'doubt' | 'proves' | 'scrub' | 'onDisksChange'
> & { handlers: Pick<StoragePart['handlers'], 'operations.list'> };

export interface ReactionOptions {
  storage: Storage;
  journal: TroubleJournal;
  log: Logger;
  /** Whether this host repairs by itself now. */
  enabled(): boolean;
  /** The room on the machine's own disk; undefined while it is not known. */
  hostRoom?(): HostRoom | undefined;
  /** Whether there is none on it, or was none a moment ago (moments of monotonicMs); undefined before anybody looked. */
  fullSpell?(): FullSpell | undefined;
  /** A trouble is new or different. */
  tell(trouble: Trouble): void;
}

/**
 * What is done about diagnoses. It holds no state that the troubles on disk and the storage do not also hold, so that it can be
 * killed at any moment: the next one decides from the same facts again, and every act can be repeated.
 */
export class Reaction {
  readonly #options: ReactionOptions;
  readonly #known = new Map<string, KnownTrouble>();
  #seen: SeenTrouble[] = [];
  #suspects: WatcherReport['suspects'] = [];
  #reportedAt = -Infinity;
  /** When each trouble was last diagnosed, by key. */
  readonly #diagnosedAt = new Map<string, number>();
  /** Volumes that do not answer: when something else than their file system was last to blame for it (monotonicMs). */
  readonly #explainedAt = new Map<string, number>();
  /** Acts under way, one a volume. */
  readonly #acting = new Map<string, Promise<void>>();
  readonly #notBefore = new Map<string, number>();
  /** Refusals in a row, by act. */
  readonly #refusals = new Map<string, number>();
  /** Volumes out of service, and the trouble that tells of it. */
  readonly #held = new Map<string, string>();
  readonly #told = new Map<string, string>();
  /** New ones whose first record is not on disk yet: a trouble that could be forgotten is told to nobody. */
  readonly #unrecorded = new Set<string>();
  #operations: Operation[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(options: ReactionOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const one of await this.#options.journal.load(Date.now())) {
      this.#known.set(one.trouble.id, one);
      if (one.trouble.state === 'resolved') this.#told.set(one.trouble.id, shownOf(one.trouble));
    }
    // Before that there seem to be no volumes, and every trouble of one would be taken to be over.
    await this.#options.storage.known();
    this.#running = true;
    this.#options.storage.onDisksChange(() => this.#decide());
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Begins nothing any more, and waits for what is under way to be written down. */
  async stop(): Promise<void> {
    this.#running = false;
    clearInterval(this.#timer);
    await Promise.allSettled(this.#acting.values());
  }

  /** Open ones and those resolved in the last days, newest first. */
  troubles(): Trouble[] {
    return [...this.#known.values()].map(({ trouble }) => trouble).sort((a, b) => b.since.localeCompare(a.since));
  }

  take(report: Pick<WatcherReport, 'troubles' | 'suspects'> & Partial<Pick<WatcherReport, 'health'>>): void {
    for (const { volume } of report.health?.stuck ?? []) this.#options.storage.doubt(volume);
    this.#seen = report.troubles;
    this.#suspects = report.suspects;
    this.#reportedAt = performance.now();
    this.#decide();
  }

  /** Nobody watches: what was seen before is no basis for an act. */
  blind(): void {
    this.#seen = [];
    this.#reportedAt = -Infinity;
  }

  async #tick(): Promise<void> {
    if (this.#open().length > 0) {
      this.#operations = await this.#options.storage.handlers['operations.list']({});
      this.#forgetLostOperations();
      this.#followOperations();
    }
    this.#decide();
  }

  /** Nobody knows any more how it ended: what is to be done is decided from the volume's state. */
  #forgetLostOperations(): void {
    for (const { trouble } of this.#open()) {
      if (!this.#operations.some((one) => one.id === trouble.operation)) trouble.operation = null;
    }
  }

  #open(): KnownTrouble[] {
    return [...this.#known.values()].filter(({ trouble }) => trouble.state === 'open');
  }

  #decide(): void {
    if (!this.#running) return;
    const statuses = this.#options.storage.statuses();
    // One moment for the whole turn: what began at a known time is told with that very time.
    const now = monotonicMs();
    const diagnoses = this.#diagnoses(statuses, now);
    for (const one of diagnoses) this.#note(one, now);
    this.#followOperations();
    const situation = this.#situation(
      statuses,
      diagnoses.map((one) => one.diagnosis),
    );
    const decisions = decide(situation);
    this.#show(decisions, statuses);
    for (const decision of decisions) this.#begin(decision);
    this.#resolve(statuses);
    for (const { trouble } of this.#open()) this.#tellIfNew(trouble);
  }

  /** A watcher that is stuck goes on saying what it said last: after a while that is no basis for an act. */
  #watching(): boolean {
    return performance.now() - this.#reportedAt < FRESH_MS;
  }

  /** What the watcher sees in disks that count, and what the volumes say themselves. */
  #diagnoses(statuses: readonly VolumeStatus[], now: number): SeenTrouble[] {
    const inUse = (diagnosis: Diagnosis): boolean => {
      const { kind, volume, replica } = diagnosis.culprit;
      if (kind !== 'disk') return true;
      const state = statuses.find((one) => one.name === volume)?.replicas.find((one) => one.id === replica)?.state;
      // "missing" is a complete one that cannot be reached now.
      return state === 'healthy' || state === 'rebuilding' || state === 'missing';
    };
    const room = this.#options.hostRoom?.();
    const spell = this.#options.fullSpell?.();
    const found = (this.#watching() ? this.#seen : []).filter(
      (seen) => inUse(seen.diagnosis) && !this.#waitsForRoom(seen, statuses, now),
    );
    const scarce = room && diagnoseHostRoom(room, this.#openWith('host-room:-:-') !== undefined, { spell, now });
    if (scarce !== undefined) found.push({ diagnosis: scarce, since: now });
    const keys = new Set(found.map(({ diagnosis }) => troubleKeyOf(diagnosis)));
    for (const status of statuses) {
      if (this.#operations.some((one) => one.id === status.operation && one.kind === 'volume-create')) continue;
      const full = this.#openWith(`volume:${status.name}:-`)?.trouble.diagnosis.fault === 'full';
      const own = diagnoseVolume(status, { full });
      const silent = this.#silent(status, now, [...found.map(({ diagnosis }) => diagnosis), ...own]);
      if (silent !== undefined) found.push(silent);
      const unopened = silent === undefined ? this.#unopened(status, own, now) : undefined;
      if (unopened !== undefined) found.push(unopened);
      for (const diagnosis of own) {
        // One that does not answer is not full as well.
        const other = silent ?? unopened;
        const told = keys.has(troubleKeyOf(diagnosis)) || (other !== undefined && diagnosis.fault === 'full');
        if (!told) found.push({ diagnosis, since: now });
      }
    }
    return found;
  }

  /** An image file below which there is no room keeps requests waiting, and so do all of them together: that is not their doing. */
  #waitsForRoom({ diagnosis, since }: SeenTrouble, statuses: readonly VolumeStatus[], now: number): boolean {
    const { culprit } = diagnosis;
    const replicas = statuses.find(({ name }) => name === culprit.volume)?.replicas ?? [];
    const isImage = culprit.kind === 'disk' && replicas.some(({ id, valve }) => id === culprit.replica && valve);
    if (culprit.kind !== 'host' && !isImage) return false;
    const waitsNow =
      culprit.kind === 'host' ||
      this.#suspects.some(({ volume, replica }) => volume === culprit.volume && replica === culprit.replica);
    return isWaitForRoom({ diagnosis, since, waitsNow }, this.#options.fullSpell?.(), now);
  }

  /** It cannot be opened, and that is more than that no disk of it is there, which is told of its disks. */
  #unopened(
    { name, unopened, silence, redundancy }: VolumeStatus,
    own: readonly Diagnosis[],
    now: number,
  ): SeenTrouble | undefined {
    if (!unopened || silence) return undefined;
    if (redundancy === 'lost' && own.some(({ culprit }) => culprit.kind === 'disk')) return undefined;
    const diagnosis = diagnoseUnopened(name, unopened);
    return diagnosis && { diagnosis, since: now - unopened.lastedMs };
  }

  /** It does not answer, and neither its disks nor the host are to blame, nor were a moment ago. */
  #silent(status: VolumeStatus, now: number, others: readonly Diagnosis[]): SeenTrouble | undefined {
    const { name, silence, replicas } = status;
    if (!silence) {
      this.#explainedAt.delete(name);
      return undefined;
    }
    const waits = { diagnosis: { fault: 'hung' as const }, since: now, waitsNow: true };
    const blamed =
      (replicas.some(({ valve }) => valve) && isWaitForRoom(waits, this.#options.fullSpell?.(), now)) ||
      others.some(
        ({ fault, culprit: { kind, volume } }) =>
          (kind === 'host' && fault !== 'full') || (kind === 'disk' && volume === name),
      );
    if (blamed || !this.#watching() || this.#suspects.some(({ volume }) => volume === name)) {
      this.#explainedAt.set(name, now);
      return undefined;
    }
    const since = Math.max(now - silence.lastedMs, this.#explainedAt.get(name) ?? -Infinity);
    const diagnosis = diagnoseSilence(name, { ...silence, lastedMs: now - since });
    return diagnosis && { diagnosis, since };
  }

  #openWith(key: string): KnownTrouble | undefined {
    return this.#open().find(({ trouble }) => trouble.key === key);
  }

  /** Opens a trouble, or keeps the open one true. */
  #note({ diagnosis, since: first }: SeenTrouble, now: number): void {
    const key = troubleKeyOf(diagnosis);
    this.#diagnosedAt.set(key, performance.now());
    const known = this.#openWith(key);
    if (known !== undefined) {
      const { trouble, memory } = known;
      if (trouble.diagnosis.fault === diagnosis.fault) {
        // Once it is cut, the evidence stays what it was cut for.
        if (memory.cutAt === null) trouble.diagnosis = diagnosis;
        return;
      }
      if (memory.cutAt !== null) return;
      trouble.diagnosis = diagnosis;
      this.#write(known, 'diagnosis', `It is ${diagnosis.fault} now: ${diagnosis.evidence.join(' ')}`);
      return;
    }
    // Shown by the time of day; everything else goes by the clock that is never set.
    const wall = Date.now();
    const since = new Date(Math.round(wall - Math.max(0, now - first))).toISOString();
    const at = new Date(wall).toISOString();
    const opened: KnownTrouble = {
      trouble: {
        id: `${since.slice(0, 19).replace(/[^0-9]/g, '')}-${randomBytes(3).toString('hex')}`,
        key,
        state: 'open',
        diagnosis,
        volume: diagnosis.culprit.volume,
        service: 'serving',
        since,
        namedAt: at,
        resolvedAt: null,
        doing: 'It has just been found.',
        mustAct: null,
        timeline: [
          { at: since, kind: 'signal', text: firstSign(diagnosis) },
          { at, kind: 'diagnosis', text: [...diagnosis.evidence, ...diagnosis.ruledOut].join(' ') },
        ],
        operation: null,
      },
      memory: newMemory(),
    };
    this.#known.set(opened.trouble.id, opened);
    this.#options.log.error(
      { trouble: opened.trouble.id, key, fault: diagnosis.fault, evidence: diagnosis.evidence },
      'trouble',
    );
    this.#record(opened);
  }

  #situation(statuses: readonly VolumeStatus[], diagnoses: readonly Diagnosis[]): Situation {
    const room = this.#options.hostRoom?.();
    return {
      ...(room === undefined ? {} : { hostFull: isHostFull(room), hostAdvice: adviceOnHostRoom(room) }),
      now: monotonicMs(),
      reaction: this.#options.enabled(),
      diagnoses,
      watching: this.#watching(),
      suspects: this.#watching() ? this.#suspects : [],
      volumes: statuses.map((status) => ({
        name: status.name,
        state: status.state,
        redundancy: status.redundancy,
        replicas: status.replicas,
        // Also until it is taken up how the last one ended: before, it is not known when the next try may come.
        busy:
          status.operation !== null ||
          this.#open().some(({ trouble }) => trouble.volume === status.name && trouble.operation !== null),
        scrubbing: this.#operations.some((one) => one.id === status.operation && one.kind === 'volume-scrub'),
        held: this.#held.has(status.name),
        limitsAdvice: status.uncounted?.mustAct ?? null,
        advice: adviceOn(status),
      })),
      troubles: this.#open().map(({ trouble, memory }) => ({
        key: trouble.key,
        volume: trouble.volume,
        fault: trouble.diagnosis.fault,
        ...memory,
      })),
      // Those of a volume that is gone (a drill's, mostly) say nothing about the ones that are here.
      cuts: [...this.#known.values()].flatMap(({ trouble, memory }) =>
        memory.cutAt !== null && statuses.some((one) => one.name === trouble.volume) ? [memory.cutAt] : [],
      ),
    };
  }

  #begin(decision: Decision): void {
    const { storage } = this.#options;
    switch (decision.do) {
      case 'cut':
        if (this.#isLeaving(decision.key)) return;
        this.#act(decision, async (known) => await this.#cut(known, decision));
        return;
      case 'hold': {
        const known = this.#openWith(decision.key);
        if (known === undefined || this.#held.has(decision.volume)) return;
        this.#held.set(decision.volume, known.trouble.id);
        storage.hold(decision.volume, decision.sentence);
        this.#write(
          known,
          'action',
          `The volume ${decision.volume} is taken out of service: none of its disks answers.`,
        );
        return;
      }
      case 'release':
        this.#release(decision.volume);
        return;
      case 'restore':
        this.#act(decision, async (known) => {
          const operation = await storage.restoreRedundancy(decision.volume);
          // What failed twice must succeed before nobody is needed any more.
          if (known.memory.failures < FAILURES_BEFORE_PERSON && !known.memory.unhealed) known.memory.needs = null;
          this.#follow(known, operation);
        });
        return;
      case 'scrub':
        this.#act(decision, async (known) => {
          const operation = await storage.scrub(decision.volume);
          known.memory.scrubbedAt = monotonicMs();
          this.#follow(known, operation);
        });
        return;
      case 'person':
      case 'wait':
        return;
    }
  }

  #release(volume: string): void {
    const teller = this.#held.get(volume);
    if (teller === undefined) return;
    this.#held.delete(volume);
    try {
      this.#options.storage.hold(volume, null);
    } catch (error) {
      // It was deleted meanwhile: there is nothing left to be released.
      if (!(error instanceof HoldfastError) || error.code !== 'not-found') throw error;
    }
    // Both disks have a trouble; the one that told of the stop tells of its end.
    const mine = this.#open().filter(({ trouble }) => trouble.volume === volume);
    const known = mine.find(({ trouble }) => trouble.id === teller) ?? mine[0];
    if (known !== undefined)
      this.#write(known, 'action', `The volume ${volume} is back in service: a complete disk answers again.`);
  }

  /** One act a volume at a time; whatever it throws is written down and tried again later. */
  #act(decision: { do: string; key: string; volume: string }, work: (known: KnownTrouble) => Promise<void>): void {
    const known = this.#openWith(decision.key);
    const label = `${decision.do} ${decision.volume}`;
    if (known === undefined || this.#acting.has(decision.volume)) return;
    if (performance.now() < (this.#notBefore.get(label) ?? -Infinity)) return;
    const acting = work(known)
      .then(() => void this.#refusals.delete(label))
      .catch((error: unknown) => {
        const refusals = this.#refusals.get(label) ?? 0;
        this.#refusals.set(label, refusals + 1);
        const wait = REFUSED_MS[Math.min(refusals, REFUSED_MS.length - 1)] ?? 10_000;
        this.#notBefore.set(label, performance.now() + wait);
        this.#refused(known, decision.do, error);
      })
      .finally(() => {
        this.#acting.delete(decision.volume);
        this.#decide();
      });
    this.#acting.set(decision.volume, acting);
  }

  async #cut(known: KnownTrouble, { volume, replica, reason }: Extract<Decision, { do: 'cut' }>): Promise<void> {
    const { trouble, memory } = known;
    const disk = trouble.diagnosis.culprit.disk ?? replica;
    memory.cutAt = monotonicMs();
    memory.provenAt = null;
    const isNew = this.#stateOf(volume, replica) === 'rebuilding';
    const then = isNew ? 'the copy onto it is given up' : 'the other disk goes on';
    this.#add(known, 'action', `Cutting ${disk} (replica ${replica}): what waits in it is made to fail, ${then}.`);
    trouble.doing = `Cutting ${disk}, so that ${volume} goes on with its other disk.`;
    this.#tellIfNew(trouble);
    // The storage writes the cut down by itself before it cuts, so a slow disk of the host may hold up this record but not the cut.
    const written = this.#options.journal.save(known).catch((error: unknown) => this.#unwritten(error));
    await Promise.race([written, new Promise((resolve) => setTimeout(resolve, JOURNAL_FIRST_MS))]);
    try {
      await this.#options.storage.cut(volume, replica, reason);
    } catch (error) {
      // A copy that was given up meanwhile took its disk along: then it is out, which is what was wanted.
      const isGone = this.#stateOf(volume, replica) === undefined;
      if (isGone && error instanceof HoldfastError && error.code === 'not-found')
        return this.#isCut(known, volume, isNew);
      // An error that comes late says nothing about what was done: a disk that was really told to stop stays counted as cut.
      if (
        this.#stateOf(volume, replica) === 'healthy' ||
        (error instanceof HoldfastError && error.code === 'disk-unusable')
      )
        memory.cutAt = null;
      throw error;
    }
    this.#isCut(known, volume, isNew);
  }

  /** It was cut a moment ago and is on its way out: what is seen of it is what was seen before. */
  #isLeaving(key: string): boolean {
    const cutAt = this.#openWith(key)?.memory.cutAt ?? null;
    return cutAt !== null && monotonicMs() - cutAt < LEAVES_MS;
  }

  #isCut(known: KnownTrouble, volume: string, isNew: boolean): void {
    const { trouble, memory } = known;
    const { disk, replica } = trouble.diagnosis.culprit;
    const took = Math.round(monotonicMs() - (memory.cutAt ?? monotonicMs()));
    if (!memory.unhealed) memory.needs = null;
    // A file system whose old and new disk fail at once stops, and is opened afresh from its complete disk.
    const answers = this.#options.storage.statuses().find((one) => one.name === volume)?.state === 'open';
    const ended = answers
      ? 'The copy onto it has ended.'
      : `The copy onto it has ended; ${volume} does not answer yet.`;
    const now = isNew ? ended : `${volume} goes on with its other disk.`;
    this.#write(known, 'result', `${disk ?? replica} is cut (it took ${took} ms). ${now}`);
    this.#options.log.warn({ trouble: trouble.id, volume, replica, took }, 'disk cut');
    void this.#prove(known, volume);
  }

  /** A disk of another volume that waits its turn need not wait longer than until this one is known to be well. */
  async #prove(known: KnownTrouble, volume: string): Promise<void> {
    try {
      if (!(await this.#options.storage.proves(volume))) return;
    } catch (error) {
      this.#options.log.warn({ volume, error }, 'whether a volume answers after a cut could not be asked');
      return;
    }
    known.memory.provenAt = monotonicMs();
    this.#keep(known);
    this.#decide();
  }

  #stateOf(volume: string, replica: string): string | undefined {
    const status = this.#options.storage.statuses().find((one) => one.name === volume);
    return status?.replicas.find((one) => one.id === replica)?.state;
  }

  #refused(known: KnownTrouble, what: string, error: unknown): void {
    const { memory, trouble } = known;
    this.#options.log.error({ trouble: trouble.id, act: what, error }, 'an act against a trouble did not succeed');
    // What passes by itself is tried again in silence: nobody is woken for it.
    if (error instanceof HoldfastError && ERRORS[error.code].person === 'no') return;
    if (what === 'restore') this.#postpone(known);
    if (error instanceof HoldfastError && ERRORS[error.code].person === 'now') {
      // The storage says what a person can do about it.
      if (memory.needs !== error.message) this.#add(known, 'result', `That could not be done: ${error.message}`);
      memory.needs = error.message;
    } else if (memory.failures >= FAILURES_BEFORE_PERSON) {
      memory.needs = failsAgain(trouble.volume);
    }
    this.#keep(known);
  }

  #postpone({ memory }: KnownTrouble): void {
    memory.failures += 1;
    memory.retryAt = monotonicMs() + retryDelayMs(memory.failures);
  }

  #follow(known: KnownTrouble, operation: Operation): void {
    if (known.trouble.operation === operation.id) return;
    known.trouble.operation = operation.id;
    const what =
      operation.kind === 'volume-scrub'
        ? 'Everything on the volume is read, and what is wrong is healed'
        : 'A fresh disk is taken in and the copy is made anew';
    this.#write(known, 'action', `${what}.`);
  }

  /** Takes up what became of the operations that repair troubles. */
  #followOperations(): void {
    for (const known of this.#open()) {
      const { trouble, memory } = known;
      if (memory.unhealed) this.#lookWhetherHealed(known);
      if (trouble.operation === null) continue;
      const operation = this.#operations.find((one) => one.id === trouble.operation);
      if (operation === undefined) continue;
      this.#takeNotes(known, operation);
      if (operation.state === 'running') continue;
      trouble.operation = null;
      if (operation.kind === 'volume-scrub') memory.scrubbedAt = monotonicMs();
      if (operation.state === 'done') {
        if (operation.kind === 'volume-scrub') {
          memory.scrubs += 1;
          memory.unhealed = false;
        }
        memory.failures = 0;
        // A copy that is complete may lack what was damaged before.
        if (!memory.unhealed) memory.needs = null;
        this.#write(
          known,
          'result',
          operation.kind === 'volume-scrub'
            ? 'Everything was read; what was wrong is healed.'
            : 'The copy is complete.',
        );
        continue;
      }
      this.#postpone(known);
      const why = operation.error ?? 'no reason is known.';
      if (operation.errorCode === 'data-damaged') {
        // A rebuild succeeds by itself once the damaged files are replaced; a scrub would only find the same again.
        if (operation.kind === 'volume-scrub') {
          memory.unhealed = true;
          memory.scrubsBefore = this.#operations.filter(({ kind }) => kind === 'volume-scrub').map(({ id }) => id);
        }
        memory.needs = `${why} Then: holdfast volume scrub ${trouble.volume ?? ''}.`;
        this.#write(known, 'result', `That did not succeed: ${why}`);
        continue;
      }
      if (memory.failures >= FAILURES_BEFORE_PERSON) memory.needs = `${why} ${failsAgain(trouble.volume)}`;
      this.#write(known, 'result', `That did not succeed: ${why} It is tried again.`);
    }
  }

  /** What stood in the way of a repair, and gave way to it. */
  #takeNotes(known: KnownTrouble, { notes = [] }: Operation): void {
    for (const note of notes)
      if (!known.trouble.timeline.some(({ text }) => text === note)) this.#write(known, 'action', note);
  }

  /** Somebody replaced what was damaged, and had the volume read again. */
  #lookWhetherHealed(known: KnownTrouble): void {
    const { trouble, memory } = known;
    const healed = this.#operations.some(
      ({ id, kind, subject, state }) =>
        kind === 'volume-scrub' && subject === trouble.volume && state === 'done' && !memory.scrubsBefore.includes(id),
    );
    if (!healed) return;
    memory.unhealed = false;
    memory.needs = null;
    this.#write(known, 'result', 'Everything was read again; nothing is damaged any more.');
  }

  /** Keeps the sentences of all open troubles true. */
  #show(decisions: readonly Decision[], statuses: readonly VolumeStatus[]): void {
    for (const known of this.#open()) {
      const { trouble, memory } = known;
      const mine = decisions.filter((decision) => decision.do !== 'release' && decision.key === trouble.key);
      const status = statuses.find((one) => one.name === trouble.volume);
      const person = mine.find((decision) => decision.do === 'person');
      const wait = mine.find((decision) => decision.do === 'wait');
      const mustAct = person?.sentence ?? memory.needs;
      if (mustAct !== null && trouble.mustAct !== mustAct) this.#write(known, 'note', `A person is needed: ${mustAct}`);
      trouble.mustAct = mustAct;
      trouble.service = this.#serviceOf(known, status);
      if (this.#acting.has(trouble.volume ?? '')) continue;
      trouble.doing = wait?.why ?? this.#doing(known, status, mustAct !== null);
    }
  }

  #doing({ trouble, memory }: KnownTrouble, status: VolumeStatus | undefined, person: boolean): string {
    const operation = this.#operations.find(
      (one) => one.id === (trouble.operation ?? status?.operation) && one.state === 'running',
    );
    if (operation !== undefined) {
      const share = operation.progress === null ? '' : ` (${Math.floor(operation.progress * 100)} %)`;
      return operation.kind === 'volume-scrub'
        ? `Reading and healing the volume${share}.`
        : `Making the copy anew${share}.`;
    }
    if (this.#held.has(trouble.volume ?? '')) return 'Waiting for a disk of the volume to answer again.';
    const { culprit, fault } = trouble.diagnosis;
    if (fault === 'uncounted') return status?.uncounted?.doing ?? 'Watching whether what is written is counted.';
    if (culprit.kind === 'volume' && fault === 'hung')
      return 'Asking the volume again every few seconds: it goes on by itself when it answers.';
    if (fault === 'unopened') return 'Trying to open the volume again every few seconds.';
    if (person) return 'Waiting for a person.';
    if (trouble.diagnosis.fault === 'corrupt') return 'Watching whether anything else is wrong.';
    if (memory.cutAt !== null || status?.redundancy === 'reduced') {
      return memory.failures > 0 ? 'Trying again soon to make the copy anew.' : 'About to take in a fresh disk.';
    }
    return 'Watching it.';
  }

  #serviceOf({ trouble, memory }: KnownTrouble, status: VolumeStatus | undefined): Trouble['service'] {
    const { kind } = trouble.diagnosis.culprit;
    if (kind === 'host') return trouble.diagnosis.fault === 'full' ? 'serving' : 'waiting';
    if (status === undefined || trouble.volume === null) return 'serving';
    if (this.#held.has(trouble.volume) || status.state === 'trouble') return 'stopped';
    if (status.redundancy === 'lost' && status.state !== 'closed') return 'stopped';
    const waits = trouble.diagnosis.fault === 'hung' && memory.cutAt === null && this.#isDiagnosed(trouble.key, 500);
    return waits ? 'waiting' : 'serving';
  }

  #isDiagnosed(key: string, withinMs: number): boolean {
    return performance.now() - (this.#diagnosedAt.get(key) ?? -Infinity) < withinMs;
  }

  #resolve(statuses: readonly VolumeStatus[]): void {
    const watching = this.#watching();
    for (const known of this.#open()) {
      const { trouble, memory } = known;
      const status = statuses.find((one) => one.name === trouble.volume);
      if (trouble.volume !== null && status === undefined) {
        this.#close(known, `The volume ${trouble.volume} is not on this host any more.`);
        continue;
      }
      if (this.#acting.has(trouble.volume ?? '') || !watching || this.#isDiagnosed(trouble.key, WELL_AFTER_MS))
        continue;
      // After the agent's start everything counts as just seen, until the watcher has looked for as long.
      if (!this.#diagnosedAt.has(trouble.key)) {
        this.#diagnosedAt.set(trouble.key, performance.now());
        continue;
      }
      if (trouble.operation !== null || memory.unhealed) continue;
      const hostRoom = this.#options.hostRoom?.() !== undefined;
      const over = whyOver(known, status, { hostRoom, held: this.#held.has(trouble.volume ?? '') });
      if (over !== undefined) this.#close(known, over);
    }
  }

  #close(known: KnownTrouble, why: string): void {
    const { trouble } = known;
    if (trouble.volume !== null && !this.#open().some((one) => one !== known && one.trouble.volume === trouble.volume))
      this.#release(trouble.volume);
    trouble.state = 'resolved';
    trouble.resolvedAt = new Date().toISOString();
    trouble.service = 'serving';
    trouble.mustAct = null;
    trouble.operation = null;
    trouble.doing = 'It is over. Nothing is left to do.';
    this.#write(known, 'result', why);
    this.#diagnosedAt.delete(trouble.key);
    this.#options.log.warn({ trouble: trouble.id, key: trouble.key, why }, 'trouble resolved');
    this.#tellIfNew(trouble);
    this.#forgetOldest();
  }

  /** What is over is kept for a while, in memory as on disk. */
  #forgetOldest(): void {
    const resolved = [...this.#known.keys()].filter((id) => this.#known.get(id)?.trouble.state === 'resolved');
    for (const id of resolved.slice(0, Math.max(0, resolved.length - KEPT))) {
      this.#known.delete(id);
      this.#told.delete(id);
    }
  }

  #add({ trouble }: KnownTrouble, kind: TimelineEntry['kind'], text: string): void {
    trouble.timeline.push({ at: new Date().toISOString(), kind, text });
  }

  #write(known: KnownTrouble, kind: TimelineEntry['kind'], text: string): void {
    this.#add(known, kind, text);
    this.#keep(known);
  }

  #keep(known: KnownTrouble): void {
    this.#options.journal.save(known).catch((error: unknown) => this.#unwritten(error));
  }

  /** Acts do not wait for it; only telling does. A host that cannot write tells all the same. */
  #record(opened: KnownTrouble): void {
    const { trouble } = opened;
    this.#unrecorded.add(trouble.id);
    void this.#options.journal
      .save(opened)
      .catch((error: unknown) => this.#unwritten(error))
      .finally(() => {
        this.#unrecorded.delete(trouble.id);
        this.#tellIfNew(trouble);
      });
  }

  #unwritten(error: unknown): void {
    this.#options.log.error({ error }, 'the record of a trouble could not be written');
  }

  #tellIfNew(trouble: Trouble): void {
    const text = shownOf(trouble);
    if (this.#told.get(trouble.id) === text || this.#unrecorded.has(trouble.id)) return;
    this.#told.set(trouble.id, text);
    this.#options.tell(structuredClone(trouble));
  }
}

function failsAgain(volume: string | null): string {
  return `It failed more than once, and is tried again now and then. Look at the steps and do it by hand: holdfast recover ${volume ?? ''}.`;
}

/** Without the figures of the evidence, which change all the time. */
function shownOf(trouble: Trouble): string {
  return JSON.stringify({ ...trouble, diagnosis: trouble.diagnosis.fault });
}

function adviceOn({ name, silence, unopened }: VolumeStatus): string | null {
  if (silence) return adviceOnSilence(name, silence);
  return unopened ? adviceOnUnopened(name, unopened) : null;
}

function firstSign({ culprit, fault }: Diagnosis): string {
  const name = culprit.disk ?? culprit.volume ?? 'the host';
  const signs: Record<Diagnosis['fault'], string> = {
    hung: `The last request that completed in ${name} before it stopped.`,
    failing: `First error of ${name}.`,
    slow: `${name} begins to be slow.`,
    full: `${name} has become full.`,
    corrupt: `First wrong data from ${name}.`,
    lost: `${name} was there last.`,
    uncounted: `What is written to ${name} stops being counted.`,
    unopened: `The volume ${name} could not be opened.`,
  };
  if (culprit.kind === 'host' && fault === 'full') return "The machine's own disk is about to be full.";
  if (culprit.kind === 'host') return 'The last request that completed on this host before it stopped.';
  return culprit.kind === 'volume' && fault === 'hung'
    ? `The volume ${name} does not answer a small write.`
    : signs[fault];
}
