import { spoken } from '../figures.ts';
import type { Target } from '../faults.ts';
import type { Observer } from '../observer.ts';
import { everybodyElse, groupOf, located, longestWaitMs, nobodyNeeded, nothingLost, restored } from '../score.ts';
import type { DrillScript, Stage } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

export const COPY_BEGINS_WITHIN_MS = 60_000;
/** The copy has read and written by then: its step alone is a twentieth of the whole. */
const UNDER_WAY = 0.08;
const BACK_WITHIN_MS = 300_000;
/** The old and the new disk fail at once, which btrfs does not survive: the volume is opened afresh from its complete disk. */
const OUT_OF_SERVICE_S = 2;
const WAIT_S = 4;

export const diskHangInCopy: DrillScript = {
  ...ORDINARY,
  name: 'disk-hang-in-copy',
  windowSeconds: 60,
  // What is out of service for as long as the copy would take shows at this size.
  fillMiB: 1024,
  healSeconds: 600,
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
    let fresh: Target | undefined;
    await stage.until(
      () => (fresh = copiedOnto(stage)) !== undefined,
      'The copy onto a new disk',
      COPY_BEGINS_WITHIN_MS,
    );
    if (fresh === undefined) return;
    stage.facts.secondReplica = fresh.replica;
    stage.hurtNow(`The new disk ${fresh.volume}/${fresh.replica} stops answering in the midst of the copy`);
    await stage.faults.hang(fresh);
    const from = stage.faultAt();
    await stage
      .until(() => isBack(stage, from), `${fresh.volume} serving from its complete disk`, BACK_WITHIN_MS)
      .catch((error: unknown) => stage.say((error as Error).message));
    stage.facts.outOfServiceS = outOfServiceMs(stage.observer, fresh.volume, from) / 1000;
  },
  checks: (outcome) => {
    const { volume } = outcome.target;
    const { outOfServiceS, secondReplica } = outcome.facts;
    const whole = groupOf(outcome, 'whole', 'affected');
    return [
      located(outcome, 1),
      {
        what: 'It is the right one: the new disk',
        target: `${volume}/${secondReplica ?? '?'}`,
        measured: outcome.culprit ?? 'none was named',
        ok: secondReplica !== undefined && outcome.culprit?.startsWith(`${volume}/${secondReplica} `) === true,
      },
      {
        what: 'The volume was out of service (503)',
        target: `at most ${OUT_OF_SERVICE_S} s`,
        measured: outOfServiceS === undefined ? 'not seen' : `${outOfServiceS.toFixed(2)} s`,
        ok: outOfServiceS !== undefined && outOfServiceS <= OUT_OF_SERVICE_S,
      },
      {
        what: 'Longest wait of a member on that volume',
        target: `at most ${WAIT_S} s`,
        measured: spoken(longestWaitMs(whole)),
        ok: longestWaitMs(whole) <= WAIT_S * 1000,
      },
      {
        what: 'Requests on that volume that were refused; that failed in another way',
        target: 'for information',
        measured: `${whole.all.refused}; ${whole.all.failed} of ${whole.all.requests}`,
        ok: null,
      },
      ...everybodyElse(outcome),
      ...restored(outcome),
      nothingLost(outcome),
      // Its own members' programs are started again; those of other volumes are not.
      ...nobodyNeeded(outcome),
    ];
  },
};

/** The disk that a copy of the hurt volume is being made onto, once the copy moves. */
export function copiedOnto({ observer, target }: Stage): Target | undefined {
  const copy = observer.operations.find(({ state, subject }) => state === 'running' && subject === target.volume);
  const moves = copy?.steps.some(({ name, state }) => name === 'Copy' && state === 'running') === true;
  if (!moves || (copy?.progress ?? 0) < UNDER_WAY) return undefined;
  const fresh = observer.status(target.volume)?.replicas.find(({ state }) => state === 'rebuilding');
  return fresh === undefined ? undefined : { volume: target.volume, replica: fresh.id, disk: fresh.disk };
}

/** That new disk is gone, and the volume serves. */
function isBack({ observer, target, facts }: Stage, from: number): boolean {
  const last = (observer.history.get(target.volume) ?? []).at(-1);
  if (last === undefined || last.at < from) return false;
  const gone = last.status.replicas.every(({ id, state }) => id !== facts.secondReplica || state === 'failed');
  return gone && last.status.state === 'open';
}

function outOfServiceMs(observer: Observer, volume: string, from: number): number {
  const moments = (observer.history.get(volume) ?? []).filter(({ at }) => at >= from);
  let total = 0;
  for (const [index, { at, status }] of moments.entries())
    if (status.state !== 'open') total += (moments[index + 1]?.at ?? Date.now()) - at;
  return total;
}
