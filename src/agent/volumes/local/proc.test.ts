import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAlive, parseMountInfo, parseProcessStat, processStat } from './proc.ts';

describe('what the kernel says', () => {
  test('mounts are read with spaces in their paths, with and without optional fields', () => {
    const text = [
      '45 27 0:41 / /srv/with\\040space/mnt rw,nosuid - btrfs /dev/loop0 rw,ssd,subvol=/',
      '46 27 0:42 /accounts/alice /home/alice rw shared:5 master:2 - btrfs /dev/loop0 ro,ssd',
      'nonsense',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      {
        id: '45',
        device: '0:41',
        root: '/',
        mountPoint: '/srv/with space/mnt',
        type: 'btrfs',
        source: '/dev/loop0',
        options: ['rw', 'ssd', 'subvol=/'],
      },
      {
        id: '46',
        device: '0:42',
        root: '/accounts/alice',
        mountPoint: '/home/alice',
        type: 'btrfs',
        source: '/dev/loop0',
        options: ['ro', 'ssd'],
      },
    ]);
  });

  test('nothing breaks the reading of mounts', () => {
    expect(() => fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseMountInfo(text))))).not.toThrow();
  });

  test('a process is read whatever its name is', () => {
    const name = fc.string({ maxLength: 15 }).filter((text) => !text.includes('\n'));
    fc.assert(
      fc.property(fc.nat(), name, fc.nat(), (pid, command, start) => {
        const rest = Array.from({ length: 30 }, (_, index) => String(index + 100));
        const text = `${pid} (${command}) S 7 ${rest.slice(0, 17).join(' ')} ${start} ${rest.join(' ')}`;
        expect(parseProcessStat(text)).toEqual({ pid, command, state: 'S', parent: 7, startTime: String(start) });
      }),
    );
  });

  test('this process is alive; the same number with another start time is another process', async () => {
    const own = await processStat(process.pid);
    expect(own?.pid).toBe(process.pid);
    expect(await isAlive({ pid: process.pid, startTime: own?.startTime ?? '' })).toBe(true);
    expect(await isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
  });
});
