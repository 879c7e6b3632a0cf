import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Diagnosis, FaultKind } from '../../model/health.ts';
import { FULL_ENDS_MS, seeRoom, type FullSpell, type HostRoom } from '../../model/host-room.ts';
import { redundancyOf, type ReplicaState } from '../../model/volumes.ts';
import { HoldfastError, type ErrorCode } from '../../protocol/errors.ts';
import type { Trouble } from '../../protocol/health.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { until } from '../../runtime/deadline.ts';
import { createLogger } from '../../runtime/log.ts';
import { monotonicMs } from '../../runtime/monotonic.ts';
import { Reaction } from './reaction.ts';
import { newMemory, TroubleJournal, type TroubleMemory } from './trouble-journal.ts';

const STARTED = '2026-01-01T00:00:00.000Z';

/** The storage of one volume as the reaction sees it, from memory. That real storage answers like this is proven by the contract tests. */
class OneVolume {
  states: ReplicaState[] = ['healthy', 'healthy'];
  state: VolumeStatus['state'] = 'open';
  held: string | null = null;
  hostRoom: HostRoom | undefined;
  spell: FullSpell | undefined;
  valves = false;
  operations: Operation[] = [];
  /** What restoring answers, one after the other; when there is nothing more it begins. */
  refusals: HoldfastError[] = [];
  asked = 0;
  doubts = 0;
  silence: VolumeStatus['silence'] = null;
  uncounted: VolumeStatus['uncounted'] = null;
  unopened: VolumeStatus['unopened'] = null;
  wantedOpen = true;
  scrubs = 0;
  deleted = false;
  loaded: Promise<void> = Promise.resolve();
  /** What a cut answers although the disk was told to stop. */
  lateError: HoldfastError | undefined;
  /** A cut finds that the copy onto the new disk was given up already, and the disk dismissed. */
  dismissed = false;
  cuts = 0;
  /** So many cuts are refused before anything is done. */
  refusedCuts = 0;
  readonly handlers = { 'operations.list': async () => await Promise.resolve(this.operations) };

  statuses(): VolumeStatus[] {
    if (this.deleted) return [];
    const running = this.operations.find((one) => one.state === 'running');
    return [
      {
        name: 'one',
        engine: 'local',
        state: this.held === null ? this.state : 'trouble',
        trouble: this.held,
        redundancy: redundancyOf(this.states),
        sizeBytes: 1000,
        usedBytes: 10,
        replicas: this.states.map((state, index) => ({
          id: `r${index + 1}`,
          disk: `/dev/sd${index + 1}`,
          state,
          valve: this.valves,
          sizeBytes: 1000,
          errors: null,
        })),
        operation: running?.id ?? null,
        silence: this.silence,
        uncounted: this.uncounted,
        unopened: this.unopened,
        wantedOpen: this.wantedOpen,
        readAt: STARTED,
      },
    ];
  }

  async known(): Promise<void> {
    await this.loaded;
  }

  disks(): [] {
    return [];
  }

  async cut(_volume: string, replica: string): Promise<void> {
    this.cuts += 1;
    if (this.dismissed) {
      this.states.splice(Number(replica.slice(1)) - 1, 1);
      throw new HoldfastError('not-found', `The volume one has no replica ${replica}.`);
    }
    if (this.refusedCuts-- > 0) throw new HoldfastError('conflict', 'Not now.');
    const index = Number(replica.slice(1)) - 1;
    if (this.states[index] === 'rebuilding' && this.states.includes('failed')) this.state = 'trouble';
    this.states[index] = 'failed';
    await Promise.resolve();
    if (this.lateError !== undefined) throw this.lateError;
  }

  async restoreRedundancy(): Promise<Operation> {
    this.asked += 1;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    return await Promise.resolve(this.begin('volume-rebuild'));
  }

  async scrub(): Promise<Operation> {
    this.scrubs += 1;
    return await Promise.resolve(this.begin('volume-scrub'));
  }

  hold(_volume: string, sentence: string | null): void {
    if (this.deleted) throw new HoldfastError('not-found', 'There is no volume one on this host.');
    this.held = sentence;
  }

  async proves(): Promise<boolean> {
    return await Promise.resolve(this.state === 'open');
  }

  doubt(): void {
    this.doubts += 1;
  }

  onDisksChange(): void {
    return undefined;
  }

  begin(kind: Operation['kind']): Operation {
    const operation: Operation = {
      id: `op${this.operations.length}`,
      kind,
      subject: 'one',
      state: 'running',
      progress: null,
      steps: [],
      error: null,
      startedAt: STARTED,
      finishedAt: null,
    };
    this.operations.push(operation);
    return operation;
  }

  end(error: string | null, errorCode: ErrorCode = 'command-failed'): void {
    this.operations = this.operations.map((one) =>
      one.state === 'running'
        ? {
            ...one,
            state: error === null ? 'done' : 'failed',
            error,
            ...(error === null ? {} : { errorCode }),
            finishedAt: new Date().toISOString(),
          }
        : one,
    );
  }
}

const sick = (replica: string, fault: FaultKind): Diagnosis => ({
  culprit: { kind: 'disk', volume: 'one', replica, disk: `/dev/sd${replica.slice(1)}` },
  fault,
  evidence: ['Nothing completes.'],
  ruledOut: [],
});

describe('acts against troubles', () => {
  let directory: string;
  let storage: OneVolume;
  let reaction: Reaction;
  let create: () => Reaction;
  let journal: TroubleJournal;
  /** Everything that anybody was told. */
  let told: Trouble[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-reaction-'));
    const log = createLogger('test');
    log.level = 'silent';
    storage = new OneVolume();
    journal = new TroubleJournal(directory, log);
    told = [];
    create = () =>
      new Reaction({
        storage,
        journal,
        log,
        enabled: () => true,
        hostRoom: () => storage.hostRoom,
        fullSpell: () => storage.spell,
        tell: (trouble) => told.push(trouble),
      });
    reaction = create();
    await reaction.start();
  });
  afterEach(async () => {
    await reaction.stop();
    // A record may still be on its way to the disk.
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  });

  const see = (...replicas: string[]): void =>
    reaction.take({
      troubles: replicas.map((one) => ({ diagnosis: sick(one, 'hung'), since: monotonicMs() - 700 })),
      suspects: [],
    });
  const resolves = (): Promise<void> =>
    until(
      () => {
        see();
        return reaction.troubles().every(({ state }) => state === 'resolved');
      },
      'the trouble being over',
      20_000,
      100,
    );
  /** It is looked at for longer than a trouble needs to be taken for over. */
  const stays = async (condition: () => boolean): Promise<void> => {
    let looks = 0;
    await until(
      () => {
        see();
        expect(condition()).toBe(true);
        looks += 1;
        return looks > 45;
      },
      'many looks',
      60_000,
      100,
    );
  };
  const texts = (): string[] => reaction.troubles().flatMap(({ timeline }) => timeline.map(({ text }) => text));
  const remembered = async (): Promise<TroubleMemory[]> => (await journal.load(Date.now())).map(({ memory }) => memory);
  const asked = (): (string | null)[] => [...new Set(told.map(({ mustAct }) => mustAct))];

  test.each<ErrorCode>(['storage-repair', 'conflict'])(
    'a refusal that passes (%s) is tried again in silence: nobody is asked for, and nothing is told of it',
    async (code) => {
      storage.refusals = [1, 2].map(
        () => new HoldfastError(code, 'This storage is being repaired. Try again shortly.'),
      );
      see('r1');
      await until(
        () => {
          see();
          return storage.operations.length > 0;
        },
        'the rebuild beginning',
        20_000,
      );
      expect(storage.asked).toBe(3);
      expect(asked()).toEqual([null]);
      expect(texts().filter((text) => /Try again shortly/.test(text))).toEqual([]);
    },
  );

  test('what stood in the way of a repair and gave way to it is in the timeline, once', async () => {
    see('r1');
    await until(
      () => {
        see();
        return storage.operations.length > 0;
      },
      'the rebuild beginning',
      20_000,
    );
    const note = 'A balance was under way on the volume one and was cancelled.';
    storage.operations = storage.operations.map((one) => ({ ...one, notes: [note] }));
    const noted = (): string[] => texts().filter((text) => text === note);
    await until(() => noted().length > 0, 'the note being taken up', 20_000);
    storage.end(null);
    await until(() => texts().includes('The copy is complete.'), 'the end being taken up', 20_000);
    expect(noted()).toEqual([note]);
  });

  const silentSince = (milliseconds: number): NonNullable<VolumeStatus['silence']> => ({
    since: new Date(Date.now() - milliseconds).toISOString(),
    lastedMs: milliseconds,
    cause: 'locked-up',
    waitsIn: null,
    mount: '/mnt/one',
  });

  test('a volume that does not answer although its disks do is named, a person is told what to do, nothing is cut', async () => {
    storage.state = 'trouble';
    storage.silence = silentSince(20_000);
    see();
    const [trouble, ...others] = reaction.troubles();
    expect(others).toEqual([]);
    expect(trouble).toMatchObject({
      key: 'volume:one:-',
      service: 'stopped',
      mustAct: expect.stringMatching(/restart of the machine frees the volume one/),
      diagnosis: { fault: 'hung', culprit: { kind: 'volume', volume: 'one' } },
    });
    expect(storage.states).toEqual(['healthy', 'healthy']);
    storage.silence = null;
    storage.state = 'open';
    await until(
      () => {
        see();
        return reaction.troubles()[0]?.state === 'resolved';
      },
      'the trouble being over',
      20_000,
    );
    expect(texts().at(-1)).toBe('The volume one answers again.');
  });

  test('while limits do not hold there is an incident, which says what is done and who is needed, and ends by itself', async () => {
    storage.uncounted = { since: STARTED, why: 'Nothing is counted.', doing: 'Counting anew.', mustAct: null };
    see();
    expect(reaction.troubles()).toMatchObject([
      {
        key: 'limits:one:-',
        service: 'serving',
        doing: 'Counting anew.',
        mustAct: null,
        diagnosis: { fault: 'uncounted', evidence: ['Nothing is counted.', expect.stringMatching(/not enforced/)] },
      },
    ]);
    storage.uncounted = { ...storage.uncounted, mustAct: 'Close it and open it again.' };
    see();
    expect(reaction.troubles()[0]?.mustAct).toBe('Close it and open it again.');
    storage.uncounted = null;
    await until(
      () => {
        see();
        return reaction.troubles()[0]?.state === 'resolved';
      },
      'the trouble being over',
      20_000,
    );
    expect(texts().at(-1)).toMatch(/counted again, which was proven by a write/);
    expect(storage.operations).toEqual([]);
  });

  test('while a disk of it or the host is to blame, or stalls, a volume that does not answer is no trouble of its own', () => {
    storage.state = 'trouble';
    storage.silence = silentSince(20_000);
    see('r1');
    reaction.take({ troubles: [], suspects: [{ volume: 'one', replica: 'r2' }] });
    // Nor at once when its disks answer again: it has not been asked since.
    see();
    expect(reaction.troubles().map(({ key }) => key)).toEqual(['disk:one:r1']);
  });

  test('a volume that programs wait for is asked whether it answers', () => {
    const host = { condition: 'healthy' as const, watcherGapMs: 0, pressure: null, cores: 2, disks: [] };
    const health = { ...host, memoryBytes: 1, memoryFreeBytes: 1, stuck: [{ volume: 'one', programs: 1 }] };
    reaction.take({ troubles: [], suspects: [], health });
    expect(storage.doubts).toBe(1);
    reaction.take({ troubles: [], suspects: [], health: { ...health, stuck: [] } });
    expect(storage.doubts).toBe(1);
  });

  test('a try that failed is made again in time, although the clock was set back by an hour meanwhile, and its record counts as new', async () => {
    see('r1');
    await until(() => storage.operations.length > 0, 'the rebuild beginning', 10_000);
    storage.end('The new disk was pulled out.');
    await until(() => texts().some((text) => text.includes('It is tried again')), 'the failure', 10_000);
    const real = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() - 3_600_000);
    try {
      await until(() => storage.operations.length > 1, 'the next try', 20_000);
      const [{ cutAt } = newMemory()] = await remembered();
      expect(monotonicMs() - (cutAt ?? 0)).toBeLessThan(60_000);
    } finally {
      clock.mockRestore();
    }
  }, 60_000);

  const roomOf = (freeBytes: number, at = monotonicMs()): void => {
    storage.hostRoom = { path: '/srv', sizeBytes: 100 * 1024 ** 3, freeBytes, promisedBytes: 0 };
    storage.spell = seeRoom(storage.spell, freeBytes, at);
  };
  const isNamed = (): boolean => reaction.troubles().some(({ key }) => key === 'disk:one:r1');

  test("while the machine's own disk is full no image file is blamed for waiting, and the machine is named until there is room", async () => {
    storage.valves = true;
    const GiB = 1024 ** 3;
    roomOf(0);
    see('r1', 'r2');
    const machine = {
      key: 'host-room:-:-',
      service: 'serving',
      volume: null,
      mustAct: expect.stringContaining('Make room'),
    };
    expect(reaction.troubles()).toMatchObject([machine]);
    // Its reserve is given back, or somebody has made room: what waits in image files goes on only at its next try.
    roomOf(61 * 1024 ** 2);
    see('r1');
    roomOf(50 * GiB);
    see('r1', 'r2');
    expect(reaction.troubles()).toMatchObject([{ key: 'host-room:-:-' }]);
    expect(storage.states).toEqual(['healthy', 'healthy']);
    // Then whatever hangs is a disk's own trouble.
    storage.spell = seeRoom(seeRoom(undefined, 0, 0), 50 * GiB, monotonicMs() - FULL_ENDS_MS - 1_000);
    reaction.take({
      troubles: [{ diagnosis: sick('r1', 'hung'), since: monotonicMs() - 60_000 }],
      suspects: [{ volume: 'one', replica: 'r1' }],
    });
    expect(reaction.troubles().map(({ key }) => key)).toContain('disk:one:r1');
    await until(
      () => {
        see();
        return reaction.troubles().some(({ key, state }) => key === 'host-room:-:-' && state === 'resolved');
      },
      'the end of it',
      20_000,
    );
  }, 60_000);

  test('that an image file stopped again and again while there was no room is not held against it afterwards', () => {
    storage.valves = true;
    const GiB = 1024 ** 3;
    storage.spell = seeRoom(seeRoom(undefined, 0, 0), 50 * GiB, monotonicMs() - FULL_ENDS_MS - 1_000);
    roomOf(50 * GiB);
    const flapped = { diagnosis: sick('r1', 'hung'), since: monotonicMs() - 20_000 };
    reaction.take({ troubles: [flapped], suspects: [] });
    expect(isNamed()).toBe(false);
  });

  test('a cut of a disk that is gone already is done: nobody is asked for, and nothing is told of a failure', async () => {
    storage.states = ['healthy', 'failed', 'rebuilding'];
    storage.dismissed = true;
    see('r3');
    await until(() => texts().some((text) => /is cut/.test(text)), 'the end of the cut', 20_000);
    see();
    expect(asked()).toEqual([null]);
    expect(texts().filter((text) => /could not be done|A person is needed/.test(text))).toEqual([]);
  });

  test('a disk that has just been cut is not cut again while it is on its way out', async () => {
    storage.states = ['healthy', 'failed', 'rebuilding'];
    const { promise, resolve } = Promise.withResolvers<boolean>();
    vi.spyOn(storage, 'cut').mockImplementation(async () => {
      storage.cuts += 1;
      await Promise.resolve();
    });
    vi.spyOn(storage, 'proves').mockImplementation(async () => await promise);
    see('r3');
    await until(() => texts().some((text) => /is cut/.test(text)), 'the end of the cut', 20_000);
    see('r3');
    see('r3');
    resolve(true);
    await until(async () => (await remembered()).some(({ provenAt }) => provenAt !== null), 'what follows', 20_000);
    expect(storage.cuts).toBe(1);
  });

  test("a real disk that hangs while the machine's own disk has little room is cut", () => {
    roomOf(0);
    roomOf(61 * 1024 ** 2);
    see('r1');
    expect(isNamed()).toBe(true);
  });

  test("a volume of image files that does not answer while the machine's own disk is full is not called locked up", () => {
    storage.valves = true;
    storage.state = 'trouble';
    storage.silence = silentSince(20_000);
    roomOf(0);
    see();
    expect(reaction.troubles()).toMatchObject([{ key: 'host-room:-:-' }]);
  });

  test('a refusal that only a person can lift asks for one, until it is lifted', async () => {
    const sentence = 'The volume one is on real disks. Say which disk to rebuild onto.';
    storage.refusals = [new HoldfastError('input-invalid', sentence)];
    see('r1');
    await until(() => told.some(({ mustAct }) => mustAct === sentence), 'a person being asked for', 10_000);
    await until(
      () => {
        see();
        return storage.operations.length > 0;
      },
      'the rebuild beginning',
      20_000,
    );
    await until(() => told.at(-1)?.mustAct === null, 'nobody being needed any more', 10_000);
  });

  test('a rebuild that fails once is tried again; twice, and a person is asked for until it is whole', async () => {
    see('r1');
    const began = async (number: number): Promise<void> => {
      await until(
        () => {
          see();
          return storage.operations.length === number;
        },
        `rebuild number ${number}`,
        30_000,
      );
    };
    await began(1);
    storage.end('The new disk failed.');
    await began(2);
    expect(asked()).toEqual([null]);
    storage.end('The new disk failed.');
    await until(() => told.at(-1)?.mustAct !== null, 'a person being asked for', 10_000);
    expect(told.at(-1)?.mustAct).toMatch(/^The new disk failed\. .*holdfast recover one/);
    // Somebody did it by hand.
    storage.states = ['healthy', 'healthy'];
    await until(
      () => {
        see();
        return told.at(-1)?.state === 'resolved';
      },
      'the trouble being over',
      20_000,
    );
    expect(told.at(-1)).toMatchObject({ mustAct: null, service: 'serving' });
  }, 90_000);

  test('that a volume is out of service and back is told once, though both its disks have a trouble', async () => {
    see('r1', 'r2');
    await until(() => storage.held !== null, 'the volume being held', 10_000);
    see('r1');
    await until(() => storage.held === null, 'the volume being released', 10_000);
    await until(() => storage.operations.length > 0, 'the rebuild beginning', 10_000);
    expect(texts().filter((text) => /out of service/.test(text))).toHaveLength(1);
    expect(texts().filter((text) => /back in service/.test(text))).toHaveLength(1);
  });

  test('a disk that was told to stop counts as cut, also when the answer was an error that came late', async () => {
    storage.lateError = new HoldfastError('deadline-passed', 'Cutting took too long.');
    see('r1');
    await until(() => storage.operations.length > 0, 'the rebuild beginning', 10_000);
    await reaction.stop();
    await until(async () => (await remembered()).length === 1, 'the record', 10_000);
    expect((await remembered()).map(({ cutAt }) => typeof cutAt)).toEqual(['number']);
  });

  test('a new disk that is cut in the midst of a copy is not said to leave a volume that goes on', async () => {
    storage.states = ['failed', 'healthy', 'rebuilding'];
    see('r3');
    await until(() => texts().some((text) => text.includes('is cut (it took')), 'the cut', 10_000);
    expect(texts().join('\n')).toMatch(
      /the copy onto it is given up[^]*The copy onto it has ended; one does not answer yet\./,
    );
    expect(texts().join('\n')).not.toMatch(/goes on with its other disk|the other disk goes on/);
  });

  test('a volume that cannot be opened is a trouble that names who holds it and asks for a person, until it is open again', async () => {
    const holder = '`backup` (pid 12, running since 2026-01-01 00:00:00 UTC)';
    storage.state = 'trouble';
    storage.unopened = {
      since: new Date(Date.now() - 1_000).toISOString(),
      lastedMs: 1_000,
      reason: `held by ${holder}.`,
      heldBy: holder,
    };
    see();
    // One whose disks come and go is open again within seconds.
    expect(reaction.troubles()).toEqual([]);
    storage.unopened.lastedMs = 20_000;
    const before = Date.now();
    see();
    const [trouble] = reaction.troubles();
    expect(trouble).toMatchObject({
      key: 'volume:one:-',
      state: 'open',
      service: 'stopped',
      diagnosis: { fault: 'unopened', evidence: [expect.stringContaining('pid 12')] },
      mustAct: expect.stringContaining(`End ${holder}`),
    });
    const began = Date.parse(trouble?.since ?? '') + 20_000;
    expect(began).toBeGreaterThanOrEqual(before);
    expect(began).toBeLessThanOrEqual(Date.now());
    // The agent starts anew, and has not tried it yet: nothing is over.
    const { since } = storage.unopened;
    storage.unopened = null;
    storage.state = 'closed';
    await stays(() => reaction.troubles()[0]?.state === 'open');
    storage.unopened = { since, lastedMs: 21_000, reason: 'again', heldBy: null };
    storage.state = 'trouble';
    see();
    expect(reaction.troubles()).toHaveLength(1);
    storage.unopened = null;
    storage.state = 'open';
    await resolves();
    expect(texts().at(-1)).toBe('The volume one is open again.');
  });

  test('a volume that cannot be opened because none of its disks is there is told of its disks alone', () => {
    storage.state = 'trouble';
    storage.states = ['missing', 'missing'];
    storage.unopened = { since: STARTED, lastedMs: 20_000, reason: 'No complete replica is there.', heldBy: null };
    see();
    expect(reaction.troubles().map(({ diagnosis }) => diagnosis.fault)).toEqual(['lost', 'lost']);
    // With one that is there it is not the disks.
    storage.states = ['healthy', 'missing'];
    see();
    expect(reaction.troubles().map(({ diagnosis }) => diagnosis.fault)).toContain('unopened');
  });

  test('a volume that an operator closes instead is no trouble any more', async () => {
    storage.state = 'trouble';
    storage.unopened = { since: STARTED, lastedMs: 20_000, reason: 'It cannot.', heldBy: null };
    see();
    expect(reaction.troubles()).toHaveLength(1);
    storage.unopened = null;
    storage.state = 'closed';
    storage.wantedOpen = false;
    await resolves();
    expect(texts().at(-1)).toBe('The volume one was closed.');
  });

  test('what a watcher said before it fell silent is no basis for an act', async () => {
    const begun = performance.now();
    storage.refusedCuts = 2;
    see('r1');
    // The third try would come after three seconds, and nothing more is heard.
    await until(() => performance.now() - begun > 5_000, 'the time of the third try being past', 10_000);
    expect(storage.states).toEqual(['healthy', 'healthy']);
    // It is heard again.
    see('r1');
    await until(() => storage.states[0] === 'failed', 'the cut', 10_000);
  });

  test('troubles of volumes stay open until the storage knows its volumes', async () => {
    see('r1', 'r2');
    await until(() => told.length >= 2, 'the troubles', 10_000);
    await reaction.stop();
    const loaded = Promise.withResolvers<void>();
    storage.loaded = loaded.promise;
    storage.deleted = true;
    reaction = create();
    const started = reaction.start();
    await until(() => reaction.troubles().length === 2, 'the troubles being read', 10_000);
    see('r1', 'r2');
    expect(reaction.troubles().map(({ state }) => state)).toEqual(['open', 'open']);
    storage.deleted = false;
    loaded.resolve();
    await started;
    see('r1', 'r2');
    expect(reaction.troubles().map(({ state }) => state)).toEqual(['open', 'open']);
  });

  test('a volume that is deleted while it is held: its troubles are over', async () => {
    see('r1', 'r2');
    await until(() => storage.held !== null, 'the volume being held', 10_000);
    storage.deleted = true;
    see();
    expect(reaction.troubles().map(({ state }) => state)).toEqual(['resolved', 'resolved']);
  });

  test('blocks that no disk has whole are not looked for again and again: a person is asked for, until they are replaced', async () => {
    const wrong = (): void =>
      reaction.take({ troubles: [{ diagnosis: sick('r1', 'corrupt'), since: monotonicMs() }], suspects: [] });
    wrong();
    await until(() => storage.operations.length === 1, 'the scrub beginning', 10_000);
    storage.end('2 blocks are damaged on every replica. Restore them from a backup.', 'data-damaged');
    await until(
      () => {
        wrong();
        return told.at(-1)?.mustAct?.includes('Restore them from a backup') === true;
      },
      'a person being asked for',
      10_000,
    );
    const askedAt = performance.now();
    await until(
      () => {
        see();
        return performance.now() - askedAt > 7_000;
      },
      'the time in which it would be tried again, or be taken to be over',
      20_000,
    );
    expect(storage.scrubs).toBe(1);
    expect(told.at(-1)).toMatchObject({ state: 'open', mustAct: expect.stringContaining('holdfast volume scrub one') });
    // Somebody did it.
    storage.begin('volume-scrub');
    storage.end(null);
    await until(
      () => {
        see();
        return told.at(-1)?.state === 'resolved';
      },
      'the trouble being over',
      20_000,
    );
  }, 60_000);

  test('a scrub that failed does not count as one that healed', async () => {
    const wrong = (): void =>
      reaction.take({ troubles: [{ diagnosis: sick('r1', 'corrupt'), since: monotonicMs() }], suspects: [] });
    wrong();
    await until(() => storage.operations.length === 1, 'the scrub beginning', 10_000);
    storage.end('The scrub of /dev/sd1 stopped.');
    await until(
      () => {
        wrong();
        return texts().some((text) => /did not succeed/.test(text));
      },
      'the failure being told',
      10_000,
    );
    await reaction.stop();
    await until(async () => (await remembered())[0]?.scrubbedAt !== null, 'the record', 10_000);
    expect((await remembered()).map(({ scrubs }) => scrubs)).toEqual([0]);
  });

  test('members of a volume of which no disk is there are told to be without service, and a person is asked for', async () => {
    storage.states = ['missing', 'missing'];
    see();
    await until(() => told.length >= 2, 'the troubles', 10_000);
    for (const trouble of reaction.troubles()) {
      expect(trouble).toMatchObject({ service: 'stopped', mustAct: expect.stringContaining('holdfast recover one') });
    }
  });
});
