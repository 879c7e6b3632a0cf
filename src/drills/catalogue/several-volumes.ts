import { diskPromises } from '../score.ts';
import type { Target } from '../faults.ts';
import type { DrillScript, Stage } from '../script.ts';
import { diskName, isRestored, NAMED_UNDER_LIGHT_LOAD_S, ORDINARY } from './defaults.ts';

/** One disk of each of so many volumes hangs, all at once; two more volumes go on. */
function severalVolumes(name: string, hurt: number, waitS: number): DrillScript {
  return {
    ...ORDINARY,
    name,
    volumes: hurt + 2,
    accounts: (hurt + 2) * 5,
    healSeconds: 150 * hurt,
    async cause(stage) {
      const others = await othersToHurt(stage, hurt - 1);
      stage.facts.alsoHurt = others;
      const names = [diskName(stage), ...others.map(({ volume, replica }) => `${volume}/${replica}`)];
      stage.hurtNow(`The disks ${names.join(', ')} stop answering`);
      await Promise.all([stage.target, ...others].map(async (target) => await stage.faults.hang(target)));
    },
    healed: (stage) => isRestored(stage) && isRestoredAll(stage),
    checks: (outcome) => diskPromises(outcome, { locatedS: NAMED_UNDER_LIGHT_LOAD_S, waitS }),
  };
}

/** The other volumes that were hurt are mirrored in full again, too. */
export function isRestoredAll(stage: Stage): boolean {
  return (stage.facts.alsoHurt ?? []).every(
    ({ volume, replica }) => stage.observer.restoredAt(volume, stage.faultAt(), [replica]) !== undefined,
  );
}

/** The first replica of as many other volumes. */
export async function othersToHurt({ platform, target, accounts }: Stage, count: number): Promise<Target[]> {
  const ours = new Set(accounts.map(({ volume }) => volume));
  return (await platform.agent.call('volumes.list', {}))
    .filter(({ name }) => ours.has(name) && name !== target.volume)
    .slice(0, count)
    .map(({ name, replicas: [first] }): Target => {
      if (first === undefined) throw new Error(`The volume ${name} has no disk.`);
      return { volume: name, replica: first.id, disk: first.disk };
    });
}

export const twoVolumes = severalVolumes('two-volumes', 2, 2.5);
export const threeVolumes = severalVolumes('three-volumes', 3, 4);
