import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../../../runtime/command.ts';
import { StorageHost } from '../testing/host.ts';
import { inVolume } from '../testing/member.ts';
import { CHECKSUM_PROGRAM } from './kept-checksums.ts';
import { directoriesOf } from './state.ts';

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

  /** What one round tells. */
  const firstRound = async (mount: string): Promise<{ bytes: number; whole: boolean }> => {
    const stop = new AbortController();
    const told: string[] = [];
    const run = runCommand('python3', ['-I', CHECKSUM_PROGRAM, mount], {
      deadlineMs: 60_000,
      signal: stop.signal,
      onLine: (line) => {
        told.push(line);
        stop.abort();
      },
    }).then(({ stderr }) => Promise.reject(new Error(stderr)));
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    return JSON.parse(told[0] ?? '') as { bytes: number; whole: boolean };
  };

  test('all are read, and nothing is held: the volume can be closed while it goes on', async () => {
    const directory = await host.create('one');
    await inVolume('dd if=/dev/urandom of="$1/data" bs=1M count=60 conv=fsync status=none', directory);
    const { bytes, whole } = await firstRound(mountOf('one'));
    expect(whole).toBe(true);
    expect(bytes).toBeGreaterThanOrEqual(60 * OF_A_MiB);
    expect(bytes).toBeLessThan(60 * OF_A_MiB + MiB);
    await host.storage.handlers['volumes.close']({ name: 'one' });
  });

  test('an empty volume has next to none', async () => {
    await host.create('one');
    const { bytes, whole } = await firstRound(mountOf('one'));
    expect(whole).toBe(true);
    expect(bytes).toBeLessThan(OF_A_MiB);
  });
});
