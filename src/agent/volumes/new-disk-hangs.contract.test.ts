import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { StorageHost } from './testing/host.ts';
import { inVolume } from './testing/member.ts';

/** Held to 4 MiB/s, a copy of this takes 48 s. */
const DATA_MIB = 190;
/** Well before that copy could be done, and enough to open a volume on a busy machine. */
const SOON_MS = 25_000;

describe('a new disk fails while it is copied onto', () => {
  let host: StorageHost;

  beforeEach(async () => {
    host = new StorageHost('4');
    await host.start();
  });
  afterEach(() => host.dispose());

  // btrfs takes no writes any more when the old and the new disk of a copy fail at once, and copies on in what is left of it.
  test.each(['hangs and is cut', 'answers with errors'])(
    'and %s: the volume is back long before the copy could be done, and nothing is lost',
    async (how) => {
      const directory = await host.create('one', [], undefined, 1024 ** 3);
      await inVolume(
        `dd if=/dev/urandom of="$1/data" bs=1M count=${DATA_MIB} conv=fsync status=none; md5sum <"$1/data" >"$1/sum"; sync "$1/sum"`,
        directory,
      );
      const writer = await host.write(directory);
      await host.storage.cut('one', 'r1', 'it hung.');
      const operation = await host.storage.restoreRedundancy('one');
      await until(
        async () => {
          const { steps, progress } = await host.operation(operation.id);
          return steps.some((step) => step.name === 'Copy' && step.state === 'running') && (progress ?? 0) > 0.05;
        },
        'the copy being under way',
        60_000,
      );
      const troubles: string[] = [];
      host.storage.onVolumeChange(() => troubles.push(host.status('one').trouble ?? ''));
      await host.fault('one', 'r3', how === 'hangs and is cut' ? 'hang' : 'error');
      if (how === 'hangs and is cut') await host.storage.cut('one', 'r3', 'it hangs.');
      // What ends the copy may stop the file system: it is looked at before the operation ends.
      const ended = await host.ended(operation);
      const serves = (): boolean => host.status('one').state === 'open' && host.status('one').redundancy === 'reduced';
      await until(serves, 'the volume serving from its complete disk', SOON_MS);
      expect(ended).toMatchObject({ state: 'failed', error: expect.stringMatching(/^The new disk \S+r3\.img /) });
      expect([...troubles, ended.error].join('\n')).not.toMatch(/Traceback|python3|outside|could not be opened/);
      writer.kill();
      await writer.verify();
      expect(await inVolume('md5sum <"$1/data" | diff - "$1/sum"', directory)).toBe('');
      await host.fault('one', 'r3', 'clear').catch(() => undefined); // It is gone when it was cut.
    },
    180_000,
  );
});
