import type { Silence } from './silent-volume.ts';
import type { Unopened } from './unopened-volume.ts';

/**
 * The life of one volume, as a pure state machine: what may follow what, and what each state forbids. The engine does the work between two
 * events and never sets anything by hand. Whether the volume is made, and whether it is wanted open, is in its record; this is what becomes
 * of it while one agent runs.
 *
 *               open               opened
 *     closed ----------> opening ----------> open
 *       ^                | ^ ^                | ^
 *       |     not-opened | | | open     broke | | recovered
 *       |                v | |                v |
 *       |          unopened  +------------- broken
 *       |           (again: open)             |
 *       +------------- closed ----------------+     closed: from open, unopened and broken; never while it is being opened
 *
 * closed: nothing of it is mounted. opening: its file system is being taken over or mounted, and asked. open: it serves. broken: it served,
 * and its disks or its mount fail; members' programs wait in it. unopened: it should be open and could not be opened, and is tried again.
 *
 * Beside that, whatever the state: it may be held out of service, be about to be closed, and have been asked in vain.
 */
export type VolumeStep = 'closed' | 'opening' | 'open' | 'broken' | 'unopened';

/** What lasts, with the moment it began on the clock that is never set (milliseconds) instead of how long that is ago. */
export type Begun<T extends { lastedMs: number }> = Omit<T, 'lastedMs'> & { beganAt: number };

export interface VolumeLife {
  step: VolumeStep;
  /** Its file system is mounted, though it may not answer: its disks are watched and can be cut. */
  mounted: boolean;
  /** It is being closed for somebody: nothing new is begun on it, and its members' programs are ended. */
  closing: boolean;
  /** Why it cannot be used although it should be, one sentence. It stays while it is tried again. */
  trouble: string | null;
  /** What is wrong with the last complete replica although it serves, one sentence. */
  warning: string | null;
  /** Why it is held out of service although it may well answer, one sentence for its members. */
  held: string | null;
  /** Since when it has not answered, and why, as far as that is known; null: it answered when it was last asked. */
  silence: Begun<Silence> | null;
  /** Since when it cannot be opened although it should be, and why. */
  unopened: Begun<Unopened> | null;
  /** Somebody waits for it: it is asked at the next look. */
  doubted: boolean;
  /** Complete replicas that cannot be reached now. What they hold is still good: they are not given up. */
  unreachable: readonly string[];
}

export type VolumeEvent =
  /** It is to be opened. */
  | { type: 'open' }
  | { type: 'mounted' }
  /** Its dead file system was taken away. */
  | { type: 'unmounted' }
  /** It answers, and serves from now on. */
  | { type: 'opened' }
  | { type: 'not-opened'; sentence: string; unopened: Begun<Unopened> }
  /** None of its disks works any more (`unreachable`: these, too), or it accepts no writes, or its mount is gone. */
  | { type: 'broke'; sentence: string; unreachable?: readonly string[] }
  /** A disk serves that was believed dead, and the volume answered. */
  | { type: 'recovered' }
  /** Nothing of it is mounted, and the kernel has let go of its disks. */
  | { type: 'closed' }
  /** It is about to be closed for somebody; and that has ended, whether it was closed or refused. */
  | { type: 'closing' }
  | { type: 'closing-over' }
  | { type: 'held'; sentence: string | null }
  /** What is wrong with the last complete replica; null: that was repaired. */
  | { type: 'warned'; sentence: string | null }
  | { type: 'doubted' }
  /** It is asked for a durable write now; and what came of it. */
  | { type: 'asked' }
  | { type: 'answered' }
  | { type: 'silent'; silence: Begun<Silence> }
  /** Which complete replicas cannot be reached now: all of them. */
  | { type: 'reach'; unreachable: readonly string[] };

const ANY: readonly VolumeStep[] = ['closed', 'opening', 'open', 'broken', 'unopened'];
const IN_USE: readonly VolumeStep[] = ['opening', 'open', 'broken', 'unopened'];

/** In which states each event can happen. Everything else is forbidden. */
export const HAPPENS_IN: Readonly<Record<VolumeEvent['type'], readonly VolumeStep[]>> = {
  // An open volume is not opened, and one that is being opened is not opened beside that.
  open: ['closed', 'broken', 'unopened'],
  mounted: IN_USE,
  // The mount of a volume that serves is never taken away from under its programs.
  unmounted: ['opening', 'broken', 'unopened'],
  opened: ['opening'],
  'not-opened': ['opening'],
  // Nothing is wrong with a volume that nobody wants to use.
  broke: IN_USE,
  recovered: ['broken'],
  closed: ['closed', 'open', 'broken', 'unopened'],
  closing: ANY,
  'closing-over': ANY,
  held: ANY,
  warned: IN_USE,
  doubted: ANY,
  asked: ANY,
  answered: ANY,
  silent: IN_USE,
  reach: ANY,
};

export function newVolumeLife(): VolumeLife {
  return {
    step: 'closed',
    mounted: false,
    closing: false,
    trouble: null,
    warning: null,
    held: null,
    silence: null,
    unopened: null,
    doubted: false,
    unreachable: [],
  };
}

/** The life after an event, or undefined when the event cannot happen now (nothing has changed then). */
export function advanceVolume(life: VolumeLife, event: VolumeEvent): VolumeLife | undefined {
  if (!HAPPENS_IN[event.type].includes(life.step)) return undefined;
  switch (event.type) {
    case 'open':
      return { ...life, step: 'opening' };
    case 'mounted':
      return { ...life, mounted: true };
    case 'unmounted':
      // What is not mounted keeps nobody waiting.
      return { ...life, mounted: false, silence: null };
    case 'opened':
      return life.mounted ? { ...life, step: 'open', trouble: null, unopened: null } : undefined;
    case 'recovered':
      return { ...life, step: 'open', mounted: true, trouble: null, unopened: null };
    case 'not-opened':
      return { ...life, step: 'unopened', trouble: event.sentence, unopened: event.unopened };
    case 'broke':
      return {
        ...life,
        step: life.step === 'open' ? 'broken' : life.step,
        trouble: event.sentence,
        unreachable: [...new Set([...life.unreachable, ...(event.unreachable ?? [])])],
      };
    case 'closed':
      return {
        ...life,
        step: 'closed',
        mounted: false,
        trouble: null,
        warning: null,
        silence: null,
        unopened: null,
      };
    case 'closing':
    case 'closing-over':
      return { ...life, closing: event.type === 'closing' };
    case 'held':
      return { ...life, held: event.sentence };
    case 'warned':
      return { ...life, warning: event.sentence };
    case 'doubted':
    case 'asked':
      return { ...life, doubted: event.type === 'doubted' };
    case 'answered':
      return { ...life, silence: null };
    case 'silent':
      return life.mounted ? { ...life, silence: event.silence } : undefined;
    case 'reach':
      return { ...life, unreachable: [...new Set(event.unreachable)] };
    default:
      return event satisfies never;
  }
}

/** Members' programs may be in it: also in one that broke, as long as nobody has given its mount up. */
export function isServed({ step }: VolumeLife): boolean {
  return step === 'open' || step === 'broken';
}

/** What is shown of it. `answersWork`: what is asked of it is not refused for want of an answer. */
export function shownVolumeState(
  { step, closing, trouble, held }: VolumeLife,
  answersWork: boolean,
): 'open' | 'closed' | 'trouble' {
  if (trouble !== null || held !== null || !answersWork) return 'trouble';
  return step === 'open' && !closing ? 'open' : 'closed';
}

/** Why nothing may be begun on it now; undefined: it may. `wantedOpen`: nobody closed it. */
export function whyUnusable(
  life: VolumeLife,
  answersWork: boolean,
  wantedOpen: boolean,
): 'closing' | 'opening' | 'closed' | 'repair' | undefined {
  const shown = shownVolumeState(life, answersWork);
  if (shown === 'open') return undefined;
  if (life.closing) return 'closing';
  if (shown === 'trouble') return 'repair';
  // The agent has just started, or takes it up again.
  return wantedOpen ? 'opening' : 'closed';
}

/** Work that takes longer than this makes us ask whether the volume answers at all, before its own deadline. */
export const SUSPICIOUS_MS = 4_000;
/** A volume that only its members' programs wait for is refused after it has not answered for this long. */
export const SILENT_MS = 10_000;

/** What is known of the work that goes through the agent to a volume. */
export interface WorkView {
  /** It is refused, because the volume did not answer. */
  refused: boolean;
  /** How long the oldest that runs has taken, milliseconds. */
  oldestMs: number;
}

/** Whether it is asked now for one durable write: somebody waits for it, its work takes suspiciously long, or it did not answer before. */
export function isToBeAsked(life: VolumeLife, work: WorkView): boolean {
  return isServed(life) && (isSuspicious(work) || life.doubted || life.silence !== null);
}

/**
 * Whether work on it is refused after it did not answer. A volume under load may keep programs waiting, and the question as well: that alone
 * is no reason to refuse it to everybody.
 */
export function isToBeRefused({ silence }: VolumeLife, work: WorkView, now: number): boolean {
  return isSuspicious(work) || (silence !== null && now - silence.beganAt >= SILENT_MS);
}

function isSuspicious({ refused, oldestMs }: WorkView): boolean {
  return refused || oldestMs > SUSPICIOUS_MS;
}

/**
 * How it comes back to service. `serving`: a complete replica's disk serves the mount. `unsure`: all of them failed in turns, so that it has
 * to be mounted afresh and they be compared. A mount whose disks merely hang is left alone: it may come back, and programs are waiting in it.
 */
export function wayBack(
  { step }: VolumeLife,
  { wanted, serving, unsure }: { wanted: boolean; serving: boolean; unsure: boolean },
): 'none' | 'ask' | 'open' {
  if (!wanted || !HAPPENS_IN.open.includes(step)) return 'none';
  return step === 'broken' && serving && !unsure ? 'ask' : 'open';
}

/** How long it has lasted, now; null stays null. */
export function lasting<T extends { beganAt: number }>(
  begun: T | null,
  now: number,
): (Omit<T, 'beganAt'> & { lastedMs: number }) | null {
  if (begun === null) return null;
  const { beganAt, ...rest } = begun;
  return { ...rest, lastedMs: Math.max(0, now - beganAt) };
}
