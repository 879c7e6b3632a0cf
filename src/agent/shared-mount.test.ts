import { describe, expect, it } from 'vitest';
import { mountOf } from './shared-mount.ts';

const MOUNTS = `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:20 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
31 30 0:21 / /run/a\\040b rw shared:6 master:2 - tmpfs tmpfs rw
32 27 0:22 / /srv rw shared:9 - ext4 /dev/vdb rw
33 27 0:23 / /srv rw - tmpfs tmpfs rw`;

describe('the mount a path lies in', () => {
  it.each([
    ['/home/x', '/', false],
    ['/run/holdfast', '/run', true],
    ['/run', '/run', true],
    ['/running', '/', false],
    ['/run/a b/c', '/run/a b', true],
    ['/srv/x', '/srv', false],
  ])('of %s is %s', (path, point, shared) => expect(mountOf(MOUNTS, path)).toEqual({ point, shared }));
});
