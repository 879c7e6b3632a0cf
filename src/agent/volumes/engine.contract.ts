import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineVolume, VolumeEngine } from './engine.ts';
import { plainJourney } from '../operations/testing/journeys.ts';
import { inVolume, Writer } from './testing/member.ts';
import { asArgument } from '../member-argument.ts';

const MiB = 1024 ** 2;

/** One engine on a state directory of its own, with the faults and the crash its suite needs. */
export interface EngineUnderTest {
  engine: VolumeEngine;
  /** A uid that an account may have. */
  uid: number;
  /** Size of the disks used, bytes; small, so that the suite is fast. */
  imageBytes: number;
  /** Makes one replica's disk fail for real, in one of the ways the engine's disks can. */
  breakReplica(volume: string, replica: string, fault: string): Promise<void>;
  /** The agent dies (kill -9) and the next one starts: a new engine on the same state, everything else goes on. */
  restart(): Promise<VolumeEngine>;
  dispose(): Promise<void>;
}

/** What every volume engine must do. The local engine passes it; a cluster engine has to. */
export function engineConformance(
  name: string,
  faults: readonly string[],
  makeEngine: () => Promise<EngineUnderTest>,
): void {
  describe(`volume engine: ${name}`, () => {
    let under: EngineUnderTest;
    let writers: Writer[];

    beforeEach(async () => {
      under = await makeEngine();
      writers = [];
    });
    afterEach(async () => {
      for (const writer of writers) writer.kill();
      await under.dispose();
    });

    async function create(volumeName = 'one'): Promise<EngineVolume> {
      const plan = await under.engine.plan({ name: volumeName, disks: [], imageBytes: under.imageBytes });
      const volume = await under.engine.begin(plan);
      await volume.make(plainJourney());
      return volume;
    }

    async function withAccount(volume: EngineVolume, account = 'alice', diskBytes = 200 * MiB): Promise<string> {
      await volume.ensureAccount({ name: account, uid: under.uid, limits: { diskBytes } });
      return asArgument(volume.homeOf(account).home);
    }

    function writeInto(directory: string): Writer {
      const writer = new Writer(directory);
      writers.push(writer);
      return writer;
    }

    async function rebuild(volume: EngineVolume): Promise<void> {
      await volume.rebuild(await volume.planReplica(undefined), plainJourney());
    }

    test('a new volume is open with two healthy replicas and full redundancy', async () => {
      const status = (await create()).status();
      expect(status).toMatchObject({
        name: 'one',
        engine: under.engine.kind,
        state: 'open',
        redundancy: 'full',
        trouble: null,
      });
      expect(status.replicas.map((replica) => replica.state)).toEqual(['healthy', 'healthy']);
      expect(status.replicas.every((replica) => replica.errors?.write === 0 && replica.errors.read === 0)).toBe(true);
      expect(status.sizeBytes).toBe(under.imageBytes);
      expect(status.usedBytes).toBeGreaterThan(0);
      expect(status.usedBytes).toBeLessThan(under.imageBytes / 10);
    });

    test('a name that is taken is refused, and the work can be repeated', async () => {
      const volume = await create();
      await expect(under.engine.plan({ name: 'one', disks: [] })).rejects.toMatchObject({ code: 'name-taken' });
      await volume.make(plainJourney());
      await volume.open();
      expect(volume.status().state).toBe('open');
    });

    test('an account gets a home of its own that repeated calls leave alone', async () => {
      const volume = await create();
      const account = { name: 'alice', uid: under.uid, limits: { diskBytes: 20 * MiB } };
      expect(await volume.ensureAccount(account)).toEqual({ created: true });
      const its = volume.homeOf('alice');
      const [root = '', home = '', tmp = '', www = ''] = [its.root, its.home, its.tmp, its.www].map(asArgument);
      expect(await inVolume('stat -c "%u %a" "$1" "$2" "$3"', home, tmp, www)).toBe(
        [`${under.uid} 700`, `${under.uid} 700`, `${under.uid} 700`].join('\n'),
      );
      expect(await inVolume('stat -c "%u %a" "$1"', root)).toBe('0 755');
      expect((await inVolume('ls -A "$1"', home)).split('\n')).toEqual(
        expect.arrayContaining(['.bashrc', '.gitconfig', '.profile', '.pythonstartup.py', '.vimrc', 'README.txt']),
      );
      await inVolume('echo mine > "$1/.bashrc"; rm "$1/README.txt"; ln -s /etc/passwd "$1/README.txt"', home);
      expect(await volume.ensureAccount(account)).toEqual({ created: false });
      expect(await volume.ensureAccount({ ...account, limits: { diskBytes: 40 * MiB } })).toEqual({ created: false });
      expect(await inVolume('cat "$1/.bashrc"; readlink "$1/README.txt"', home)).toBe('mine\n/etc/passwd');
    });

    test('an account cannot write more than its limit, until the limit is raised', async () => {
      const volume = await create();
      const home = await withAccount(volume, 'alice', 10 * MiB);
      const fill = 'dd if=/dev/urandom of="$1/big" bs=1M count=30 conv=fsync status=none 2>&1 || :';
      expect(await inVolume(fill, home)).toMatch(/Disk quota exceeded/);
      const usage = await volume.usage('alice');
      expect(usage.limitBytes).toBe(10 * MiB);
      expect(usage.usedBytes).toBeGreaterThan(5 * MiB);
      expect(usage.usedBytes).toBeLessThanOrEqual(10 * MiB);
      await volume.ensureAccount({ name: 'alice', uid: under.uid, limits: { diskBytes: 50 * MiB } });
      expect(await inVolume(fill, home)).toBe('');
    });

    test('a removed account leaves nothing and can come back empty', async () => {
      const volume = await create();
      const home = await withAccount(volume);
      await inVolume(
        'echo secret > "$1/secret"; btrfs subvolume create "$1/own" >/dev/null; btrfs subvolume create "$1/own/deeper" >/dev/null',
        home,
      );
      expect(await volume.removeAccount('alice')).toEqual({ removed: true });
      expect(await volume.removeAccount('alice')).toEqual({ removed: false });
      expect(() => volume.homeOf('alice')).toThrow(expect.objectContaining({ code: 'not-found' }));
      expect(await inVolume('ls "$1"', await withAccount(volume))).toBe('README.txt');
    });

    test('what is written survives closing and opening; a closed volume is refused at once', async () => {
      const volume = await create();
      const home = await withAccount(volume);
      await inVolume('echo kept > "$1/file"', home);
      await volume.close('keep');
      await volume.close('keep');
      expect(volume.status().state).toBe('closed');
      expect(() => volume.assertUsable()).toThrow(expect.objectContaining({ code: 'volume-closed' }));
      await expect(
        volume.ensureAccount({ name: 'bob', uid: under.uid, limits: { diskBytes: MiB } }),
      ).rejects.toMatchObject({ code: 'volume-closed' });
      const again = (await (await under.restart()).load())[0];
      expect(again?.wantedOpen).toBe(false);
      await again?.open();
      expect(again && (await inVolume('cat "$1/file"', asArgument(again.homeOf('alice').home)))).toBe('kept');
    });

    test('a volume in use is not closed', async () => {
      const volume = await create();
      const writer = writeInto(await withAccount(volume));
      await writer.writes(5);
      await expect(volume.close('keep')).rejects.toMatchObject({ code: 'volume-in-use' });
      await writer.writes(5);
      expect(volume.status().state).toBe('open');
      await writer.stop();
      await volume.close('keep');
    });

    test('a replica is set aside while a program writes; the last one never is; a rebuild makes it full again', async () => {
      const volume = await create();
      const home = await withAccount(volume);
      const writer = writeInto(home);
      await writer.writes(50);
      const [first, second] = volume.status().replicas.map((replica) => replica.id);
      await volume.setAside(first ?? '');
      await volume.setAside(first ?? '');
      expect(volume.status()).toMatchObject({ state: 'open', redundancy: 'reduced' });
      expect(volume.status().trouble).toMatch(/set aside/);
      await expect(volume.setAside(second ?? '')).rejects.toMatchObject({ code: 'last-replica' });
      await expect(volume.setAside('r99')).rejects.toMatchObject({ code: 'not-found' });
      await writer.writes(50);
      await rebuild(volume);
      await writer.writes(50);
      await writer.stop();
      const status = await volume.refresh();
      expect(status).toMatchObject({ state: 'open', redundancy: 'full', trouble: null });
      expect(status.replicas.map((replica) => replica.state)).toEqual(['healthy', 'healthy']);
      expect(status.replicas.map((replica) => replica.id)).not.toContain(first);
      await volume.scrub(plainJourney());
      await writer.verify();
      await expect(volume.planReplica(undefined)).rejects.toMatchObject({ code: 'conflict' });
    });

    test('a volume opens degraded and says so; what is written then is mirrored by the rebuild', async () => {
      const volume = await create();
      const home = await withAccount(volume);
      const [first, second] = volume.status().replicas.map((replica) => replica.id);
      await inVolume(
        'dd if=/dev/urandom of="$1/before" bs=1M count=20 status=none; sha256sum "$1/before" > "$1/sums"',
        home,
      );
      await volume.setAside(first ?? '');
      await volume.close('keep');
      await volume.open();
      expect(volume.status()).toMatchObject({ state: 'open', redundancy: 'reduced' });
      await inVolume(
        'dd if=/dev/urandom of="$1/during" bs=1M count=60 status=none; sha256sum "$1/during" >> "$1/sums"; sync -f "$1"',
        home,
      );
      await rebuild(volume);
      expect(volume.status().redundancy).toBe('full');
      await volume.scrub(plainJourney());
      // The proof that the new replica has everything: go on with it alone.
      await volume.setAside(second ?? '');
      await volume.close('keep');
      await volume.open();
      expect(volume.status().redundancy).toBe('reduced');
      expect(await inVolume('sha256sum --quiet -c "$1/sums"', home)).toBe('');
    });

    test.each(faults)(
      'a disk fails while a program writes (%s): no error, noticed, rebuilt, content verified',
      async (fault) => {
        const volume = await create();
        const home = await withAccount(volume);
        const writer = writeInto(home);
        await writer.writes(100);
        const [first] = volume.status().replicas.map((replica) => replica.id);
        await under.breakReplica('one', first ?? '', fault);
        await writer.writes(100);
        const status = await volume.refresh();
        expect(status).toMatchObject({ state: 'open', redundancy: 'reduced' });
        expect(status.trouble).toMatch(new RegExp(`Replica ${first}`));
        expect(status.replicas.find((replica) => replica.id === first)?.state).toBe('failed');
        await rebuild(volume);
        await writer.writes(100);
        await writer.stop();
        expect(await volume.refresh()).toMatchObject({ redundancy: 'full', trouble: null });
        await writer.verify();
        await volume.scrub(plainJourney());
        expect(
          (await volume.refresh()).replicas.flatMap((replica) => Object.values(replica.errors ?? { none: 1 })),
        ).toEqual(Array(10).fill(0));
      },
    );

    test('the next agent takes a volume over as it is, while programs go on', async () => {
      const volume = await create();
      const writer = writeInto(await withAccount(volume));
      await writer.writes(20);
      const engine = await under.restart();
      const again = (await engine.load())[0];
      expect(again?.wantedOpen).toBe(true);
      expect(again?.status().state).toBe('closed');
      // Nobody closed it: who asks meanwhile comes back, and is not told that somebody has to open it.
      expect(() => again?.assertUsable()).toThrow(
        expect.objectContaining({ code: 'storage-repair', retryAfterSeconds: 2 }),
      );
      await again?.open();
      expect(again?.status()).toMatchObject({ state: 'open', redundancy: 'full' });
      await writer.writes(20);
      await writer.stop();
      await writer.verify();
      expect(await again?.ensureAccount({ name: 'alice', uid: under.uid, limits: { diskBytes: 200 * MiB } })).toEqual({
        created: false,
      });
    });

    test('a volume grows while a program writes', async () => {
      const volume = await create();
      const writer = writeInto(await withAccount(volume));
      await writer.writes(50);
      const larger = under.imageBytes + 256 * MiB;
      await expect(volume.planGrow(under.imageBytes)).rejects.toMatchObject({ code: 'input-invalid' });
      await volume.planGrow(larger);
      await volume.grow(larger, plainJourney());
      await writer.writes(50);
      await writer.stop();
      expect(await volume.refresh()).toMatchObject({ redundancy: 'full', sizeBytes: larger });
      await writer.verify();
    });

    test('a volume with accounts is not deleted; an empty one goes and its name is free', async () => {
      const volume = await create();
      await withAccount(volume);
      expect(() => volume.assertDeletable()).toThrow(expect.objectContaining({ code: 'volume-in-use' }));
      await expect(volume.delete(plainJourney())).rejects.toMatchObject({ code: 'volume-in-use' });
      await volume.removeAccount('alice');
      await volume.delete(plainJourney());
      expect(await under.engine.load()).toEqual([]);
      expect((await create()).status().state).toBe('open');
    });
  });
}
