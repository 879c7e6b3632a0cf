import type { Diagnosis } from './health.ts';

/** A volume that should be open and cannot be opened. Pure. */
export interface Unopened {
  /** When it was first tried and failed, ISO 8601: for people only, since that clock may be set. */
  since: string;
  /** How long ago that is, milliseconds. */
  lastedMs: number;
  /** Why, one sentence or more. */
  reason: string;
  /** Who keeps its old file system in the kernel, in words; null: nobody does, as far as is known. */
  heldBy: string | null;
}

/** A volume whose disks come and go is opened again within seconds, and nobody is woken for that. */
export const UNOPENED_MS = 5_000;

/**
 * What is the case when a volume could not be opened for long enough; undefined: not yet. Whoever calls this knows that its missing disks
 * alone do not explain it.
 */
export function diagnoseUnopened(volume: string, unopened: Unopened): Diagnosis | undefined {
  if (unopened.lastedMs < UNOPENED_MS) return undefined;
  const what = `The volume ${volume} cannot be opened: ${unopened.reason}`;
  return {
    culprit: { kind: 'volume', volume, replica: null, disk: null },
    fault: 'unopened',
    evidence: [what],
    ruledOut: [
      ...(unopened.heldBy === null
        ? []
        : ['It is not held by a program of the platform: those of its members were ended.']),
      'Other volumes do not need it: each is a file system of its own.',
    ],
  };
}

/** What a person has to do about it, one or two sentences. */
export function adviceOnUnopened(volume: string, { reason, heldBy }: Unopened): string {
  if (heldBy !== null)
    return `End ${heldBy}, or let it leave the volume ${volume}: the volume opens by itself then, within 10 seconds.`;
  return `The volume ${volume} is tried again every few seconds, and its members are without service until it opens. What stands in the way: ${reason} Mend that; the volume opens by itself then.`;
}
