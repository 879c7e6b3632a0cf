import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLAPS, GAP_MS, HostWindow, HUNG_MS, type DiskIdentity, type Finding, type ProbeFacts } from './diagnosis.ts';
import type { DiskCounters } from './disk-counters.ts';
import { SLOW_WINDOW_SECONDS } from './slow-disk.ts';

const POLL_MS = 100;

/** What one disk does in one step of 100 ms. */
interface Step {
  completed: number;
  inFlight: number;
  busyMs: number;
  /** Without it: that of so many in flight all the time, and of requests of 4 KiB. */
  waitedMs?: number;
  sectors?: number;
  /** Of what it completed; each of 4 KiB, and so long. */
  reads?: number;
  readMs?: number;
  readSectors?: number;
}
type Behaviour = (step: number) => Step;

const quick: Behaviour = () => ({ completed: 20, inFlight: 2, busyMs: 30 });
const idle: Behaviour = () => ({ completed: 0, inFlight: 0, busyMs: 0 });
const hangsFrom =
  (from: number, until: number, before: Behaviour): Behaviour =>
  (step) => {
    if (step >= from && step < until) return { completed: 0, inFlight: 5, busyMs: POLL_MS };
    // It is well right before, so that the hang begins when the test says.
    return step < until && step >= from - 3 ? quick(step) : before(step);
  };

/** A machine with its disks, sampled every 100 ms. An idle disk gets the small read and write it would get, once a second. */
class Machine {
  readonly window = new HostWindow();
  readonly identities: DiskIdentity[];
  readonly #behaviours: readonly Behaviour[];
  readonly #counters: DiskCounters[];
  #host: Behaviour;
  #hostCompleted = 0;
  #step = 0;
  at = 1_000_000;
  waitsBelow = new Set<string>();
  errors: string[] = [];

  constructor(
    volumes: readonly (readonly Behaviour[])[],
    host: Behaviour = quick,
    order = (all: DiskIdentity[]) => all,
  ) {
    this.#behaviours = volumes.flat();
    this.#host = host;
    this.identities = volumes.flatMap((disks, volume) =>
      disks.map((_, disk) => ({
        volume: `v${volume}`,
        replica: `r${disk + 1}`,
        disk: `/dev/${volume}-${disk}`,
        device: `d${volume}-${disk}`,
      })),
    );
    const fresh = { inFlight: 0, completed: 100, busyMs: 0, waitedMs: 0, sectors: 800 };
    this.#counters = this.identities.map(() => ({ ...fresh, reads: 0, readSectors: 0, readWaitedMs: 0 }));
    this.window.watch(order([...this.identities]), this.at);
  }

  step(gap = POLL_MS): Finding[] {
    this.at += gap;
    const step = this.#step;
    this.#step += 1;
    this.#behaviours.forEach((behaviour, index) => {
      const { completed, inFlight, busyMs, waitedMs, sectors, reads = 0, readMs = 1, readSectors } = behaviour(step);
      const counters = this.#counters[index];
      if (counters === undefined) return;
      // The probe of an idle disk.
      const probed = completed === 0 && inFlight === 0 && step % 10 === index % 10 ? 2 : 0;
      this.#counters[index] = {
        completed: counters.completed + completed + probed,
        inFlight,
        busyMs: counters.busyMs + busyMs + probed / 2,
        waitedMs: counters.waitedMs + (waitedMs ?? inFlight * POLL_MS) + probed / 2,
        sectors: counters.sectors + (sectors ?? completed * 8) + probed * 8,
        reads: counters.reads + reads + probed / 2,
        readSectors: counters.readSectors + (readSectors ?? reads * 8) + probed * 4,
        readWaitedMs: counters.readWaitedMs + reads * readMs + probed / 4,
      };
    });
    const host = this.#host(step);
    this.#hostCompleted += host.completed;
    const probes = new Map<string, ProbeFacts>();
    this.window.add({
      at: this.at,
      disks: new Map(this.identities.map((one, index) => [one.device, this.#counters[index] as DiskCounters])),
      probes,
      hostCompleted: this.#hostCompleted,
      hostInFlight: host.inFlight,
      hostProbe: null,
      waitsBelow: this.waitsBelow,
      driverGone: new Set(),
    });
    return this.window.diagnose();
  }

  /** Every finding of so many steps, as short labels. */
  run(steps: number): string[] {
    const found = new Set<string>();
    for (let step = 0; step < steps; step += 1) for (const finding of this.step()) found.add(label(finding));
    return [...found];
  }
}

function label({ diagnosis: { culprit, fault } }: Finding): string {
  return culprit.kind === 'host' ? 'host' : `${culprit.volume}/${culprit.replica}:${fault}`;
}

/** A healthy disk: idle, busy, bursts, queues of any length, and pauses shorter than half a hang, as often as it likes. */
const healthy: fc.Arbitrary<Behaviour> = fc
  .array(
    fc.record({
      steps: fc.integer({ min: 1, max: 30 }),
      completed: fc.integer({ min: 1, max: 5_000 }),
      inFlight: fc.integer({ min: 0, max: 128 }),
      busyMs: fc.integer({ min: 1, max: POLL_MS }),
      pause: fc.integer({ min: 0, max: 2 }),
      idle: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((phases) => {
    const script = phases.flatMap(({ steps, completed, inFlight, busyMs, pause, idle: rests }) => [
      ...Array.from({ length: steps }, (): Step => (rests ? idle(0) : { completed, inFlight, busyMs })),
      ...Array.from({ length: pause }, (): Step => ({ completed: 0, inFlight, busyMs: POLL_MS })),
    ]);
    return (step) => script[step % script.length] ?? idle(0);
  });

const volumes = fc.array(fc.tuple(healthy, healthy), { minLength: 1, maxLength: 5 });

describe('diagnosis', () => {
  test('healthy disks under any load and in any bursts are never named', () => {
    fc.assert(
      fc.property(volumes, (disks) => {
        expect(new Machine(disks).run(300)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('of many disks exactly the one that hangs is named, within a second, idle or not', () => {
    fc.assert(
      fc.property(volumes, fc.nat(), fc.integer({ min: 10, max: 60 }), (disks, which, from) => {
        const volume = which % disks.length;
        const replica = which % 2;
        const faulty = disks.map((pair, index) =>
          pair.map((one, side) => (index === volume && side === replica ? hangsFrom(from, 10_000, one) : one)),
        );
        const machine = new Machine(faulty);
        expect(machine.run(from)).toEqual([]);
        const named = `v${volume}/r${replica + 1}:hung`;
        expect(machine.run(10)).toEqual([named]);
        expect(machine.run(50)).toEqual([named]);
      }),
      { numRuns: 60 },
    );
  });

  test('a watcher that is started anew tells since when a disk has hung as the one before it saw it, and only of that disk', () => {
    const hangs = hangsFrom(20, 10_000, quick);
    const before = new Machine([[hangs, quick]]);
    before.run(30);
    const signs = before.window.firstSigns();
    expect([...signs.keys()]).toEqual(['v0/r1/d0-0']);
    const began = signs.get('v0/r1/d0-0') ?? 0;

    const after = new Machine([[hangsFrom(0, 10_000, quick), hangsFrom(0, 60, quick)]]);
    after.at = before.at + 4_000;
    after.window.watch(after.identities, after.at);
    after.window.recall(new Map([...signs, ['v0/r2/d0-1', began - 60_000]]));
    const since = (): Record<string, number> => Object.fromEntries(after.step().map((one) => [label(one), one.since]));
    after.run(40);
    expect(since()['v0/r1:hung']).toBe(began);
    // The other one moves, and stops again later: what was seen before says nothing about that.
    after.run(80);
    expect(after.window.firstSigns().get('v0/r2/d0-1')).toBeUndefined();
  });

  test('when everything stalls the host is named and no disk', () => {
    fc.assert(
      fc.property(
        volumes,
        fc.integer({ min: 10, max: 40 }),
        fc.array(fc.nat(2), { maxLength: 10 }),
        (disks, from, late) => {
          // They do not stop at the very same moment.
          let index = 0;
          const stalled = disks.map((pair) =>
            pair.map((one) => hangsFrom(from + (late[index++ % (late.length + 1)] ?? 0), 10_000, one)),
          );
          const machine = new Machine(stalled, hangsFrom(from, 10_000, quick));
          const found = machine.run(from + 40);
          expect(found).toEqual(['host']);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('several volumes that stop together while no other disk moves are not blamed one by one, whatever the host writes', () => {
    const machine = new Machine([
      [hangsFrom(20, 999, quick), hangsFrom(21, 999, quick)],
      [hangsFrom(20, 999, quick), hangsFrom(22, 999, quick)],
    ]);
    expect(machine.run(60)).toEqual(['host']);
  });

  test('both disks of one volume are named when others go on', () => {
    const hung = [hangsFrom(20, 999, quick), hangsFrom(20, 999, quick)];
    expect(new Machine([hung, [quick, idle]]).run(60)).toEqual(['v0/r1:hung', 'v0/r2:hung']);
    // With no other volume the host's own disk is the witness.
    expect(new Machine([hung]).run(60)).toEqual(['v0/r1:hung', 'v0/r2:hung']);
  });

  test('the order in which disks are listed changes nothing', () => {
    fc.assert(
      fc.property(volumes, fc.nat(), fc.integer({ min: 5, max: 40 }), (disks, which, from) => {
        const faulty = disks.map((pair, index) =>
          pair.map((one, side) =>
            index === which % disks.length && side === 0 ? hangsFrom(from, from + 12, one) : one,
          ),
        );
        const forward = new Machine(faulty);
        const backward = new Machine(faulty, quick, (all) => all.reverse());
        for (let step = 0; step < from + 30; step += 1) expect(backward.step()).toEqual(forward.step());
      }),
      { numRuns: 40 },
    );
  });

  test('a watcher that was held up begins anew instead of blaming a disk', () => {
    const machine = new Machine([[hangsFrom(20, 999, quick), quick]]);
    machine.run(22);
    expect(machine.step(GAP_MS + HUNG_MS).map(label)).toEqual([]);
    expect(machine.window.condition([])).toBe('blind');
    expect(machine.run(Math.floor(HUNG_MS / POLL_MS) - 1)).toEqual([]);
    expect(machine.run(4)).toEqual(['v0/r1:hung']);
  });

  test('a valve that itself waits for the disk below is not hung, however long; a moment of it excuses nothing', () => {
    const machine = new Machine([[hangsFrom(20, 999, quick), quick]]);
    machine.waitsBelow = new Set(['d0-0']);
    expect(machine.run(200)).toEqual([]);
    machine.waitsBelow = new Set();
    expect(machine.run(6)).toEqual([]);
    expect(machine.run(3)).toEqual(['v0/r1:hung']);
  });

  test('when the disk below all images stops, it is the host', () => {
    const machine = new Machine([[hangsFrom(20, 999, quick), idle]], hangsFrom(20, 999, quick));
    machine.waitsBelow = new Set(['d0-0']);
    expect(machine.run(60)).toEqual(['host']);
  });

  test('a disk that stops and answers again, over and over, is named; one that does it now and then is not', () => {
    const flaps =
      (every: number): Behaviour =>
      (step) =>
        step % every < 4 ? { completed: 0, inFlight: 3, busyMs: POLL_MS } : quick(step);
    expect(new Machine([[flaps(8), quick]]).run(8 * (FLAPS + 2))).toEqual(['v0/r1:hung']);
    expect(new Machine([[flaps(120), quick]]).run(600)).toEqual([]);
    // Both do: it is something they share.
    expect(new Machine([[flaps(8), flaps(8)]]).run(200)).toEqual([]);
  });

  test('a disk that is much slower than its peers for a minute is slow; a burst is not; load is not', () => {
    const slow: Behaviour = (step) => ({ completed: step % 2, inFlight: 4, busyMs: POLL_MS });
    const steps = SLOW_WINDOW_SECONDS * 10 + 20;
    expect(new Machine([[slow, quick]]).run(steps)).toEqual(['v0/r1:slow']);
    expect(new Machine([[(step) => (step < 300 ? slow(step) : quick(step)), quick]]).run(steps)).toEqual([]);
    // Both replicas of a loaded volume are slow together, while everybody else has nothing to do.
    expect(
      new Machine([
        [slow, slow],
        [idle, idle],
        [idle, idle],
      ]).run(steps),
    ).toEqual([]);
    // A long queue is not slowness: it completes a lot.
    const loaded: Behaviour = () => ({ completed: 12, inFlight: 128, busyMs: POLL_MS });
    expect(
      new Machine([
        [loaded, idle],
        [idle, idle],
      ]).run(steps),
    ).toEqual([]);
  });

  test('a disk that answers late, but many requests at once, is slow; it is not when it is asked more than its partner', () => {
    const steps = SLOW_WINDOW_SECONDS * 10 + 20;
    // Eight wait 120 ms together: 15 ms of the disk's time each.
    const late: Behaviour = (step) => ({
      completed: step % 6 === 0 ? 0 : 8,
      inFlight: 8,
      busyMs: POLL_MS,
      waitedMs: step % 6 === 0 ? 0 : 8 * 90,
    });
    const partner: Behaviour = () => ({ completed: 7, inFlight: 1, busyMs: 5, waitedMs: 7 });
    expect(new Machine([[late, partner]]).run(steps)).toEqual(['v0/r1:slow']);
    expect(new Machine([[(step) => (step < 300 ? late(step) : partner(step)), partner]]).run(steps)).toEqual([]);
    expect(
      new Machine([
        [late, late],
        [partner, partner],
      ]).run(steps),
    ).toEqual([]);
    // A scrub of one disk, a long reader, a copy onto it: more requests, or much larger ones.
    const read: Behaviour = (step) => ({ ...late(step), completed: 40, waitedMs: 40 * 90 });
    const copied: Behaviour = (step) => ({ ...late(step), sectors: 8_192 });
    expect(new Machine([[read, partner]]).run(steps)).toEqual([]);
    expect(new Machine([[copied, partner]]).run(steps)).toEqual([]);
    // The wait is short, or the partner's is long, too.
    const prompt: Behaviour = (step) => ({ ...late(step), waitedMs: step % 6 === 0 ? 0 : 8 * 20 });
    const alike: Behaviour = () => ({ completed: 7, inFlight: 1, busyMs: 5, waitedMs: 70 });
    expect(new Machine([[prompt, partner]]).run(steps)).toEqual([]);
    expect(new Machine([[late, alike]]).run(steps)).toEqual([]);
  });

  test('a disk that is slow to read, among many quick writes, is slow; it is not in a burst, nor when it reads more than its partner', () => {
    const steps = 900;
    const writes = { completed: 40, inFlight: 1, busyMs: 30, waitedMs: 40 };
    // Two reads a second of 80 ms each, among 400 writes of 1 ms: 1.4 ms in the mean of all.
    const late: Behaviour = (step) => (step % 5 === 0 ? { ...writes, reads: 1, readMs: 80 } : writes);
    const partner: Behaviour = (step) => (step % 5 === 2 ? { ...writes, reads: 1, readMs: 1 } : writes);
    expect(new Machine([[late, partner]]).run(steps)).toEqual(['v0/r1:slow']);
    // The partner reads only now and then.
    const rarely: Behaviour = (step) => (step % 200 === 2 ? { ...writes, reads: 1, readMs: 1 } : writes);
    expect(new Machine([[late, rarely]]).run(steps)).toEqual(['v0/r1:slow']);
    expect(new Machine([[(step) => (step < 350 ? late(step) : partner(step)), partner]]).run(steps)).toEqual([]);
    // One long reader on this side of the mirror, or one of large pieces.
    const reader: Behaviour = () => ({ ...writes, reads: 8, readMs: 80 });
    const large: Behaviour = (step) => ({ ...late(step), readSectors: step % 5 === 0 ? 2_048 : 0 });
    expect(new Machine([[reader, partner]]).run(steps)).toEqual([]);
    expect(new Machine([[large, partner]]).run(steps)).toEqual([]);
    // Both are, or there is nothing to compare it with.
    expect(new Machine([[late, late]]).run(steps)).toEqual([]);
    expect(new Machine([[late, () => writes]]).run(steps)).toEqual([]);
  });

  test('a disk is slow since the first second in which it was, and not since it is looked at', () => {
    const begins = 500;
    const writes = { completed: 40, inFlight: 1, busyMs: 30, waitedMs: 40 };
    const reads =
      (ms: number, turn: number): Behaviour =>
      (step) =>
        step % 5 === turn ? { ...writes, reads: 1, readMs: ms } : writes;
    const quickly = reads(1, 0);
    const lately = reads(80, 0);
    const loaded: Behaviour = () => ({ completed: 1, inFlight: 1, busyMs: 100 });
    const cases: readonly Behaviour[][] = [
      [(step) => (step < begins ? quickly(step) : lately(step)), reads(1, 2)],
      [(step) => (step < begins ? writes : loaded(step)), () => writes],
    ];
    for (const behaviours of cases) {
      const machine = new Machine([behaviours]);
      machine.run(begins);
      const begun = machine.at;
      let finding: Finding | undefined;
      while (finding === undefined && machine.at < begun + 120_000) finding = machine.step()[0];
      expect(finding?.diagnosis.fault).toBe('slow');
      expect(finding?.since).toBeGreaterThan(begun - 1_000);
      expect(finding?.since).toBeLessThan(begun + 2_000);
    }
  });

  test('error counters that grow are failing, checksum counters corrupt; old counts are nothing', () => {
    const none = { write: 7, read: 0, flush: 0, corruption: 3, generation: 0 };
    const machine = new Machine([[quick, quick]]);
    machine.step();
    machine.window.addErrors('d0-0', none, machine.at);
    machine.window.addErrors('d0-1', none, machine.at);
    expect(machine.run(20)).toEqual([]);
    machine.window.addErrors('d0-0', { ...none, write: 9 }, machine.at);
    machine.window.addErrors('d0-1', { ...none, corruption: 4 }, machine.at);
    const findings = machine.step();
    expect(findings.map(label)).toEqual(['v0/r1:failing', 'v0/r2:corrupt']);
    expect(findings[0]?.diagnosis.evidence[0]).toContain('2 write errors');
    expect(findings[1]?.diagnosis.evidence[0]).toContain('1 block did not match its checksum');
  });

  test('the evidence has the disk, the figures, and what was ruled out', () => {
    const machine = new Machine([
      [hangsFrom(10, 99, quick), quick],
      [quick, quick],
    ]);
    machine.run(18);
    const [finding] = machine.step();
    expect(finding?.diagnosis.evidence[0]).toMatch(
      /^5 requests wait in \/dev\/0-0 \(replica r1 of v0\) and none has completed for 0\.\d s\.$/,
    );
    expect(finding?.diagnosis.ruledOut[0]).toMatch(/^The host is fine: 3 other disks .* \(\d+ requests completed\)\.$/);
  });
});
