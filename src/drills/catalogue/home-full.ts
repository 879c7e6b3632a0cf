import { fillDisk } from '../small-disk.ts';
import { isAlive, type ProcessRecord } from '../../runtime/process-record.ts';
import { everybodyElse, groupOf, nobodyNeeded, nothingLost } from '../score.ts';
import type { DrillScript, Stage } from '../script.ts';
import { ORDINARY } from './defaults.ts';

const GiB = 1024 ** 3;
const FULL_MS = 30_000;
const NAMED_WITHIN_S = 5;
const OVER_WITHIN_S = 15;

export const homeFull: DrillScript = {
  ...ORDINARY,
  name: 'home-full',
  // The disk of the whole platform, which is what is filled: on the running one that would hurt everybody.
  here: false,
  homeBytes: 16 * GiB,
  windowSeconds: 45,
  fillMiB: 0,
  afterSeconds: 0,
  async cause(stage) {
    const { platform, facts } = stage;
    const before = processesOf(stage);
    stage.hurtNow("The disk on which the platform's home lies is filled to the last block");
    const free = await fillDisk(platform.configuration.home);
    const full = Date.now();
    try {
      await stage
        .until(() => named(stage) !== undefined, 'The platform naming it', FULL_MS)
        .catch((error: unknown) => stage.say((error as Error).message));
      facts.incidentSeen = await stage
        .until(() => incidentSeen(stage), 'The incident', FULL_MS)
        .then(() => true)
        .catch(() => false);
      await stage.pause(Math.max(0, full + FULL_MS - Date.now()));
    } finally {
      free();
    }
    const freed = Date.now();
    stage.say('There is room again');
    const trouble = named(stage);
    if (trouble !== undefined) facts.fullNamedS = (Date.parse(trouble.namedAt) - full) / 1000;
    await stage
      .until(() => named(stage)?.state === 'resolved', 'The end of the incident', 60_000)
      .then(() => (facts.backAfterS = (Date.now() - freed) / 1000))
      .catch((error: unknown) => stage.say((error as Error).message));
    facts.endedProcesses = before.filter(({ record }) => !isAlive(record)).map(({ name }) => name);
  },
  healed: (stage) =>
    stage.observer.volumes.every(({ state, redundancy }) => state === 'open' && redundancy === 'full') &&
    named(stage)?.state === 'resolved',
  checks: (outcome) => {
    const { fullNamedS, backAfterS, incidentSeen: seen, endedProcesses = [] } = outcome.facts;
    const hurt = groupOf(outcome, 'whole', 'affected').all;
    return [
      {
        what: "The machine's own disk is named, and no other",
        target: `within ${NAMED_WITHIN_S} s`,
        measured: fullNamedS === undefined ? 'not named' : `${fullNamedS.toFixed(1)} s`,
        ok: fullNamedS !== undefined && fullNamedS <= NAMED_WITHIN_S && outcome.trouble === undefined,
      },
      {
        what: 'There is an incident while it is full',
        target: 'yes',
        measured: seen ? 'yes' : 'no',
        ok: seen === true,
      },
      {
        what: 'Processes of the platform that ended',
        target: '0',
        measured: endedProcesses.length === 0 ? '0' : endedProcesses.join(', '),
        ok: endedProcesses.length === 0,
      },
      {
        what: 'Requests on the volume in the middle that failed',
        target: '0',
        measured: `${hurt.failed + hurt.refused} of ${hurt.requests}`,
        ok: hurt.failed + hurt.refused === 0,
      },
      ...everybodyElse(outcome),
      {
        what: 'It is over by itself once there is room',
        target: `within ${OVER_WITHIN_S} s`,
        measured: backAfterS === undefined ? 'not seen' : `${backAfterS.toFixed(1)} s`,
        ok: backAfterS !== undefined && backAfterS <= OVER_WITHIN_S,
      },
      nothingLost(outcome),
      ...nobodyNeeded(outcome),
    ];
  },
};

function processesOf({ platform }: Stage): { name: string; record: ProcessRecord }[] {
  return (['agent', 'control'] as const).flatMap((name) => {
    const record = platform.process(name);
    return record === undefined ? [] : [{ name, record }];
  });
}

function named({ observer }: Stage): Stage['observer']['troubles'][number] | undefined {
  return observer.troubles.find(({ key }) => key === 'host-room:-:-');
}

async function incidentSeen({ platform }: Stage): Promise<boolean> {
  const list = await platform.operator('incidents.list', {}, { deadlineMs: 5_000 }).catch(() => []);
  return list.some(({ fault, culprit }) => fault === 'full' && culprit.kind === 'host');
}
