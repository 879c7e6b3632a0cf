import { adviceOnSilence, diagnoseSilence } from '../../model/silent-volume.ts';
import { adviceOnUnopened } from '../../model/unopened-volume.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { RepairPlan } from '../../protocol/health.ts';
import { until } from '../../runtime/deadline.ts';
import type { EngineVolume } from './engine.ts';
import type { Journey } from '../operations/journey.ts';

/** How long a volume may take to answer again after its hung disk was cut, or after it was opened. */
const ANSWER_DEADLINE_MS = 45_000;

/** The disk a rebuild would take, in words, and how it is taken. */
export interface TakesDisks {
  /** What would be taken, as one calls it. Throws as `take` does; changes nothing. */
  check(volume: EngineVolume): Promise<string>;
  /** Records a new replica and answers its id. */
  take(volume: EngineVolume): Promise<string>;
}

/**
 * The runbook of one volume: cut the disk that holds it up, open it, take in a disk, rebuild, heal wrong data. Each step looks for itself
 * whether there is something to do, so that a recovery that was cut off, or ran before, is simply walked again.
 */
export async function planRecovery(volume: EngineVolume, disks: TakesDisks): Promise<RepairPlan> {
  const status = volume.status();
  const hung = await volume.hungReplicas();
  const complete = status.replicas.filter(({ state }) => state === 'healthy').length;
  const cut = hung.length === 1 && complete > 1;
  const full = status.redundancy === 'full' && !cut;
  let problem: string | null = null;
  let takes = 'nothing is missing';
  if (hung.length > 0 && !cut) problem = tooManyHang(volume.name, hung);
  else if (!volume.wantedOpen) problem = `The volume ${volume.name} was closed by an operator. Open it first.`;
  else if (status.silence && diagnoseSilence(volume.name, status.silence) !== undefined)
    problem = adviceOnSilence(volume.name, status.silence);
  // It waits for somebody else, and no step of it could change that.
  else if (status.unopened?.heldBy) problem = adviceOnUnopened(volume.name, status.unopened);
  else if (!full) {
    const unfinished = volume.unfinishedReplica();
    if (unfinished !== undefined) takes = `${unfinished} was taken in already`;
    // Before the cut every replica is complete, and an unanswering volume takes in nothing: it is said when it is known.
    else if (cut || status.state !== 'open') takes = 'a spare disk, or a fresh image file';
    else {
      await disks.check(volume).then(
        (disk) => void (takes = disk),
        (error: unknown) => {
          if (!(error instanceof HoldfastError)) throw error;
          problem = error.message;
        },
      );
    }
  }
  const heal = volume.damaged() || volume.needsScrub();
  const open = status.state !== 'open';
  const steps: RepairPlan['steps'] = [
    { name: STEPS.cut, detail: cut ? `replica ${hung[0] ?? ''} does not answer` : 'every disk answers', needed: cut },
    { name: STEPS.open, detail: open ? (status.trouble ?? 'it is closed') : 'it is open', needed: open },
    { name: STEPS.take, detail: takes, needed: !full },
    {
      name: STEPS.rebuild,
      detail: full ? 'redundancy is full' : `used: ${mebibytes(status.usedBytes)}`,
      needed: !full,
    },
    {
      name: STEPS.heal,
      detail: heal ? (status.trouble ?? 'its disks failed') : 'no wrong data is known',
      needed: heal,
    },
  ];
  const needed = steps.filter((step) => step.needed).map((step) => step.name.toLowerCase());
  const summary =
    needed.length === 0
      ? `Nothing is wrong with the volume ${volume.name}.`
      : `${status.trouble ?? `The volume ${volume.name} needs repair.`} To be done: ${needed.join(', ')}.`;
  return { volume: volume.name, summary, steps, problem };
}

const STEPS = {
  cut: 'Cut the disk that does not answer',
  open: 'Open the volume',
  take: 'Take in a disk',
  rebuild: 'Rebuild redundancy',
  heal: 'Heal wrong data',
} as const;

export async function recover(volume: EngineVolume, disks: TakesDisks, journey: Journey): Promise<void> {
  await journey.step(STEPS.cut, async (report) => {
    const hung = await volume.hungReplicas();
    const [one] = hung;
    if (one === undefined) return report.skip('every disk answers');
    const complete = volume.status().replicas.filter(({ state }) => state === 'healthy').length;
    if (hung.length > 1 || complete < 2) throw new HoldfastError('conflict', tooManyHang(volume.name, hung));
    await volume.assertAnotherReads(one);
    await volume.cut(one, 'it did not answer and was cut by the recovery.');
    report.detail(`replica ${one}`);
  });
  await journey.step(STEPS.open, async (report) => {
    if (volume.status().state === 'open') return report.skip('it is open');
    const answers = async (): Promise<boolean> => {
      // A volume that does not open says why in its status, which is what is thrown at the deadline.
      await volume.open().catch(() => undefined);
      return (await volume.refresh()).state === 'open';
    };
    await until(answers, `opening the volume ${volume.name}`, ANSWER_DEADLINE_MS, 500).catch((cause: unknown) => {
      const why = volume.status().trouble ?? `The volume ${volume.name} does not open.`;
      throw new HoldfastError('storage-repair', why, { cause });
    });
  });
  await journey.step(STEPS.take, async (report) => {
    if (volume.unfinishedReplica() !== undefined) return report.skip('one was taken in already');
    if (volume.status().redundancy === 'full') return report.skip('nothing is missing');
    const id = await disks.take(volume);
    report.detail(volume.status().replicas.find((replica) => replica.id === id)?.disk ?? id);
  });
  const replica = volume.unfinishedReplica();
  if (replica !== undefined) await rebuildOrAbandon(volume, replica, journey);
  if (volume.damaged() || volume.needsScrub()) await volume.scrub(journey);
  await journey.step('Verify', async (report) => {
    const status = await volume.refresh();
    const whole = status.state === 'open' && status.redundancy === 'full';
    // Blocks that are damaged on every disk are a warning that no recovery can end: only a backup has them.
    if (whole && !volume.damaged() && !volume.needsScrub()) {
      if (status.trouble !== null) report.detail(status.trouble);
      return;
    }
    throw new HoldfastError(
      'conflict',
      `${status.trouble ?? `The volume ${volume.name} is not whole.`} Start the recovery again.`,
    );
  });
}

/** A rebuild that fails leaves no half replica behind; one that is only cut off does, and goes on later. */
export async function rebuildOrAbandon(volume: EngineVolume, replica: string, journey: Journey): Promise<void> {
  try {
    await volume.rebuild(replica, journey);
  } catch (error) {
    if (!journey.signal.aborted) await volume.abandonReplica(replica);
    throw error;
  }
}

export function planReplacement(volume: EngineVolume, replica: string, disk: string): RepairPlan {
  const old = volume.status().replicas.find(({ id }) => id === replica);
  const healthy = old?.state === 'healthy';
  return {
    volume: volume.name,
    summary: healthy
      ? `${disk} takes the place of ${old?.disk ?? replica}, which serves until the copy is complete.`
      : `${disk} takes the place of ${old?.disk ?? replica}; it is rebuilt from the other replica.`,
    steps: [
      { name: 'Prepare the disk', detail: disk, needed: true },
      { name: 'Copy', detail: mebibytes(volume.status().usedBytes), needed: true },
      { name: 'Mirror what was written meanwhile', detail: 'what has one copy gets its second', needed: !healthy },
      { name: 'Verify', detail: 'every block is read and compared', needed: true },
      { name: 'Take it into service', detail: 'the old disk is cleaned then', needed: true },
    ],
    problem: null,
  };
}

function tooManyHang(volume: string, hung: readonly string[]): string {
  return `${hung.join(' and ')} of the volume ${volume} ${hung.length > 1 ? 'do' : 'does'} not answer, and no other complete replica is left. Nothing is cut: that could lose what was written. The volume goes on by itself when a disk answers.`;
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
