import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mountAround, parseMountInfo } from './mounts.ts';

describe('what the kernel says of mounts', () => {
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
        shared: false,
      },
      {
        id: '46',
        device: '0:42',
        root: '/accounts/alice',
        mountPoint: '/home/alice',
        type: 'btrfs',
        source: '/dev/loop0',
        options: ['ro', 'ssd'],
        shared: true,
      },
    ]);
  });

  test('nothing breaks the reading of mounts', () => {
    expect(() => fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseMountInfo(text))))).not.toThrow();
  });
});

const MOUNTS = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
31 30 0:21 / /run/a\\040b rw shared:6 master:2 - tmpfs tmpfs rw
32 27 0:22 / /srv rw shared:9 - ext4 /dev/vdb rw
33 27 0:23 / /srv rw - tmpfs tmpfs rw`;

describe('the mount a path lies in', () => {
  test.each([
    ['/home/x', '/', false],
    ['/run/holdfast', '/run', true],
    ['/run', '/run', true],
    ['/running', '/', false],
    ['/run/a b/c', '/run/a b', true],
    ['/srv/x', '/srv', false],
  ])('of %s is %s', (path, point, shared) =>
    expect(mountAround(parseMountInfo(MOUNTS), path)).toMatchObject({ mountPoint: point, shared }),
  );
});
