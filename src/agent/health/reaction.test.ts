import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnosis } from '../../model/health.ts';
import { redundancyOf, type ReplicaState } from '../../model/volumes.ts';
import { HoldfastError, type ErrorCode } from '../../protocol/errors.ts';
import type { Trouble } from '../../protocol/health.ts';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { until } from '../../runtime/deadline.ts';
import { createLogger } from '../../runtime/log.ts';
import { Reaction } from './reaction.ts';
import { TroubleJournal } from './trouble-journal.ts';

const STARTED = '2026-01-01T00:00:00.000Z';

/** The storage of one volume as the reaction sees it, from memory. That real storage answers like this is proven by the contract tests. */
class OneVolume {
  states: ReplicaState[] = ['healthy', 'healthy'];
  state: VolumeStatus['state'] = 'open';
  held: string | null = null;
  operations: Operation[] = [];
  /** What restoring answers, one after the other; when there is nothing more it begins. */
  refusals: HoldfastError[] = [];
  asked = 0;
  readonly handlers = { 'operations.list': async () => await Promise.resolve(this.operations) };

  statuses(): VolumeStatus[] {
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
          valve: false,
          sizeBytes: 1000,
          errors: null,
        })),
        operation: running?.id ?? null,
        readAt: STARTED,
      },
    ];
  }

  disks(): [] {
    return [];
  }

  async cut(_volume: string, replica: string): Promise<void> {
    this.states[Number(replica.slice(1)) - 1] = 'failed';
    await Promise.resolve();
  }

  async restoreRedundancy(): Promise<Operation> {
    this.asked += 1;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    return await Promise.resolve(this.begin('volume-rebuild'));
  }

  async scrub(): Promise<Operation> {
    return await Promise.resolve(this.begin('volume-scrub'));
  }

  hold(_volume: string, sentence: string | null): void {
    this.held = sentence;
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

  end(error: string | null): void {
    this.operations = this.operations.map((one) =>
      one.state === 'running' ? { ...one, state: error === null ? 'done' : 'failed', error, finishedAt: STARTED } : one,
    );
  }
}

const hung = (replica: string): Diagnosis => ({
  culprit: { kind: 'disk', volume: 'one', replica, disk: `/dev/sd${replica.slice(1)}` },
  fault: 'hung',
  evidence: ['Nothing completes.'],
  ruledOut: [],
});

describe('acts against troubles', () => {
  let directory: string;
  let storage: OneVolume;
  let reaction: Reaction;
  /** Everything that anybody was told. */
  let told: Trouble[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-reaction-'));
    const log = createLogger('test');
    log.level = 'silent';
    storage = new OneVolume();
    told = [];
    reaction = new Reaction({
      storage,
      journal: new TroubleJournal(directory, log),
      log,
      enabled: () => true,
      tell: (trouble) => told.push(trouble),
    });
    await reaction.start();
  });
  afterEach(async () => {
    await reaction.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const see = (...replicas: string[]): void =>
    reaction.take({ troubles: replicas.map((one) => ({ diagnosis: hung(one), agoMs: 700 })), suspects: [] });
  const texts = (): string[] => reaction.troubles().flatMap(({ timeline }) => timeline.map(({ text }) => text));
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
});
