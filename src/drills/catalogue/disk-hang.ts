import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

export const diskHang: DrillScript = {
  ...ORDINARY,
  name: 'disk-hang',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
  },
  checks: (outcome) => diskPromises(outcome, { locatedS: 1, waitS: 1.5 }),
};
