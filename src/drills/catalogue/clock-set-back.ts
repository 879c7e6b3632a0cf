import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, isRestored, NAMED_UNDER_LIGHT_LOAD_S, ORDINARY } from './defaults.ts';
import { isRestoredAll, othersToHurt } from './several-volumes.ts';

const HOUR_MS = 3_600_000;
const CUT_WITHIN_MS = 15_000;
const NAMED_WITHIN_MS = 15_000;

/** A disk was cut a moment ago; the clock is set back by an hour; a disk of another volume hangs. */
export const clockSetBack: DrillScript = {
  ...ORDINARY,
  name: 'clock-set-back',
  // The clock of the running platform's own processes could not be set without that of everything else.
  here: false,
  volumes: 4,
  accounts: 20,
  healSeconds: 300,
  async cause(stage) {
    const { observer, facts, faults, scratch } = stage;
    if (scratch === undefined) throw new Error('This drill has a platform of its own.');
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await faults.hang(stage.target);
    await stage.until(
      () => observer.status(stage.target.volume)?.redundancy !== 'full',
      'The cut of the first disk',
      CUT_WITHIN_MS,
    );
    scratch.setClock(-HOUR_MS);
    observer.clockIsOffBy(-HOUR_MS);
    stage.say("The clock of the platform's processes is set back by an hour");
    await stage.pause(500);
    const [second] = await othersToHurt(stage, 1);
    if (second === undefined) throw new Error('There is no other volume.');
    facts.alsoHurt = [second];
    const from = Date.now();
    stage.say(`The disk ${second.volume}/${second.replica} stops answering`);
    await faults.hang(second);
    await stage
      .until(() => observer.troubleOf(second.volume, from) !== undefined, 'The second one being named', NAMED_WITHIN_MS)
      .catch((error: unknown) => stage.say((error as Error).message));
    const named = observer.troubleOf(second.volume, from);
    if (named !== undefined) facts.secondNamedS = (Date.parse(named.namedAt) - from) / 1000;
  },
  healed: (stage) => isRestored(stage) && isRestoredAll(stage),
  checks: (outcome) => {
    const { secondNamedS } = outcome.facts;
    return [
      {
        what: 'The second disk is named after the clock was set back',
        target: `within ${NAMED_UNDER_LIGHT_LOAD_S} s`,
        measured: secondNamedS === undefined ? 'never' : `${secondNamedS.toFixed(2)} s`,
        ok: secondNamedS !== undefined && secondNamedS <= NAMED_UNDER_LIGHT_LOAD_S,
      },
      ...diskPromises(outcome, { locatedS: NAMED_UNDER_LIGHT_LOAD_S, waitS: 2.5 }),
    ];
  },
};
