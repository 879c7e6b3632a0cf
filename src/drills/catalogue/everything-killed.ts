import { powerCut } from '../leftovers.ts';
import { located, nobodyNeeded, nothingLost, rightCulprit } from '../score.ts';
import { scrubAll } from './scrub.ts';
import type { DrillScript } from '../script.ts';
import { diskName, isRestored, ORDINARY } from './defaults.ts';

/** When no rebuild is seen to run by then, the power goes all the same. */
const REBUILD_DEADLINE_MS = 15_000;
const AFTER_MS = 10_000;

export const everythingKilled: DrillScript = {
  ...ORDINARY,
  name: 'everything-killed',
  // Enough that the power goes in the middle of the copy.
  fillMiB: 320,
  afterSeconds: 0,
  here: false,
  paces: { ...ORDINARY.paces, start: null, reload: null },
  healed: (stage) =>
    isRestored(stage) ||
    (stage.observer.status(stage.target.volume)?.redundancy === 'full' &&
      stage.observer.status(stage.target.volume)?.state === 'open'),
  async cause(stage) {
    const { scratch, target, observer } = stage;
    if (scratch === undefined) throw new Error('This drill has a platform of its own.');
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(target);
    await stage
      .until(
        () => observer.status(target.volume)?.redundancy === 'rebuilding',
        'the beginning of the rebuild',
        REBUILD_DEADLINE_MS,
      )
      .catch((error: unknown) => stage.say((error as Error).message));
    const from = Date.now();
    await powerCut(stage.platform.configuration);
    stage.say('Power cut: every process of the platform is killed at once');
    await scratch.start(stage.signal);
    const to = Date.now();
    stage.facts.platformBackAfterS = (to - from) / 1000;
    stage.say('The platform is started again, and says that it is ready');
    // The sites wake with the first requests.
    stage.blackouts.push({ from: from - 100, to });
    await stage.pause(AFTER_MS);
  },
  afterwards: scrubAll,
  checks: (outcome) => [
    located(outcome, 1),
    rightCulprit(outcome),
    {
      what: 'Ready again after the power cut',
      target: 'for information',
      measured: `${outcome.facts.platformBackAfterS?.toFixed(1) ?? '-'} s`,
      ok: null,
    },
    {
      what: 'The repair is finished by the next start',
      target: 'yes',
      measured: outcome.restoredS === null ? 'no' : `${outcome.restoredS.toFixed(1)} s after the fault`,
      ok: outcome.restoredS !== null,
    },
    {
      what: 'Wrong or old content (found by reading everything)',
      target: '0 blocks',
      measured: `${outcome.facts.scrubCorrected ?? 'not read'} blocks`,
      ok: outcome.facts.scrubCorrected === 0,
    },
    nothingLost(outcome),
    ...nobodyNeeded(outcome, 'meant'),
  ],
};
