import { groupOf, nobodyNeeded, nothingLost, everybodyElse } from '../score.ts';
import type { DrillScript } from '../script.ts';
import { ORDINARY } from './defaults.ts';
import { honestlyStopped, NOTICE_MS, serves } from './stopped.ts';

const BACK_WITHIN_S = 30;

export const bothReplicas: DrillScript = {
  ...ORDINARY,
  name: 'both-replicas',
  // So long both disks hang, and what is in them waits: longer would show nothing more.
  windowSeconds: 40,
  fillMiB: 0,
  afterSeconds: 0,
  async cause(stage) {
    const { target, other, faults } = stage;
    stage.hurtNow(`Both disks of ${target.volume} stop answering`);
    await Promise.all([faults.hang(target), faults.hang(other)]);
    await stage.pause(NOTICE_MS);
    const stopped = Date.now();
    await stage.pause(Math.max(10_000, stage.windowMs - NOTICE_MS));
    stage.windows.push({ name: 'stopped', from: stopped, to: Date.now() });
    await faults.clear(target);
    const cleared = Date.now();
    stage.say(`The disk ${target.volume}/${target.replica} answers again`);
    await stage
      .until(() => serves(stage), `${target.volume} coming back by itself`, 120_000)
      .catch((error: unknown) => stage.say((error as Error).message));
    stage.facts.backAfterS = (Date.now() - cleared) / 1000;
    await faults.clear(other);
    stage.say(`The disk ${other.volume}/${other.replica} answers again, too`);
  },
  healed: ({ observer, target }) =>
    observer.status(target.volume)?.redundancy === 'full' && observer.status(target.volume)?.state === 'open',
  checks: (outcome) => {
    const whole = groupOf(outcome, 'whole', 'affected').all;
    return [
      ...honestlyStopped(outcome),
      {
        what: 'Requests that failed in any other way',
        target: 'for information',
        measured: `${whole.failed} of ${whole.requests}`,
        ok: null,
      },
      ...everybodyElse(outcome),
      {
        what: 'Back by itself with the first disk that answers',
        target: `within ${BACK_WITHIN_S} s`,
        measured: `${outcome.facts.backAfterS?.toFixed(1) ?? '-'} s`,
        ok: outcome.facts.backAfterS !== undefined && outcome.facts.backAfterS <= BACK_WITHIN_S,
      },
      {
        what: 'Redundancy is full again',
        target: 'yes',
        measured: outcome.restoredS === null ? 'no' : `${outcome.restoredS.toFixed(1)} s`,
        ok: outcome.restoredS !== null,
      },
      nothingLost(outcome),
      // Its own members' programs may be started again; those of other volumes may not.
      ...nobodyNeeded(outcome),
    ];
  },
};
