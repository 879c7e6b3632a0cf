import type { SiteState, StartStep } from './sites.ts';

/**
 * The life of one site, as a pure state machine: what may follow what. The agent's driver does the work between two events
 * and never sets a state by hand.
 */
export interface StartFailure {
  step: StartStep;
  message: string;
  output: string[];
  /** ISO 8601. */
  at: string;
}

export interface SiteLife {
  state: SiteState;
  /** The generation that serves, or the last one that did; 0 before the first. */
  generation: number;
  /** Whether a generation serves at this moment. */
  serving: boolean;
  /** Why the last start or reload did not succeed; null after the next success. */
  failure: StartFailure | null;
  /** Crashes in a row, each soon after its start. */
  crashes: number;
}

export type SiteEvent =
  | { type: 'start' }
  | { type: 'reload'; stopFirst: boolean }
  | { type: 'answered'; generation: number }
  | { type: 'went-back'; generation: number }
  | { type: 'start-failed'; failure: StartFailure }
  | { type: 'crashed'; failure: StartFailure; livedMs: number }
  | { type: 'stop' }
  | { type: 'stopped' }
  | { type: 'disable' }
  | { type: 'enable' };

/** A generation that lived this long was well: its end counts as the first of a new row of crashes. */
export const WELL_AFTER_MS = 60_000;
/** So many quick crashes in a row make a site `failed`: it is started again only on request. */
export const MOST_CRASHES = 5;

export function newLife(enabled: boolean): SiteLife {
  return { state: enabled ? 'asleep' : 'disabled', generation: 0, serving: false, failure: null, crashes: 0 };
}

/** The life after an event, or undefined when the event cannot happen in this state (the driver then does nothing). */
export function advance(life: SiteLife, event: SiteEvent): SiteLife | undefined {
  const { state } = life;
  switch (event.type) {
    case 'start':
      return state === 'asleep' || state === 'failed' ? { ...life, state: 'starting', serving: false } : undefined;
    case 'reload':
      return state === 'awake' ? { ...life, state: 'reloading', serving: !event.stopFirst } : undefined;
    case 'answered':
      return afterAnswer(life, event.generation);
    case 'went-back':
      // The one way backwards, on its owner's word: to a generation that was kept running for this.
      if (state !== 'awake' || event.generation >= life.generation) return undefined;
      return { ...life, serving: true, generation: event.generation, failure: null, crashes: 0 };
    case 'start-failed':
      if (state === 'starting') return { ...life, state: 'failed', serving: false, failure: event.failure };
      if (state !== 'reloading') return undefined;
      return { ...life, state: life.serving ? 'awake' : 'failed', failure: event.failure };
    case 'crashed':
      return afterCrash(life, event.failure, event.livedMs);
    case 'stop':
      return state === 'awake' ? { ...life, state: 'stopping' } : undefined;
    case 'stopped':
      return state === 'stopping' ? { ...life, state: 'asleep', serving: false, crashes: 0 } : undefined;
    case 'disable':
      return state === 'asleep' || state === 'failed'
        ? { ...life, state: 'disabled', serving: false, failure: null, crashes: 0 }
        : undefined;
    case 'enable':
      return state === 'disabled' ? { ...life, state: 'asleep' } : undefined;
    default:
      return event satisfies never;
  }
}

function afterAnswer(life: SiteLife, generation: number): SiteLife | undefined {
  if (life.state !== 'starting' && life.state !== 'reloading') return undefined;
  // Only ever forwards: an old generation that answers late must not come back.
  if (generation <= life.generation) return undefined;
  return { ...life, state: 'awake', serving: true, generation, failure: null };
}

function afterCrash(life: SiteLife, failure: StartFailure, livedMs: number): SiteLife | undefined {
  // While reloading, the new generation decides: the old one is only gone a little early.
  if (life.state === 'reloading') return life.serving ? { ...life, serving: false } : undefined;
  if (life.state !== 'awake') return undefined;
  const crashes = livedMs >= WELL_AFTER_MS ? 1 : life.crashes + 1;
  const next = crashes >= MOST_CRASHES ? 'failed' : 'starting';
  return { ...life, state: next, serving: false, crashes, failure };
}

/** Milliseconds to wait before a crashed site is started again: at once, then 1, 2, 4 ... up to 30 s. */
export function crashDelayMs(crashes: number): number {
  return crashes <= 1 ? 0 : Math.min(30_000, 1000 * 2 ** (crashes - 2));
}

/**
 * Milliseconds for which requests of visitors do not start a failed site again, by the number of failures in a row: a
 * crawler must not turn a broken site into a load on the machine. Owners start it at any time.
 */
export function wakeHoldOffMs(failures: number): number {
  return Math.min(60_000, 2000 * 2 ** Math.max(0, failures - 1));
}
