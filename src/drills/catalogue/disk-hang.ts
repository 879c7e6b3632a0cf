import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, NAMED_UNDER_LIGHT_LOAD_S, ORDINARY } from './defaults.ts';

export const diskHang: DrillScript = {
  ...ORDINARY,
  name: 'disk-hang',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
  },
  checks: (outcome) => diskPromises(outcome, { locatedS: NAMED_UNDER_LIGHT_LOAD_S, waitS: 1.5 }),
};
