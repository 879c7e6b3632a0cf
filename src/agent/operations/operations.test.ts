import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Operation } from '../../protocol/volumes.ts';
import { createLogger } from '../../runtime/log.ts';
import { JourneyInterrupted, type Journey } from './journey.ts';
import { Operations } from './operations.ts';

describe('operations', () => {
  let directory: string;
  let told: Operation[];
  const log = createLogger('test');
  log.level = 'silent';

  const make = (): Operations => new Operations(directory, log, (operation) => told.push(operation));

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-operations-'));
    told = [];
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  test('an operation is in its journal before its work begins, and tells of each step', async () => {
    const operations = make();
    await operations.load();
    let before: string[] = [];
    const begun = await operations.begin('volume-scrub', 'one', { some: 'input' }, async (journey) => {
      before = await readdir(directory);
      await journey.step('first', async (report) => report.detail('well'));
      await journey.step('second', async (report) => report.skip('not needed'));
    });
    expect(begun).toMatchObject({ state: 'running', subject: 'one' });
    const ended = await operations.ended(begun.id);
    expect(before).toEqual([`${begun.id}.json`]);
    expect(ended).toMatchObject({
      state: 'done',
      progress: 1,
      steps: [
        { name: 'first', state: 'done', detail: 'well' },
        { name: 'second', state: 'skipped', detail: 'not needed' },
      ],
    });
    expect(told.map((operation) => operation.steps.at(-1)?.state)).toEqual([
      undefined,
      'running',
      'done',
      'running',
      'skipped',
      'skipped',
    ]);
  });

  test('a failure names its step and the reason; a defect is told without its inner words', async () => {
    const operations = make();
    const expected = await operations.begin('volume-scrub', 'one', {}, (journey) =>
      journey.step('look', () =>
        Promise.reject(new HoldfastError('command-failed', 'It broke.', { details: ['line'] })),
      ),
    );
    expect(await operations.ended(expected.id)).toMatchObject({
      state: 'failed',
      error: 'It broke.\nline',
      steps: [{ state: 'failed' }],
    });
    const defect = await operations.begin('volume-scrub', 'one', {}, () => Promise.reject(new Error('secret path')));
    expect((await operations.ended(defect.id))?.error).not.toContain('secret path');
  });

  test('progress goes forward only, over all the steps that are planned, and what was not needed is skipped at the end', async () => {
    const operations = make();
    const begun = await operations.begin('volume-rebuild', 'one', {}, async (journey) => {
      journey.plan(['Prepare the disk', 'Copy', 'Verify', 'Take it into service']);
      await journey.step('Prepare the disk', () => Promise.resolve());
      for (const name of ['Copy', 'Verify'])
        await journey.step(name, async (report) => {
          report.progress(0);
          report.progress(0.5);
          report.progress(1);
          await Promise.resolve();
        });
    });
    const ended = await operations.ended(begun.id);
    const shares = told.flatMap(({ progress }) => (progress === null ? [] : [progress]));
    expect(shares.length).toBeGreaterThan(4);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(Math.max(...shares.slice(0, -1))).toBeLessThan(1);
    // The end is seen from the beginning.
    expect(told.find(({ steps }) => steps[0]?.state === 'running')?.steps).toHaveLength(4);
    expect(ended?.steps.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'skipped']);
  });

  test('one that was cut off walks the same steps again, not others beside them', async () => {
    const operations = make();
    const walk = async (journey: Journey, cut: boolean): Promise<void> => {
      journey.plan(['first', 'second']);
      await journey.step('first', () => Promise.resolve());
      if (cut && !journey.signal.aborted)
        await new Promise((resolve) => journey.signal.addEventListener('abort', resolve));
      if (cut) throw new JourneyInterrupted();
      await journey.step('second', () => Promise.resolve());
    };
    const begun = await operations.begin('volume-rebuild', 'one', {}, (journey) => walk(journey, true));
    await operations.stop();
    const next = make();
    const [unfinished] = await next.load();
    if (unfinished === undefined) throw new Error('nothing to resume');
    next.resume(unfinished.operation, (journey) => walk(journey, false));
    expect((await next.ended(begun.id))?.steps).toMatchObject([
      { name: 'first', state: 'done' },
      { name: 'second', state: 'done' },
    ]);
  });

  test('only one operation works on a volume at a time', async () => {
    const operations = make();
    let finish: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const first = await operations.begin('volume-scrub', 'one', {}, () => held);
    await expect(operations.begin('volume-grow', 'one', {}, () => held)).rejects.toMatchObject({
      code: 'volume-in-use',
    });
    const other = await operations.begin('volume-scrub', 'two', {}, () => held);
    expect(operations.runningOn('one')?.id).toBe(first.id);
    finish();
    await Promise.all([operations.ended(first.id), operations.ended(other.id)]);
    expect(operations.runningOn('one')).toBeUndefined();
  });

  test('what was cut off is found by the next agent with its input; what was stopped in order, too', async () => {
    const operations = make();
    const begun = await operations.begin('volume-rebuild', 'one', { replica: 'r3' }, async (journey) => {
      await new Promise((resolve) => journey.signal.addEventListener('abort', resolve));
      throw new JourneyInterrupted();
    });
    await operations.stop();
    const next = make();
    const unfinished = await next.load();
    expect(unfinished).toMatchObject([{ operation: { id: begun.id, state: 'running' }, input: { replica: 'r3' } }]);
    const first = unfinished[0];
    if (first === undefined) throw new Error('nothing to resume');
    next.resume(first.operation, (journey) => journey.step('again', () => Promise.resolve()));
    expect(await next.ended(begun.id)).toMatchObject({ state: 'done' });
    expect(JSON.parse(await readFile(join(directory, `${begun.id}.json`), 'utf8'))).toMatchObject({
      operation: { state: 'done' },
    });
  });

  test('one that is ended for a reason has failed with it, and is not taken up again', async () => {
    const operations = make();
    const reading = Promise.withResolvers<void>();
    const waits = (journey: Journey): Promise<void> =>
      journey.step('read', async (report) => {
        for (const note of ['A scrub gave way.', 'A scrub gave way.']) report.note(note);
        reading.resolve();
        await new Promise((resolve) => journey.signal.addEventListener('abort', resolve));
        throw new JourneyInterrupted();
      });
    const begun = await operations.begin('volume-scrub', 'one', {}, waits);
    await reading.promise;
    await operations.interrupt(begun.id, 'A copy is missing.');
    expect(operations.list()).toMatchObject([
      {
        state: 'failed',
        error: 'A copy is missing.',
        steps: [{ name: 'read', state: 'failed', detail: 'A copy is missing.' }],
        notes: ['A scrub gave way.'],
      },
    ]);
    expect(operations.runningOn('one')).toBeUndefined();
    expect(await make().load()).toEqual([]);
  });

  test('a damaged journal does not keep the others from being read', async () => {
    const operations = make();
    await operations.load();
    const begun = await operations.begin('volume-scrub', 'one', {}, () => Promise.resolve());
    await operations.ended(begun.id);
    await writeFile(join(directory, 'broken.json'), '{"format": 1, "opera');
    const next = make();
    expect(await next.load()).toEqual([]);
    expect(next.list().map((operation) => operation.id)).toEqual([begun.id]);
  });
});
