import { troubleKeyOf, type Diagnosis } from './health.ts';
import { REPLICAS_WANTED, type Redundancy, type ReplicaState } from './volumes.ts';

/**
 * From diagnoses to what is done about them. Pure, and always about the whole: it is asked again at every change, and whatever it answers
 * must be right even if the agent was killed a moment ago and remembers nothing but its troubles and the state of the volumes.
 *
 * What must always hold (property-tested):
 * - the last complete replica is never cut, nor one whose fellows are in trouble themselves; one that is only slow or returns wrong data is
 *   not cut while a fellow does so too: what one of them cannot give must come from the other;
 * - one volume at a time: while a volume was cut and has not proved good since, nothing is cut on another. Two disks of different volumes
 *   that hang at once are therefore treated one after the other, and the second says so meanwhile;
 * - nothing is done while the whole host stalls, nor while the reaction is off, except that a volume which was held comes back;
 * - at most CUTS_AN_HOUR cuts: a reaction that runs wild does harm.
 */

/** A volume has proved good when it answered a durable write after a cut, or when all its disks have answered for this long since. */
export const CONFIRM_MS = 10_000;
export const CUTS_AN_HOUR = 6;
/** So often a disk that returns wrong data is healed; the next time it is replaced. */
export const SCRUBS = 2;
/** Wrong data found while a scrub runs, or so soon after it, is what the scrub was for. */
export const SCRUB_SETTLES_MS = 30_000;
export const FULL_SHARE = 0.95;
/** Below this a volume that was full is not any more. */
export const ROOM_SHARE = 0.93;

/** Waits before the next try to restore redundancy, milliseconds; the last one repeats. */
const RETRIES_MS = [5_000, 15_000, 60_000, 300_000];

export function retryDelayMs(failures: number): number {
  return RETRIES_MS[Math.min(Math.max(failures, 1), RETRIES_MS.length) - 1] ?? 300_000;
}

export interface VolumeView {
  name: string;
  state: 'open' | 'closed' | 'trouble';
  redundancy: Redundancy;
  replicas: readonly { id: string; disk: string; state: ReplicaState }[];
  /** An operation (rebuild, scrub ...) is running. */
  busy: boolean;
  /** What runs is a scrub, which gives way to a repair of redundancy. */
  scrubbing?: boolean;
  held: boolean;
  /** What a person has to do about a volume that does not answer although its disks do, or that cannot be opened; null: nothing. */
  advice: string | null;
  /** What a person has to do about limits that do not hold; null: nothing, it is mended by itself. */
  limitsAdvice?: string | null;
}

/** What is remembered of an open trouble, beside its diagnosis. */
export interface TroubleView {
  key: string;
  volume: string | null;
  fault: Diagnosis['fault'];
  /** When its disk was cut; null: it was not. */
  cutAt: number | null;
  /** When its volume first answered a durable write after that; null: it has not. */
  provenAt: number | null;
  /** Scrubs that went well. */
  scrubs: number;
  /** When the last one ended, however it did. */
  scrubbedAt: number | null;
  /** The last scrub found blocks that no replica has whole: another one would find them again. */
  unhealed: boolean;
  /** Not before this is anything tried again that failed. */
  retryAt: number;
}

export interface Situation {
  now: number;
  /** Whether the host repairs by itself. */
  reaction: boolean;
  /** Any write to the machine's own disk may fail now, and with it what sparse image files are asked for. */
  hostFull?: boolean;
  /** What a person has to do about the room on it; null: nothing. */
  hostAdvice?: string | null;
  /** Whether the watcher reports: when it does not, that nothing is diagnosed says nothing. */
  watching: boolean;
  diagnoses: readonly Diagnosis[];
  /** Disks that have stalled a moment, too short to be named: nothing is built on them now. */
  suspects: readonly { volume: string; replica: string }[];
  volumes: readonly VolumeView[];
  troubles: readonly TroubleView[];
  /** When disks were cut by the reaction, any time. */
  cuts: readonly number[];
}

export type Decision =
  /** Make everything in the disk fail; service goes on with the other. */
  | { do: 'cut'; key: string; volume: string; replica: string; reason: string }
  /** Out of service, honestly. */
  | { do: 'hold'; key: string; volume: string; sentence: string }
  | { do: 'release'; volume: string }
  /** Take in a fresh disk and rebuild. */
  | { do: 'restore'; key: string; volume: string }
  | { do: 'scrub'; key: string; volume: string }
  /** Nothing that the platform may or can do: a person must. */
  | { do: 'person'; key: string; sentence: string }
  /** Nothing now; it is decided again. */
  | { do: 'wait'; key: string; why: string };

/** A replica with one of these cannot carry its volume alone. */
const UNFIT: ReadonlySet<Diagnosis['fault']> = new Set(['hung', 'failing', 'lost']);
/** A replica with one of these is no reason to give up another that only has one of these, too. */
const DOUBTFUL: ReadonlySet<Diagnosis['fault']> = new Set(['slow', 'corrupt']);

const WORST_FIRST: readonly Diagnosis['fault'][] = ['lost', 'failing', 'hung', 'slow', 'corrupt', 'full', 'uncounted'];

export function decide(situation: Situation): Decision[] {
  const { diagnoses, reaction } = situation;
  if (!reaction) {
    return [
      // What the storage mends by itself, whoever repairs its disks, is nothing to be switched on for.
      ...diagnoses
        .filter((one) => one.fault !== 'uncounted' || onlyForPeople(one, situation))
        .map((one): Decision => ({
          do: 'person',
          key: troubleKeyOf(one),
          sentence: onlyForPeople(one, situation) ?? switchedOff(one),
        })),
      // Held by the platform, so nobody else can let it go.
      ...(diagnoses.some(standsStill) ? [] : inTurn(situation))
        .filter((volume) => mayBeReleased(volume, situation))
        .map((volume): Decision => ({ do: 'release', volume: volume.name })),
    ];
  }
  if (diagnoses.some(standsStill)) {
    return diagnoses.map((one) => ({
      do: 'wait',
      key: troubleKeyOf(one),
      why: 'The whole host stalls. Nothing is cut until single disks can be told apart again.',
    }));
  }
  if (situation.hostFull === true) {
    return diagnoses.map((one): Decision => {
      const key = troubleKeyOf(one);
      const sentence = onlyForPeople(one, situation);
      if (sentence !== undefined) return { do: 'person', key, sentence };
      return {
        do: 'wait',
        key,
        why: "The machine's own disk is full, so no disk on it is judged until there is room.",
      };
    });
  }
  const decisions: Decision[] = [];
  for (const volume of inTurn(situation)) decisions.push(...decideVolume(volume, situation, decisions.some(isCut)));
  for (const one of diagnoses) {
    const sentence = onlyForPeople(one, situation);
    if (sentence !== undefined) decisions.push({ do: 'person', key: troubleKeyOf(one), sentence });
  }
  return decisions;
}

/** What only a person can do, whether the platform may repair or not: make room, and free a file system that waits for itself. */
function onlyForPeople({ culprit, fault }: Diagnosis, { volumes, hostAdvice }: Situation): string | undefined {
  if (culprit.kind === 'host' && fault === 'full') return hostAdvice ?? undefined;
  if (culprit.kind !== 'volume') return undefined;
  const name = culprit.volume ?? '';
  if (fault === 'uncounted') return volumes.find((volume) => volume.name === name)?.limitsAdvice ?? undefined;
  if (fault !== 'full') return volumes.find((volume) => volume.name === name)?.advice ?? undefined;
  return `Make the volume ${name} larger (holdfast volume grow ${name}), or ask its largest accounts to make room.`;
}

/** Everything on the host does; that its own disk is full is something else. */
function standsStill({ culprit, fault }: Diagnosis): boolean {
  return culprit.kind === 'host' && fault !== 'full';
}

function switchedOff({ culprit }: Diagnosis): string {
  const byHand = culprit.volume ? `, or repair by hand: holdfast recover ${culprit.volume}` : '.';
  return `The reaction is switched off on this host. Switch it on${byHand}`;
}

/** Volumes that were treated already come first, so that what was begun is finished; then by name. */
function inTurn({ volumes, troubles }: Situation): VolumeView[] {
  const begun = (volume: VolumeView): number =>
    troubles.some((one) => one.volume === volume.name && one.cutAt) ? 0 : 1;
  return [...volumes].sort((a, b) => begun(a) - begun(b) || a.name.localeCompare(b.name));
}

/** A volume and what is known around a disk of it. */
interface Surroundings {
  volume: VolumeView;
  situation: Situation;
  complete: VolumeView['replicas'];
  /** Those of them that can carry the volume alone. */
  well: VolumeView['replicas'];
  /** Its open troubles. */
  open: readonly TroubleView[];
  /** A disk of another volume is cut this time. */
  taken: boolean;
}

/** A disk of the volume that something is wrong with. */
interface SickDisk {
  diagnosis: Diagnosis;
  key: string;
  replica: string;
  state: ReplicaState;
}

/** `taken`: a disk of another volume is cut this time already. */
function decideVolume(volume: VolumeView, situation: Situation, taken: boolean): Decision[] {
  const open = situation.troubles.filter((one) => one.volume === volume.name);
  const around: Surroundings = { volume, situation, ...carriersOf(volume, situation), open, taken };
  const decisions: Decision[] = [];
  for (const sick of sickDisksOf(volume, situation)) {
    decisions.push(...decideDisk(sick, around));
    // One disk of a volume at a time; the next is decided when this one is done.
    if (decisions.some(isCut)) return decisions;
  }
  if (mayBeReleased(volume, situation)) decisions.push({ do: 'release', volume: volume.name });
  return [...decisions, ...restoring(around)];
}

function isCut(decision: Decision): boolean {
  return decision.do === 'cut';
}

/** Diagnoses of its own disks, the worst of each first. */
function sickDisksOf(volume: VolumeView, { diagnoses }: Situation): SickDisk[] {
  return diagnoses
    .filter(({ culprit }) => culprit.kind === 'disk' && culprit.volume === volume.name)
    .flatMap((diagnosis): SickDisk[] => {
      const replica = diagnosis.culprit.replica ?? '';
      const state = stateOf(volume, replica);
      return state === undefined ? [] : [{ diagnosis, key: troubleKeyOf(diagnosis), replica, state }];
    })
    .sort(
      (a, b) =>
        a.replica.localeCompare(b.replica) ||
        WORST_FIRST.indexOf(a.diagnosis.fault) - WORST_FIRST.indexOf(b.diagnosis.fault),
    );
}

function decideDisk(sick: SickDisk, around: Surroundings): Decision[] {
  const { fault } = sick.diagnosis;
  if (sick.state !== 'healthy' && sick.state !== 'rebuilding') return decideLeft(sick, around);
  if (UNFIT.has(fault)) return decideUnfit(sick, around);
  if (fault === 'slow') return decideSlow(sick, around);
  return fault === 'corrupt' ? decideWrongData(sick, around) : [];
}

/** It was given up before, so nothing is left to be done about it; unless no other is there. */
function decideLeft({ key }: SickDisk, { volume, complete }: Surroundings): Decision[] {
  if (complete.length > 0 || volume.state === 'closed') return [];
  return [{ do: 'person', key, sentence: noneLeft(volume) }];
}

/** It keeps members waiting, or cannot be relied on for anything: it is taken out. */
function decideUnfit(sick: SickDisk, around: Surroundings): Decision[] {
  const { diagnosis, key } = sick;
  const { volume, complete, well } = around;
  if (!isLast(sick, around)) return [cutting(sick, around)];
  if (diagnosis.fault !== 'hung' || well.length > 0)
    return [{ do: 'person', key, sentence: lastReplica(volume, diagnosis) }];
  const none = `No disk of the volume ${volume.name} answers.`;
  const sentence = complete.length > 1 ? noneServes(volume, complete) : lastReplica(volume, diagnosis);
  return [
    volume.held
      ? { do: 'wait', key, why: none }
      : {
          do: 'hold',
          key,
          volume: volume.name,
          sentence: `${none} It comes back by itself with the first one that does.`,
        },
    { do: 'person', key, sentence },
  ];
}

/** It is taken out as well, but not while the other disk is in doubt: what one of them cannot give must come from the other. */
function decideSlow(sick: SickDisk, around: Surroundings): Decision[] {
  const { diagnosis, key } = sick;
  const { volume } = around;
  if (isLast(sick, around)) return [{ do: 'person', key, sentence: lastReplica(volume, diagnosis) }];
  if (!isAnotherDoubtful(sick, around)) return [cutting(sick, around)];
  return [
    { do: 'wait', key, why: `The other disk of the volume ${volume.name} is not well either, so nothing is cut.` },
  ];
}

/** It is healed by a scrub, and replaced when it has been healed too often. */
function decideWrongData(sick: SickDisk, around: Surroundings): Decision[] {
  const { diagnosis, key } = sick;
  const { volume, situation, open, complete } = around;
  // What to do about it was said when it was found.
  if (open.some(({ unhealed }) => unhealed)) return [];
  const trouble = situation.troubles.find((one) => one.key === key);
  const calm = settled(open, situation.now);
  if (calm && (trouble?.scrubs ?? 0) >= SCRUBS) {
    if (isLast(sick, around)) return [{ do: 'person', key, sentence: lastReplica(volume, diagnosis) }];
    if (!isAnotherDoubtful(sick, around)) return [cutting(sick, around)];
    return [{ do: 'person', key, sentence: noneToRelyOn(volume) }];
  }
  if (!calm || volume.busy || (trouble?.retryAt ?? 0) > situation.now) return [];
  if (complete.length > 1) return [{ do: 'scrub', key, volume: volume.name }];
  return [{ do: 'person', key, sentence: lastReplica(volume, diagnosis) }];
}

/** It is complete, and no other one could carry the volume without it. */
function isLast({ state, replica }: SickDisk, { well }: Surroundings): boolean {
  return state === 'healthy' && well.every(({ id }) => id === replica);
}

function isAnotherDoubtful({ replica }: SickDisk, { volume, situation, complete }: Surroundings): boolean {
  return complete.some(({ id }) => id !== replica && isDoubtful(volume, id, situation));
}

/** The cut of a disk that others can do without, or why not just now. */
function cutting({ diagnosis, key, replica, state }: SickDisk, around: Surroundings): Decision {
  const { volume, situation, well, taken } = around;
  const hasStalled = (id: string): boolean =>
    situation.suspects.some((one) => one.volume === volume.name && one.replica === id);
  const sure = well.some(({ id }) => id !== replica && !hasStalled(id));
  if (state === 'healthy' && !sure)
    return { do: 'wait', key, why: `The other disk of the volume ${volume.name} has just stopped as well.` };
  const blocker = blockedBy(volume, situation, taken);
  if (blocker !== undefined) return { ...blocker, key };
  const [reason = diagnosis.fault] = diagnosis.evidence;
  return { do: 'cut', key, volume: volume.name, replica, reason };
}

/** A fresh disk is taken in, when one is lacking and nothing stands in the way. */
function restoring({ volume, situation: { now }, well, open }: Surroundings): Decision[] {
  const free = !volume.busy || volume.scrubbing === true;
  const ready = volume.state === 'open' && !volume.held && free && well.length > 0;
  if (!ready || volume.redundancy !== 'reduced' || !lacksOne(volume)) return [];
  const due = open.find(({ fault }) => fault !== 'uncounted');
  if (due === undefined || open.some(({ retryAt }) => retryAt > now)) return [];
  return [{ do: 'restore', key: due.key, volume: volume.name }];
}

function stateOf(volume: VolumeView, replica: string | null): ReplicaState | undefined {
  return volume.replicas.find((one) => one.id === replica)?.state;
}

/** Complete replicas, and those of them that can carry the volume alone. */
function carriersOf(
  volume: VolumeView,
  { diagnoses }: Situation,
): { complete: VolumeView['replicas']; well: VolumeView['replicas'] } {
  const unfit = new Set(
    diagnoses
      .filter(({ culprit, fault }) => culprit.kind === 'disk' && culprit.volume === volume.name && UNFIT.has(fault))
      .map(({ culprit }) => culprit.replica),
  );
  const complete = volume.replicas.filter((replica) => replica.state === 'healthy');
  return { complete, well: complete.filter((replica) => !unfit.has(replica.id)) };
}

/** Only the complete ones hold it up: what was given up stays in trouble until it is replaced. */
function mayBeReleased(volume: VolumeView, situation: Situation): boolean {
  const { complete, well } = carriersOf(volume, situation);
  return volume.held && situation.watching && well.length > 0 && well.length === complete.length;
}

/** It is slow or returns wrong data, or did so a short while ago. */
function isDoubtful(volume: VolumeView, replica: string, { diagnoses, troubles }: Situation): boolean {
  const now = diagnoses.some(
    ({ culprit, fault }) => culprit.volume === volume.name && culprit.replica === replica && DOUBTFUL.has(fault),
  );
  const culprit = { kind: 'disk' as const, volume: volume.name, replica, disk: null };
  return now || troubles.some((one) => one.key === troubleKeyOf({ culprit }) && DOUBTFUL.has(one.fault));
}

/** A replica that an operator set aside was not lost: taking in another would dismiss it. */
function lacksOne({ replicas }: VolumeView): boolean {
  return replicas.length < REPLICAS_WANTED || replicas.some(({ state }) => state === 'failed' || state === 'missing');
}

/** A scrub reads the whole volume, whichever of its disks it was for. */
function settled(ofVolume: readonly TroubleView[], now: number): boolean {
  return ofVolume.every(({ scrubbedAt }) => scrubbedAt === null || now - scrubbedAt >= SCRUB_SETTLES_MS);
}

/** Why no disk of this volume may be cut now, and whether that passes by itself; undefined when it may. */
function blockedBy(
  volume: VolumeView,
  situation: Situation,
  taken: boolean,
): { do: 'person'; sentence: string } | { do: 'wait'; why: string } | undefined {
  const { now, troubles, cuts } = situation;
  const hour = cuts.filter((at) => now - at < 3_600_000).length;
  if (hour >= CUTS_AN_HOUR) {
    const sentence = `${hour} disks were cut within an hour, which is the most the platform does alone. Look at what they have in common; then: holdfast recover ${volume.name}.`;
    return { do: 'person', sentence };
  }
  const others = troubles.filter((one) => one.volume !== null && one.volume !== volume.name && one.cutAt !== null);
  const fresh = taken || others.some((one) => isUnproven(one, now));
  if (fresh) {
    return {
      do: 'wait',
      why: `Disks of two volumes are in trouble at the same time, and the platform treats one volume at a time. It treats ${volume.name} next, as soon as the other has proved good.`,
    };
  }
  const failed = others.find((one) => isInTrouble(one.volume ?? '', situation));
  if (failed === undefined) return undefined;
  return {
    do: 'person',
    sentence: `A disk of the volume ${failed.volume} was cut, and its other disk is in trouble now. Nothing else is cut before that is understood. Look at what these disks have in common; then: holdfast recover ${volume.name}.`,
  };
}

function isUnproven({ cutAt, provenAt }: TroubleView, now: number): boolean {
  if (cutAt === null || now - cutAt >= CONFIRM_MS) return false;
  return provenAt === null || provenAt < cutAt;
}

/** A disk of this volume that counts as complete is in trouble now: what was done there did not help. */
function isInTrouble(name: string, { diagnoses, volumes }: Situation): boolean {
  const volume = volumes.find((one) => one.name === name);
  if (volume === undefined) return false;
  return diagnoses.some(
    ({ culprit, fault }) =>
      culprit.volume === name && UNFIT.has(fault) && stateOf(volume, culprit.replica) === 'healthy',
  );
}

function lastReplica(volume: VolumeView, { culprit, fault }: Diagnosis): string {
  const what = fault === 'hung' ? 'does not answer' : 'is in trouble';
  return `${culprit.disk ?? culprit.replica ?? 'A disk'} ${what} and is the last complete copy of the volume ${volume.name}, so it is never cut. Bring it back (cable, controller, provider), or bring back the other one.`;
}

/** The same words for each of them: a person is told once. */
function noneServes({ name }: VolumeView, complete: VolumeView['replicas']): string {
  const disks = complete.map(({ disk }) => disk).join(', ');
  return `No disk of the volume ${name} can serve now (${disks}), so none of them is cut. Bring one back (cable, controller, provider): the volume goes on by itself with the first one.`;
}

function noneLeft({ name }: VolumeView): string {
  return `No disk with a complete copy of the volume ${name} is there, and its members are stopped. Bring one of its disks back (cable, controller, provider); then: holdfast recover ${name}.`;
}

function noneToRelyOn({ name }: VolumeView): string {
  return `More than one disk of the volume ${name} is in doubt, so none of them is given up for another. Look at what they have in common (memory, controller, cable) and have a backup at hand; then: holdfast recover ${name}.`;
}
