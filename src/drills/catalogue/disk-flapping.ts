import { diskPromises } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

export const diskFlapping: DrillScript = {
  ...ORDINARY,
  name: 'disk-flapping',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops and answers, over and over`);
    await stage.faults.flap(stage.target, (rounds) => {
      stage.facts.flapRounds = rounds;
      stage.say(`The disk was taken out after it had stopped ${rounds} times`);
    });
  },
  checks: (outcome) => [
    // It answers in between, so each single stop is short; what counts is that it is taken out, once.
    ...diskPromises(outcome, { locatedS: 15, waitS: 2.5 }).filter((check) => !check.what.startsWith('Restoring')),
    {
      what: 'Taken out, and not believed again',
      target: 'once',
      measured: outcome.facts.flapRounds === undefined ? 'it was never taken out' : 'once',
      ok: outcome.facts.flapRounds !== undefined,
    },
  ],
};
