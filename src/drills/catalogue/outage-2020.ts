import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

/** Forty accounts on five volumes; one disk of one volume stops answering under load. */
export const outage2020: DrillScript = {
  ...ORDINARY,
  name: 'outage-2020',
  accounts: 40,
  volumes: 5,
  // A p99 of 20 s varies by 11 % from one to the next (decision 0009), and the whole window lies within the copy.
  windowSeconds: 150,
  fillMiB: 640,
  // A thousand reads for their p99.
  afterSeconds: 60,
  paces: {},
  healSeconds: 420,
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
  },
  checks: (outcome) => diskPromises(outcome, { locatedS: 1, waitS: 1.5 }),
};
