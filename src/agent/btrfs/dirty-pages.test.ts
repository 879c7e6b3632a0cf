import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { limitDirtyPages } from './dirty-pages.ts';

let root: string;
let roots: { proc: string; sys: string };
const knob = async (uuid: string, name: string): Promise<string> =>
  await readFile(join(roots.sys, 'fs/btrfs', uuid, 'bdi', name), 'utf8');

beforeEach(async () => {
  root = await mkdtemp('/var/tmp/holdfast-dirty-');
  roots = { proc: join(root, 'proc'), sys: join(root, 'sys') };
  await mkdir(join(roots.proc, 'self'), { recursive: true });
  const mounts = [
    '30 1 0:40 / /h/volumes/home1/mnt rw,noatime - btrfs /dev/loop1 rw',
    '31 1 0:41 / /h/volumes/home\\0402/mnt rw,noatime shared:1 - btrfs /dev/loop3 rw',
  ];
  await writeFile(join(roots.proc, 'self/mountinfo'), mounts.join('\n'));
  for (const [uuid, device] of [
    ['aaa', 'loop1'],
    ['bbb', 'loop3'],
  ] as const) {
    const own = join(roots.sys, 'fs/btrfs', uuid);
    await mkdir(join(own, 'devices', device), { recursive: true });
    await mkdir(join(own, 'bdi'));
    for (const [name, value] of [
      ['max_ratio', '100'],
      ['strict_limit', '0'],
    ] as const)
      // prettier-ignore
      await writeFile(join(own, 'bdi', name), value);
  }
});
afterEach(async () => await rm(root, { recursive: true }));

it("holds a volume to its own share of dirty pages, and leaves every other file system's alone", async () => {
  expect(await limitDirtyPages('/h/volumes/home 2/mnt', roots)).toBe(true);
  expect([await knob('bbb', 'max_ratio'), await knob('bbb', 'strict_limit')]).toEqual(['10', '1']);
  expect([await knob('aaa', 'max_ratio'), await knob('aaa', 'strict_limit')]).toEqual(['100', '0']);
});

it('does nothing where nothing is mounted, or where the kernel has no such limit', async () => {
  expect(await limitDirtyPages('/h/volumes/home3/mnt', roots)).toBe(false);
  await rm(join(roots.sys, 'fs/btrfs/aaa/bdi/strict_limit'));
  expect(await limitDirtyPages('/h/volumes/home1/mnt', roots)).toBe(false);
  expect(await knob('aaa', 'max_ratio')).toBe('100');
});
