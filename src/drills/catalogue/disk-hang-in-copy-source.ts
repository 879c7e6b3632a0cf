import { everybodyElse, nobodyNeeded, nothingLost } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, isRestored, ORDINARY } from './defaults.ts';
import { COPY_BEGINS_WITHIN_MS, copiedOnto } from './disk-hang-in-copy.ts';
import { honestlyStopped, NOTICE_MS, serves } from './stopped.ts';

/** How long the last complete disk does not answer. */
const HANGS_MS = 20_000;
const BACK_WITHIN_S = 30;

/** While a mirror is rebuilt the disk it is copied from, the last complete one, stops answering for a while. */
export const diskHangInCopySource: DrillScript = {
  ...ORDINARY,
  name: 'disk-hang-in-copy-source',
  afterSeconds: 0,
  healSeconds: 300,
  async cause(stage) {
    const { target, other, faults, facts } = stage;
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await faults.hang(target);
    await stage.until(() => copiedOnto(stage) !== undefined, 'The copy onto a new disk', COPY_BEGINS_WITHIN_MS);
    stage.hurtNow(`The disk it is copied from, ${other.volume}/${other.replica}, stops answering`);
    await faults.hang(other);
    await stage.pause(NOTICE_MS);
    const from = Date.now();
    await stage.pause(HANGS_MS - NOTICE_MS);
    stage.windows.push({ name: 'stopped', from, to: Date.now() });
    await faults.clear(other);
    const cleared = Date.now();
    stage.say(`The disk ${other.volume}/${other.replica} answers again`);
    await stage
      .until(() => serves(stage), `${target.volume} coming back by itself`, 120_000)
      .then(() => (facts.backAfterS = (Date.now() - cleared) / 1000))
      .catch((error: unknown) => stage.say((error as Error).message));
  },
  healed: isRestored,
  checks: (outcome) => {
    const { backAfterS } = outcome.facts;
    return [
      ...honestlyStopped(outcome),
      ...everybodyElse(outcome),
      {
        what: 'Back by itself when it answers',
        target: `within ${BACK_WITHIN_S} s`,
        measured: backAfterS === undefined ? 'not seen' : `${backAfterS.toFixed(1)} s`,
        ok: backAfterS !== undefined && backAfterS <= BACK_WITHIN_S,
      },
      {
        what: 'Redundancy is full again',
        target: 'yes',
        measured: outcome.restoredS === null ? 'no' : `${outcome.restoredS.toFixed(1)} s`,
        ok: outcome.restoredS !== null,
      },
      nothingLost(outcome),
      ...nobodyNeeded(outcome),
    ];
  },
};
