import {
  affectedFailed,
  groupOf,
  located,
  longestWaitMs,
  nobodyNeeded,
  nothingLost,
  restored,
  rightCulprit,
  everybodyElse,
} from '../score.ts';
import { spoken } from '../figures.ts';
import type { DrillCheck } from '../../protocol/drills.ts';
import type { DrillScript, Outcome } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

/** A burst must not be taken for a slow disk; a minute must. */
const BURST_MS = 8_000;
const CALM_MS = 10_000;
const NAMED_WITHIN_S = 90;

export const diskSlow: DrillScript = {
  ...ORDINARY,
  name: 'disk-slow',
  healSeconds: 240,
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} is slow for ${BURST_MS / 1000} s: a burst, which is nobody's trouble`);
    await stage.faults.slow(stage.target);
    await stage.pause(BURST_MS);
    await stage.faults.clear(stage.target);
    await stage.pause(CALM_MS);
    stage.facts.falseAlarms = stage.observer.troubles.length;
    stage.hurtNow(`The disk ${diskName(stage)} is slow, and stays so`);
    await stage.faults.slow(stage.target);
  },
  checks: (outcome) => [
    {
      what: 'Alarms at a burst of a few seconds',
      target: '0',
      measured: String(outcome.facts.falseAlarms ?? 'not seen'),
      ok: outcome.facts.falseAlarms === 0,
    },
    located(outcome, NAMED_WITHIN_S),
    rightCulprit(outcome),
    {
      what: 'As what it is',
      target: 'slow',
      measured: outcome.trouble?.diagnosis.fault ?? 'not reported',
      ok: outcome.trouble?.diagnosis.fault === 'slow',
    },
    ...slowPromises(outcome),
  ],
};

/** What must hold around a disk that is slow, in whichever way. */
export function slowPromises(outcome: Outcome): DrillCheck[] {
  return [
    affectedFailed(outcome),
    {
      what: 'Longest wait of a member on that volume',
      target: 'for information',
      measured: spoken(longestWaitMs(groupOf(outcome, 'whole', 'affected'))),
      ok: null,
    },
    ...everybodyElse(outcome),
    // Counted from the fault, a disk that is watched for a minute cannot be replaced within ten seconds.
    ...restored(outcome).slice(1),
    nothingLost(outcome),
    ...nobodyNeeded(outcome),
  ];
}
