import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AccountSpec } from '../../protocol/sites.ts';
import { mustRun } from '../../runtime/command.ts';
import { createSandboxes, type Sandboxes } from '../programs/sandbox.ts';
import { openTestGround, type TestGround } from '../programs/test-ground.ts';
import { WORKER_LIMITS } from './file-workers.ts';
import { WITHOUT_OTHERS } from '../btrfs/filesystem.ts';
import { createFiles, type FilesPart } from './files.ts';
import { LogRotation } from './log-rotation.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const code = (wanted: string): unknown => expect.objectContaining({ code: wanted });

async function bytes(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('files of an account', () => {
  let ground: TestGround;
  let sandboxes: Sandboxes;
  let alice: AccountSpec;
  let files: FilesPart;
  const account = 'alice';
  const homePath = (...parts: string[]): string => join(ground.pathsOf(account).home, ...parts);
  const put = async (path: string, text: string | Buffer): Promise<{ created: boolean }> =>
    await files.writeFile(account, path, Readable.from([Buffer.from(text)]), Buffer.byteLength(text));
  const get = async (path: string): Promise<string> =>
    (await bytes((await files.readFile(account, path)).stream)).toString();
  const names = async (path: string): Promise<string[]> =>
    (await files.handlers['files.list']({ account, path })).entries.map((entry) => entry.name);

  beforeAll(async () => {
    ground = await openTestGround();
    alice = await ground.account(account);
    const tight = await ground.account('tight', { processes: 1, memoryBytes: 1024 ** 2 });
    sandboxes = createSandboxes(ground.context);
    files = createFiles(ground.context, {
      storage: ground.storage,
      sandboxes,
      accountOf: (name) => (name === account ? alice : name === 'tight' ? tight : undefined),
      gateway: { reopenLogs: () => undefined },
    });
  });

  afterAll(async () => {
    await files?.stop();
    await ground?.close();
  });

  it('are written and read as the account itself', async () => {
    expect(await put('/home/alice/new/deep/hello.txt', 'hello')).toEqual({ created: true });
    expect(await put('/home/alice/new/deep/hello.txt', 'hello again')).toEqual({ created: false });
    expect(await get('/home/alice//new/deep/hello.txt')).toBe('hello again');
    const entry = await stat(homePath('new/deep/hello.txt'));
    expect([entry.uid, entry.gid, entry.mode & 0o777]).toEqual([alice.uid, alice.uid, 0o644]);
    expect(await files.handlers['files.stat']({ account, path: '/home/alice/new/deep/hello.txt' })).toMatchObject({
      name: 'hello.txt',
      type: 'file',
      size: 11,
    });
    expect(await put('/home/alice/empty', '')).toEqual({ created: true });
    expect(await get('/home/alice/empty')).toBe('');
    for (const path of ['/tmp/x', '/var/www/site_wsgi.py']) {
      await put(path, path);
      expect(await get(path)).toBe(path);
    }
  });

  it('of an account whose plan lets a program do next to nothing can still be seen and deleted', async () => {
    const tight = { account: 'tight', path: '/home/tight/some/where' };
    expect(await files.handlers['files.makeDirectory'](tight)).toEqual({ created: true });
    expect(await files.handlers['files.remove']({ account: 'tight', path: '/home/tight/some' })).toEqual({
      removed: true,
    });
    expect(await files.handlers['files.list']({ account: 'tight', path: '/home/tight' })).toBeDefined();
  });

  it('of many megabytes come and go intact, and keep their mode', async () => {
    const content = randomBytes(9 * 1024 * 1024 + 17);
    await put('/home/alice/run.sh', 'x');
    await chmod(homePath('run.sh'), 0o755);
    const pieces = Readable.from([
      content.subarray(0, 100),
      content.subarray(100, 3_000_000),
      content.subarray(3_000_000),
    ]);
    await files.writeFile(account, '/home/alice/run.sh', pieces, content.length);
    const read = await files.readFile(account, '/home/alice/run.sh');
    expect(read.size).toBe(content.length);
    const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    expect(hash(await bytes(read.stream))).toBe(hash(content));
    expect((await stat(homePath('run.sh'))).mode & 0o777).toBe(0o755);
  });

  it('stay whole when an upload is cut off or has another length', async () => {
    await put('/home/alice/keep.txt', 'the old one');
    const cut = async (content: Readable, expected: number | undefined): Promise<void> =>
      expect(files.writeFile(account, '/home/alice/keep.txt', content, expected)).rejects.toEqual(
        code('input-invalid'),
      );
    await cut(Readable.from([Buffer.from('short')]), 100);
    await cut(Readable.from([Buffer.alloc(200)]), 100);
    const broken = new Readable({ read: () => undefined });
    broken.push('some');
    const cutOff = cut(broken, 1000);
    broken.destroy(new Error('connection reset'));
    await cutOff;
    expect(await get('/home/alice/keep.txt')).toBe('the old one');
    expect((await names('/home/alice')).filter((name) => name.startsWith('.upload'))).toEqual([]);
  });

  it('of one upload may all make the same new directory at once', async () => {
    const places = Array.from({ length: 8 }, (_, index) => `/home/alice/at-once/deep/er/${index}.txt`);
    await Promise.all(places.map(async (path) => await put(path, path)));
    expect(await names('/home/alice/at-once/deep/er')).toHaveLength(8);
    const made = await Promise.all(
      Array.from({ length: 4 }, async () =>
        files.handlers['files.makeDirectory']({ account, path: '/home/alice/made/at/once' }),
      ),
    );
    expect(made).toHaveLength(4);
    expect((await names('/home/alice/made/at')).includes('once')).toBe(true);
  });

  it('are saved only in place of what was read, and the one that came first stays', async () => {
    const path = '/home/alice/shared.py';
    const revision = (text: string): string => createHash('sha256').update(text).digest('hex');
    const save = async (text: string, insteadOf: string): Promise<{ created: boolean }> =>
      await files.writeFile(account, path, Readable.from([Buffer.from(text)]), Buffer.byteLength(text), insteadOf);
    // A new one is made only where there is none.
    expect(await save('one\n', 'nothing')).toEqual({ created: true });
    await expect(save('', 'nothing')).rejects.toEqual(code('file-changed'));
    // Two tabs that both read "one", at the very same moment: exactly one of them is told.
    const both = await Promise.allSettled([save('two\n', revision('one\n')), save('TWO\n', revision('one\n'))]);
    expect(both.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    expect(both.find((each) => each.status === 'rejected')?.reason).toEqual(code('file-changed'));
    const kept = await get(path);
    expect(['two\n', 'TWO\n']).toContain(kept);
    // The same length in the same second is a change, too; and what was deleted is not brought back in silence.
    await put(path, 'owt\n');
    await expect(save('three\n', revision(kept))).rejects.toEqual(code('file-changed'));
    expect(await get(path)).toBe('owt\n');
    await files.handlers['files.remove']({ account, path });
    await expect(save('three\n', revision('owt\n'))).rejects.toEqual(code('file-changed'));
    expect((await names('/home/alice')).filter((name) => name.startsWith('.upload') || name === 'shared.py')).toEqual(
      [],
    );
  });

  it('are listed, dotfiles and links included; a tree leaves those out', async () => {
    await put('/home/alice/tree/b/two.txt', '2');
    await put('/home/alice/tree/a.txt', '1');
    await put('/home/alice/tree/.hidden', '');
    await symlink('/etc', homePath('tree/link'));
    const { entries, truncated } = await files.handlers['files.list']({ account, path: '/home/alice/tree' });
    expect(entries.map((entry) => `${entry.name} ${entry.type}`)).toEqual([
      '.hidden file',
      'a.txt file',
      'b directory',
      'link symlink',
    ]);
    expect(truncated).toBe(false);
    const tree = async (limit: number): Promise<string[]> =>
      (await files.handlers['files.tree']({ account, path: '/home/alice/tree/', limit })).paths;
    expect(await tree(1000)).toEqual(['/home/alice/tree/a.txt', '/home/alice/tree/b/', '/home/alice/tree/b/two.txt']);
    expect(await tree(2)).toHaveLength(2);
    await expect(files.handlers['files.tree']({ account, path: '/home/alice/tree/a.txt', limit: 9 })).rejects.toEqual(
      code('input-invalid'),
    );
  });

  it('are not written through a link that leaves the home, nor outside of it', async () => {
    await mkdir(homePath('links'));
    await chown(homePath('links'), alice.uid, alice.uid);
    await symlink('/etc', homePath('links/out'));
    await symlink('/etc/passwd', homePath('links/file'));
    await symlink('/home/alice/keep.txt', homePath('links/inside'));
    for (const path of [
      '/home/alice/links/out/x',
      '/home/alice/links/file',
      '/etc/x',
      '/home/bob/x',
      '/var/log/x.log',
    ]) {
      await expect(put(path, 'evil')).rejects.toEqual(code('forbidden'));
    }
    for (const path of ['/home/alice/../bob', 'relative', '/tmp/../etc/x']) {
      await expect(put(path, 'evil')).rejects.toEqual(code('input-invalid'));
    }
    await put('/home/alice/links/inside', 'through a link');
    expect(await get('/home/alice/keep.txt')).toBe('through a link');
    expect((await files.handlers['files.stat']({ account, path: '/home/alice/links/inside' })).type).toBe('symlink');
    await files.handlers['files.remove']({ account, path: '/home/alice/links' });
    expect(await get('/home/alice/keep.txt')).toBe('through a link');
  });

  it('are deleted with everything in them, but not the directories the account begins with', async () => {
    await put('/home/alice/bin/a/b/c', '1');
    expect(await files.handlers['files.remove']({ account, path: '/home/alice/bin/' })).toEqual({ removed: true });
    await expect(files.handlers['files.stat']({ account, path: '/home/alice/bin' })).rejects.toEqual(code('not-found'));
    await expect(files.handlers['files.remove']({ account, path: '/home/alice/bin' })).rejects.toEqual(
      code('not-found'),
    );
    for (const path of ['/home/alice', '/tmp', '/var/www', '/var/log']) {
      await expect(files.handlers['files.remove']({ account, path })).rejects.toEqual(code('forbidden'));
    }
  });

  it('are renamed, also between directories, and never over another file', async () => {
    await put('/home/alice/one', 'one');
    await put('/home/alice/two', 'two');
    const rename = async (from: string, to: string): Promise<unknown> =>
      await files.handlers['files.rename']({ account, from, to });
    await expect(rename('/home/alice/one', '/home/alice/two')).rejects.toEqual(code('conflict'));
    await expect(rename('/home/alice/none', '/home/alice/x')).rejects.toEqual(code('not-found'));
    await rename('/home/alice/one', '/tmp/moved');
    expect(await get('/tmp/moved')).toBe('one');
    expect(await files.handlers['files.makeDirectory']({ account, path: '/home/alice/dir/sub' })).toEqual({
      created: true,
    });
    expect(await files.handlers['files.makeDirectory']({ account, path: '/home/alice/dir/sub/' })).toEqual({
      created: false,
    });
    await expect(rename('/home/alice/dir', '/home/alice/dir/sub/dir')).rejects.toEqual(code('input-invalid'));
    await expect(files.handlers['files.makeDirectory']({ account, path: '/home/alice/two' })).rejects.toEqual(
      code('conflict'),
    );
  });

  it('whose names are no UTF-8 are listed and can be deleted', async () => {
    await mkdir(homePath('raw'));
    await chown(homePath('raw'), alice.uid, alice.uid);
    const raw = (name: string): Buffer =>
      Buffer.concat([Buffer.from(`${homePath('raw')}/`), Buffer.from(name, 'latin1')]);
    await writeFile(raw('caf\xe9'), 'x');
    await mkdir(raw('dir\xff'));
    await writeFile(raw('dir\xff/inner'), 'y');
    await chown(raw('dir\xff'), alice.uid, alice.uid);
    const found = await names('/home/alice/raw');
    expect(found).toEqual(['caf\uefe9', 'dir\uefff']);
    expect(await get(`/home/alice/raw/${found[0]}`)).toBe('x');
    for (const name of found) await files.handlers['files.remove']({ account, path: `/home/alice/raw/${name}` });
    expect(await names('/home/alice/raw')).toEqual([]);
  });

  it('that are no files do not hang a reader', async () => {
    await mustRun('/usr/bin/mkfifo', [homePath('pipe')], { deadlineMs: 10_000 });
    await expect(files.readFile(account, '/home/alice/pipe')).rejects.toEqual(code('input-invalid'));
    await expect(files.readFile(account, '/home/alice')).rejects.toEqual(code('input-invalid'));
    await expect(files.readFile(account, '/home/alice/none')).rejects.toEqual(code('not-found'));
    await expect(files.readFile('bob', '/home/bob/x')).rejects.toEqual(code('not-found'));
  });

  it('answer storage-repair when the file server does not, and the next request gets a new one', async () => {
    const impatient = createFiles(
      ground.context,
      { storage: ground.storage, sandboxes, accountOf: () => alice, gateway: { reopenLogs: () => undefined } },
      { ...WORKER_LIMITS, requestMs: 1_500 },
    );
    try {
      await impatient.handlers['files.list']({ account, path: '/home/alice' });
      const programs = (await sandboxes.cgroups.list()).filter(({ program }) => program.startsWith('files-'));
      const pids = (
        await Promise.all(programs.map(async (one) => await sandboxes.cgroups.processes(one.account, one.program)))
      ).flat();
      expect(pids.length).toBeGreaterThan(0);
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await expect(impatient.handlers['files.list']({ account, path: '/home/alice' })).rejects.toEqual(
        code('storage-repair'),
      );
      expect((await impatient.handlers['files.list']({ account, path: '/home/alice' })).entries.length).toBeGreaterThan(
        0,
      );
    } finally {
      await impatient.stop();
    }
  });

  it('say that the quota is used up, and the old file stays', { timeout: 180_000 }, async () => {
    const image = join(ground.context.configuration.home, 'quota.img');
    const mount = homePath('full');
    await mkdir(mount, { recursive: true });
    await mustRun('/usr/bin/truncate', ['-s', '200M', image], { deadlineMs: 10_000 });
    // Tests with disks run beside this one: mkfs would look at theirs, which fail or hang, and a mount waits for those that hang.
    const alone = [
      ...WITHOUT_OTHERS,
      '--bind',
      dirname(image),
      dirname(image),
      '--',
      'mkfs.btrfs',
      '--force',
      '-q',
      image,
    ];
    await mustRun('bwrap', alone, { deadlineMs: 60_000 });
    await mustRun('/bin/mount', ['-o', 'loop', image, mount], { deadlineMs: 60_000 });
    try {
      await mustRun('/bin/btrfs', ['quota', 'enable', mount], { deadlineMs: 30_000 });
      await mustRun('/bin/btrfs', ['qgroup', 'limit', '8M', '0/5', mount], { deadlineMs: 30_000 });
      await chown(mount, alice.uid, alice.uid);
      // A sandbox that runs does not see a mount made after it.
      await files.stop();
      await put('/home/alice/full/keep.txt', 'old');
      const much = files.writeFile(
        account,
        '/home/alice/full/keep.txt',
        Readable.from([randomBytes(32 * 1024 * 1024)]),
        undefined,
      );
      await expect(much).rejects.toEqual(code('quota-exceeded'));
      expect(await get('/home/alice/full/keep.txt')).toBe('old');
      expect(await names('/home/alice/full')).toEqual(['keep.txt']);
    } finally {
      await files.stop();
      await mustRun('/bin/umount', [mount], { deadlineMs: 30_000 });
    }
  });
});

describe('logs of an account', () => {
  let ground: TestGround;
  let files: FilesPart;
  let logs: string;
  const account = 'alice';

  beforeAll(async () => {
    ground = await openTestGround();
    const alice = await ground.account(account);
    const sandboxes = createSandboxes(ground.context);
    logs = await sandboxes.logDirectory(alice);
    files = createFiles(ground.context, {
      storage: ground.storage,
      sandboxes,
      accountOf: () => alice,
      gateway: { reopenLogs: () => undefined },
    });
  });

  afterAll(async () => {
    await files?.stop();
    await ground?.close();
  });

  it('are listed, read, tailed and deleted; a live one is emptied', async () => {
    await writeFile(join(logs, 'a.example.org.error.log'), 'one\ntwo\nthree\n');
    await writeFile(join(logs, 'a.example.org.error.log.1'), 'older\n');
    await writeFile(join(logs, 'a.example.org.error.log.2.gz'), 'packed');
    await writeFile(join(logs, 'not a log'), '');
    await symlink('/etc/passwd', join(logs, 'link.log'));
    const { paths } = await files.handlers['files.tree']({ account, path: '/var/log/', limit: 1000 });
    expect(paths).toEqual(['', '.1', '.2.gz'].map((end) => `/var/log/a.example.org.error.log${end}`));
    const read = await files.readFile(account, '/var/log/a.example.org.error.log');
    expect((await bytes(read.stream)).toString()).toBe('one\ntwo\nthree\n');
    const tail = async (lines: number): Promise<string[]> =>
      (await files.handlers['logs.tail']({ account, domain: 'a.example.org', kind: 'error', lines })).lines;
    expect(await tail(2)).toEqual(['two', 'three']);
    expect(await tail(10)).toEqual(['older', 'one', 'two', 'three']);
    expect(await files.handlers['logs.tail']({ account, domain: 'b.example.org', kind: 'error', lines: 5 })).toEqual({
      lines: [],
      sizeBytes: 0,
    });
    await files.handlers['files.remove']({ account, path: '/var/log/a.example.org.error.log.2.gz/' });
    await files.handlers['files.remove']({ account, path: '/var/log/a.example.org.error.log' });
    expect((await stat(join(logs, 'a.example.org.error.log'))).size).toBe(0);
    for (const path of ['/var/log/link.log', '/var/log/none.log', '/var/log/not a log', '/var/log/a/b.log']) {
      await expect(files.readFile(account, path)).rejects.toEqual(code('not-found'));
    }
    await expect(files.handlers['files.makeDirectory']({ account, path: '/var/log/x' })).rejects.toEqual(
      code('forbidden'),
    );
    await expect(files.handlers['files.remove']({ account, path: '/var/log' })).rejects.toEqual(code('forbidden'));
  });

  it('are turned over by size and by day, up to nine, each with its owner', async () => {
    const access = join(logs, 'r.example.org.access.log');
    const server = join(logs, 'r.example.org.server.log');
    const { gateway, firstAccount } = ground.context.ids;
    const rotation = new LogRotation({
      logs: ground.context.layout.logs,
      gatewayLogs: join(ground.context.layout.gateway, 'logs'),
      reopen: () => undefined,
      log: ground.context.log,
      largest: 100,
    });
    await writeFile(access, 'small\n');
    await chown(access, gateway, firstAccount);
    await writeFile(server, '');
    await rotation.round(new Date('2026-01-01T10:00:00Z'));
    expect(await readFile(access, 'utf8')).toBe('small\n');
    await rotation.round(new Date('2026-01-02T00:00:10Z'));
    expect(await readFile(`${access}.1`, 'utf8')).toBe('small\n');
    const fresh = await stat(access);
    expect([fresh.size, fresh.uid, fresh.gid, fresh.mode & 0o777]).toEqual([0, gateway, firstAccount, 0o640]);
    const inode = (await stat(server)).ino;
    for (let round = 1; round <= 12; round++) {
      await writeFile(server, `${round} `.repeat(100), { flag: 'a' });
      await rotation.round(new Date('2026-01-02T00:01:00Z'));
    }
    const left = (await files.handlers['files.list']({ account, path: '/var/log' })).entries.map((entry) => entry.name);
    expect(left.filter((name) => name.startsWith('r.example.org.server'))).toEqual(
      ['', '.1', ...[2, 3, 4, 5, 6, 7, 8, 9].map((number) => `.${number}.gz`)].map(
        (end) => `r.example.org.server.log${end}`,
      ),
    );
    expect((await stat(server)).ino).toBe(inode);
    expect(await readFile(`${server}.1`, 'utf8')).toContain('12 ');
    const { gunzipSync } = await import('node:zlib');
    expect(gunzipSync(await readFile(`${server}.9.gz`)).toString()).toContain('4 ');
  });
});
