import { groupOf, nobodyNeeded, nothingLost, everybodyElse } from '../score.ts';
import { spoken } from '../figures.ts';
import type { DrillScript } from '../script.ts';
import { ORDINARY } from './defaults.ts';

/** How long the platform has to find out that no replica answers, before every request must be refused at once. */
const NOTICE_MS = 5_000;
/** Longest wait for the honest answer once the volume is stopped. */
const AT_ONCE_MS = 1_000;
const BACK_WITHIN_S = 30;

export const bothReplicas: DrillScript = {
  ...ORDINARY,
  name: 'both-replicas',
  // So long both disks hang, and what is in them waits: longer would show nothing more.
  windowSeconds: 40,
  fillMiB: 0,
  afterSeconds: 0,
  async cause(stage) {
    const { target, other, faults, observer } = stage;
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
      .until(
        () => observer.status(target.volume)?.state === 'open' && answers(stage.witness.volumes, target.volume),
        `${target.volume} coming back by itself`,
        120_000,
      )
      .catch((error: unknown) => stage.say((error as Error).message));
    stage.facts.backAfterS = (Date.now() - cleared) / 1000;
    await faults.clear(other);
    stage.say(`The disk ${other.volume}/${other.replica} answers again, too`);
  },
  healed: ({ observer, target }) =>
    observer.status(target.volume)?.redundancy === 'full' && observer.status(target.volume)?.state === 'open',
  checks: (outcome) => {
    const { volume } = outcome.target;
    const stopped = groupOf(outcome, 'stopped', 'affected');
    const sites = stopped.kinds.site;
    const whole = groupOf(outcome, 'whole', 'affected').all;
    return [
      {
        what: 'The volume is named',
        target: 'within 5 s',
        measured: outcome.locatedS === null ? 'never' : `${outcome.locatedS.toFixed(2)} s`,
        ok: outcome.locatedS !== null && outcome.locatedS <= 5 && outcome.culprit?.startsWith(volume) === true,
      },
      {
        what: 'Members on it get an honest answer (503 with Retry-After)',
        target: 'all of them',
        measured: `${sites?.refused ?? 0} of ${sites?.requests ?? 0} pages`,
        ok: sites !== undefined && sites.refused === sites.requests && sites.requests > 0,
      },
      {
        what: 'And at once',
        target: `99 % within ${AT_ONCE_MS / 1000} s`,
        measured: spoken(sites?.p99Ms ?? 0),
        ok: sites !== undefined && sites.p99Ms <= AT_ONCE_MS,
      },
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

/** Members of the volume get answers again, and nobody waits. */
function answers(
  volumes: readonly { name: string; requestsPerSecond: number; refused: number; oldestWaitMs: number }[],
  name: string,
): boolean {
  const volume = volumes.find((entry) => entry.name === name);
  return volume !== undefined && volume.requestsPerSecond > 0 && volume.refused === 0 && volume.oldestWaitMs < 2_000;
}
