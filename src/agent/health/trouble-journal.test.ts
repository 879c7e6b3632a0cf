import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Trouble } from '../../protocol/health.ts';
import { createLogger } from '../../runtime/log.ts';
import { monotonicMs } from '../../runtime/monotonic.ts';
import { newMemory, TroubleJournal, type TroubleMemory } from './trouble-journal.ts';

const HOUR = 3_600_000;
const ID = '20260101000000-abcdef';

const trouble: Trouble = {
  id: ID,
  key: 'disk:one:r1',
  state: 'open',
  diagnosis: {
    culprit: { kind: 'disk', volume: 'one', replica: 'r1', disk: '/dev/sdb' },
    fault: 'hung',
    evidence: [],
    ruledOut: [],
  },
  volume: 'one',
  service: 'serving',
  since: '2026-01-01T00:00:00.000Z',
  namedAt: '2026-01-01T00:00:00.000Z',
  resolvedAt: null,
  doing: '',
  mustAct: null,
  timeline: [],
  operation: null,
};

let directory: string;
let journal: TroubleJournal;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-troubles-'));
  const log = createLogger('test');
  log.level = 'silent';
  journal = new TroubleJournal(directory, log);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

const setClockBy = (milliseconds: number): void => {
  const real = Date.now.bind(Date);
  vi.spyOn(Date, 'now').mockImplementation(() => real() + milliseconds);
};
const loaded = async (): Promise<TroubleMemory> => {
  const [one] = await journal.load(0);
  if (one === undefined) throw new Error('Nothing was kept.');
  return one.memory;
};
/** Changes what is on disk, as an earlier agent or an earlier boot would have written it. */
const rewrite = async (change: (record: { clocks?: { boot: string } }) => unknown): Promise<void> => {
  const file = join(directory, `${ID}.json`);
  await writeFile(
    file,
    JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')) as { clocks: { boot: string } })),
  );
};

test.each([-HOUR, HOUR])('within one boot a moment is what it was, though the clock was set by %i ms', async (by) => {
  const cutAt = monotonicMs();
  await journal.save({ trouble, memory: { ...newMemory(), cutAt, retryAt: cutAt + 5_000 } });
  setClockBy(by);
  expect(await loaded()).toEqual({ ...newMemory(), cutAt, retryAt: cutAt + 5_000 });
});

test.each([-HOUR, 0, HOUR])(
  'a cut of an earlier boot lies before this one, and no try waits for it (%i ms)',
  async (by) => {
    const cutAt = monotonicMs();
    await journal.save({ trouble, memory: { ...newMemory(), cutAt, retryAt: cutAt + 5_000 } });
    await rewrite((record) => ({ ...record, clocks: { ...record.clocks, boot: 'another' } }));
    setClockBy(by);
    const memory = await loaded();
    expect(memory.cutAt).toBeLessThanOrEqual(0);
    expect(memory.retryAt).toBeLessThanOrEqual(5_000);
  },
);

test('a record with the time of day, of an earlier version, is understood, and lies in the future for nobody', async () => {
  await journal.save({ trouble, memory: newMemory() });
  await rewrite(({ clocks: _clocks, ...record }) => ({
    ...record,
    format: 1,
    memory: { ...newMemory(), cutAt: Date.now() - 60_000, scrubbedAt: Date.now() + HOUR, retryAt: 0 },
  }));
  const { cutAt, scrubbedAt, retryAt } = await loaded();
  expect(monotonicMs() - (cutAt ?? 0)).toBeGreaterThanOrEqual(60_000);
  expect(scrubbedAt).toBeLessThanOrEqual(monotonicMs());
  expect(retryAt).toBeLessThan(monotonicMs());
});
