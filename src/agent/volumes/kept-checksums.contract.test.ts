import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';
import { KeptChecksums } from '../btrfs/kept-checksums.ts';
import { PROGRAMS } from '../btrfs/programs.ts';
import { processesNamed } from '../kernel/processes.ts';
import { directoriesOf } from './directories.ts';

/** A checksum of 4 bytes for each 4 KiB. */
const MiB = 1024 ** 2;
const OF_A_MiB = MiB / 1024;

/** That the kernel does lock a volume up without this cannot be a test: it takes a restart of the machine to end it. */
describe('the checksums of a volume that is copied', () => {
  let host: StorageHost;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
  });
  afterEach(() => host.dispose());

  const mountOf = (name: string): string => directoriesOf(host.context, name).mount;

  /** What the first round tells; the program goes on until `meanwhile` is done. */
  const firstRound = async (
    mount: string,
    meanwhile: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<{ bytes: number; whole: boolean }> => {
    const stop = new AbortController();
    const first = Promise.withResolvers<string>();
    const run = runCommand('python3', ['-I', PROGRAMS.keepChecksums, mount], {
      deadlineMs: 60_000,
      signal: stop.signal,
      onLine: first.resolve,
    });
    run.then(({ stderr }) => first.reject(new Error(stderr)), first.reject);
    const told = await first.promise;
    await meanwhile();
    stop.abort();
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    return JSON.parse(told) as { bytes: number; whole: boolean };
  };

  const keepers = async (name: string): Promise<number[]> =>
    (await processesNamed('python3'))
      .filter((one) => one.arguments.includes(PROGRAMS.keepChecksums) && one.arguments.includes(mountOf(name)))
      .map(({ pid }) => pid);

  test('all are read, and nothing is held: the volume can be closed while it goes on', async () => {
    const directory = await host.create('one');
    await inVolume('dd if=/dev/urandom of="$1/data" bs=1M count=60 conv=fsync status=none', directory);
    const close = (): Promise<unknown> => host.storage.handlers['volumes.close']({ name: 'one' });
    const { bytes, whole } = await firstRound(mountOf('one'), close);
    expect(whole).toBe(true);
    expect(bytes).toBeGreaterThanOrEqual(60 * OF_A_MiB);
    expect(bytes).toBeLessThan(60 * OF_A_MiB + MiB);
  });

  test('they are kept also after the volume was opened afresh in the midst of it, and no longer than wanted', async () => {
    await host.create('one');
    const { log } = host.context;
    {
      await using _kept = await KeptChecksums.begin({
        name: 'one',
        log,
        mount: mountOf('one'),
      });
      const [first] = await keepers('one');
      expect(first).toBeDefined();
      await host.storage.handlers['volumes.close']({ name: 'one' });
      await until(async () => !(await keepers('one')).includes(first ?? 0), 'the process seeing that', 60_000);
      await host.storage.handlers['volumes.open']({ name: 'one' });
      await until(async () => (await keepers('one')).length > 0, 'it being begun with again', 60_000);
    }
    expect(await keepers('one')).toEqual([]);
  });

  test('an empty volume has next to none', async () => {
    await host.create('one');
    const { bytes, whole } = await firstRound(mountOf('one'));
    expect(whole).toBe(true);
    expect(bytes).toBeLessThan(OF_A_MiB);
  });
});
