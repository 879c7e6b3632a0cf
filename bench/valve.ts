import { mkdtempSync, openSync, closeSync, writeSync, fsyncSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { mustRun, runCommand } from '../src/runtime/command.ts';
import { until } from '../src/runtime/deadline.ts';

/**
 * What the fault valve costs: small fsynced writes and sequential throughput on the plain file system, on a btrfs mirror over
 * direct loop devices, and on the same mirror behind valves with different filters. Rounds are interleaved, so that what
 * else the machine does falls on all of them alike; the middle of the rounds is printed, and ratios to the first line.
 *
 *   node bench/valve.ts [ROUNDS] [DIRECTORY]      root; about 15 s a round
 */
const rounds = Number(process.argv[2] ?? 5);
const base = process.argv[3] ?? '/var/tmp';
const SMALL_WRITES = 800;
const SEQUENTIAL_MIB = 256;
const DEADLINE_MS = 60_000;

interface Result {
  perSecond: number;
  p50: number;
  p99: number;
  writeMiB: number;
  readMiB: number;
}

const quantile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
const middle = (values: number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

function smallWrites(directory: string): { perSecond: number; p50: number; p99: number } {
  const file = openSync(join(directory, 'small'), 'w');
  const block = Buffer.alloc(4096, 'x');
  const times: number[] = [];
  const begun = performance.now();
  for (let index = 0; index < SMALL_WRITES; index += 1) {
    const start = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    times.push(performance.now() - start);
  }
  const seconds = (performance.now() - begun) / 1000;
  closeSync(file);
  times.sort((a, b) => a - b);
  return { perSecond: SMALL_WRITES / seconds, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function measure(directory: string): Promise<Result> {
  smallWrites(directory);
  const small = smallWrites(directory);
  const file = join(directory, 'large');
  const timed = async (parameters: string[]): Promise<number> => {
    const start = performance.now();
    await mustRun('dd', [...parameters, 'bs=1M', `count=${SEQUENTIAL_MIB}`, 'status=none'], {
      deadlineMs: DEADLINE_MS,
    });
    return SEQUENTIAL_MIB / ((performance.now() - start) / 1000);
  };
  const writeMiB = await timed(['if=/dev/zero', `of=${file}`, 'conv=fsync']);
  const readMiB = await timed([`if=${file}`, 'of=/dev/null', 'iflag=direct']);
  await rm(file);
  return { ...small, writeMiB, readMiB };
}

/** Largest request in KiB, when it is not the kernel's. */
const REQUEST_KIB: Record<string, number> = { 'valve as used': 256 };
const filters: Record<string, string[]> = {
  'valve as used': ['--filter=error', '--filter=pause', '--filter=rate'],
  'valve, no filter': [],
  'valve, error': ['--filter=error'],
  'valve, error+pause': ['--filter=error', '--filter=pause'],
  'valve, error+pause+rate': ['--filter=error', '--filter=pause', '--filter=rate'],
  'valve, error+pause+rate+delay': ['--filter=error', '--filter=pause', '--filter=rate', '--filter=delay'],
};

async function withMirror(
  valve: string[] | undefined,
  requestKiB: number | undefined,
  work: (directory: string, valves: ChildProcess[]) => Promise<void>,
): Promise<void> {
  const own = mkdtempSync(join(base, 'holdfast-bench-'));
  const loops: string[] = [];
  const valves: ChildProcess[] = [];
  const mount = join(own, 'mnt');
  await mkdir(mount);
  try {
    for (const name of ['a', 'b']) {
      const image = join(own, `${name}.img`);
      await mustRun('truncate', ['--size', '2G', image], { deadlineMs: DEADLINE_MS });
      let file = image;
      if (valve !== undefined) {
        const shown = join(own, name);
        await mkdir(shown);
        const parameters: string[] = [];
        if (valve.includes('--filter=error'))
          parameters.push('error=EIO', 'error-rate=100%', `error-file=${shown}.error`);
        if (valve.includes('--filter=pause')) parameters.push(`pause-control=${shown}.sock`);
        if (valve.includes('--filter=rate')) parameters.push(`rate-file=${shown}.rate`);
        const child = spawn(
          'nbdfuse',
          [
            shown,
            '--command',
            'nbdkit',
            '-s',
            '--exit-with-parent',
            '--threads=4',
            ...valve,
            'file',
            image,
            ...parameters,
          ],
          {
            stdio: 'ignore',
            env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', MALLOC_ARENA_MAX: '1' },
          },
        );
        valves.push(child);
        file = join(shown, 'nbd');
        await until(
          async () => (await runCommand('mountpoint', ['-q', shown], { deadlineMs: 2_000 })).code === 0,
          'the valve',
          10_000,
        );
      }
      loops.push(
        (await mustRun('losetup', ['-f', '--show', '--direct-io=on', file], { deadlineMs: DEADLINE_MS })).stdout.trim(),
      );
    }
    for (const loop of loops) {
      await writeFile(`/sys/block/${loop.replace('/dev/', '')}/queue/max_sectors_kb`, String(requestKiB ?? 1280));
    }
    await mustRun('mkfs.btrfs', ['-q', '-K', '-m', 'raid1', '-d', 'raid1', ...loops], { deadlineMs: DEADLINE_MS });
    await mustRun('mount', ['-o', `noatime,device=${loops[0]},device=${loops[1]}`, loops[0] ?? '', mount], {
      deadlineMs: DEADLINE_MS,
    });
    await mustRun('btrfs', ['quota', 'enable', mount], { deadlineMs: DEADLINE_MS });
    await work(mount, valves);
  } finally {
    await runCommand('umount', [mount], { deadlineMs: DEADLINE_MS });
    for (const loop of loops) await runCommand('losetup', ['-d', loop], { deadlineMs: DEADLINE_MS });
    for (const name of ['a', 'b']) await runCommand('umount', [join(own, name)], { deadlineMs: DEADLINE_MS });
    for (const child of valves) child.kill();
    await rm(own, { recursive: true, force: true });
  }
}

/** Proportional set size of a valve's two processes, KiB. */
async function memoryOf(valve: ChildProcess): Promise<number> {
  const children = await runCommand('pgrep', ['--parent', String(valve.pid)], { deadlineMs: 2_000 });
  let total = 0;
  for (const pid of [String(valve.pid), ...children.stdout.trim().split('\n')]) {
    const text = await runCommand('grep', ['^Pss:', `/proc/${pid}/smaps_rollup`], { deadlineMs: 2_000 });
    total += Number(/(\d+) kB/.exec(text.stdout)?.[1] ?? 0);
  }
  return total;
}

const results = new Map<string, Result[]>();
const memory = new Map<string, number[]>();
const keep = (name: string, result: Result): void => void results.set(name, [...(results.get(name) ?? []), result]);

for (let round = 0; round < rounds; round += 1) {
  const plain = mkdtempSync(join(base, 'holdfast-bench-'));
  keep('plain file system', await measure(plain));
  await rm(plain, { recursive: true });
  await withMirror(undefined, undefined, async (directory) => keep('mirror, direct loops', await measure(directory)));
  for (const [name, valve] of Object.entries(filters)) {
    await withMirror(valve, REQUEST_KIB[name], async (directory, valves) => {
      keep(name, await measure(directory));
      for (const child of valves) memory.set(name, [...(memory.get(name) ?? []), await memoryOf(child)]);
    });
  }
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}

const first = results.get('plain file system') ?? [];
const rows: string[] = [];
for (const [name, all] of results) {
  const of = (key: keyof Result, from: Result[] = all): number => middle(from.map((result) => result[key]));
  const ratio = (key: keyof Result): string => (of(key) / of(key, first)).toFixed(2);
  rows.push(
    [
      name.padEnd(30),
      `${of('perSecond').toFixed(0)}/s (${ratio('perSecond')})`.padStart(16),
      `p50 ${of('p50').toFixed(2)} ms`.padStart(14),
      `p99 ${of('p99').toFixed(2)} ms`.padStart(14),
      `write ${of('writeMiB').toFixed(0)} MiB/s (${ratio('writeMiB')})`.padStart(26),
      `read ${of('readMiB').toFixed(0)} MiB/s (${ratio('readMiB')})`.padStart(26),
      memory.has(name) ? `${(middle(memory.get(name) ?? []) / 1024).toFixed(1)} MiB a valve` : '',
    ].join(' '),
  );
}
process.stdout.write(`${rows.join('\n')}\n`);
if (process.argv[4] !== undefined)
  await writeFile(process.argv[4], JSON.stringify(Object.fromEntries(results), null, 2));
