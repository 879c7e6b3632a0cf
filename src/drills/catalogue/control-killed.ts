import { setTimeout as wait } from 'node:timers/promises';
import { diskPromises } from '../score.ts';
import type { DrillScript, Stage } from '../script.ts';
import { diskName, isRestored, NAMED_UNDER_LIGHT_LOAD_S, ORDINARY } from './defaults.ts';
import { keepControlDead } from './kills.ts';

const REPAIR_DEADLINE_MS = 120_000;
const INCIDENT_DEADLINE_MS = 30_000;

export const controlKilled: DrillScript = {
  ...ORDINARY,
  name: 'control-killed',
  // Everything that goes through the API is down on purpose.
  paces: { ...ORDINARY.paces, reload: null, upload: null, api: null, signIn: null },
  async cause(stage) {
    const letLive = keepControlDead(stage);
    try {
      stage.say('The control plane is killed, and every one that is started for it');
      await stage.pause(2_000);
      stage.hurtNow(`The disk ${diskName(stage)} stops answering`);
      await stage.faults.hang(stage.target);
      await stage
        .until(() => isRestored(stage), 'the repair without a control plane', REPAIR_DEADLINE_MS)
        .catch((error: unknown) => stage.say((error as Error).message));
      await stage.pause(Math.max(0, stage.faultAt() + stage.windowMs - Date.now()));
    } finally {
      letLive();
    }
    stage.say('The control plane may live again');
    stage.facts.incidentSeen = await incidentSeen(stage);
  },
  checks: (outcome) => [
    ...diskPromises(outcome, { locatedS: NAMED_UNDER_LIGHT_LOAD_S, waitS: 1.5 }),
    {
      what: 'The incident is there when the control plane returns',
      target: 'yes',
      measured: outcome.facts.incidentSeen === true ? 'yes' : 'no',
      ok: outcome.facts.incidentSeen === true,
    },
  ],
};

async function incidentSeen(stage: Stage): Promise<boolean> {
  const end = Date.now() + INCIDENT_DEADLINE_MS;
  while (Date.now() < end) {
    stage.signal.throwIfAborted();
    const list = await stage.platform.operator('incidents.list', {}, { deadlineMs: 5_000 }).catch(() => []);
    if (list.some((entry) => entry.volume === stage.target.volume)) return true;
    await wait(250);
  }
  return false;
}
