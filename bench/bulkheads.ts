import { closeSync, fsyncSync, mkdtempSync, openSync, writeSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
import { mustRun, runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';

/**
 * What one hung volume does to others through the kernel: two mirrors behind valves, one of them hung with as many dirty pages as it
 * is let, and meanwhile writes on the other one, on the plain file system, in SQLite, mounts, unmounts and a global sync.
 * Once as the kernel comes, once with the hung one's dirty pages limited.
 *
 *   node bench/bulkheads.ts [MIB TO DIRTY] [DIRECTORY]      root; about two minutes
 */
const dirtyMiB = Number(process.argv[2] ?? 6144);
const base = process.argv[3] ?? '/var/tmp';
const DEADLINE_MS = 60_000;
const WRITES = 150;

interface Mirror {
  mount: string;
  /** The kernel's knobs of its page cache. */
  bdi: string;
  valves: ChildProcess[];
  pause(): Promise<void>;
  remove(): Promise<void>;
}

async function makeMirror(own: string, name: string): Promise<Mirror> {
  const loops: string[] = [];
  const valves: ChildProcess[] = [];
  const shownAs: string[] = [];
  for (const replica of ['a', 'b']) {
    const image = join(own, `${name}-${replica}.img`);
    const shown = join(own, `${name}-${replica}`);
    await mkdir(shown);
    shownAs.push(shown);
    await mustRun('truncate', ['--size', '16G', image], { deadlineMs: DEADLINE_MS });
    const server = ['nbdkit', '-s', '--exit-with-parent', '--threads=4', '--filter=pause', 'file', image];
    valves.push(
      spawn('nbdfuse', [shown, '--command', ...server, `pause-control=${shown}.sock`], {
        stdio: 'ignore',
        detached: true,
      }),
    );
    await until(
      async () => (await runCommand('mountpoint', ['-q', shown], { deadlineMs: 2_000 })).code === 0,
      'the valve',
      10_000,
    );
    const loop = ['-f', '--show', '--direct-io=on', join(shown, 'nbd')];
    loops.push((await mustRun('losetup', loop, { deadlineMs: DEADLINE_MS })).stdout.trim());
  }
  const made = await mustRun('mkfs.btrfs', ['-K', '-m', 'raid1', '-d', 'raid1', ...loops], { deadlineMs: DEADLINE_MS });
  const uuid = /UUID:\s+(\S+)/.exec(made.stdout)?.[1] ?? '';
  const mount = join(own, `${name}-mnt`);
  await mkdir(mount);
  const options = `noatime,device=${loops[0]},device=${loops[1]}`;
  await mustRun('mount', ['-o', options, loops[0] ?? '', mount], { deadlineMs: DEADLINE_MS });
  return {
    mount,
    bdi: `/sys/fs/btrfs/${uuid}/bdi`,
    valves,
    async pause() {
      for (const shown of shownAs) {
        await new Promise<void>((done, reject) => {
          const socket = connect(`${shown}.sock`);
          socket.once('error', reject);
          socket.once('data', () => done(void socket.destroy()));
          socket.write('p');
        });
      }
    },
    async remove() {
      // A valve's end fails everything that waits: what is dirty on a hung mirror is thrown away, not written.
      for (const valve of valves) if (valve.pid !== undefined) process.kill(-valve.pid, 'SIGKILL');
      await runCommand('umount', ['--lazy', mount], { deadlineMs: DEADLINE_MS });
      for (const loop of loops) await runCommand('losetup', ['-d', loop], { deadlineMs: DEADLINE_MS });
      for (const shown of shownAs) await runCommand('umount', ['--lazy', shown], { deadlineMs: DEADLINE_MS });
    },
  };
}

function times(work: (index: number) => void): string {
  const taken: number[] = [];
  for (let index = 0; index < WRITES; index += 1) {
    const begun = performance.now();
    work(index);
    taken.push(performance.now() - begun);
  }
  taken.sort((a, b) => a - b);
  const at = (share: number): string => (taken[Math.min(WRITES - 1, Math.floor(WRITES * share))] ?? 0).toFixed(1);
  return `p50 ${at(0.5).padStart(7)}  p99 ${at(0.99).padStart(7)}  max ${at(1).padStart(7)} ms`;
}

function writes(directory: string, bytes: number, sync: boolean): string {
  const file = openSync(join(directory, 'written'), 'w');
  const block = Buffer.alloc(bytes, 'x');
  try {
    return times(() => {
      writeSync(file, block);
      if (sync) fsyncSync(file);
    });
  } finally {
    closeSync(file);
  }
}

function commits(directory: string): string {
  const database = new DatabaseSync(join(directory, 'database'));
  try {
    database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t (x)');
    const insert = database.prepare('INSERT INTO t VALUES (?)');
    return times((index) => void insert.run(index));
  } finally {
    database.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<string> {
  const begun = performance.now();
  try {
    await work();
    return `${(performance.now() - begun).toFixed(0)} ms`;
  } catch (error) {
    return `not within ${((performance.now() - begun) / 1000).toFixed(0)} s (${String(error).slice(0, 80)})`;
  }
}

const meminfo = async (): Promise<string> => {
  const { stdout } = await runCommand('grep', ['-E', '^(Dirty|Writeback):', '/proc/meminfo'], { deadlineMs: 2_000 });
  return stdout.replaceAll(/\s+/g, ' ').trim();
};

async function sequential(directory: string): Promise<string> {
  const begun = performance.now();
  await mustRun('dd', ['if=/dev/zero', `of=${join(directory, 'large')}`, 'bs=1M', 'count=1024', 'conv=fsync', 'status=none'], { deadlineMs: DEADLINE_MS }); // prettier-ignore
  await rm(join(directory, 'large'));
  return `${(1024 / ((performance.now() - begun) / 1000)).toFixed(0)} MiB/s`;
}

async function look(title: string, well: Mirror, plain: string): Promise<void> {
  const say = (what: string, figure: string): void => void process.stdout.write(`  ${what.padEnd(44)}${figure}\n`);
  process.stdout.write(`${title}; ${await meminfo()}\n`);
  say('other volume, 64 KiB writes', writes(well.mount, 65_536, false));
  say('other volume, 4 KiB writes with fsync', writes(well.mount, 4_096, true));
  say('plain file system, 64 KiB writes', writes(plain, 65_536, false));
  say('plain file system, 4 KiB writes with fsync', writes(plain, 4_096, true));
  say('SQLite on the plain file system, commits', commits(plain));
  const target = join(plain, 'tmpfs');
  await mkdir(target, { recursive: true });
  say('mount and umount of a tmpfs', await timed(async () => {
    await mustRun('mount', ['-t', 'tmpfs', 'bench', target], { deadlineMs: 10_000 });
    await mustRun('umount', ['-l', target], { deadlineMs: 10_000 });
  })); // prettier-ignore
  say('bwrap --dev-bind / / true', await timed(async () => await mustRun('bwrap', ['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64', '--unshare-all', '/usr/bin/true'], { deadlineMs: 10_000 }))); // prettier-ignore
  say('syncfs of the other volume', await timed(async () => await mustRun('sync', ['--file-system', well.mount], { deadlineMs: 10_000 }))); // prettier-ignore
  say('syncfs of the plain file system', await timed(async () => await mustRun('sync', ['--file-system', plain], { deadlineMs: 10_000 }))); // prettier-ignore
}

for (const limited of [false, true]) {
  const own = mkdtempSync(join(base, 'holdfast-bench-'));
  const plain = join(own, 'plain');
  await mkdir(plain);
  const mirrors: Mirror[] = [];
  let presser: ChildProcess | undefined;
  try {
    const hung = await makeMirror(own, 'hung');
    mirrors.push(hung);
    const well = await makeMirror(own, 'well');
    mirrors.push(well);
    if (limited) {
      for (const mirror of mirrors) {
        await writeFile(join(mirror.bdi, 'max_ratio'), '10');
        await writeFile(join(mirror.bdi, 'strict_limit'), '1');
      }
    }
    process.stdout.write(
      `\n== dirty pages of a volume ${limited ? 'limited (strict_limit, max_ratio 10)' : 'as the kernel comes'} ==\n`,
    );
    process.stdout.write(
      `  sequential write, nothing hung: ${await sequential(well.mount)}, again ${await sequential(well.mount)}\n`,
    );
    await look('before', well, plain);
    await hung.pause();
    presser = spawn('dd', ['if=/dev/zero', `of=${join(hung.mount, 'pressing')}`, 'bs=1M', `count=${dirtyMiB}`, 'status=none'], { stdio: 'ignore' }); // prettier-ignore
    // Until it makes no progress any more, or has written all.
    let last = '';
    await until(async () => {
      const now = await meminfo();
      const still = now === last;
      last = now;
      return still || presser?.exitCode !== null;
    }, 'the dirty pages', DEADLINE_MS, 2_000); // prettier-ignore
    await look('while it hangs', well, plain);
    process.stdout.write(`  sequential write meanwhile: ${await sequential(well.mount)}\n`);
    process.stdout.write(
      `  global sync: ${await timed(async () => await mustRun('sync', [], { deadlineMs: 10_000 }))}\n`,
    );
    await look('while it hangs and a global sync waits', well, plain);
  } finally {
    presser?.kill('SIGKILL');
    for (const mirror of mirrors) await mirror.remove();
    await rm(own, { recursive: true, force: true });
  }
}
