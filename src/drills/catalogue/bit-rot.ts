import { affectedFailed, affectedWait, located, nobodyNeeded, nothingLost, everybodyElse } from '../score.ts';
import { chooseBlocks, healedBlocks, rot } from '../faults.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

const BLOCKS = 200;
/** Reading the raw disk to choose them is the drill's own load, and must not be measured. */
const SETTLE_MS = 3_000;

export const bitRot: DrillScript = {
  ...ORDINARY,
  name: 'bit-rot',
  fillMiB: 0,
  afterSeconds: 0,
  async cause(stage) {
    const chosen = await chooseBlocks(stage.target, BLOCKS);
    await stage.pause(SETTLE_MS);
    stage.hurtNow(
      `${chosen.blocks.size} blocks of members' files on ${diskName(stage)} are altered behind the platform's back`,
    );
    await rot(chosen);
    stage.facts.altered = chosen;
  },
  async healed(stage) {
    const { altered } = stage.facts;
    if (altered === undefined) return false;
    const healed = await healedBlocks(altered);
    stage.facts.healed = healed;
    if (healed !== undefined) return healed === altered.blocks.size;
    return stage.observer.status(stage.target.volume)?.redundancy === 'full';
  },
  checks: (outcome) => {
    const { altered, healed } = outcome.facts;
    const all = altered?.blocks.size ?? 0;
    return [
      { ...located(outcome, 30), what: 'It is found and reported' },
      {
        what: 'As what it is',
        target: 'corrupt',
        measured: outcome.trouble?.diagnosis.fault ?? 'not reported',
        ok: outcome.trouble?.diagnosis.fault === 'corrupt',
      },
      {
        what: 'Altered blocks that are healed on the disk',
        target: 'all',
        measured: healed === undefined ? 'the disk was replaced' : `${healed} of ${all}`,
        ok: all > 0 && (healed === undefined || healed === all),
      },
      affectedWait(outcome, 2.5),
      affectedFailed(outcome),
      ...everybodyElse(outcome),
      nothingLost(outcome),
      ...nobodyNeeded(outcome),
    ];
  },
};
