import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CopyGroup } from './copy-group.ts';

/** What the kernel's trees look like is made up here; that the kernel keeps to the limit is measured by the drills. */
describe('the control group of a copy', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'holdfast-groups-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('a machine without a controller for disks has none', async () => {
    expect(await CopyGroup.make('one', root)).toBeUndefined();
    writeFileSync(join(root, 'cgroup.controllers'), 'cpu memory pids\n');
    expect(await CopyGroup.make('one', root)).toBeUndefined();
  });

  test('version 1: a group below blkio, which goes again and leaves other volumes alone', async () => {
    mkdirSync(join(root, 'blkio', 'holdfast-copies', 'other'), { recursive: true });
    writeFileSync(join(root, 'blkio', 'blkio.throttle.read_bps_device'), '');
    const group = await CopyGroup.make('one', root);
    expect(group?.members).toBe(join(root, 'blkio', 'holdfast-copies', 'one', 'cgroup.procs'));
    // A device that is gone has no numbers: nothing to limit, and no reason to fail.
    await group?.limit(['/dev/there-is-none'], { read: 1024, write: 1024 });
    await group?.leave();
    expect(existsSync(join(root, 'blkio', 'holdfast-copies', 'one'))).toBe(false);
    expect(existsSync(join(root, 'blkio', 'holdfast-copies', 'other'))).toBe(true);
  });

  test('version 2: the controller is handed down to the group', async () => {
    writeFileSync(join(root, 'cgroup.controllers'), 'cpu io memory\n');
    const group = await CopyGroup.make('one', root);
    const parent = join(root, 'holdfast-copies');
    expect(group?.members).toBe(join(parent, 'one', 'cgroup.procs'));
    for (const directory of [root, parent])
      expect(readFileSync(join(directory, 'cgroup.subtree_control'), 'utf8')).toBe('+io');
    await group?.leave();
    expect(existsSync(join(parent, 'one'))).toBe(false);
  });
});
