import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { directoriesOf } from './directories.ts';
import { StorageHost } from './testing/host.ts';

const MiB = 1024 ** 2;
const DEADLINE = { deadlineMs: 60_000 };

describe('the limits of a volume', () => {
  let host: StorageHost;
  let home: string;
  let mount: string;

  beforeEach(async () => {
    host = new StorageHost();
    await host.start();
    home = await host.create('one');
    mount = directoriesOf(host.context, 'one').mount;
  });
  afterEach(() => host.dispose());

  const btrfs = async (...parameters: string[]): Promise<void> => {
    await mustRun('btrfs', parameters, DEADLINE);
  };
  const usage = async (): Promise<number> =>
    (await host.storage.handlers['accounts.usage']({ name: 'of-one' })).usedBytes;
  /** What a member's program writes; whether it all went in. */
  const fits = async (name: string, mebibytes: number): Promise<boolean> => {
    const parameters = [
      'if=/dev/urandom',
      `of=${join(home, name)}`,
      'bs=1M',
      `count=${mebibytes}`,
      'conv=fsync',
      'status=none',
    ];
    const result = await runCommand('dd', parameters, DEADLINE);
    if (result.code !== 0) expect(result.stderr).toMatch(/quota exceeded/);
    return result.code === 0;
  };
  const groups = (path: string): string =>
    readFileSync(`/sys/fs/btrfs/${host.storage.disks()[0]?.filesystem}/qgroups/${path}`, 'utf8').trim();
  /** Everything that was told of the volume meanwhile. */
  const seen = (): { whys: string[]; stop(): void } => {
    const whys: string[] = [];
    const look = (): void => {
      const why = host.status('one').uncounted?.why;
      if (why !== undefined && !whys.includes(why)) whys.push(why);
    };
    const timer = setInterval(look, 20);
    return { whys, stop: () => clearInterval(timer) };
  };
  const toldAndOver = async (told: { whys: string[] }): Promise<void> => {
    await until(() => told.whys.length > 0, 'the loss of limits being told', 30_000);
    await until(() => host.status('one').uncounted === null, 'the limits being proven to hold', 60_000);
  };

  test('a snapshot with a quota group of its own ends all counting: it is told, mended without deleting anything, and proven', async () => {
    expect(await fits('before', 20)).toBe(true);
    await btrfs('qgroup', 'create', '1/1', mount);
    const told = seen();
    await btrfs('subvolume', 'snapshot', '-i', '1/1', join(mount, 'accounts/of-one'), join(mount, 'theirs'));
    expect(groups('inconsistent')).toBe('1');
    await toldAndOver(told);
    told.stop();
    expect(told.whys[0]).toMatch(/stopped counting.*inconsistent.*quota group.*1\/1/);
    expect(groups('inconsistent')).toBe('0');
    expect(existsSync(join(mount, 'theirs'))).toBe(true);
    expect(await usage()).toBeGreaterThan(20 * MiB);
    // 200 MiB are allowed.
    expect(await fits('more', 190)).toBe(false);
    expect(await usage()).toBeLessThanOrEqual(200 * MiB);
  });

  test('quotas that somebody switched off are switched on again, with every limit', async () => {
    const told = seen();
    await btrfs('quota', 'disable', mount);
    await toldAndOver(told);
    told.stop();
    expect(told.whys[0]).toMatch(/switched off/);
    expect(await fits('more', 220)).toBe(false);
  });

  test('a limit that somebody took away is set again', async () => {
    const told = seen();
    await btrfs('qgroup', 'limit', 'none', join(mount, 'accounts/of-one'));
    await until(() => told.whys.length > 0, 'the loss of a limit being told', 90_000);
    await until(() => host.status('one').uncounted === null, 'the limits being proven to hold', 60_000);
    told.stop();
    expect(told.whys[0]).toMatch(/do not have the limit.*of-one/);
    expect(await fits('more', 220)).toBe(false);
  });

  test('no home is deleted while nothing is counted; afterwards it is', async () => {
    const { handlers } = host.storage;
    await btrfs('qgroup', 'create', '1/1', mount);
    const told = seen();
    await btrfs('subvolume', 'snapshot', '-i', '1/1', join(mount, 'accounts/of-one'), join(mount, 'theirs'));
    const lost = (): boolean => Boolean(host.status('one').uncounted);
    await until(lost, 'the loss being seen', 30_000, 1);
    await expect(handlers['accounts.remove']({ name: 'of-one', volume: 'one' })).rejects.toMatchObject({
      code: 'storage-repair',
      message: expect.stringMatching(/counted anew/),
    });
    await toldAndOver(told);
    told.stop();
    expect(await handlers['accounts.remove']({ name: 'of-one', volume: 'one' })).toEqual({ removed: true });
  });

  test('a volume whose quotas were switched off while the platform was stopped has its limits again after the start', async () => {
    await host.storage.stop();
    await host.start();
    await until(() => host.status('one').state === 'open', 'the volume being open', 60_000);
    await btrfs('quota', 'disable', mount);
    await host.storage.stop();
    await host.start();
    await until(() => host.status('one').state === 'open', 'the volume being open again', 60_000);
    const limited = (): boolean => {
      const subvolume = /\d+/.exec(JSON.stringify(readAccounts()[0]?.subvolume))?.[0];
      return groups(`0_${subvolume}/max_referenced`) === String(200 * MiB);
    };
    await until(limited, 'the limit being set again', 90_000);
    expect(await fits('more', 220)).toBe(false);
  });

  const readAccounts = (): { subvolume: number }[] =>
    (
      JSON.parse(readFileSync(join(host.context.layout.agent, 'accounts', 'one.json'), 'utf8')) as {
        accounts: { subvolume: number }[];
      }
    ).accounts;
});
