import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

export const diskError: DrillScript = {
  ...ORDINARY,
  name: 'disk-error',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} answers everything with an error`);
    stage.faults.error(stage.target);
    await Promise.resolve();
  },
  checks: (outcome) => diskPromises(outcome, { locatedS: 5, waitS: 2.5 }),
};
