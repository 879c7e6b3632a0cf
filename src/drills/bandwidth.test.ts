import { expect, it } from 'vitest';
import { commandFor } from './bandwidth.ts';

it("a measured disk has the platform's own valve, and none of its paths", () => {
  const home = '/var/lib/holdfast/volumes/home1';
  const words = [
    'nbdfuse',
    `${home}/valve/r3/disk`,
    '--command',
    'nbdkit',
    '-s',
    '--threads=4',
    '--filter=pause',
    'file',
    `${home}/disks/r3.img`,
    'error=EIO',
    'error-rate=100%',
    `error-file=${home}/valve/r3/error`,
    'pause-control=/run/holdfast/valves/home1.r3.sock',
    `rate-file=${home}/valve/r3/rate`,
  ];
  const { command, mountPoint } = commandFor(words, '/x', '/s');
  expect(mountPoint).toBe('/x/disk');
  expect(command).toEqual([
    'nbdfuse',
    '/x/disk',
    '--command',
    'nbdkit',
    '-s',
    '--threads=4',
    '--filter=pause',
    'file',
    '/x/image',
    'error=EIO',
    'error-rate=100%',
    'error-file=/x/error-file',
    'pause-control=/s/pause-control',
    'rate-file=/x/rate-file',
  ]);
});
