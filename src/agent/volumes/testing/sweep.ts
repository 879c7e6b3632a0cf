import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readRecord } from '../../../runtime/process-record.ts';
import { removeHome } from './cleanup.ts';
import { TEST_HOMES, TEST_OWNER } from './context.ts';

/** Before and after a run of the tests with disks: takes away the volumes of tests whose process was ended before it could. */
export async function setup(): Promise<() => Promise<void>> {
  await sweep();
  return sweep;
}

async function sweep(): Promise<void> {
  const directory = dirname(TEST_HOMES);
  for (const name of await readdir(directory)) {
    const home = join(directory, name);
    if (!name.startsWith(basename(TEST_HOMES)) || !existsSync(join(home, TEST_OWNER))) continue;
    if (readRecord(join(home, TEST_OWNER)) === undefined) await removeHome(home);
  }
}
