import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun } from '../runtime/command.ts';
import { readConfiguration } from '../runtime/config.ts';
import { removeInstance } from './leftovers.ts';

const DEADLINE = { deadlineMs: 20_000 };

describe('what a platform that was cut off leaves on the machine', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync('/var/tmp/holdfast-test-');
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  test('loop devices go also when the mount below them goes first, and nothing of another home is touched', async () => {
    const other = mkdtempSync('/var/tmp/holdfast-test-');
    const loops: string[] = [];
    try {
      for (const directory of [join(home, 'valve'), join(other, 'valve')]) {
        mkdirSync(directory);
        await mustRun('mount', ['-t', 'tmpfs', 'tmpfs', directory], DEADLINE);
        await mustRun('truncate', ['--size', '1M', join(directory, 'nbd')], DEADLINE);
        const made = await mustRun('losetup', ['--find', '--show', join(directory, 'nbd')], DEADLINE);
        loops.push(made.stdout.trim());
      }
      await removeInstance(readConfiguration({ HOLDFAST_HOME: home }));
      const left = await mustRun('losetup', ['--list', '--noheadings', '--output', 'NAME'], DEADLINE);
      const names = left.stdout.split('\n').map((line) => line.trim());
      expect(loops.map((loop) => names.includes(loop))).toEqual([false, true]);
      expect(existsSync(home)).toBe(false);
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(home);
    } finally {
      const mine = loops.at(1);
      if (mine !== undefined) await mustRun('losetup', ['--detach', mine], DEADLINE);
      await mustRun('umount', [join(other, 'valve')], DEADLINE);
      rmSync(other, { recursive: true, force: true });
    }
  });
});
