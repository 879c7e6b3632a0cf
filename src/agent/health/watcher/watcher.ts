import { availableParallelism } from 'node:os';
import { HostWindow, type DiskIdentity, type Finding, type Sample } from '../../../model/diagnosis.ts';
import type { DiskHealth } from '../../../protocol/health.ts';
import { monotonicMs } from '../../../runtime/monotonic.ts';
import type { WatchedDisk } from '../../context.ts';
import { isOwnDisk, KernelFile, parseDiskstats, type DiskLine } from './disk-counters.ts';
import { isRunning, readErrors, readMemory, readPressure, waitingOf, waitsInKernel } from './host-signals.ts';
import type { FirstSigns } from './first-signs.ts';
import type { SeenTrouble, WatcherOrders, WatcherReport } from './messages.ts';
import type { Prober } from './prober.ts';

/** How often the counters are read; oftener while a disk is suspected. */
const POLL_MS = 100;
const CLOSE_POLL_MS = 50;
/** A stall from which on it is looked closer: what does the valve wait for? */
const LOOK_CLOSER_MS = 120;
/** A disk that completed something is probed this rarely: its own work shows that it is well, but perhaps not all of it. */
const BUSY_PROBE_MS = 5_000;
const IDLE_PROBE_MS = 1_000;
const HOST_PROBE_MS = 5_000;
/** While a disk is suspected its peers are asked again and again, so that there is always a fresh witness. */
const WITNESS_EVERY_MS = 150;
/** Members' programs are looked through this often, and oftener while something is wrong. */
const STUCK_EVERY_MS = 10_000;
const STUCK_CLOSELY_MS = 2_000;
const STUCK_AFTER_MS = 3_000;

/** Takes the samples, asks for probes, and tells what follows. Touches no volume and waits for nothing. */
export class Watcher {
  readonly #prober: Prober;
  readonly #signs: FirstSigns;
  readonly #report: (report: WatcherReport) => void;
  readonly #window = new HostWindow();
  readonly #counters = new KernelFile('/proc/diskstats');
  #disks: readonly WatchedDisk[] = [];
  #watched = new Set<string>();
  #members = new Map<number, string>();
  #told = '';
  #lastSecond = 0;
  #beforeSecond = new Map<string, DiskLine>();
  readonly #probedAt = new Map<string, number>();
  readonly #completed = new Map<string, number>();
  #hostProbedAt = 0;
  #witnessesAskedAt = 0;
  #stuckAt = 0;
  readonly #stuckSince = new Map<string, number>();
  #stuck: { volume: string; programs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(prober: Prober, signs: FirstSigns, report: (report: WatcherReport) => void) {
    this.#prober = prober;
    this.#signs = signs;
    this.#window.recall(signs.recall());
    this.#report = report;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#turn(), POLL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#counters.close();
  }

  obey(orders: WatcherOrders): void {
    this.#disks = orders.disks;
    this.#watched = new Set(orders.disks.map((disk) => disk.device));
    this.#members = new Map(orders.members.map((member) => [member.uid, member.volume]));
    this.#window.watch(orders.disks.map(identityOf), monotonicMs());
    this.#prober.watch(orders.disks);
    for (const device of this.#probedAt.keys()) if (!this.#watched.has(device)) this.#probedAt.delete(device);
  }

  #turn(): void {
    const at = monotonicMs();
    const lines = parseDiskstats(this.#counters.read(), (name) => this.#watched.has(name) || isOwnDisk(name));
    this.#window.add(this.#sample(at, lines));
    this.#signs.keep(this.#window.firstSigns());
    const suspicious = this.#window.suspects(LOOK_CLOSER_MS);
    this.#askForProbes(at, lines, this.#window.suspects().length > 0);
    if (at - this.#lastSecond >= 1_000) this.#everySecond(at, lines, suspicious.length > 0);
    else this.#tell(this.#window.diagnose(), at, null);
    this.#timer = setTimeout(() => this.#turn(), suspicious.length > 0 ? CLOSE_POLL_MS : POLL_MS);
  }

  #sample(at: number, lines: ReadonlyMap<string, DiskLine>): Sample {
    const probes = this.#prober.read();
    let hostCompleted = 0;
    let hostInFlight = 0;
    for (const [device, line] of lines) {
      if (this.#watched.has(device)) continue;
      hostCompleted += line.completed;
      hostInFlight += line.inFlight;
    }
    const suspects = new Set(this.#window.suspects(LOOK_CLOSER_MS).map((one) => one.device));
    const waitsBelow = new Set<string>();
    const driverGone = new Set<string>();
    for (const { device, server } of this.#disks) {
      if (server === undefined) continue;
      if (suspects.has(device) && waitsInKernel(server)) waitsBelow.add(device);
      // A driver that ended makes its disk fail: only then is it worth a look.
      if ((probes.disks.get(device)?.failures ?? 0) > 0 && !isRunning(server)) driverGone.add(device);
    }
    return {
      at,
      disks: lines,
      probes: probes.disks,
      hostCompleted,
      hostInFlight,
      hostProbe: probes.host,
      waitsBelow,
      driverGone,
    };
  }

  #askForProbes(at: number, lines: ReadonlyMap<string, DiskLine>, suspicion: boolean): void {
    if (suspicion) {
      if (at - this.#witnessesAskedAt < WITNESS_EVERY_MS) return;
      this.#witnessesAskedAt = at;
      this.#prober.probe(this.#watched, true);
      for (const device of this.#watched) this.#probedAt.set(device, at);
      this.#hostProbedAt = at;
      return;
    }
    const due: string[] = [];
    for (const device of this.#watched) {
      const since = at - (this.#probedAt.get(device) ?? -Infinity);
      if (since < IDLE_PROBE_MS) continue;
      const completed = lines.get(device)?.completed ?? 0;
      const busy = completed > (this.#completed.get(device) ?? completed);
      this.#completed.set(device, completed);
      if (busy && since < BUSY_PROBE_MS) continue;
      this.#probedAt.set(device, at);
      // The probe's own read and write are not work of the disk.
      this.#completed.set(device, completed + PROBE_REQUESTS);
      due.push(device);
    }
    const host = at - this.#hostProbedAt >= HOST_PROBE_MS;
    if (host) this.#hostProbedAt = at;
    this.#prober.probe(due, host);
  }

  #everySecond(at: number, lines: ReadonlyMap<string, DiskLine>, closely: boolean): void {
    for (const { filesystem, deviceId, device } of this.#disks) {
      const errors = deviceId === 0 ? undefined : readErrors(filesystem, deviceId);
      if (errors !== undefined) this.#window.addErrors(device, errors, at);
    }
    const findings = this.#window.diagnose();
    this.#countStuck(at, closely || findings.length > 0);
    const elapsed = at - this.#lastSecond;
    this.#tell(findings, at, {
      condition: this.#window.condition(findings),
      watcherGapMs: Math.round(this.#window.longestGapMs()),
      pressure: readPressure(),
      cores: availableParallelism(),
      ...readMemory(),
      disks: this.#disks.map((disk) => this.#healthOf(disk, lines, findings, elapsed)),
      stuck: this.#stuck,
    });
    this.#lastSecond = at;
    this.#beforeSecond = new Map(lines);
  }

  #healthOf(
    disk: WatchedDisk,
    lines: ReadonlyMap<string, DiskLine>,
    findings: readonly Finding[],
    elapsed: number,
  ): DiskHealth {
    const now = lines.get(disk.device);
    const before = this.#beforeSecond.get(disk.device) ?? now;
    const perSecond = (value: (line: DiskLine) => number): number =>
      now === undefined || before === undefined ? 0 : Math.max(0, ((value(now) - value(before)) * 1000) / elapsed);
    const completed = now === undefined || before === undefined ? 0 : now.completed - before.completed;
    return {
      disk: disk.disk,
      device: now === undefined ? null : disk.device,
      volume: disk.volume,
      replica: disk.replica,
      condition: this.#window.diskCondition(disk.device, findings),
      inFlight: now?.inFlight ?? 0,
      stalledMs: Math.round(this.#window.stalledMs(disk.device)),
      readsPerSecond: Math.round(perSecond((line) => line.reads)),
      writesPerSecond: Math.round(perSecond((line) => line.writes)),
      readBytesPerSecond: Math.round(perSecond((line) => line.readSectors * 512)),
      writtenBytesPerSecond: Math.round(perSecond((line) => line.writtenSectors * 512)),
      latencyMs:
        completed > 0 && now !== undefined && before !== undefined
          ? Math.round(((now.waitedMs - before.waitedMs) / completed) * 10) / 10
          : null,
      probeMs: rounded(this.#prober.read().disks.get(disk.device)?.tookMs ?? null),
    };
  }

  #countStuck(at: number, closely: boolean): void {
    if (at - this.#stuckAt < (closely ? STUCK_CLOSELY_MS : STUCK_EVERY_MS)) return;
    this.#stuckAt = at;
    const waiting = waitingOf(new Set(this.#members.keys()));
    for (const key of this.#stuckSince.keys()) if (!waiting.has(key)) this.#stuckSince.delete(key);
    const programs = new Map<string, number>();
    for (const [key, uid] of waiting) {
      const since = this.#stuckSince.get(key) ?? at;
      this.#stuckSince.set(key, since);
      const volume = this.#members.get(uid);
      if (volume !== undefined && at - since >= STUCK_AFTER_MS) programs.set(volume, (programs.get(volume) ?? 0) + 1);
    }
    this.#stuck = [...programs].map(([volume, number]) => ({ volume, programs: number }));
  }

  /** At once when something is different, otherwise with the health once a second. */
  #tell(findings: readonly Finding[], at: number, health: WatcherReport['health']): void {
    const suspects = this.#window.suspects().map(({ volume, replica }) => ({ volume, replica }));
    const text = JSON.stringify([
      findings.map(({ diagnosis: { culprit, fault } }) => [culprit.kind, culprit.volume, culprit.replica, fault]),
      findings.length === 0 ? [] : suspects,
    ]);
    if (health === null && text === this.#told) return;
    this.#told = text;
    const troubles = findings.map(({ diagnosis, since }): SeenTrouble => ({
      diagnosis,
      since: Math.min(at, since),
    }));
    this.#report({ troubles, suspects, health });
  }
}

/** A probe is one read and one write. */
const PROBE_REQUESTS = 2;

function identityOf({ volume, replica, disk, device }: WatchedDisk): DiskIdentity {
  return { volume, replica, disk, device };
}

function rounded(milliseconds: number | null): number | null {
  return milliseconds === null ? null : Math.round(milliseconds * 100) / 100;
}
