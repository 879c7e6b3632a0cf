import { join } from 'node:path';
import { mustRun, runCommand } from '../../../runtime/command.ts';
import { readOrUndefined } from '../../kernel/files.ts';
import type { CutDriver, DeviceInSys } from './driver.ts';

const DEADLINE_MS = 5_000;

/**
 * Device-mapper (LVM): a table of errors takes the place of the real one, without flushing. It fails what comes from now on. What a disk
 * below holds can only be released there (measured: suspend waits for it), so the disk below is to be cut when it hangs.
 */
export async function deviceMapperDriver({ path }: DeviceInSys): Promise<CutDriver | undefined> {
  const name = (await readOrUndefined(join(path, 'dm/name')))?.trim();
  if (name === undefined || name === '') return undefined;
  return {
    kind: 'device-mapper',
    undo: `Activate it again: lvchange --refresh, or dmsetup load ${name} with its table`,
    async cut() {
      const sectors = ((await readOrUndefined(join(path, 'size'))) ?? '0').trim();
      const table = ['--table', `0 ${sectors} error`];
      await mustRun('dmsetup', ['load', ...table, name], { deadlineMs: DEADLINE_MS });
      await runCommand('dmsetup', ['suspend', '--noflush', '--nolockfs', name], { deadlineMs: DEADLINE_MS });
      await mustRun('dmsetup', ['resume', name], { deadlineMs: DEADLINE_MS });
    },
  };
}
