import { PROGRAMS } from '../../btrfs/programs.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { runCommand } from '../../../runtime/command.ts';
import { JourneyInterrupted, type StepReport } from '../../operations/journey.ts';
import { CopyPace } from '../../disks/copy-pace.ts';
import type { ReplicaRecord } from './record.ts';
import type { VolumeState } from './state.ts';
import { endScrub } from './under-way.ts';

const COMMAND_DEADLINE_MS = 60_000;
/** How much of a device one scrubbing process does, so that a scrub can be resumed and each process has a deadline. */
const SCRUB_SLICE_BYTES = 16 * 1024 ** 3;
/** At the slowest pace a slice of used space takes 17 minutes. */
const SCRUB_SLICE_DEADLINE_MS = 2 * 3600_000;

export interface ScrubResult {
  corrected: number;
  uncorrectable: number;
}

/** Reads everything on one replica, compares checksums, repairs from the other one. */
export async function scrubDevice(
  state: VolumeState,
  replica: ReplicaRecord,
  report: StepReport,
  signal: AbortSignal,
): Promise<ScrubResult> {
  const { mount } = state.directories;
  const total = { corrected: 0, uncorrectable: 0 };
  const size = replica.bytes;
  const device = state.attached.get(replica.id)?.device;
  if (device === undefined)
    throw new HoldfastError(
      'disk-unusable',
      `The disk ${replica.disk} was taken out of the mirror before all of it was read. Read the volume again when redundancy is full.`,
    );
  await using pace = await CopyPace.begin(state, device, 'read');
  for (let start = 0; start < size; start += SCRUB_SLICE_BYTES) {
    if (signal.aborted) throw new JourneyInterrupted();
    await endScrub(state, report, signal);
    const cancel = (): void => {
      runCommand('btrfs', ['scrub', 'cancel', mount], { deadlineMs: COMMAND_DEADLINE_MS }).catch((error: unknown) => {
        state.log.warn({ volume: state.name, error }, 'scrub could not be cancelled');
      });
    };
    signal.addEventListener('abort', cancel);
    let last: Record<string, number> = {};
    try {
      const parameters = [
        '-I',
        PROGRAMS.scrub,
        mount,
        String(replica.deviceId),
        String(start),
        String(Math.min(size, start + SCRUB_SLICE_BYTES)),
      ];
      const onLine = (line: string): void => {
        last = JSON.parse(line) as Record<string, number>;
        report.progress(Math.min(1, (last['last_physical'] ?? 0) / size));
        report.detail(pace.sentence());
      };
      const command = pace.command('python3', parameters);
      const result = await runCommand(...command, { deadlineMs: SCRUB_SLICE_DEADLINE_MS, onLine });
      if (signal.aborted) throw new JourneyInterrupted();
      pace.heed(result.stderr);
      if (result.code !== 0) {
        throw new HoldfastError('command-failed', `The scrub of ${replica.disk} stopped.`, {
          details: result.stderr.trim().split('\n'),
        });
      }
    } finally {
      signal.removeEventListener('abort', cancel);
    }
    total.corrected += last['corrected_errors'] ?? 0;
    total.uncorrectable += last['uncorrectable_errors'] ?? 0;
  }
  report.detail(`${total.corrected} repaired, ${total.uncorrectable} damaged beyond repair`);
  return total;
}
