import type { DrillCheck } from '../../protocol/drills.ts';
import { diskPromises } from '../score.ts';
import type { DrillScript, Facts, Stage } from '../script.ts';
import { diskName, isRestored, NAMED_UNDER_LIGHT_LOAD_S, ORDINARY } from './defaults.ts';
import { freeze, processOf, watcherOf } from './freezes.ts';
import { agentIsBack } from './kills.ts';

const BACK_DEADLINE_MS = 60_000;
/** What it takes to notice that a process does nothing, and to end it. */
const REPLACED_S = 4;

function replaced(what: string, { replacedS }: Facts, limitS: number): DrillCheck {
  return {
    what: `${what} is ended and started again`,
    target: `within ${limitS} s`,
    measured: replacedS === undefined ? 'never' : `${replacedS.toFixed(1)} s`,
    ok: replacedS !== undefined && replacedS <= limitS,
  };
}

/** When a trouble is said to have begun, beside when its disk really stopped. */
function begun(outcome: Parameters<DrillScript['checks']>[0]): DrillCheck {
  const off = outcome.trouble === undefined ? undefined : (Date.parse(outcome.trouble.since) - outcome.faultAt) / 1000;
  return {
    what: 'The incident began, by its own words, after the disk stopped',
    target: 'at most 1.5 s',
    measured: off === undefined ? 'not named' : `${off.toFixed(2)} s`,
    ok: off !== undefined && Math.abs(off) <= 1.5,
  };
}

/** The agent stops doing anything at the moment at which a disk hangs. */
export const agentFrozen: DrillScript = {
  ...ORDINARY,
  name: 'agent-frozen',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
    stage.say('The agent is frozen at the same moment (SIGSTOP)');
    const ended = freeze(stage, processOf(stage, 'agent'));
    const seconds = await ended;
    if (seconds !== undefined) stage.facts.replacedS = seconds;
    await agentIsBack(stage);
  },
  checks: (outcome) => [
    replaced('The frozen agent', outcome.facts, REPLACED_S),
    begun(outcome),
    ...diskPromises(outcome, { locatedS: 9, waitS: 10, absent: 'agent' }),
  ],
};

/** Who looks at the disks stops looking, and then a disk hangs. */
export const watcherFrozen: DrillScript = {
  ...ORDINARY,
  name: 'watcher-frozen',
  async cause(stage) {
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    stage.say('The watcher is frozen at the same moment (SIGSTOP)');
    const ended = freeze(stage, watcherOf(stage));
    await stage.faults.hang(stage.target);
    const seconds = await ended;
    if (seconds !== undefined) stage.facts.replacedS = seconds;
  },
  checks: (outcome) => [
    // When the disk stopped was seen by nobody: the incident begins when the next watcher looks.
    replaced('The frozen watcher', outcome.facts, REPLACED_S),
    ...diskPromises(outcome, { locatedS: 6, waitS: 7 }),
  ],
};

/** The control plane does nothing any more, and a disk hangs. */
export const controlFrozen: DrillScript = {
  ...ORDINARY,
  name: 'control-frozen',
  // Everything that goes through the API waits for a while.
  paces: { ...ORDINARY.paces, reload: null, upload: null, api: null, signIn: null },
  async cause(stage) {
    stage.say('The control plane is frozen (SIGSTOP)');
    const ended = freeze(stage, processOf(stage, 'control'));
    stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
    await stage.faults.hang(stage.target);
    const seconds = await ended;
    if (seconds !== undefined) stage.facts.replacedS = seconds;
    await stage
      .until(() => incidentSeen(stage), 'The incident', BACK_DEADLINE_MS)
      .then(() => (stage.facts.incidentSeen = true))
      .catch((error: unknown) => stage.say((error as Error).message));
    await stage
      .until(() => isRestored(stage), 'the repair', 120_000)
      .catch((error: unknown) => stage.say((error as Error).message));
  },
  checks: (outcome) => [
    // One that only works hard is given longer: it costs a second without pages.
    replaced('The frozen control plane', outcome.facts, 10),
    {
      what: 'The incident is there',
      target: 'yes',
      measured: outcome.facts.incidentSeen === true ? 'yes' : 'no',
      ok: outcome.facts.incidentSeen === true,
    },
    ...diskPromises(outcome, { locatedS: NAMED_UNDER_LIGHT_LOAD_S, waitS: 1.5 }),
  ],
};

async function incidentSeen({ platform, target }: Stage): Promise<boolean> {
  const list = await platform.operator('incidents.list', {}, { deadlineMs: 2_000 }).catch(() => []);
  return list.some((entry) => entry.volume === target.volume);
}
