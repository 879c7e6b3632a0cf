import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cutDriverOf } from './drivers.ts';

/** A made-up /sys: the drivers are tried on it where the machine has no such disk. */
describe('the cut of a real disk', () => {
  let sys: string;

  beforeEach(async () => {
    sys = await mkdtemp(join(tmpdir(), 'holdfast-sys-'));
    await mkdir(join(sys, 'class/block'), { recursive: true });
  });
  afterEach(() => rm(sys, { recursive: true, force: true }));

  /** Files below the disk's own directory, whose place says what it is. */
  async function disk(place: string, files: Record<string, string>): Promise<string> {
    const own = join(sys, 'devices', place);
    await mkdir(own, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(own, name)), { recursive: true });
      await writeFile(join(own, name), content);
    }
    const name = place.split('/').at(-1) ?? '';
    await symlink(own, join(sys, 'class/block', name));
    return `/dev/${name}`;
  }
  const content = (path: string): Promise<string> => readFile(join(sys, path), 'utf8');

  test('a SCSI disk is set offline and deleted', async () => {
    const place = 'pci0/host1/target1:0:0/1:0:0:0/block/sdb';
    const device = await disk(place, { 'device/state': 'running\n', 'device/delete': '' });
    const driver = await cutDriverOf(device, sys);
    expect(driver.kind).toBe('scsi');
    await driver.cut();
    expect(await content(`devices/${place}/device/state`)).toBe('offline');
    expect(await content(`devices/${place}/device/delete`)).toBe('1');
  });

  test('an NVMe disk that has its controller for itself is removed from the bus', async () => {
    const device = await disk('pci0/nvme/nvme1/nvme1n1', {});
    await mkdir(join(sys, 'class/nvme/nvme1/nvme1n1'), { recursive: true });
    await mkdir(join(sys, 'class/nvme/nvme1/device'), { recursive: true });
    await writeFile(join(sys, 'class/nvme/nvme1/device/remove'), '');
    const driver = await cutDriverOf(device, sys);
    expect(driver.kind).toBe('nvme');
    await driver.cut();
    expect(await content('class/nvme/nvme1/device/remove')).toBe('1');
  });

  test('an NVMe disk that shares its controller is refused', async () => {
    const device = await disk('pci0/nvme/nvme1/nvme1n1', {});
    for (const name of ['nvme1n1', 'nvme1n2']) await mkdir(join(sys, 'class/nvme/nvme1', name), { recursive: true });
    await expect(cutDriverOf(device, sys)).rejects.toMatchObject({
      code: 'disk-unusable',
      message: expect.stringMatching(/shares its controller nvme1/),
    });
  });

  test('a virtio disk is taken from its driver', async () => {
    const device = await disk('pci0/virtio3/block/vdb', {});
    await mkdir(join(sys, 'bus/virtio/drivers/virtio_blk'), { recursive: true });
    await writeFile(join(sys, 'bus/virtio/drivers/virtio_blk/unbind'), '');
    const driver = await cutDriverOf(device, sys);
    expect(driver.kind).toBe('virtio');
    await driver.cut();
    expect(await content('bus/virtio/drivers/virtio_blk/unbind')).toBe('virtio3');
  });

  test('a device-mapper device is known by its name', async () => {
    const device = await disk('virtual/block/dm-3', { 'dm/name': 'vg-home1\n', size: '2048\n' });
    expect(await cutDriverOf(device, sys)).toMatchObject({
      kind: 'device-mapper',
      undo: expect.stringMatching(/vg-home1/),
    });
  });

  test('a disk that vanished while it was cut is fine', async () => {
    const place = 'pci0/host1/target1:0:0/1:0:0:0/block/sdb';
    const driver = await cutDriverOf(await disk(place, { 'device/state': 'running\n' }), sys);
    await rm(join(sys, 'devices', place), { recursive: true });
    await driver.cut();
  });

  test.each([
    ['a partition', 'pci0/host1/block/sdb/sdb1', { partition: '1\n' }, /whole of sdb/],
    ['an unknown kind', 'virtual/block/loop7', {}, /nothing is known/],
  ])('%s is refused, saying what a person has to do', async (_what, place, files, why) => {
    const device = await disk(place, files as Record<string, string>);
    const refused = cutDriverOf(device, sys);
    await expect(refused).rejects.toMatchObject({ code: 'disk-unusable', message: expect.stringMatching(why) });
    await expect(refused).rejects.toThrow(/Pull the disk/);
    await expect(cutDriverOf('/dev/none', sys)).rejects.toMatchObject({ code: 'disk-unusable' });
  });
});
