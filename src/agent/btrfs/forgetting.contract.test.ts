import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { removeHome } from '../volumes/testing/cleanup.ts';
import { makeHome } from '../volumes/testing/context.ts';
import { makeFileSystem, mountFileSystem, unmountFileSystem } from './filesystem.ts';
import { forget, forgetAll } from './forgetting.ts';
import { attachLoop, detachLoop } from '../disks/loops.ts';

const UUID = '5b3c1c1e-6a4b-4a0e-9d0c-7a3f0f6f2d11';
/** udev tells the kernel of each device that appears, so that nothing stays forgotten. */
const TOLD_AGAIN = existsSync('/run/udev/control');

describe.skipIf(TOLD_AGAIN)('devices that the kernel is to forget', () => {
  let home: string;
  let mount: string;
  let first: string;
  let second: string;
  let image: string;

  beforeEach(async () => {
    home = makeHome();
    mount = join(home, 'mnt');
    image = join(home, 'b.img');
    await mkdir(mount);
    for (const path of [join(home, 'a.img'), image])
      await mustRun('truncate', ['--size=256M', path], { deadlineMs: 10_000 });
    first = await attachLoop(join(home, 'a.img'));
    second = await attachLoop(image);
    await makeFileSystem(UUID, 'holdfast-forget', [first, second]);
    await mountFileSystem([first, second], mount, false);
  });
  afterEach(async () => {
    await unmountFileSystem(mount, 'forget');
    for (const device of [first, second]) await forget(device);
    await removeHome(home);
  });

  /** The second disk comes back under its old name. Only when the kernel remembers it, it is found by who names the first one. */
  const isRemembered = async (): Promise<boolean> => {
    await detachLoop(second, image);
    await mustRun('losetup', [second, image], { deadlineMs: 10_000 });
    return (await runCommand('mount', ['--types', 'btrfs', first, mount], { deadlineMs: 30_000 })).code === 0;
  };

  test('the kernel remembers a disk that nobody let go of', async () => {
    await unmountFileSystem(mount, 'forget');
    expect(await isRemembered()).toBe(true);
  });

  test('one that was let go of while it was mounted is forgotten as soon as it is not', async () => {
    await forget(second);
    await unmountFileSystem(mount, 'forget');
    await forgetAll();
    expect(await isRemembered()).toBe(false);
  });

  test('one that has gone, let go of by an agent before this one, is forgotten too', async () => {
    await unmountFileSystem(mount, 'forget');
    await detachLoop(second, image);
    await forgetAll();
    expect(await isRemembered()).toBe(false);
  });
});
