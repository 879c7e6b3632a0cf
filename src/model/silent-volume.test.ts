import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  adviceOnSilence,
  causeOfSilence,
  diagnoseSilence,
  KNOWN_SILENCE_MS,
  UNKNOWN_SILENCE_MS,
  type KernelWait,
  type Silence,
} from './silent-volume.ts';

const SINCE = '2026-01-01T00:00:00.000Z';

function silence(cause: Silence['cause'], lastedMs = 0, waitsIn: string | null = null): Silence {
  return { since: SINCE, lastedMs, cause, waitsIn, mount: '/srv/volumes/home1/mnt' };
}

/** As Linux 6.18 shows a writer that waits for a frozen file system: on its way to make the file, and to write into it. */
const FREEZING: readonly (readonly string[])[] = [
  ['percpu_rwsem_wait', 'mnt_want_write', 'path_openat', 'do_filp_open', 'do_sys_openat2'],
  ['percpu_rwsem_wait', 'vfs_write', 'ksys_write', 'do_syscall_64'],
];
const COPYING = { pid: 9, stack: ['btrfs_rm_dev_replace_blocked', 'btrfs_dev_replace_finishing', 'btrfs_ioctl'] };

describe('a volume that does not answer although its disks do', () => {
  test.each(FREEZING)('is frozen when the one who asks waits for the lock of all writers', (...stack) => {
    expect(causeOfSilence(7, [{ pid: 7, stack }], false)).toEqual({ cause: 'frozen', waitsIn: 'percpu_rwsem_wait' });
    // Somebody else's wait says nothing about this volume.
    expect(causeOfSilence(7, [{ pid: 8, stack }], false)).toEqual({ cause: 'unknown', waitsIn: null });
  });

  test('is locked up when a disk of it is being replaced and the end of a copy waits', () => {
    const asking = { pid: 7, stack: ['folio_wait_bit_common', 'btrfs_wait_ordered_range'] };
    expect(causeOfSilence(7, [asking, COPYING], true)).toEqual({
      cause: 'locked-up',
      waitsIn: 'folio_wait_bit_common',
    });
    // Where one function was compiled into the other.
    const inlined = { pid: 9, stack: ['btrfs_dev_replace_finishing', 'btrfs_ioctl'] };
    expect(causeOfSilence(7, [asking, inlined], true).cause).toBe('locked-up');
    // It may also wait for what is written meanwhile, which ends by itself.
    const writing = { pid: 9, stack: ['btrfs_wait_ordered_roots', 'btrfs_dev_replace_finishing', 'btrfs_ioctl'] };
    expect(causeOfSilence(7, [asking, writing], true).cause).toBe('unknown');
    // A copy on another volume.
    expect(causeOfSilence(7, [asking, COPYING], false).cause).toBe('unknown');
  });

  test('whatever waits in the kernel, there is an answer', () => {
    const wait: fc.Arbitrary<KernelWait> = fc.record({
      pid: fc.integer({ min: 1, max: 9 }),
      stack: fc.array(fc.oneof(fc.string(), fc.constantFrom(...FREEZING.flat(), ...COPYING.stack)), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(
        fc.option(fc.nat(9), { nil: undefined }),
        fc.array(wait),
        fc.boolean(),
        (asking, waits, replacing) => {
          const { cause } = causeOfSilence(asking, waits, replacing);
          if (cause === 'locked-up') expect(replacing).toBe(true);
          if (cause === 'frozen') expect(waits.some(({ pid }) => pid === asking)).toBe(true);
        },
      ),
    );
  });

  test('is named after ten seconds when it is known why, and after a minute when not', () => {
    const named = (cause: Silence['cause'], ms: number): boolean =>
      diagnoseSilence('home1', silence(cause, ms)) !== undefined;
    for (const cause of ['frozen', 'locked-up'] as const) {
      expect(named(cause, KNOWN_SILENCE_MS - 1)).toBe(false);
      expect(named(cause, KNOWN_SILENCE_MS)).toBe(true);
    }
    expect(named('unknown', UNKNOWN_SILENCE_MS - 1)).toBe(false);
    expect(named('unknown', UNKNOWN_SILENCE_MS)).toBe(true);
  });

  test('says which volume, since when, what it is not, and what a person has to do', () => {
    const found = diagnoseSilence('home1', silence('unknown', 75_000, 'wait_current_trans'));
    expect(found).toMatchObject({ culprit: { kind: 'volume', volume: 'home1', replica: null }, fault: 'hung' });
    expect(found?.evidence[0]).toBe(
      'The volume home1 does not answer: a small write to it has been waiting for 75 s. It waits in the kernel, in wait_current_trans.',
    );
    expect(found?.ruledOut[0]).toMatch(/none of its disks/);
    expect(adviceOnSilence('home1', silence('frozen'))).toMatch(/fsfreeze --unfreeze \/srv\/volumes\/home1\/mnt$/);
    expect(adviceOnSilence('home1', silence('locked-up'))).toMatch(/restart of the machine frees the volume home1/);
    expect(adviceOnSilence('home1', silence('unknown'))).toMatch(/journalctl -k/);
  });
});
