import { located, rightCulprit } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';
import { slowPromises } from './disk-slow.ts';

/** A minute and a half is watched before it is believed (src/model/slow-reads.ts). */
const NAMED_WITHIN_S = 100;

/** One disk becomes slow to read and writes as quickly as ever: in the mean of all requests it answers well. */
export const diskSlowReads: DrillScript = {
  ...ORDINARY,
  name: 'disk-slow-reads',
  // Only valves that were started for it can do it.
  here: false,
  slowsReads: true,
  healSeconds: 240,
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} takes its time for each read`);
    stage.faults.slowReads(stage.target);
    await Promise.resolve();
  },
  checks: (outcome) => [
    located(outcome, NAMED_WITHIN_S),
    rightCulprit(outcome),
    {
      what: 'As what it is',
      target: 'slow to read',
      measured: outcome.trouble?.diagnosis.evidence.join(' ') ?? 'not reported',
      ok: outcome.trouble?.diagnosis.fault === 'slow' && outcome.trouble.diagnosis.evidence.join(' ').includes('read'),
    },
    ...slowPromises(outcome),
  ],
};
