import type { DrillScript } from '../script.ts';
import { agentKilled } from './agent-killed.ts';
import { bitRot } from './bit-rot.ts';
import { bothReplicas } from './both-replicas.ts';
import { clockSetBack } from './clock-set-back.ts';
import { controlKilled } from './control-killed.ts';
import { diskError } from './disk-error.ts';
import { diskFlapping } from './disk-flapping.ts';
import { diskHang } from './disk-hang.ts';
import { diskHangInCopy } from './disk-hang-in-copy.ts';
import { diskHangInCopySource } from './disk-hang-in-copy-source.ts';
import { diskLostAndBack } from './disk-lost-and-back.ts';
import { diskSlow } from './disk-slow.ts';
import { diskSlowReads } from './disk-slow-reads.ts';
import { everythingKilled } from './everything-killed.ts';
import { agentFrozen, controlFrozen, watcherFrozen } from './frozen.ts';
import { homeFull } from './home-full.ts';
import { outage2020 } from './outage-2020.ts';
import { threeVolumes, twoVolumes } from './several-volumes.ts';
import { volumeFull } from './volume-full.ts';

/** Every drill that can be run, by its name in src/model/drills.ts. */
export const SCRIPTS: ReadonlyMap<string, DrillScript> = new Map(
  [
    outage2020,
    diskHang,
    diskHangInCopy,
    diskHangInCopySource,
    diskError,
    diskSlow,
    diskSlowReads,
    diskFlapping,
    bothReplicas,
    diskLostAndBack,
    bitRot,
    volumeFull,
    homeFull,
    twoVolumes,
    threeVolumes,
    clockSetBack,
    agentKilled,
    controlKilled,
    agentFrozen,
    watcherFrozen,
    controlFrozen,
    everythingKilled,
  ].map((script) => [script.name, script]),
);
