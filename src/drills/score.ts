import type { DrillCheck, DrillResult } from '../protocol/drills.ts';
import { bytes, longest, rounded, spoken } from './figures.ts';
import type { Outcome } from './script.ts';
import type { Group, Tally } from './witness/messages.ts';

const NOTHING: Tally = { requests: 0, failed: 0, refused: 0, p50Ms: 0, p99Ms: 0, longestMs: 0 };
const EMPTY: Group = { all: NOTHING, steady: NOTHING, kinds: {} };

export type WindowName = 'before' | 'during' | 'whole';

export function groupOf(outcome: Outcome, window: string, group: 'affected' | 'unaffected'): Group {
  return outcome.witness.windows[window]?.[group] ?? EMPTY;
}

/**
 * The longest a member waited for a page, a write, a file or the dashboard. Starts and reloads take their time on a healthy platform
 * too, so they are not waits for storage.
 */
export function longestWaitMs(group: Group): number {
  return longest((['site', 'write', 'upload', 'api'] as const).map((kind) => group.kinds[kind]?.longestMs ?? 0));
}

/** The result in exactly the keys and the order of `drillResultSchema`. */
export function resultOf(outcome: Outcome): DrillResult {
  const affected = groupOf(outcome, 'whole', 'affected');
  const unaffected = groupOf(outcome, 'whole', 'unaffected');
  return {
    drill: outcome.drill,
    engine: 'local',
    hang_at: new Date(outcome.faultAt).toISOString(),
    located_s: outcome.locatedS === null ? null : rounded(outcome.locatedS, 2),
    culprit: outcome.culprit,
    affected: {
      accounts: outcome.witness.affectedAccounts,
      requests: affected.all.requests,
      // A refusal is honest, but who asked went without.
      failed: notOk(affected.all),
      longest_wait_s: rounded(longestWaitMs(affected) / 1000, 2),
    },
    unaffected: {
      accounts: outcome.witness.unaffectedAccounts,
      requests: unaffected.all.requests,
      failed: notOk(unaffected.all),
      p99_before_ms: rounded(groupOf(outcome, 'before', 'unaffected').steady.p99Ms, 1),
      p99_during_ms: rounded(groupOf(outcome, 'during', 'unaffected').steady.p99Ms, 1),
      starts: unaffected.kinds.start?.requests ?? 0,
      starts_failed: notOk(unaffected.kinds.start),
      reloads_failed: notOk(unaffected.kinds.reload),
      tasks_missed: null,
      console_stalls: null,
    },
    redundancy_restored_s: outcome.restoredS === null ? null : rounded(outcome.restoredS, 1),
    rebuild_bytes: outcome.rebuildBytes,
    acknowledged_writes: outcome.witness.acknowledgedWrites,
    lost_writes: outcome.witness.lostWrites,
    operator_commands: outcome.operatorCommands,
    reboots: outcome.reboots,
    programs_restarted: outcome.witness.restarted.length,
  };
}

/** What is refused did not happen either. */
function notOk(tally: Tally | undefined): number {
  return tally === undefined ? 0 : tally.failed + tally.refused;
}

// The promises, one by one; each drill takes those that it is about.

export function located(outcome: Outcome, limitS: number): DrillCheck {
  return {
    what: 'The culprit is named',
    target: `within ${limitS} s`,
    measured: outcome.locatedS === null ? 'never' : `${outcome.locatedS.toFixed(2)} s`,
    ok: outcome.locatedS !== null && outcome.locatedS <= limitS,
  };
}

export function rightCulprit(outcome: Outcome): DrillCheck {
  const { volume, replica } = outcome.target;
  return {
    what: 'It is the right one',
    target: `${volume}/${replica}`,
    measured: outcome.culprit ?? 'none was named',
    ok: outcome.culprit?.startsWith(`${volume}/${replica} `) ?? false,
  };
}

export function affectedWait(outcome: Outcome, limitS: number): DrillCheck {
  const waited = longestWaitMs(groupOf(outcome, 'whole', 'affected'));
  return {
    what: 'Longest wait of a member on that volume',
    target: `at most ${limitS} s`,
    measured: spoken(waited),
    ok: waited <= limitS * 1000,
  };
}

export function affectedFailed(outcome: Outcome, refusalsToo = true): DrillCheck {
  const { all } = groupOf(outcome, 'whole', 'affected');
  const bad = all.failed + (refusalsToo ? all.refused : 0);
  return {
    what: 'Failed requests of members on that volume',
    target: '0',
    measured: `${bad} of ${all.requests}`,
    ok: bad === 0,
  };
}

/** A ratio of two p99 needs this many requests on each side: with fewer it is one request's luck. */
const ENOUGH = 200;
/** The machine's own change of speed, from which on it is told beside a missed promise. */
const WORTH_TELLING = 1.05;
/** A copy that is over sooner is not measured: it was looked at four times a second. */
const SHORTEST_COPY_MS = 2_000;

/**
 * Everybody else: nothing failed, nothing was slower. `absent` is what was away on purpose and may have been refused honestly: what goes
 * through the agent or the control plane. Pages never do.
 */
export function everybodyElse(outcome: Outcome, absent?: 'agent'): DrillCheck[] {
  const whole = groupOf(outcome, 'whole', 'unaffected');
  const before = groupOf(outcome, 'before', 'unaffected').steady;
  const during = groupOf(outcome, 'during', 'unaffected').steady;
  const pages = notOk(whole.kinds.site) + notOk(whole.kinds.write);
  const failed = absent === undefined ? notOk(whole.all) : Math.max(pages, whole.all.failed);
  const count = (what: string, tally: Tally | undefined): DrillCheck => {
    if (tally === undefined)
      return { what: `${what} of everybody else that failed`, target: '0', measured: 'none were made', ok: null };
    const bad = absent === undefined ? notOk(tally) : tally.failed;
    const later = absent !== undefined && tally.refused > 0 ? `, ${tally.refused} asked to come back` : '';
    return {
      what: `${what} of everybody else that failed`,
      target: '0',
      measured: `${bad} of ${tally.requests}${later}`,
      ok: bad === 0,
    };
  };
  return [
    {
      what: 'Failed requests of everybody else',
      target: '0',
      measured: `${failed} of ${whole.all.requests}`,
      ok: failed === 0,
    },
    withMachine(
      { ...slower('p99 of everybody else, during / before', during, before, 1.2), ok: ratioOf(during, before) <= 1.2 },
      slowdown(outcome, 'during'),
    ),
    ...duringRebuild(outcome),
    ...machineItself(outcome),
    ...byKind(outcome),
    count('Starts', whole.kinds.start),
    count('Reloads', whole.kinds.reload),
    count('Uploads', whole.kinds.upload),
    count('API calls', whole.kinds.api),
    count('Sign-ins', whole.kinds['sign-in']),
    taskRuns(outcome, 'unaffected', 'Scheduled runs of everybody else missed or done twice'),
  ];
}

/** A run that was due is done once, on time or marked late. */
export function taskRuns(outcome: Outcome, group: 'affected' | 'unaffected', what: string): DrillCheck {
  const tally = outcome.witness.tasks?.[group];
  if (tally === undefined || tally.due === 0) return { what, target: '0', measured: 'none were due', ok: null };
  const bad = tally.missed + tally.doubled;
  const late = tally.late === 0 ? '' : `, ${tally.late} late`;
  return { what, target: '0', measured: `${bad} of ${tally.due}${late}`, ok: bad === 0 };
}

/** The rebuild itself may not be felt by those on other volumes. */
function duringRebuild(outcome: Outcome): DrillCheck[] {
  const rebuild = outcome.witness.windows['rebuild']?.unaffected.steady;
  if (rebuild === undefined) return [];
  const before = groupOf(outcome, 'before', 'unaffected').steady;
  const check = slower('p99 of everybody else, while it was rebuilt / before', rebuild, before, 1.2);
  return [withMachine(check, slowdown(outcome, 'rebuild'))];
}

function ratioOf(now: Tally, before: Tally): number {
  return before.p99Ms === 0 ? Number.POSITIVE_INFINITY : now.p99Ms / before.p99Ms;
}

/** How much slower the machine itself was in a window than before; undefined when it was not measured. */
function slowdown({ machineMs }: Outcome, window: string): number | undefined {
  const [now, before] = [machineMs[window], machineMs['before']];
  return now === undefined || before === undefined || before === 0 ? undefined : now / before;
}

/** A missed promise stays missed; but whoever reads it is told when the machine itself was slower meanwhile. */
function withMachine(check: DrillCheck, slow: number | undefined): DrillCheck {
  if (check.ok !== false || slow === undefined || slow < WORTH_TELLING) return check;
  return { ...check, measured: `${check.measured} (the machine itself was ${slow.toFixed(2)} x slower meanwhile)` };
}

function machineItself(outcome: Outcome): DrillCheck[] {
  const windows = ['during', 'rebuild'].filter((window) => slowdown(outcome, window) !== undefined);
  if (windows.length === 0) return [];
  return [
    {
      what: 'The machine itself: time for the same work, during, rebuilt / before',
      target: 'for information',
      measured: windows.map((window) => `${slowdown(outcome, window)?.toFixed(2)} x`).join(', '),
      ok: null,
    },
  ];
}

/** By kind of request, of all accounts on other volumes, for information: a synced write waits for the disks, most pages do not. */
function byKind(outcome: Outcome): DrillCheck[] {
  const of = (window: string, kind: 'site' | 'write'): string => {
    const tally = outcome.witness.windows[window]?.unaffected.kinds[kind];
    return tally === undefined ? '-' : tally.p99Ms.toFixed(1);
  };
  const kinds = [
    ['site', 'p99 of their pages and reads, during, rebuilt / before'],
    ['write', 'p99 of their synced writes, during, rebuilt / before'],
  ] as const;
  return kinds.map(([kind, what]) => ({
    what,
    target: 'no promise',
    measured: `${['during', 'rebuild'].map((window) => of(window, kind)).join(', ')} / ${of('before', kind)} ms`,
    ok: null,
  }));
}

/** How a p99 became; for information only when there were too few requests. */
function slower(what: string, now: Tally, before: Tally, limit: number): DrillCheck {
  const ratio = ratioOf(now, before);
  const few = Math.min(now.requests, before.requests) < ENOUGH;
  return {
    what,
    target: `at most ${limit} x`,
    measured: `${now.p99Ms.toFixed(1)} / ${before.p99Ms.toFixed(1)} ms = ${ratio.toFixed(2)} x${few ? ` (only ${now.requests} requests)` : ''}`,
    ok: few ? null : ratio <= limit,
  };
}

/** Members' reads once the mirror is whole again, beside those before: new disks that are cold cost 90 minutes in 2020. */
export function noColdPeriod(outcome: Outcome): DrillCheck[] {
  const after = outcome.witness.windows['after']?.affected.kinds.site;
  const before = groupOf(outcome, 'before', 'affected').kinds.site;
  if (after === undefined || before === undefined) return [];
  const others = ['after', 'before'].map((window) => outcome.witness.windows[window]?.unaffected.kinds.site?.p99Ms);
  return [
    slower('p99 of reads on that volume, after / before', after, before, 1.5),
    // Where everybody's reads changed alike, it is not this volume's disk that is cold.
    {
      what: 'p99 of reads of everybody else, after / before',
      target: 'no promise',
      measured: `${others.map((p99) => p99?.toFixed(1) ?? '-').join(' / ')} ms`,
      ok: null,
    },
  ];
}

/** How fast the copy was, beside what such a disk takes when it does nothing else, or what the platform held it to when that is less. */
export function copySpeed({ copy, diskBytesPerSecond }: Outcome): DrillCheck[] {
  if (copy === undefined) return [];
  const milliseconds = Math.max(1, copy.to - copy.from);
  const speed = (copy.bytes * 1000) / milliseconds;
  const held = copy.limit !== undefined && copy.limit < (diskBytesPerSecond ?? Number.POSITIVE_INFINITY);
  const possible = held ? copy.limit : diskBytesPerSecond;
  const share = possible === undefined ? undefined : speed / possible;
  const short = milliseconds < SHORTEST_COPY_MS;
  return [
    {
      what: held ? 'Speed of the copy / what it was held to' : "Speed of the copy / the disk's own",
      target: 'at least 0.8',
      measured: [
        `${bytes(copy.bytes)} in ${(milliseconds / 1000).toFixed(1)} s = ${bytes(speed)}/s`,
        possible === undefined ? 'the disk was not measured' : `${bytes(possible)}/s`,
      ]
        .join(' / ')
        .concat(share === undefined ? '' : ` = ${share.toFixed(2)}`)
        .concat(held && diskBytesPerSecond !== undefined ? ` (the disk's own: ${bytes(diskBytesPerSecond)}/s)` : '')
        .concat(short ? ' (too short to say)' : ''),
      ok: short || share === undefined ? null : share >= 0.8,
    },
  ];
}

export function restored(outcome: Outcome, limitS?: number): DrillCheck[] {
  const { restoredS, restoreStartedS, rebuildBytes } = outcome;
  return [
    {
      what: 'Restoring redundancy starts',
      target: 'within 10 s',
      measured: restoreStartedS === null ? 'not seen' : `${restoreStartedS.toFixed(1)} s`,
      ok: restoreStartedS !== null && restoreStartedS <= 10,
    },
    {
      what: 'Redundancy is full again',
      target: limitS === undefined ? 'yes' : `within ${limitS} s`,
      measured:
        restoredS === null
          ? 'no'
          : `${restoredS.toFixed(1)} s${rebuildBytes === null ? '' : `, ${bytes(rebuildBytes)} copied`}`,
      ok: restoredS !== null && (limitS === undefined || restoredS <= limitS),
    },
    ...copySpeed(outcome),
    ...noColdPeriod(outcome),
  ];
}

export function nothingLost(outcome: Outcome): DrillCheck {
  const { acknowledgedWrites, lostWrites, unreadable } = outcome.witness;
  return {
    what: 'Acknowledged writes lost',
    target: '0',
    measured: `${lostWrites} of ${acknowledgedWrites}${unreadable.length === 0 ? '' : `, ${unreadable.join(', ')} could not be read`}`,
    // Without a single write nothing was shown.
    ok: lostWrites === 0 && unreadable.length === 0 && acknowledgedWrites > 0,
  };
}

export function nobodyNeeded(outcome: Outcome, restarts: 'counted' | 'meant' = 'counted'): DrillCheck[] {
  const { restarted } = outcome.witness;
  const zero = (what: string, value: number): DrillCheck => ({
    what,
    target: '0',
    measured: String(value),
    ok: value === 0,
  });
  return [
    zero('Commands of an operator', outcome.operatorCommands),
    zero('Reboots', outcome.reboots),
    { ...zero('Programs restarted', restarted.length), ...(restarts === 'meant' ? { ok: null } : {}) },
  ];
}

/** A disk that stops or fails under load, and everything that is promised of it. */
export function diskPromises(
  outcome: Outcome,
  limits: { locatedS: number; waitS: number; absent?: 'agent' },
): DrillCheck[] {
  return [
    located(outcome, limits.locatedS),
    rightCulprit(outcome),
    affectedWait(outcome, limits.waitS),
    taskRuns(outcome, 'affected', 'Scheduled runs of members on that volume lost or done twice'),
    affectedFailed(outcome, limits.absent === undefined),
    ...everybodyElse(outcome, limits.absent),
    ...restored(outcome),
    nothingLost(outcome),
    ...nobodyNeeded(outcome),
  ];
}

export function holds(checks: readonly DrillCheck[]): boolean {
  return checks.every((check) => check.ok !== false);
}
