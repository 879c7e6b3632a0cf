import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../../runtime/deadline.ts';
import { isAlive, recordOf, type ProcessRecord } from '../../../runtime/process-record.ts';
import { believed, NOTHING, parseRow, Prober } from './prober.ts';

/** sequence, began, completed, took (nanoseconds), failures, last errno, writes. */
function row(...fields: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(64);
  fields.forEach((field, index) => bytes.writeBigUInt64LE(BigInt(field), index * 8));
  return bytes;
}

describe("a row of the prober's table", () => {
  test('is milliseconds; what has not happened is null', () => {
    expect(parseRow(row(2))).toEqual({
      outstandingSince: null,
      completedAt: null,
      tookMs: null,
      failures: 0,
      error: null,
      writes: false,
    });
    expect(parseRow(row(4, 5_000_000_000n, 4_000_000_000n, 1_500_000, 0, 0, 1))).toEqual({
      outstandingSince: 5_000,
      completedAt: 4_000,
      tookMs: 1.5,
      failures: 0,
      error: null,
      writes: true,
    });
  });

  test('tells why the last ones failed', () => {
    expect(parseRow(row(2, 0, 0, 0, 3, constants.errno.EIO))).toMatchObject({ failures: 3, error: 'i/o error' });
  });

  test('that is being written is not believed, whatever is in it', () => {
    const field = fc.bigInt({ min: 0n, max: 2n ** 50n });
    fc.assert(
      fc.property(field, fc.array(field, { minLength: 6, maxLength: 6 }), (half, rest) => {
        expect(parseRow(row(half * 2n + 1n, ...rest))).toBeUndefined();
      }),
    );
  });
});

describe('the process that probes', () => {
  let directory: string;
  let record: string;
  const probers: Prober[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-prober-'));
    record = join(directory, 'prober.json');
  });
  afterEach(async () => {
    for (const prober of probers.splice(0)) prober.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const begun = async (): Promise<{ prober: Prober; process: ProcessRecord }> => {
    const prober = new Prober(directory, record);
    probers.push(prober);
    prober.start();
    await until(
      () => {
        prober.probe([], true);
        return (prober.read().host?.completedAt ?? null) !== null;
      },
      'the first probe',
      20_000,
      20,
    );
    return { prober, process: recordOf(prober.pid ?? 0) ?? { pid: 0, startTime: '' } };
  };

  test('is replaced when it does not answer, and ended', async () => {
    const { prober, process: frozen } = await begun();
    process.kill(frozen.pid, 'SIGSTOP');
    await until(() => !isAlive(frozen), 'the end of the frozen one', 20_000, 20);
    await until(() => prober.pid !== undefined && prober.pid !== frozen.pid, 'another one', 20_000, 20);
    await until(
      () => {
        prober.probe([], true);
        return (prober.read().host?.completedAt ?? null) !== null;
      },
      'a probe by the other one',
      20_000,
      20,
    );
  }, 60_000);

  test('is ended by who takes over from a watcher that could not end it any more', async () => {
    const { process: left } = await begun();
    process.kill(left.pid, 'SIGSTOP');
    await begun();
    await until(() => !isAlive(left), 'the end of the one that was left', 1_500, 20);
  }, 60_000);

  test('is ended by a stop even when it is frozen', async () => {
    const { prober, process: frozen } = await begun();
    process.kill(frozen.pid, 'SIGSTOP');
    prober.stop();
    await until(() => !isAlive(frozen), 'its end', 20_000, 20);
  }, 60_000);

  test('is not believed about what waits while it does not answer itself', () => {
    expect(believed({ ...NOTHING, outstandingSince: 5_000 }, false)).toMatchObject({ outstandingSince: null });
    expect(believed({ ...NOTHING, outstandingSince: 5_000 }, true)).toMatchObject({ outstandingSince: 5_000 });
  });
});
