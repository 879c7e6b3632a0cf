import type { VolumeView } from '../../protocol/browser.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';

/** A volume as the operator sees it: what the agent says, and who lives there. */
export function volumeView(
  volume: VolumeStatus,
  occupancy: ReadonlyMap<string, { accounts: number; promisedBytes: number }>,
): VolumeView {
  return { ...volume, ...(occupancy.get(volume.name) ?? { accounts: 0, promisedBytes: 0 }) };
}
