import type { DrillResult, DrillRun } from '../../../src/protocol/drills.ts';
import { count, formatBytes, formatDuration, formatMilliseconds } from '../format/format.ts';

/** What a drill says, beside the report of 7 July 2020. Pure. */
export type RunState = DrillRun['state'];

export const RUN_STATES: Readonly<
  Record<RunState, { tone: 'good' | 'busy' | 'warn' | 'bad' | 'quiet'; word: string }>
> = {
  preparing: { tone: 'busy', word: 'preparing' },
  running: { tone: 'busy', word: 'running' },
  scoring: { tone: 'busy', word: 'scoring' },
  passed: { tone: 'good', word: 'passed' },
  failed: { tone: 'bad', word: 'missed' },
  aborted: { tone: 'quiet', word: 'stopped' },
};

export function isOver(state: RunState): boolean {
  return state === 'passed' || state === 'failed' || state === 'aborted';
}

export interface ComparedFigure {
  what: string;
  /** The report's: a figure and what it was. */
  report: { value: string; note: string; seconds: number | null };
  /** Ours: null while it is being measured. */
  ours: { value: string; note: string; seconds: number | null; kept: boolean } | null;
}

const MINUTE = 60;
const HOUR = 3600;

/** "0.6 s", "72 min", "not found". */
export function secondsText(seconds: number | null): string {
  if (seconds === null) return 'never';
  if (seconds < 10) return `${seconds < 0.1 ? '< 0.1' : (Math.round(seconds * 10) / 10).toFixed(1)} s`;
  return formatDuration(seconds);
}

function of(part: number, whole: number): string {
  return `${part.toLocaleString('en-GB')} of ${whole.toLocaleString('en-GB')}`;
}

/** The report's figures and ours, side by side. */
export function compareWith2020(result: DrillResult | null): ComparedFigure[] {
  const ours = (make: (result: DrillResult) => NonNullable<ComparedFigure['ours']>): ComparedFigure['ours'] =>
    result === null ? null : make(result);
  return [
    {
      what: 'To learn which disk',
      report: { value: '72 min', note: 'The disk had not failed; it just stopped answering.', seconds: 72 * MINUTE },
      ours: ours(({ located_s: seconds, culprit }) => ({
        value: secondsText(seconds),
        note:
          culprit === null
            ? 'The disk was not named.'
            : `${culprit.split(' ')[0] ?? culprit}, with evidence, by the platform.`,
        seconds,
        kept: seconds !== null && seconds <= 2,
      })),
    },
    {
      what: 'Members on that disk',
      report: {
        value: '2 h 40 to 5 h 18',
        note: 'Down, with everybody of that file server: its disks were one pool.',
        seconds: 5 * HOUR + 18 * MINUTE,
      },
      ours: ours(({ affected }) => ({
        value: secondsText(affected.longest_wait_s),
        note: `The longest wait of ${count(affected.accounts, 'account')}; ${of(affected.failed, affected.requests)} requests failed.`,
        seconds: affected.longest_wait_s,
        kept: affected.failed === 0 && affected.longest_wait_s <= 2.5,
      })),
    },
    {
      what: 'Everybody else',
      report: { value: '80 % hit as well', note: 'Shared processes blocked on the dead server.', seconds: null },
      ours: ours(({ unaffected }) => ({
        value: unaffected.failed === 0 ? 'Nobody' : count(unaffected.failed, 'failed request'),
        note: `${of(unaffected.failed, unaffected.requests)} requests of ${count(unaffected.accounts, 'account')} failed; p99 ${formatMilliseconds(unaffected.p99_before_ms)} before, ${formatMilliseconds(unaffected.p99_during_ms)} during.`,
        seconds: null,
        kept: unaffected.failed === 0,
      })),
    },
    {
      what: 'What people had to do',
      report: { value: 'An hour of improvising', note: 'The recovery was worked out while it went on.', seconds: null },
      ours: ours(({ operator_commands: commands }) => ({
        value: commands === 0 ? 'Nothing' : count(commands, 'command'),
        note: `${count(commands, 'operator command')}.`,
        seconds: null,
        kept: commands === 0,
      })),
    },
    {
      what: 'Machines started again',
      report: { value: 'All of them', note: 'Mounts stayed stuck, so every machine was rebooted.', seconds: null },
      ours: ours(({ reboots, programs_restarted: programs }) => ({
        value: reboots === 0 ? 'None' : String(reboots),
        note: `${count(reboots, 'reboot')}, ${count(programs, 'program')} started again.`,
        seconds: null,
        kept: reboots === 0 && programs === 0,
      })),
    },
    {
      what: 'To be as before',
      report: {
        value: '90 min more',
        note: 'The new disks were cold; sites came back one after the other.',
        seconds: null,
      },
      ours: ours(({ redundancy_restored_s: seconds, rebuild_bytes: bytes }) => ({
        value: seconds === null ? 'Not yet' : secondsText(seconds),
        note: bytes === null ? 'No new copy was made.' : `${formatBytes(bytes)} copied while everything was served.`,
        seconds: null,
        kept: seconds !== null,
      })),
    },
    {
      what: 'Data lost',
      report: { value: 'None', note: 'Five hours were.', seconds: null },
      ours: ours(({ lost_writes: lost, acknowledged_writes: writes }) => ({
        value: lost === 0 ? 'None' : count(lost, 'write'),
        note: `${of(lost, writes)} acknowledged writes missing when read back.`,
        seconds: null,
        kept: lost === 0,
      })),
    },
  ];
}

const SHORTEST = 0.1;
const LONGEST = 8 * HOUR;

/** Where a time lies on a logarithmic scale from a tenth of a second to eight hours, 0 to 1. */
export function logShare(seconds: number): number {
  const share = Math.log(Math.max(seconds, SHORTEST) / SHORTEST) / Math.log(LONGEST / SHORTEST);
  return Math.min(1, Math.max(0.02, share));
}

/** "6,750 times faster": how two times compare, in words without false precision; undefined when there is nothing to say. */
export function timesShorter(report: number | null, ours: number | null): string | undefined {
  if (report === null || ours === null || ours <= 0 || report <= ours) return undefined;
  const factor = report / ours;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(factor)) - 1);
  return `${(Math.floor(factor / digits) * digits).toLocaleString('en-GB')} times shorter`;
}

/** A request that waits longer than this is waiting for storage and not simply being answered. */
export const WAITS_MS = 500;

/** How a volume of a drill is for its members now. */
export function volumeMood(
  volume: Pick<DrillRun['volumes'][number], 'waiting' | 'oldestWaitMs' | 'redundancy' | 'state' | 'progress'>,
): {
  tone: 'good' | 'busy' | 'warn' | 'bad';
  word: string;
} {
  if (volume.state !== 'open' || volume.redundancy === 'lost') return { tone: 'bad', word: 'out of service' };
  if (volume.waiting > 0 && volume.oldestWaitMs >= WAITS_MS) return { tone: 'bad', word: 'its members wait' };
  if (volume.redundancy === 'rebuilding')
    return {
      tone: 'busy',
      word: volume.progress === null ? 'rebuilding' : `rebuilding ${Math.floor(volume.progress * 100)} %`,
    };
  if (volume.redundancy === 'reduced') return { tone: 'warn', word: 'serves from one disk' };
  return { tone: 'good', word: 'serves as always' };
}

/** How long a run took or takes. */
export function runLength(run: Pick<DrillRun, 'startedAt' | 'finishedAt'>, now: number): string {
  const end = run.finishedAt === null ? now : Date.parse(run.finishedAt);
  return formatDuration((end - Date.parse(run.startedAt)) / 1000);
}
