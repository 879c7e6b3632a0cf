import { until } from '../../runtime/deadline.ts';
import { powerCut } from '../leftovers.ts';
import { tookMore, writtenAloneMs } from '../faults.ts';
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
import { spoken } from '../figures.ts';
import { scrubAll } from './scrub.ts';
import { killAgent } from './kills.ts';
import type { DrillScript, Facts, Stage } from '../script.ts';
import { diskName, ORDINARY } from './defaults.ts';

/** So long the volume is written to without the disk before the agent, started again, finds the disk with its old content. */
const AWAY_MS = 3_000;
/**
 * Before the power cut only until the other disk took one commit or fsync alone: before anybody can have taken note of the loss. What the disk does not
 * know is then written down nowhere. Any other write would not do: without one of these nothing was acknowledged, and the disk knows all.
 */
const WRITTEN_ALONE_DEADLINE_MS = 5_000;
const LOOK_EVERY_MS = 10;
const REPAIR_DEADLINE_MS = 150_000;
const CALM_MS = 5_000;

export const diskLostAndBack: DrillScript = {
  ...ORDINARY,
  name: 'disk-lost-and-back',
  here: false,
  async cause(stage) {
    const back = stage.faults.keepAside(stage.target);
    stage.faults.lose(stage.target);
    stage.hurtNow(`The disk ${diskName(stage)} is gone`);
    await stage.pause(AWAY_MS);
    stage.facts.writtenAloneMs = writtenAloneMs(stage.target, stage.other);
    back();
    // A new agent attaches every disk it knows: this one comes back with what it held when it went.
    await killAgent(stage, 'The disk returns with its old content, and the agent starts again');
  },
  afterwards: scrubAll,
  epilogue: lostInPowerCut,
  checks: (outcome) => [
    located(outcome, 10),
    rightCulprit(outcome),
    wroteOn('Written without the disk before it returned', outcome.facts.writtenAloneMs),
    affectedWait(outcome, 2.5),
    affectedFailed(outcome, false),
    ...everybodyElse(outcome, 'agent'),
    ...restored(outcome),
    wroteOn('Once more with a power cut: written without the disk before it', outcome.facts.writtenAloneAtPowerCutMs),
    {
      what: 'Whole again after that',
      target: 'yes',
      measured: outcome.facts.backAfterS === undefined ? 'no' : `${outcome.facts.backAfterS.toFixed(1)} s`,
      ok: outcome.facts.backAfterS !== undefined,
    },
    {
      what: 'That disk was taken for a complete copy before it was caught up',
      target: 'no',
      measured: { true: 'yes', false: 'no', undefined: 'not seen' }[String(outcome.facts.believedAtPowerCut)] ?? '',
      ok: outcome.facts.believedAtPowerCut === false,
    },
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

/** Without such writes nothing would be old on the disk, and nothing proven. */
function wroteOn(what: string, milliseconds: Facts['writtenAloneMs']): ReturnType<typeof located> {
  return {
    what,
    target: 'some',
    measured: milliseconds === undefined ? 'not seen' : `for ${spoken(milliseconds)}`,
    ok: milliseconds !== undefined && milliseconds > 0,
  };
}

/** The same with a disk of the new mirror, and a moment later the power goes: now nobody can remember which disk was away. */
async function lostInPowerCut(stage: Stage): Promise<void> {
  const { scratch, observer, facts, faults } = stage;
  const { volume } = stage.target;
  if (scratch === undefined) throw new Error('This drill has a platform of its own.');
  const [first, second] = (observer.status(volume)?.replicas ?? []).map(({ id, disk }) => ({
    volume,
    replica: id,
    disk,
  }));
  if (first === undefined || second === undefined || observer.status(volume)?.redundancy !== 'full') return;
  const from = Date.now();
  faults.lose(first);
  await until(
    () => stage.signal.aborted || tookMore(second, first),
    `A commit or an fsync on ${volume}/${second.replica} alone`,
    WRITTEN_ALONE_DEADLINE_MS,
    LOOK_EVERY_MS,
  ).catch((error: unknown) => stage.say((error as Error).message));
  const cutAt = Date.now();
  await powerCut(stage.platform.configuration);
  stage.say(
    `The disk ${volume}/${first.replica} is gone, and ${cutAt - from} ms later the power: every process is killed`,
  );
  facts.writtenAloneAtPowerCutMs = writtenAloneMs(first, second);
  await scratch.start(stage.signal);
  const to = Date.now();
  stage.say('The platform is started again with both disks, one of them old');
  stage.blackouts.push({ from: from - 100, to });
  await stage
    .until(
      () => {
        const last = (observer.history.get(volume) ?? []).at(-1);
        // It may be open before the platform says that it is ready; what counts is that it was looked at since the power cut.
        return (
          last !== undefined && last.at > from && last.status.redundancy === 'full' && last.status.state === 'open'
        );
      },
      `${volume} being whole again`,
      REPAIR_DEADLINE_MS,
    )
    .then(
      () => (facts.backAfterS = (Date.now() - to) / 1000),
      (error: unknown) => stage.say((error as Error).message),
    );
  facts.believedAtPowerCut = (observer.history.get(volume) ?? [])
    .filter((moment) => moment.at > cutAt && moment.status.state === 'open')
    .some(({ status }) => status.replicas.find((replica) => replica.id === first.replica)?.state === 'healthy');
  await stage.pause(CALM_MS);
  const corrected = facts.scrubCorrected ?? 0;
  await scrubAll(stage);
  facts.scrubCorrected = corrected + (facts.scrubCorrected ?? 0);
}
