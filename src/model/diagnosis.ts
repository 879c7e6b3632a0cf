import type { DiskCounters } from './disk-counters.ts';
import type { Diagnosis, DiskCondition, FaultKind } from './health.ts';
import { lastSecond, slowness, SLOW_SECONDS, SLOW_WINDOW_SECONDS, type Second } from './slow-disk.ts';
import {
  COMPARABLE_MS,
  isSlowToRead,
  READ_WINDOW_MS,
  readsOf,
  slowReads,
  type JudgedSecond,
  type ReadSecond,
} from './slow-reads.ts';

/**
 * From samples of kernel counters to a culprit. No clock and no I/O in here: whoever takes the samples says when, in milliseconds
 * of a clock that only goes forward.
 *
 * The main rule: requests are in the disk and none completes. A busy disk keeps completing, so load never looks like this; what does,
 * is told apart by witnesses (somebody else completes meanwhile) and by asking what a fault valve itself waits for.
 */

/** A stall this long makes the watcher ask everybody for a small read and write now, so that there are witnesses. */
export const SUSPECT_MS = 250;
/**
 * A stall this long is a hang. Members may wait 1.5 s in all: 0.65 s here, at most 0.15 s until it is sampled, and the cut with what follows
 * it takes 0.1 to 0.3 s; the rest is room for a loaded machine. Healthy disks under load complete something every few milliseconds,
 * the longest pauses seen (a flush of a full page cache) are told apart by `waitsBelow`. A false alarm costs a rebuild and no error.
 */
export const HUNG_MS = 650;
/** A probe that waits this long on a disk that completes nothing: for drivers that count nothing in flight. */
export const PROBE_HUNG_MS = 1_200;
/** A probe that waits this long on a disk that completes other things: a part of it hangs (all writes, say). */
export const PROBE_STARVED_MS = 10_000;
/** A pause of the watcher longer than this: nothing of what it knew of durations holds. */
export const GAP_MS = 300;
/** Nothing anywhere completes for this long, and something waits: the host. */
export const HOST_STALLED_MS = 1_500;
/** A witness completed something this recently, and is no suspect itself. */
const WITNESS_MS = 300;

/**
 * Flapping: this many stalls, each at least so long, within the window, while nobody else stalls. Shorter pauses are ordinary on a loaded
 * machine, as often as they come.
 */
export const FLAPS = 5;
export const FLAP_STALL_MS = 320;
export const FLAP_WINDOW_MS = 30_000;

/** Errors that grew are told for this long after they last did. */
const GROWN_FOR_MS = 20_000;
/** A driver that is gone, or probes that fail, for this long: shorter, it may be the platform itself taking the disk out. */
const GONE_MS = 700;
/** So many small reads and writes in a row that came back with an error. */
export const PROBE_FAILURES = 2;

export interface DiskIdentity {
  volume: string;
  replica: string;
  /** As the operator calls it. */
  disk: string;
  /** Kernel name. */
  device: string;
}

/** What is known of the small read and write of a disk. */
export interface ProbeFacts {
  /** When the one that is under way began; null: none is. */
  outstandingSince: number | null;
  /** When the last one came back, how long it took. */
  completedAt: number | null;
  tookMs: number | null;
  /** How many in a row came back with an error, and which. */
  failures: number;
  error: string | null;
}

export interface ErrorCounters {
  write: number;
  read: number;
  flush: number;
  corruption: number;
  generation: number;
}

export interface Sample {
  at: number;
  /** By kernel name; a watched disk that is missing here is not there any more. */
  disks: ReadonlyMap<string, DiskCounters>;
  probes: ReadonlyMap<string, ProbeFacts>;
  /** Requests that completed on the machine's own disks, which hold no replica. */
  hostCompleted: number;
  /** Requests in flight there. */
  hostInFlight: number;
  hostProbe: ProbeFacts | null;
  /** Disks whose valve itself waits in the kernel for the disk that its image lies on: not its own fault. */
  waitsBelow: ReadonlySet<string>;
  /** Disks whose driver (valve) has ended. */
  driverGone: ReadonlySet<string>;
}

interface Stall {
  at: number;
  ms: number;
}

/** What is remembered of one disk. */
interface DiskWindow {
  identity: DiskIdentity;
  /** Null before the first sample, and while it is not there. */
  counters: DiskCounters | null;
  /** When it last completed something, or nothing was in it. */
  movedAt: number;
  completedAt: number;
  /** When its valve was last seen to wait for the disk below. */
  belowAt: number;
  /** Completions of all when `movedAt` was set. */
  movesThen: number;
  stalls: Stall[];
  goneSince: number | null;
  probeFailingSince: number | null;
  /** Counters when the running second began. */
  second: DiskCounters | null;
  /** Newest last: true slow, false not, null nothing to say. */
  seconds: (boolean | null)[];
  /** How long a request took it and its peers in the last slow second, milliseconds. */
  slow: { own: number; peers: number };
  /** What it last read in one second, and when that was. */
  lastRead: { at: number; second: ReadSecond } | null;
  /** Seconds in which it read, oldest first. */
  readSeconds: JudgedSecond[];
  /** As `slow`, of reads. */
  slowReads: { own: number; peers: number };
  errors: ErrorCounters | null;
  failing: { at: number; since: number; what: string } | null;
  corrupt: { at: number; since: number; count: number } | null;
}

/** A diagnosis and when its first sign was seen. */
export interface Finding {
  diagnosis: Diagnosis;
  since: number;
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;
const nameOf = ({ volume, replica, disk }: DiskIdentity): string => `${disk} (replica ${replica} of ${volume})`;

/** Remembers samples of one host and concludes from them. */
export class HostWindow {
  #disks: DiskWindow[] = [];
  #sample: Sample | null = null;
  /** Completions everywhere, the host's own disks included. */
  #moves = 0;
  #host = { completed: -1, movedAt: 0, completedAt: 0 };
  #gaps: Stall[] = [];
  #restartedAt = 0;
  #recalled: ReadonlyMap<string, number> = new Map();
  #secondAt = 0;

  /** Sets which disks are watched. What is known of those that stay is kept. */
  watch(identities: readonly DiskIdentity[], at: number): void {
    this.#disks = identities.map((identity) => {
      const known = this.#disks.find((one) => keyOf(one.identity) === keyOf(identity));
      if (known === undefined) return newWindow(identity, at, this.#moves);
      known.identity = identity;
      return known;
    });
  }

  /** What an earlier watcher saw stop, and when, by disk ("volume/replica/device"). Believed of disks that have completed nothing since. */
  recall(signs: ReadonlyMap<string, number>): void {
    this.#recalled = signs;
  }

  /** Disks that complete nothing although requests wait, and since when; what recall() takes. */
  firstSigns(): Map<string, number> {
    const stalled = this.#disks.filter((one) => this.#stalledMs(one) >= SUSPECT_MS);
    return new Map(stalled.map((one) => [keyOf(one.identity), Math.round(this.#firstSeen(one, one.movedAt))]));
  }

  /** Takes one sample. Answers whether the watcher had been held up, so that all durations begin anew. */
  add(sample: Sample): boolean {
    const { at } = sample;
    const gap = this.#sample === null ? 0 : at - this.#sample.at;
    const blind = gap > GAP_MS || this.#sample === null;
    this.#sample = sample;
    this.#gaps = this.#gaps.filter((one) => at - one.at < 60_000);
    if (gap > GAP_MS) this.#gaps.push({ at, ms: gap });
    if (blind) this.#restart(at);
    const completions = this.#disks.map((window) => completionsOf(window, sample));
    for (const completed of completions) this.#moves += completed;
    this.#addHost(sample);
    this.#disks.forEach((window, index) => this.#addDisk(window, sample, completions[index] ?? 0));
    if (at - this.#secondAt >= 1_000) this.#closeSecond(at);
    return gap > GAP_MS;
  }

  /** Takes the error counters of a disk; those it had when it was first seen count as old. */
  addErrors(device: string, errors: ErrorCounters, at: number): void {
    const window = this.#disks.find((one) => one.identity.device === device);
    if (window === undefined) return;
    const before = window.errors;
    window.errors = errors;
    if (before === null) return;
    const grown = (['write', 'read', 'flush'] as const)
      .filter((kind) => errors[kind] > before[kind])
      .map((kind) => count(errors[kind] - before[kind], `${kind} error`));
    if (grown.length > 0) window.failing = { at, since: window.failing?.since ?? at, what: grown.join(' and ') };
    const wrong = errors.corruption + errors.generation - before.corruption - before.generation;
    if (wrong > 0) {
      const { since, count: known } = window.corrupt ?? { since: at, count: 0 };
      window.corrupt = { at, since, count: known + wrong };
    }
  }

  /** How long this disk has completed nothing while requests wait in it, milliseconds. */
  stalledMs(device: string): number {
    const window = this.#disks.find((one) => one.identity.device === device);
    return window === undefined ? 0 : this.#stalledMs(window);
  }

  /** Disks that have stalled for at least this long: worth asking about. */
  suspects(milliseconds = SUSPECT_MS): DiskIdentity[] {
    return this.#disks.filter((one) => this.#stalledMs(one) >= milliseconds).map((one) => one.identity);
  }

  /** The watcher's longest pause in the last minute. */
  longestGapMs(): number {
    return Math.max(0, ...this.#gaps.map((gap) => gap.ms));
  }

  /** blind: it was held up itself a moment ago. stalled: nothing on the host completes. */
  condition(findings: readonly Finding[]): 'healthy' | 'stalled' | 'blind' {
    const at = this.#sample?.at;
    if (at === undefined || at - (this.#gaps.at(-1)?.at ?? -Infinity) < 1_000) return 'blind';
    return findings.some(({ diagnosis }) => diagnosis.culprit.kind === 'host') ? 'stalled' : 'healthy';
  }

  diskCondition(device: string, findings: readonly Finding[]): DiskCondition {
    const window = this.#disks.find((one) => one.identity.device === device);
    if (window === undefined || this.#sample === null) return 'unknown';
    if (window.counters === null) return 'failed';
    const mine = findings.map(({ diagnosis }) => diagnosis).filter(({ culprit }) => isOf(window, culprit));
    if (mine.some(({ fault }) => fault === 'failing' || fault === 'lost')) return 'failed';
    if (mine.some(({ fault }) => fault === 'hung')) return 'hung';
    return mine.some(({ fault }) => fault === 'slow') || this.#stalledMs(window) >= SUSPECT_MS ? 'slow' : 'healthy';
  }

  /** What follows from everything up to the last sample, in a fixed order. */
  diagnose(): Finding[] {
    const sample = this.#sample;
    if (sample === null) return [];
    const stalled = this.#disks.filter((one) => this.#doesNotAnswer(one, sample));
    // Several volumes, and no disk of any volume moves: what they share is to blame, not one of them.
    const together =
      new Set(stalled.map((one) => one.identity.volume)).size > 1 &&
      !this.#disks.some((one) => !stalled.includes(one) && this.#movesNow(one.completedAt, sample.at));
    const host = this.#hostStalled(stalled, together, sample);
    if (host !== undefined) return [host];
    const hung = together ? [] : stalled.filter((one) => this.#witnesses(one, sample).length > 0);
    const findings: Finding[] = [];
    for (const window of this.#disks) {
      const finding =
        this.#lost(window, sample) ??
        this.#failing(window, sample) ??
        (hung.includes(window) ? this.#hung(window, sample) : undefined) ??
        this.#flapping(window, sample) ??
        this.#slow(window, sample) ??
        this.#slowToRead(window) ??
        this.#corrupt(window, sample);
      if (finding !== undefined) findings.push(finding);
    }
    return findings.sort((a, b) => labelOf(a).localeCompare(labelOf(b)));
  }

  #restart(at: number): void {
    this.#restartedAt = at;
    this.#secondAt = at;
    this.#host = { ...this.#host, completed: -1, movedAt: at };
    for (const window of this.#disks) {
      window.counters = null;
      window.movedAt = at;
      window.movesThen = this.#moves;
      window.stalls = [];
      window.second = null;
    }
  }

  #addHost({ at, hostCompleted, hostInFlight }: Sample): void {
    const before = this.#host;
    const moved = before.completed >= 0 && hostCompleted > before.completed;
    if (moved) this.#moves += hostCompleted - before.completed;
    this.#host = {
      completed: hostCompleted,
      movedAt: moved || hostInFlight === 0 || before.completed < 0 ? at : before.movedAt,
      completedAt: moved ? at : before.completedAt,
    };
  }

  #addDisk(window: DiskWindow, sample: Sample, completed: number): void {
    const { at } = sample;
    const { device } = window.identity;
    const before = window.counters;
    const now = sample.disks.get(device) ?? null;
    window.counters = now;
    if (sample.waitsBelow.has(device)) window.belowAt = at;
    if (now === null || sample.driverGone.has(device)) window.goneSince ??= at;
    else window.goneSince = null;
    if ((sample.probes.get(device)?.failures ?? 0) > 0) window.probeFailingSince ??= at;
    else window.probeFailingSince = null;
    if (completed > 0) window.completedAt = at;
    if (now !== null && now.inFlight > 0 && before !== null && before.inFlight > 0 && completed === 0) return;
    // What ended here was a stall of its own only if it was not the disk below, and somebody else went on meanwhile.
    const lasted = at - Math.max(window.movedAt, window.belowAt);
    const waited = before !== null && before.inFlight > 0;
    if (waited && lasted >= FLAP_STALL_MS && this.#moves - window.movesThen > completed) {
      window.stalls.push({ at, ms: lasted });
    }
    window.stalls = window.stalls.filter((stall) => at - stall.at < FLAP_WINDOW_MS);
    window.movedAt = at;
    window.movesThen = this.#moves;
  }

  /** Judges each disk's last second against the others'. */
  #closeSecond(at: number): void {
    this.#secondAt = at;
    const last = new Map(this.#disks.map((window) => [window, lastSecond(window.second, window.counters)]));
    this.#judgeReads(at);
    for (const window of this.#disks) {
      window.seconds.push(this.#wasSlow(window, last));
      if (window.seconds.length > SLOW_WINDOW_SECONDS) window.seconds.shift();
      window.second = window.counters;
    }
  }

  /** Before the seconds are moved on. Others may have read nothing in this very second: what they last read counts. */
  #judgeReads(at: number): void {
    const now = new Map(this.#disks.map((window) => [window, readsOf(window.second, window.counters)]));
    for (const [window, second] of now) if (second !== null) window.lastRead = { at, second };
    const recent = (one: DiskWindow): ReadSecond[] =>
      one.lastRead !== null && at - one.lastRead.at < COMPARABLE_MS ? [one.lastRead.second] : [];
    for (const [window, own] of now) {
      window.readSeconds = window.readSeconds.filter((one) => at - one.at < READ_WINDOW_MS);
      if (own === null) continue;
      const peers = this.#disks.filter((other) => other !== window);
      const partners = peers.filter(({ identity }) => identity.volume === window.identity.volume).flatMap(recent);
      const [partner] = partners.sort((a, b) => b.waited - a.waited);
      if (partner === undefined) continue;
      const slow = slowReads(own, partner, peers.flatMap(recent));
      if (slow !== undefined) window.slowReads = slow;
      window.readSeconds.push({ at, slow: slow !== undefined });
    }
  }

  #wasSlow(window: DiskWindow, last: ReadonlyMap<DiskWindow, Second | null>): boolean | null {
    const own = last.get(window) ?? null;
    if (own === null) return null;
    const peers: Second[] = [];
    const partners: Second[] = [];
    for (const [other, second] of last) {
      if (other === window || second === null) continue;
      peers.push(second);
      if (other.identity.volume === window.identity.volume) partners.push(second);
    }
    if (partners.length === 0) return null;
    const slow = slowness(own, partners, peers);
    if (slow !== undefined) window.slow = slow;
    return slow !== undefined;
  }

  #stalledMs(window: DiskWindow): number {
    if (this.#sample === null || window.counters === null || window.counters.inFlight === 0) return 0;
    return this.#sample.at - window.movedAt;
  }

  /** Requests wait in it, none completes, and it does not itself wait for the disk below. */
  #doesNotAnswer(window: DiskWindow, sample: Sample): boolean {
    if (window.counters === null || sample.driverGone.has(window.identity.device)) return false;
    if (this.#stalledMs(window) >= HUNG_MS && sample.at - window.belowAt >= HUNG_MS) return true;
    const began = sample.probes.get(window.identity.device)?.outstandingSince ?? null;
    if (began === null || sample.at - window.belowAt < PROBE_HUNG_MS) return false;
    const waits = sample.at - Math.max(began, this.#restartedAt);
    return waits >= PROBE_STARVED_MS || (waits >= PROBE_HUNG_MS && window.completedAt <= began);
  }

  /** The moment since which it does not answer. */
  #stoppedAt(window: DiskWindow, sample: Sample): number {
    if (this.#stalledMs(window) >= HUNG_MS) return window.movedAt;
    return sample.probes.get(window.identity.device)?.outstandingSince ?? window.movedAt;
  }

  /** As it was seen, or as an earlier watcher saw it when nothing has moved since. */
  #firstSeen(window: DiskWindow, seen: number): number {
    if (window.completedAt !== -Infinity) return seen;
    return Math.min(seen, this.#recalled.get(keyOf(window.identity)) ?? seen);
  }

  #movesNow(completedAt: number, at: number): boolean {
    return at - completedAt <= WITNESS_MS;
  }

  /** Who shows, by completing something since this disk stopped and just now, that the host is fine. Plain words. */
  #witnesses(window: DiskWindow, sample: Sample): string[] {
    const { at } = sample;
    const stopped = this.#stoppedAt(window, sample);
    const shows = (moment: number): boolean => moment > stopped && this.#movesNow(moment, at);
    const others = this.#disks.filter(
      (other) => other !== window && shows(other.completedAt) && this.#stalledMs(other) < SUSPECT_MS,
    ).length;
    const found: string[] = [];
    if (others > 0) found.push(count(others, 'other disk'));
    if (shows(this.#host.completedAt) && at - this.#host.movedAt < SUSPECT_MS) found.push("the host's own disk");
    const probe = sample.hostProbe;
    const wrote = probe?.completedAt ?? null;
    if (wrote !== null && wrote - (probe?.tookMs ?? 0) > stopped && at - wrote <= HOST_STALLED_MS)
      found.push("the host's own small write");
    return found;
  }

  #hostStalled(stalled: readonly DiskWindow[], together: boolean, sample: Sample): Finding | undefined {
    const { at } = sample;
    const nobody = stalled.filter((one) => together || this.#witnesses(one, sample).length === 0);
    const onHost =
      sample.hostInFlight > 0 && at - this.#host.movedAt >= HOST_STALLED_MS
        ? this.#disks.filter((one) => this.#stalledMs(one) > 0 && one.belowAt > one.movedAt)
        : [];
    const waiting = [...new Set([...nobody, ...onHost])].filter((one) => this.#stalledMs(one) >= HOST_STALLED_MS);
    if (waiting.length === 0) return undefined;
    const since = Math.min(...waiting.map((one) => one.movedAt));
    const volumes = [...new Set(waiting.map((one) => one.identity.volume))].sort();
    const evidence = [
      `Requests wait in ${count(waiting.length, 'disk')} of the volume${volumes.length === 1 ? '' : 's'} ${volumes.join(', ')}, and no disk of this host has completed any for ${seconds(at - since)}.`,
    ];
    if (onHost.length > 0)
      evidence.push("The host's own disk, on which the image files lie, completes nothing either.");
    return {
      since,
      diagnosis: {
        culprit: { kind: 'host', volume: null, replica: null, disk: null },
        fault: 'hung',
        evidence,
        ruledOut: ['It is not one disk: they stopped together, so none of them is cut.'],
      },
    };
  }

  #hung(window: DiskWindow, sample: Sample): Finding {
    const { at } = sample;
    const probe = sample.probes.get(window.identity.device) ?? null;
    const stalled = this.#stalledMs(window);
    const inFlight = window.counters?.inFlight ?? 0;
    const evidence: string[] = [];
    const since = this.#stoppedAt(window, sample);
    if (stalled >= HUNG_MS) {
      const wait = inFlight === 1 ? '1 request waits' : `${inFlight} requests wait`;
      evidence.push(`${wait} in ${nameOf(window.identity)} and none has completed for ${seconds(stalled)}.`);
    }
    const asked = probe?.outstandingSince ?? null;
    if (asked !== null) {
      const waits = seconds(at - asked);
      // Its path may be long, and is told once.
      const disk = evidence.length === 0 ? nameOf(window.identity) : 'the same disk';
      evidence.push(`A small read and write of ${disk} has been waiting for ${waits}.`);
    }
    return this.#finding(window, 'hung', this.#firstSeen(window, since), evidence, [
      `The host is fine: ${this.#witnesses(window, sample).join(' and ')} answered meanwhile (${count(this.#moves - window.movesThen, 'request')} completed).`,
      this.#notTheWatcher(),
    ]);
  }

  #flapping(window: DiskWindow, { at }: Sample): Finding | undefined {
    const { stalls } = window;
    if (stalls.length < FLAPS || this.#disks.some((other) => other !== window && other.stalls.length >= 2))
      return undefined;
    const since = (stalls[0]?.at ?? at) - (stalls[0]?.ms ?? 0);
    const longest = Math.max(...stalls.map((stall) => stall.ms));
    return this.#finding(
      window,
      'hung',
      since,
      [
        `${nameOf(window.identity)} stops and answers again: ${count(stalls.length, 'time')} in ${seconds(at - since)} it completed nothing although requests waited, the longest time for ${seconds(longest)}.`,
      ],
      ['The host is fine: the other disks went on each time.', this.#notTheWatcher()],
    );
  }

  #slow(window: DiskWindow, { at }: Sample): Finding | undefined {
    const slow = window.seconds.filter((second) => second === true).length;
    if (slow < SLOW_SECONDS) return undefined;
    const { own, peers } = window.slow;
    const times = Math.round(own / Math.max(peers, 0.1));
    return this.#finding(
      window,
      'slow',
      at - (window.seconds.length - window.seconds.indexOf(true)) * 1_000,
      [
        `${nameOf(window.identity)} needs ${own.toFixed(0)} ms for a request, its peers ${peers.toFixed(1)} ms: ${times} times as long, in ${slow} of the last ${window.seconds.length} seconds.`,
      ],
      ['It is not load: the other disk of the same volume gets the same writes and is not slow.'],
    );
  }

  #lost(window: DiskWindow, { at }: Sample): Finding | undefined {
    if (window.goneSince === null || at - window.goneSince < GONE_MS) return undefined;
    const what = window.counters === null ? 'The kernel knows it no more.' : 'The program that serves it has ended.';
    return this.#finding(
      window,
      'lost',
      window.goneSince,
      [`${nameOf(window.identity)} is not there any more. ${what}`],
      ['It does not hang: what is asked of it fails at once.'],
    );
  }

  #failing(window: DiskWindow, sample: Sample): Finding | undefined {
    const { at } = sample;
    const probe = sample.probes.get(window.identity.device);
    const failedSince = window.probeFailingSince;
    if (
      probe !== undefined &&
      probe.failures >= PROBE_FAILURES &&
      failedSince !== null &&
      at - failedSince >= GONE_MS
    ) {
      return this.#finding(
        window,
        'failing',
        failedSince,
        [`Small reads and writes of ${nameOf(window.identity)} come back with an error: ${probe.error ?? 'unknown'}.`],
        ['It does not hang: it answers, with errors.'],
      );
    }
    const grown = window.failing;
    if (grown === null || at - grown.at > GROWN_FOR_MS) return undefined;
    return this.#finding(
      window,
      'failing',
      grown.since,
      [`${nameOf(window.identity)} answered with errors: ${grown.what}, counted by the file system.`],
      ['It does not hang: it answers, with errors.'],
    );
  }

  #slowToRead(window: DiskWindow): Finding | undefined {
    if (!isSlowToRead(window.readSeconds)) return undefined;
    const { own, peers } = window.slowReads;
    const slow = window.readSeconds.filter((one) => one.slow).length;
    return this.#finding(
      window,
      'slow',
      window.readSeconds.find((one) => one.slow)?.at ?? 0,
      [
        `${nameOf(window.identity)} needs ${own.toFixed(0)} ms for a read, its peers ${peers.toFixed(1)} ms, in ${slow} of the last ${window.readSeconds.length} seconds in which it read. Its writes are not slow.`,
      ],
      ['It is not load: the other disk of the same volume reads about as much and is not slow.'],
    );
  }

  #corrupt(window: DiskWindow, { at }: Sample): Finding | undefined {
    const grown = window.corrupt;
    if (grown === null || at - grown.at > GROWN_FOR_MS) return undefined;
    return this.#finding(
      window,
      'corrupt',
      grown.since,
      [
        `${nameOf(window.identity)} returned wrong data: ${count(grown.count, 'block')} did not match ${grown.count === 1 ? 'its checksum' : 'their checksums'}.`,
      ],
      ['No member was given wrong data: what does not match is read from the other disk.'],
    );
  }

  #notTheWatcher(): string {
    const longest = this.longestGapMs();
    return longest === 0
      ? 'The watcher itself was not held up.'
      : `The watcher itself was not held up meanwhile (its longest pause in the last minute: ${seconds(longest)}).`;
  }

  #finding({ identity }: DiskWindow, fault: FaultKind, since: number, evidence: string[], ruledOut: string[]): Finding {
    const { volume, replica, disk } = identity;
    return { since, diagnosis: { culprit: { kind: 'disk', volume, replica, disk }, fault, evidence, ruledOut } };
  }
}

function keyOf({ volume, replica, device }: DiskIdentity): string {
  return `${volume}/${replica}/${device}`;
}

function labelOf({ diagnosis: { culprit } }: Finding): string {
  return `${culprit.volume ?? ''}/${culprit.replica ?? ''}`;
}

function isOf({ identity }: DiskWindow, culprit: { volume: string | null; replica: string | null }): boolean {
  return identity.volume === culprit.volume && identity.replica === culprit.replica;
}

function newWindow(identity: DiskIdentity, at: number, moves: number): DiskWindow {
  return {
    identity,
    counters: null,
    movedAt: at,
    completedAt: -Infinity,
    belowAt: -Infinity,
    movesThen: moves,
    stalls: [],
    goneSince: null,
    probeFailingSince: null,
    second: null,
    seconds: [],
    slow: { own: 0, peers: 0 },
    lastRead: null,
    readSeconds: [],
    slowReads: { own: 0, peers: 0 },
    errors: null,
    failing: null,
    corrupt: null,
  };
}

function completionsOf({ counters, identity }: DiskWindow, sample: Sample): number {
  const now = sample.disks.get(identity.device);
  return now === undefined || counters === null ? 0 : Math.max(0, now.completed - counters.completed);
}
