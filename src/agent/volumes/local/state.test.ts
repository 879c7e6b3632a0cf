import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redundancyOf, type ReplicaState } from '../../../model/volumes.ts';
import { contextOf, makeHome } from '../testing/context.ts';
import { cutDisk, leave } from './cutting.ts';
import { isKept } from './rebuild.ts';
import { loadRecords, NO_ERRORS, type ReplicaRecord, type VolumeRecord } from './record.ts';
import { VolumeState } from './state.ts';

const STATES: ReplicaState[] = ['healthy', 'rebuilding', 'set-aside', 'missing', 'failed'];

describe('the state of a volume', () => {
  let home: string;
  beforeAll(() => {
    home = makeHome();
  });
  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  function volumeOf(states: readonly ReplicaState[]): VolumeState {
    const record: VolumeRecord = {
      format: 1,
      name: 'one',
      engine: 'local',
      uuid: '5cea847e-a4b6-44c4-92e8-839084596d0d',
      phase: 'ready',
      wantedOpen: true,
      imageBytes: 1000,
      nextReplica: 9,
      unsure: null,
      damagedBlocks: 0,
      leaving: [],
      // Real disks: nothing is cut when one is left.
      replicas: states.map((state, index): ReplicaRecord => ({
        id: `r${index + 1}`,
        disk: `/dev/none${index}`,
        stable: `/dev/none${index}`,
        kind: 'block',
        bytes: 1000 + index,
        state,
        reason: state === 'healthy' ? null : 'of a reason.',
        behind: false,
        deviceId: index + 1,
        replaces: null,
        baseline: NO_ERRORS,
      })),
    };
    return new VolumeState(contextOf(home), record);
  }

  function opened(volume: VolumeState): void {
    for (const type of ['open', 'mounted', 'opened'] as const) volume.happened({ type });
  }

  function replicaOf(volume: VolumeState, id: string): ReplicaRecord {
    return volume.record.replicas.find((replica) => replica.id === id)!;
  }

  test('whatever happens to replicas, the last complete one is never given up', async () => {
    const leaving = fc.record({
      replica: fc.nat(3),
      to: fc.constantFrom('set-aside', 'missing', 'failed') as fc.Arbitrary<ReplicaState>,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...STATES), { minLength: 1, maxLength: 4 }),
        fc.array(leaving, { maxLength: 6 }),
        async (states, steps) => {
          const volume = volumeOf(states);
          const hadComplete = volume.healthy().length > 0;
          for (const { replica, to } of steps) {
            const found = volume.record.replicas[replica % volume.record.replicas.length];
            if (found !== undefined) await leave(volume, found, to, 'it was left.');
          }
          expect(volume.healthy().length > 0).toBe(hadComplete);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('less than full redundancy is always said, with the disk and what to do', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...STATES), { minLength: 1, maxLength: 3 }), (states) => {
        const volume = volumeOf(states);
        opened(volume);
        const status = volume.status();
        expect(status.redundancy).toBe(redundancyOf(states));
        expect(status.trouble === null).toBe(status.redundancy === 'full');
      }),
    );
    const volume = volumeOf(['healthy', 'failed']);
    opened(volume);
    expect(volume.status().trouble).toBe(
      'Only one complete replica is left. Replica r2 (/dev/none1): of a reason. Add a replica to restore redundancy.',
    );
  });

  test('when the last complete replica does not work the volume is lost, its data is not', async () => {
    const volume = volumeOf(['healthy', 'failed']);
    opened(volume);
    const [last] = volume.record.replicas;
    if (last !== undefined) await leave(volume, last, 'failed', 'its disk stopped working.');
    expect(volume.status()).toMatchObject({
      state: 'trouble',
      redundancy: 'lost',
      replicas: [{ state: 'missing' }, { state: 'failed' }],
    });
    expect(last?.state).toBe('healthy');
  });

  test('a cut of the last complete replica is refused; the one that serves is not blamed', async () => {
    const volume = volumeOf(['healthy', 'failed']);
    opened(volume);
    await expect(leave(volume, replicaOf(volume, 'r1'), 'failed', 'it hung.', 'cut')).rejects.toMatchObject({
      code: 'last-replica',
    });
    expect(volume.status()).toMatchObject({ state: 'open', redundancy: 'reduced' });
  });

  test('what cannot be recorded is not done, and is done by the next decision', async () => {
    const volume = volumeOf(['healthy', 'healthy']);
    const first = replicaOf(volume, 'r1');
    const { records } = volume.directories;
    await rm(records, { recursive: true, force: true });
    await mkdir(dirname(records), { recursive: true });
    await writeFile(records, 'in the way');
    await expect(leave(volume, first, 'failed', 'it hung.', 'cut')).rejects.toMatchObject({ code: 'command-failed' });
    expect(first).toMatchObject({ state: 'healthy', reason: null });
    await rm(records);
    await leave(volume, first, 'failed', 'it hung.', 'cut');
    expect(first).toMatchObject({ state: 'failed', reason: 'it hung.' });
    expect((await loadRecords(records))[0]?.replicas[0]?.state).toBe('failed');
  });

  test('a real disk that was given up and cannot be cut stays in sight of the watcher; one that is gone does not', async () => {
    const volume = volumeOf(['healthy', 'healthy']);
    opened(volume);
    // A loop device: it is there, and there is no way known to cut it.
    const [loop] = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
    volume.attached.set('r1', { device: `/dev/${loop}`, valve: undefined });
    await leave(volume, replicaOf(volume, 'r1'), 'failed', 'its disk answered with errors.');
    expect(volume.disks()).toMatchObject([{ replica: 'r1', state: 'failed' }]);
    volume.attached.set('r1', { device: '/dev/none0', valve: undefined });
    await cutDisk(volume, replicaOf(volume, 'r1'));
    expect(volume.disks()).toEqual([]);
  });

  test('a disk that left is kept until redundancy is full and nothing is damaged; an unfinished one never', () => {
    const { record } = volumeOf(['healthy', 'rebuilding']);
    const left = (id: string, deviceId: number): ReplicaRecord => ({
      ...(record.replicas[0] as ReplicaRecord),
      id,
      deviceId,
      state: 'failed',
    });
    const [complete, later, unfinished] = [left('r5', 2), left('r6', 2), left('r7', 0)];
    record.leaving.push(complete, later, unfinished);
    const kept = (): string[] => record.leaving.filter((one) => isKept(record, one)).map(({ id }) => id);
    expect(kept()).toEqual(['r5']);
    for (const replica of record.replicas) replica.state = 'healthy';
    expect(kept()).toEqual([]);
    record.damagedBlocks = 3;
    expect(kept()).toEqual(['r5']);
  });

  test('listeners are told of changes, not of figures', () => {
    const volume = volumeOf(['healthy', 'healthy']);
    let told = 0;
    volume.onChange(() => (told += 1));
    volume.changed();
    volume.usedBytes = 5;
    volume.readAt = new Date();
    volume.changed();
    expect(told).toBe(1);
    opened(volume);
    volume.changed();
    expect(told).toBe(2);
  });
});
