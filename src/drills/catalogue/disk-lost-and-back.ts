import {
  affectedFailed,
  affectedWait,
  located,
  nobodyNeeded,
  nothingLost,
  restored,
  rightCulprit,
  everybodyElse,
} from '../score.ts';
import { scrubAll } from './scrub.ts';
import { killAgent } from './kills.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

/** So long the volume is written to without the disk before the agent, started again, finds the disk with its old content. */
const AWAY_MS = 1_500;

export const diskLostAndBack: DrillScript = {
  ...ORDINARY,
  name: 'disk-lost-and-back',
  here: false,
  // What needs the agent cannot be done in the second it is away; that is not what this is about.
  paces: { start: null, reload: null, upload: null, api: null, signIn: null },
  async cause(stage) {
    stage.faults.lose(stage.target);
    stage.hurtNow(`The disk ${diskName(stage)} is gone`);
    await stage.pause(AWAY_MS);
    // A new agent attaches every disk it knows: this one comes back with what it held when it went.
    await killAgent(stage, 'The disk returns with its old content, and the agent starts again');
  },
  afterwards: scrubAll,
  checks: (outcome) => [
    located(outcome, 10),
    rightCulprit(outcome),
    affectedWait(outcome, 2.5),
    affectedFailed(outcome),
    ...everybodyElse(outcome),
    ...restored(outcome),
    {
      what: 'Old content that was served or mirrored (found by reading everything)',
      target: '0 blocks',
      measured: `${outcome.facts.scrubCorrected ?? 'not read'} blocks`,
      ok: outcome.facts.scrubCorrected === 0,
    },
    nothingLost(outcome),
    ...nobodyNeeded(outcome),
  ],
};
