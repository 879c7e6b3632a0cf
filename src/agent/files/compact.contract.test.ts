import { join } from 'node:path';
import { chownSync, existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_PLANS, type PlanLimits } from '../../model/plans.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import { mustRun } from '../../runtime/command.ts';
import { createSandboxes } from '../programs/sandbox.ts';
import { inVolume } from '../volumes/testing/member.ts';
import { StorageHost } from '../volumes/testing/host.ts';
import { createFiles, type FilesPart } from './files.ts';

const MiB = 1024 ** 2;
const FILE_MIB = 40;
const account = 'of-one';

/** Writes random blocks of a file in place, in no order, until 95 of 100 were written or the limit is met; prints what stopped it. */
const REWRITE = `
import os, random, sys
file = os.open(sys.argv[1], os.O_RDWR)
blocks = list(range(int(sys.argv[2]) * 256))
random.Random(7).shuffle(blocks)
try:
    for count, block in enumerate(blocks[: len(blocks) * 95 // 100]):
        os.pwrite(file, os.urandom(4096), block * 4096)
        if count % 500 == 0:
            os.fsync(file)
    os.fsync(file)
except OSError as error:
    print(error.strerror)
`;

describe('room that a database holds beside its content', () => {
  let host: StorageHost;
  let files: FilesPart;
  let home: string;
  let database: string;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
    home = await host.create('one');
    const owner: AccountSpec = {
      name: account,
      uid: host.context.ids.firstAccount,
      volume: 'one',
      limits: DEFAULT_PLANS['starter'] as PlanLimits,
    };
    files = createFiles(host.context, {
      storage: host.storage,
      sandboxes: createSandboxes(host.context),
      accountOf: (name) => (name === account ? owner : undefined),
      gateway: { reopenLogs: () => undefined },
    });
    database = join(home, 'data.sqlite3');
    await write(database, FILE_MIB);
  });
  afterEach(async () => {
    await files.stop();
    await host.dispose();
  });

  async function write(file: string, mebibytes: number): Promise<void> {
    const size = [`bs=1M`, `count=${mebibytes}`, 'conv=fsync', 'status=none'];
    await mustRun('dd', ['if=/dev/urandom', `of=${file}`, ...size], { deadlineMs: 60_000 });
    chownSync(file, host.context.ids.firstAccount, host.context.ids.firstAccount);
  }
  const rewrite = async (): Promise<string> => {
    const result = await mustRun('python3', ['-c', REWRITE, database, String(FILE_MIB)], { deadlineMs: 120_000 });
    await inVolume('sync -f "$1"', home);
    return result.stdout.trim();
  };
  const usage = async (): Promise<{ usedBytes: number; limitBytes: number }> =>
    await host.storage.handlers['accounts.usage']({ name: account });
  const compact = async (path: string): Promise<{ freedBytes: number }> =>
    await files.handlers['files.compact']({ account, path });
  const checksum = async (): Promise<string> => await inVolume('sha256sum < "$1"', database);

  test('is given back: written in place it is charged nearly twice its size, and compacted its size again', async () => {
    expect(await rewrite()).toBe('');
    const before = (await usage()).usedBytes;
    expect(before).toBeGreaterThan(1.8 * FILE_MIB * MiB);
    const sum = await checksum();
    const { freedBytes } = await compact(`/home/${account}/data.sqlite3`);
    const after = (await usage()).usedBytes;
    expect(after).toBeLessThan(1.1 * FILE_MIB * MiB);
    expect(freedBytes).toBe(before - after);
    expect(await checksum()).toBe(sum);
    expect((await compact(`/home/${account}/data.sqlite3`)).freedBytes).toBeLessThan(MiB);
  });

  test('is given back when the account has used all it may, and its limit is as before then', async () => {
    await host.storage.handlers['accounts.ensure']({
      name: account,
      uid: host.context.ids.firstAccount,
      volume: 'one',
      limits: { ...(DEFAULT_PLANS['starter'] as PlanLimits), diskBytes: 60 * MiB },
    });
    expect(await rewrite()).toBe('Disk quota exceeded');
    expect((await compact(`/home/${account}/data.sqlite3`)).freedBytes).toBeGreaterThan(10 * MiB);
    expect(await usage()).toMatchObject({ limitBytes: 60 * MiB });
    await expect(write(join(home, 'more'), 40)).rejects.toMatchObject({ details: [expect.stringMatching(/quota/)] });
    expect(host.status('one').uncounted).toBeNull();
  });

  test('only of a plain file of the member: directories, links and what is not there are refused', async () => {
    await inVolume('ln -s data.sqlite3 "$1/link"; mkdir "$1/directory"', home);
    for (const name of ['link', 'directory'])
      await expect(compact(`/home/${account}/${name}`)).rejects.toMatchObject({ code: 'input-invalid' });
    await expect(compact(`/home/${account}/nothing`)).rejects.toMatchObject({ code: 'not-found' });
    await expect(compact('/var/log/one.log')).rejects.toMatchObject({ code: 'forbidden' });
    expect(existsSync(database)).toBe(true);
  });
});
