import { join } from 'node:path';
import type { AgentContext } from '../context.ts';

/** Where a volume of this host lies on the machine's own disk. */
export interface VolumeDirectories {
  /** <home>/agent/volumes: the records. */
  records: string;
  /** <home>/volumes/<name> */
  own: string;
  disks: string;
  valves: string;
  mount: string;
}

export function directoriesOf(context: Pick<AgentContext, 'layout'>, name: string): VolumeDirectories {
  const own = join(context.layout.volumes, name);
  return {
    records: join(context.layout.agent, 'volumes'),
    own,
    disks: join(own, 'disks'),
    valves: join(own, 'valve'),
    mount: join(own, 'mnt'),
  };
}
